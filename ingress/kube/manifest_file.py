"""
One file of manifests, compared with its former content.

A document with unchanged text is not parsed again, and its objects stay the same objects.
An object that becomes faulty keeps its last good version.
"""

from __future__ import annotations

import hashlib
import os
import stat
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Final, cast

import msgspec

from ingress.document import (
    DocumentError,
    DocumentText,
    decode_text,
    parse_in_slices,
    split_documents,
)
from ingress.kube.folder import FoundFile, sign
from ingress.kube.manifest import Reading, read_objects
from ingress.kube.objects import KubeObject, ObjectKey
from ingress.kube.pem_folder import read_pair, sign_pair
from ingress.kube.remains import is_remains, remains_of_text
from ingress.problem import Origin, Problem, printable
from ingress.problem_code import Code
from ingress.steps import STRIDE, Steps

DIGESTED_AT_ONCE: Final = 1024 * 1024
"""Characters."""


class ReadDocument(msgspec.Struct, frozen=True, gc=False):
    """The result of reading one document."""

    line: int
    readings: tuple[Reading, ...]

    is_broken: bool = False
    """Whether it cannot be parsed, so that its objects are unknown."""

    def at_line(self, line: int) -> Steps[ReadDocument]:
        """The same document, moved to another line by text before it."""
        delta = line - self.line
        if not delta:
            return self
        readings = []
        for count, reading in enumerate(self.readings):
            readings.append(_moved(reading, delta))
            if count % STRIDE == STRIDE - 1:
                yield
        return ReadDocument(line, tuple(readings), self.is_broken)


def _moved(reading: Reading, delta: int) -> Reading:
    problems = tuple(
        replace(problem, origin=Origin(problem.origin.file, problem.origin.line + delta))
        for problem in reading.problems
    )
    return msgspec.structs.replace(reading, line=reading.line + delta, problems=problems)


class ManifestFile(msgspec.Struct, frozen=True, gc=False):
    """The content of a file."""

    documents: Mapping[bytes, ReadDocument] = msgspec.field(default_factory=dict)
    """By the digest of their text; the text itself may hold Secrets."""

    objects: Mapping[ObjectKey, KubeObject] = msgspec.field(default_factory=dict)
    """The objects to serve, last good versions included."""

    lines: Mapping[ObjectKey, int] = msgspec.field(default_factory=dict)
    """The present line of each object; its origin is the line on which it was parsed."""

    problems: tuple[Problem, ...] = ()
    skipped: Mapping[str, int] = msgspec.field(default_factory=dict)
    """The number of objects of each skipped kind."""

    unreadable: Problem | None = None
    """Why the file as a whole cannot be read now; one of `problems`."""

    hidden: tuple[Reading, ...] = ()
    """Faulty objects that may be in a document that cannot be parsed now."""

    modified: float = 0.0
    """When the file was modified, in seconds since the epoch; 0 if unknown."""

    parsed: float = 0.0
    """The same of its last content in which every document could be parsed."""

    kept: Mapping[ObjectKey, float] = msgspec.field(default_factory=dict)
    """The same of the last good versions that are served now."""


class DigestedText(msgspec.Struct, frozen=True, gc=False):
    """A document that is not parsed yet, with the digest that identifies its text."""

    digest: bytes
    source: DocumentText


@dataclass(frozen=True, slots=True)
class Content:
    """The content of a file, read but not parsed."""

    documents: tuple[DigestedText, ...] = ()

    reading: Reading | None = None
    """Of a pair of PEM files."""

    problem: Problem | None = None
    """Why there is no content."""

    modified: float = 0.0
    """When the file was modified, in seconds since the epoch; 0 if unknown."""

    is_unsettled: bool = False
    """Whether the file changed during the reading and must be read again."""


