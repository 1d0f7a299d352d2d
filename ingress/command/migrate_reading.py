"""
What ``txingress migrate`` reads: objects of an installation as they are written, and Helm values.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Final

from ingress.command.bounded_input import read_input
from ingress.command.failure import CannotRun
from ingress.document import (
    Document,
    DocumentError,
    decode_text,
    load_documents,
    parse_document,
    split_documents,
)
from ingress.migration.raw import RawObject, read_raw

_ENDINGS: Final = (".yaml", ".yml", ".json")
_SERVED: Final = frozenset(
    {"ConfigMap", "EndpointSlice", "Endpoints", "Ingress", "IngressClass", "Service"}
)
_HEADINGS: Final = ("USER-SUPPLIED VALUES", "COMPUTED VALUES")
"""What ``helm get values`` writes above the values, unless it is asked for YAML."""

MAX_FILES: Final = 20_000
MAX_SIZE: Final = 64 << 20
"""Bytes of a file."""


def read_objects(paths: Sequence[str], names: Mapping[str, str]) -> list[RawObject]:
    """
    Read files; what is no object of these kinds is left to the reader of serving, which tells it.

    :param paths: files and folders, as `ingress.command.offline` takes them.
    :param names: what the report calls a file that stands in for standard input.
    """
    found: list[RawObject] = []
    for file in _files(paths):
        shown = names.get(str(file), str(file))
        for document in _documents(file):
            found += read_raw(document, shown)
    return found


def _files(paths: Iterable[str]) -> Iterator[Path]:
    number = 0
    for path in map(Path, paths):
        if not path.is_dir():
            yield path
            continue
        for folder, inner, files in os.walk(path):
            inner[:] = sorted(name for name in inner if not name.startswith("."))
            for name in sorted(files):
                if name.endswith(_ENDINGS) and not name.startswith("."):
                    number += 1
                    if number > MAX_FILES:
                        raise CannotRun(f"{path}: there are more than {MAX_FILES} files in it")
                    yield Path(folder, name)


def _documents(file: Path) -> Iterator[Document]:
    """Yield the documents that can be read; the reader of serving tells of the others."""
    try:
        if file.stat().st_size > MAX_SIZE or not file.is_file():
            return
        texts = split_documents(decode_text(file.read_bytes()))
    except (OSError, DocumentError):
        return
    for text in texts:
        try:
            document = parse_document(text)
        except DocumentError:
            continue
        if document.value is not None:
            yield document


def read_values(files: Sequence[str]) -> dict[str, Any]:
    """
    :param files: of values; a later one takes precedence, as with ``helm --values``.
    :raises CannotRun: if one cannot be read, or is no mapping.
    """
    values: dict[str, Any] = {}
    for file in files:
        try:
            documents = load_documents(decode_text(read_input(file)))
        except DocumentError as error:
            raise CannotRun(f"{file}, line {error.line}: {error.message}") from None
        for document in documents:
            if not isinstance(document.value, dict):
                raise CannotRun(f"{file}: Helm values are a mapping, such as controller: {{...}}")
            _merge(values, document.value)
    for heading in _HEADINGS:
        if heading in values and values[heading] is None:
            del values[heading]
    return values


def _merge(into: dict[str, Any], further: Mapping[str, Any]) -> None:
    """Merge mappings as Helm does: null removes a value, lists are replaced."""
    pending = [(into, further)]
    while pending:
        target, source = pending.pop()
        for key, value in source.items():
            there = target.get(key)
            if value is None and key in target:
                del target[key]
            elif isinstance(there, dict) and isinstance(value, dict):
                pending.append((there, value))
            else:
                target[key] = value


def read_served(path: str) -> Iterator[Mapping[str, Any]]:
    """:return: the objects of a file that are served from files, without Secrets."""
    for document in _documents(Path(path)):
        pending = [document.value]
        while pending:
            value = pending.pop(0)
            if not isinstance(value, dict):
                continue
            kind = value.get("kind")
            if kind == "List" and isinstance(value.get("items"), list):
                pending = [*value["items"], *pending]
            elif kind in _SERVED:
                yield value
