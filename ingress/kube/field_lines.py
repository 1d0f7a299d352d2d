"""
Finds the line of a field in its file, on demand.

The lines of all fields would take more memory than the objects, so the file is read once more
for the few fields that have a fault.
"""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Sequence
from typing import Final, NamedTuple

from ingress.document import DocumentText, Path
from ingress.document.line_index import LineIndex, index_lines
from ingress.kube.folder import FoundFile
from ingress.kube.manifest_content import read_content

MAX_OBJECT: Final = 256 * 1024
"""Characters of an object in which fields are looked for; it may have one MiB in a cluster."""

COUNTED_AT_ONCE: Final = 64 * 1024
"""Characters that one call scans, while which no other thread can run."""

_BEFORE_OBJECT: Final = re.compile(r"(?:---)?[ \t]*(?:-[ \t]+)*")
"""What may stand before an object on its first line: a document's marker, those of lists."""


class Wanted(NamedTuple):
    """A field whose line is wanted."""

    line: int
    """The first line of its object, from 1."""

    path: Path
    """Within the object."""


def find_field_lines(found: FoundFile, wanted: Sequence[Wanted]) -> list[int]:
    """
    Find the lines of fields; call it in a thread, because it reads the file.

    :param found: the file as it was when the objects were read.
    :return: the line of each field, or of its nearest existing parent; the line of the object
        if the file has changed since.
    """
    content = read_content(found)
    if content.is_unsettled or content.problem is not None:
        return [each.line for each in wanted]
    texts = [_Lines(each.source) for each in content.documents]
    starts = [each.start for each in texts]
    lines = [each.line for each in wanted]
    for number in sorted(range(len(wanted)), key=lines.__getitem__):
        line, path = wanted[number]
        index = bisect_right(starts, line) - 1
        if index >= 0:
            lines[number] = texts[index].find(line, path)
    return lines


class _Lines:
    """One document; it remembers the position of the last line that was found."""

    def __init__(self, source: DocumentText) -> None:
        self.start = source.line
        self._text = source.text
        self._line = source.line
        self._position = 0
        self._index: tuple[int, LineIndex] | None = None
        """The first line of the object that was looked at last, and the lines in it."""

    def __repr__(self) -> str:
        return f"<_Lines {self._line}>"

    def find(self, line: int, path: Path) -> int:
        """The line of a field of the object that begins on ``line``."""
        if self._index is None or self._index[0] != line:
            self._index = (line, self._index_from(line))
        return self._index[1].find(path)

    def _index_from(self, line: int) -> LineIndex:
        self._go_to(line)
        before = _BEFORE_OBJECT.match(self._text, self._position)
        start = before.end() if before is not None else self._position
        indent = " " * (start - self._position)
        return index_lines(indent + self._text[start : start + MAX_OBJECT], line)

    def _go_to(self, line: int) -> None:
        """Move the position to the beginning of a line."""
        if line < self._line:
            self._line, self._position = self.start, 0
        while self._line < line:
            end = self._position + COUNTED_AT_ONCE
            count = self._text.count("\n", self._position, end)
            if self._line + count >= line or end >= len(self._text):
                break
            self._line, self._position = self._line + count, end
        while self._line < line:
            end = self._text.find("\n", self._position)
            if end < 0:
                return
            self._line, self._position = self._line + 1, end + 1