def read_content(found: FoundFile) -> Content:
    """Read a file. May block, and is called in a thread; bad content raises nothing."""
    if found.is_pair:
        reading = read_pair(found.path)
        return Content(
            reading=reading,
            modified=found.modified,
            is_unsettled=sign_pair(found.path) != found.signature,
        )
    file = printable(found.path)
    try:
        descriptor = os.open(found.path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
        with os.fdopen(descriptor, "rb") as stream:
            if not stat.S_ISREG(os.fstat(descriptor).st_mode):
                return Content(is_unsettled=True)
            # One byte more than the size shows that a writer is still at work.
            data = stream.read(found.signature[2] + 1)
            if sign(os.fstat(descriptor)) != found.signature:
                return Content(is_unsettled=True)
    except FileNotFoundError:
        return Content(is_unsettled=True)
    except OSError as error:
        message = f"cannot be read: {error.strerror or error}"
        return Content(problem=Problem(message, origin=Origin(file), code=Code.FILE_UNREADABLE))
    try:
        return Content(digest_documents(decode_text(data)), modified=found.modified)
    except DocumentError as error:
        return Content(
            problem=Problem(
                error.message, origin=Origin(file, error.line), code=Code.FILE_NOT_PARSED
            )
        )


def digest_documents(text: str) -> tuple[DigestedText, ...]:
    """The documents of a text, each with its digest."""
    return tuple(DigestedText(_digest(source.text), source) for source in split_documents(text))


def _digest(text: str) -> bytes:
    """Digest a text in pieces, because one call for all of it holds the interpreter too long."""
    digest = hashlib.blake2b(digest_size=16)
    for start in range(0, len(text), DIGESTED_AT_ONCE):
        # surrogatepass: the parser is to refuse a lone surrogate.
        piece = text[start : start + DIGESTED_AT_ONCE]
        digest.update(piece.encode("utf-8", "surrogatepass"))
    return digest.digest()


def update_file(file: str, content: Content, before: ManifestFile) -> Steps[ManifestFile]:
    """
    The new content of a file.

    :param file: its path for Problems.
    """
    if content.problem is not None:
        return _unreadable(content.problem, before)
    if content.reading is not None:
        return (yield from _Collection(before, content.modified).collect({}, content.reading))
    documents: dict[bytes, ReadDocument] = {}
    found = []
    for text in content.documents:
        known = before.documents.get(text.digest)
        if known is None:
            known = yield from _read_document(file, text.source, before)
        else:
            known = yield from known.at_line(text.source.line)
            yield
        documents[text.digest] = known
        found.append(known)
    return (yield from _Collection(before, content.modified).collect(documents, *found))


def _unreadable(problem: Problem, before: ManifestFile) -> ManifestFile:
    """The same content, with a Problem more: the known ones are only hidden."""
    problem = replace(problem, message=f"{problem.message}; {_served(before, 'file')}")
    known = [each for each in before.problems if each is not before.unreadable]
    return msgspec.structs.replace(before, problems=(problem, *known), unreadable=problem)


def _read_document(file: str, source: DocumentText, before: ManifestFile) -> Steps[ReadDocument]:
    try:
        document = yield from parse_in_slices(source)
    except DocumentError as error:
        message = f"{error.message}; {_served(before, 'document')}"
        problem = Problem(message, origin=Origin(file, error.line), code=Code.FILE_NOT_PARSED)
        guessed = [
            Reading(source.line, ("ConfigMap", *item.key), item)
            for item in remains_of_text(source.text, Origin(file, source.line))
        ]
        refused = Reading(error.line, problems=(problem,))
        return ReadDocument(source.line, (refused, *guessed), True)
    if document.value is None:
        return ReadDocument(source.line, ())
    readings = []
    for reading in read_objects(document, file):
        readings.append(_same_as_before(reading, before.objects))
        yield
    return ReadDocument(source.line, tuple(readings))


def _same_as_before(reading: Reading, before: Mapping[ObjectKey, KubeObject]) -> Reading:
    """The reading, with the former object if the object itself is unchanged."""
    if reading.item is None or reading.key is None:
        return reading
    old = before.get(reading.key)
    if old is None or msgspec.structs.replace(reading.item, origin=old.origin) != old:
        return reading
    return msgspec.structs.replace(reading, item=old)


class _Collection:
    """
    The combination of the documents of a file.

    :param before: the former content.
    :param modified: when the present content was written.
    """

    def __init__(self, before: ManifestFile, modified: float) -> None:
        self._before = before
        self._modified = modified
        self._objects: dict[ObjectKey, KubeObject] = {}
        self._lines: dict[ObjectKey, int] = {}
        self._problems: list[Problem] = []
        self._faulty: dict[ObjectKey, list[Reading]] = {}
        self._guessed: dict[ObjectKey, Reading] = {}
        self._kept: dict[ObjectKey, float] = {}
        self._skipped: Counter[str] = Counter()
        self._is_broken = False

    def __repr__(self) -> str:
        return f"<_Collection {len(self._objects)} objects, {len(self._faulty)} faulty>"

    def collect(
        self, documents: Mapping[bytes, ReadDocument], *found: ReadDocument | Reading
    ) -> Steps[ManifestFile]:
        """
        Combine everything.

        :param documents: by the digests of their texts.
        :param found: the documents in order, or the one object of a pair of PEM files.
        """
        for each in found:
            yield from self._take(each)
        hidden = (yield from self._find_hidden(documents)) if self._is_broken else ()
        for reading in hidden:
            self._faulty.setdefault(cast(ObjectKey, reading.key), []).append(reading)
        yield from self._keep()
        for key, readings in self._faulty.items():
            self._judge(key, readings)
        self._guess()
        return ManifestFile(
            documents,
            self._objects,
            self._lines,
            tuple(self._problems),
            self._skipped,
            hidden=hidden,
            modified=self._modified,
            parsed=self._before.parsed if self._is_broken else self._modified,
            kept=self._kept,
        )

    def _take(self, document: ReadDocument | Reading) -> Steps[None]:
        """Take over the readings of a document."""
        if isinstance(document, Reading):
            document = ReadDocument(0, (document,))
        self._is_broken = self._is_broken or document.is_broken
        for count, reading in enumerate(document.readings):
            if count % STRIDE == STRIDE - 1:
                yield
            key, item = reading.key, reading.item
            if reading.skipped:
                self._skipped[reading.skipped] += 1
            if key is None:
                self._problems.extend(reading.problems)
            elif item is None or is_remains(item):
                if reading.problems:
                    self._faulty.setdefault(key, []).append(reading)
                elif item is not None:
                    self._guessed[key] = reading
            elif key in self._objects:
                here = Origin(item.origin.file, self._lines[key])
                there = Origin(item.origin.file, reading.line)
                self._problems.append(twice(key, there, here))
            else:
                self._objects[key], self._lines[key] = item, reading.line

    def _find_hidden(self, documents: Mapping[bytes, ReadDocument]) -> Steps[tuple[Reading, ...]]:
        """
        The faulty objects of the former content that this one does not show.

        They may be in the document that cannot be parsed: their faults are not gone.
        """
        found: dict[ObjectKey, Reading] = {}
        former: list[Reading] = list(self._before.hidden)
        for count, (digest, document) in enumerate(self._before.documents.items()):
            if digest not in documents:
                former.extend(reading for reading in document.readings if reading.problems)
            if count % STRIDE == STRIDE - 1:
                yield
        for reading in former:
            key = reading.key
            if key is not None and key not in self._objects and key not in self._faulty:
                found[key] = reading
        return tuple(found.values())

    def _keep(self) -> Steps[None]:
        """Keep the last good versions of objects that are faulty, or may be."""
        before = self._before
        # Any missing object may be in the document that cannot be parsed.
        kept = before.objects if self._is_broken else before.objects.keys() & self._faulty.keys()
        for count, key in enumerate(kept):
            if count % STRIDE == STRIDE - 1:
                yield
            is_good = not is_remains(before.objects[key])
            is_renewed = key in self._faulty or key in self._guessed
            if key not in self._objects and (is_good or not is_renewed):
                self._objects[key], self._lines[key] = before.objects[key], before.lines[key]
                self._kept[key] = before.kept.get(key, before.modified)

    def _guess(self) -> None:
        """Take what may be in a document that cannot be parsed, where nothing else is known."""
        for key, reading in self._guessed.items():
            if reading.item is not None and key not in self._objects:
                self._objects[key], self._lines[key] = reading.item, reading.line

    def _judge(self, key: ObjectKey, readings: list[Reading]) -> None:
        """Report the faults of an object with what follows from them."""
        if key in self._kept:
            outcome = f"its last good version{_of(self._kept[key])} is served"
        elif key in self._objects:
            outcome = "this version is not used"
        elif key[0] == "ConfigMap" and any(reading.item is not None for reading in readings):
            outcome = "what can be read of the ConfigMap applies"
        else:
            outcome = "the object is not used"
        for reading in readings:
            for problem in reading.problems:
                message = f"{problem.message}; {outcome}"
                self._problems.append(replace(problem, message=message))
            if reading.item is not None:
                self._objects.setdefault(key, reading.item)
                self._lines.setdefault(key, reading.line)


def _served(before: ManifestFile, what: str) -> str:
    """What is served in place of a file or document that cannot be read."""
    if all(map(is_remains, before.objects.values())):
        return f"the {what} is not used"
    return f"its last good version{_of(before.parsed)} is served"


def _of(modified: float) -> str:
    """The time of a version, in the time zone of the log."""
    if not modified:
        return ""
    return f", of {datetime.fromtimestamp(modified):%Y-%m-%d %H:%M:%S},"


def twice(key: ObjectKey, origin: Origin, first: Origin) -> Problem:
    """The Problem of an object that appears twice."""
    kind, namespace, name = key
    message = f"is ignored: the same object is in {first}"
    return Problem(message, kind, namespace, name, origin=origin, code=Code.OBJECT_TWICE)
