"""
What ``txingress migrate`` writes: into a folder, nothing over what is there, and never a Secret.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Final

import msgspec

from ingress.command.failure import CannotRun
from ingress.command.migrate_copies import text_of
from ingress.migration.configuration import local_settings
from ingress.migration.controller import Installation
from ingress.migration.manifests import File, as_yaml, manifest_files
from ingress.migration.raw import RawObject
from ingress.migration.report import Report
from ingress.migration.report_html import write_html
from ingress.migration.report_text import write_markdown

COPIES: Final = "objects/copied.yaml"
"""What is served on this machine and is in none of the files that were named."""


@dataclass(frozen=True)
class Output:
    """What takes the place of one installation."""

    name: str
    installation: Installation
    image: str
    paths: tuple[str, ...] = ()
    """Files and folders that were named."""

    made: tuple[RawObject, ...] = ()
    """ConfigMaps and IngressClasses that only Helm values tell of."""

    real: tuple[str, ...] = ()
    """The paths, with a file in place of standard input."""

    source: Mapping[str, Any] = field(default_factory=dict)
    """The cluster that everything came from."""

    rendered: Report | None = None
    copies: tuple[str, ...] = ()
    """Objects that were read from standard input, as YAML."""

    @property
    def report(self) -> Report:
        """What becomes of everything."""
        assert self.rendered is not None
        return self.rendered

    def with_report(self, report: Report) -> Output:
        """:return: the same with its report."""
        return replace(self, rendered=report)

    def made_text(self) -> str:
        """:return: the objects that only Helm values tell of, as YAML; empty for none."""
        return "---\n".join(text_of(each.kind, each.value) for each in self.made)

    def files(self, folder: Path) -> Iterator[File]:
        """
        :param folder: where they will be: paths of the configuration are relative to it.
        :return: all files.
        """
        source = self.source
        if not source:
            files = [_relative(path, folder) for path in self.paths if path in self.real]
            if texts := [*filter(None, (self.made_text(),)), *self.copies]:
                files.append(COPIES)
                yield File(COPIES, "---\n".join(texts))
            source = {"files": files}
        yield File("ingress.yaml", _HEAD + as_yaml(local_settings(self.installation, source)))
        yield from manifest_files(self.installation, self.name, self.image)
        lines = {
            "report.md": "\n".join(write_markdown(self.report)),
            "report.html": "\n".join(write_html(self.report)),
            "report.json": as_json(self.report.as_json()),
        }
        yield from (File(name, f"{text}\n") for name, text in lines.items())


def as_json(value: object) -> str:
    """:return: JSON for people and programs; the encoder of the standard library takes minutes."""
    try:
        return msgspec.json.format(msgspec.json.encode(value), indent=2).decode()
    except UnicodeEncodeError:
        return json.dumps(value, indent=2)


def encodable(text: str) -> str:
    """:return: a text without halves of surrogate pairs, which JSON may have and UTF-8 has not."""
    return text.encode("utf-8", "backslashreplace").decode()


_HEAD: Final = """\
# A rehearsal on this machine, written by txingress migrate. It serves what the files say, and
# writes to no cluster:
#
#   txingress check --config ingress.yaml
#   txingress simulate access.log --config ingress.yaml
#   txingress run --config ingress.yaml
#
"""


def _relative(path: str, folder: Path) -> str:
    return os.path.relpath(os.path.abspath(path), folder.absolute())


def write(folder: Path, outputs: Sequence[Output], *, force: bool) -> None:
    """
    Write all files: of several installations, each into a folder with its name.

    :raises CannotRun: before anything is written, if a file is there already.
    """
    found: dict[Path, str] = {}
    for output in outputs:
        own = folder if len(outputs) == 1 else folder / output.name
        found |= {own / file.path: file.text for file in output.files(own)}
    there = [path for path in found if path.exists() or path.is_symlink()]
    if there and not force:
        raise CannotRun(f"{there[0]} exists; --force overwrites it, or name another folder")
    try:
        for path, text in found.items():
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(encodable(text), encoding="utf-8")
    except OSError as error:
        raise CannotRun(f"{error.filename}: {error.strerror}") from None
