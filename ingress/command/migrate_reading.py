"""
What ``txingress migrate`` reads: objects of an installation as they are written, and Helm values.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Final, NamedTuple

from ingress.command.bounded_input import read_input
from ingress.command.failure import CannotRun
from ingress.command.migrate_copies import copies_of
from ingress.document import (
    Document,
    DocumentError,
    DocumentText,
    decode_text,
    load_documents,
    parse_in_slices,
    split_documents,
)
from ingress.migration.helm_values import leaves
from ingress.migration.raw import KINDS, RawObject, read_raw
from ingress.steps import finish, ticking

_ENDINGS: Final = (".yaml", ".yml", ".json")
_KINDS: Final = re.compile("|".join((*sorted(KINDS), "List")))
"""Words of which a document has one if there is an object in it that belongs to an installation."""

_LIST: Final = re.compile(r"^kind: [\"']?\w*List[\"']?[ \t]*$", re.MULTILINE)
_ITEMS: Final = re.compile(r"^items:[ \t]*\n", re.MULTILINE)
_ITEM: Final = re.compile(r"^(?=- )", re.MULTILINE)
_NEXT_KEY: Final = re.compile(r"^[^\s#-]", re.MULTILINE)
"""Parts of a list in which no item is indented, as kubectl writes it."""

_HEADINGS: Final = ("USER-SUPPLIED VALUES", "COMPUTED VALUES")
"""What ``helm get values`` writes above the values, unless it is asked for YAML."""

MAX_FILES: Final = 20_000
MAX_SIZE: Final = 64 << 20
"""Bytes of a file."""


class ReadFiles(NamedTuple):
    """What files have."""

    objects: list[RawObject]
    """Those that an installation may be made of."""

    copies: tuple[str, ...]
    """What is served, as YAML, of files that stand in for standard input."""


def read_objects(
    paths: Sequence[str], names: Mapping[str, str], tick: Callable[[], None] = lambda: None
) -> ReadFiles:
    """
    Read files; what is no object of these kinds is left to the reader of serving, which tells it.

    :param paths: files and folders, as `ingress.command.offline` takes them.
    :param names: what the report calls a file that stands in for standard input.
    :param tick: is called again and again.
    """
    found: list[RawObject] = []
    copies: list[str] = []
    for file in _files(paths):
        shown = names.get(str(file), str(file))
        for document in _documents(file, needs_all=shown != str(file), tick=tick):
            found += read_raw(document, shown)
            if shown != str(file):
                copies += copies_of(document)
    return ReadFiles(found, tuple(copies))


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


def _documents(file: Path, *, needs_all: bool, tick: Callable[[], None]) -> Iterator[Document]:
    """
    Yield the documents that can be read; the reader of serving tells of the others.

    :param needs_all: whether also those without an object of an installation, which are many.
    """
    try:
        if file.stat().st_size > MAX_SIZE or not file.is_file():
            return
        texts = split_documents(decode_text(file.read_bytes()))
    except (OSError, DocumentError):
        return
    for text in texts:
        if not needs_all and not _KINDS.search(text.text):
            continue
        document = None if needs_all else _parsed(_shortened(text), tick)
        document = document or _parsed(text, tick)
        if document is not None and document.value is not None:
            yield document


def _parsed(text: DocumentText | None, tick: Callable[[], None]) -> Document | None:
    """:return: None for what cannot be parsed."""
    if text is None:
        return None
    try:
        return finish(ticking(parse_in_slices(text), tick))
    except DocumentError:
        return None


def _shortened(text: DocumentText) -> DocumentText | None:
    """
    :param text: such as ``kubectl get ... -A -o yaml`` makes.
    :return: a list without the items that are no object of an installation, with blank lines in
        their place; None if it is no such list. What needs another item cannot be parsed then.
    """
    items = _ITEMS.search(text.text)
    if items is None or not _LIST.search(text.text):
        return None
    parts = [text.text[: items.end()]]
    last = _NEXT_KEY.search(text.text, items.end())
    end = last.start() if last is not None else len(text.text)
    for item in _ITEM.split(text.text[items.end() : end]):
        parts.append(item if _KINDS.search(item) else "\n" * item.count("\n"))
    return DocumentText("".join((*parts, text.text[end:])), text.line)


Places = dict[str, tuple[str, int]]
"""File and line of values, by their paths with dots between the names."""


def read_values(files: Sequence[str], places: Places) -> dict[str, Any]:
    """
    :param places: gets those of all values.
    :param files: of values; a later one takes precedence, as with ``helm --values``.
    :raises CannotRun: if one cannot be read, or is no mapping.
    """
    values: dict[str, Any] = {}
    for file in files:
        try:
            documents = load_documents(decode_text(read_input(file)))
        except DocumentError as error:
            raise CannotRun(f"{file}, line {error.line}: {error.message}") from None
        if len(documents) > 1:
            raise CannotRun(
                f"{file}, line {documents[1].line}: a second document begins here, of which Helm "
                "reads nothing: put all values into one"
            )
        for document in documents:
            if not isinstance(document.value, dict):
                raise CannotRun(f"{file}: Helm values are a mapping, such as controller: {{...}}")
            for path, _ in leaves(document.value):
                places[".".join(path)] = file, document.line_of(path)
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
