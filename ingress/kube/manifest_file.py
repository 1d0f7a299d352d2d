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
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Final

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
from ingress.kube.remains import is_remains
from ingress.problem import Origin, Problem, printable
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

    is_unsettled: bool = False
    """Whether the file changed during the reading and must be read again."""


def read_content(found: FoundFile) -> Content:
    """Read a file. May block, and is called in a thread; bad content raises nothing."""
    if found.is_pair:
        reading = read_pair(found.path)
        return Content(reading=reading, is_unsettled=sign_pair(found.path) != found.signature)
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
        return Content(problem=Problem(message, origin=Origin(file)))
    try:
        return Content(digest_documents(decode_text(data)))
    except DocumentError as error:
        return Content(problem=Problem(error.message, origin=Origin(file, error.line)))


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
        problem = replace(content.problem, message=content.problem.message + _kept(before.objects))
        return msgspec.structs.replace(before, problems=(problem,))
    if content.reading is not None:
        return (yield from _collect({}, [ReadDocument(0, (content.reading,))], before))
    documents: dict[bytes, ReadDocument] = {}
    found = []
    for text in content.documents:
        known = before.documents.get(text.digest)
        if known is None:
            known = yield from _read_document(file, text.source, before.objects)
        else:
            known = yield from known.at_line(text.source.line)
            yield
        documents[text.digest] = known
        found.append(known)
    return (yield from _collect(documents, found, before))


def _read_document(
    file: str, source: DocumentText, before: Mapping[ObjectKey, KubeObject]
) -> Steps[ReadDocument]:
    try:
        document = yield from parse_in_slices(source)
    except DocumentError as error:
        message = error.message + _kept(before)
        problem = Problem(message, origin=Origin(file, error.line))
        return ReadDocument(source.line, (Reading(error.line, problems=(problem,)),), True)
    if document.value is None:
        return ReadDocument(source.line, ())
    readings = []
    for reading in read_objects(document, file):
        readings.append(_same_as_before(reading, before))
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


def _collect(
    documents: Mapping[bytes, ReadDocument], found: Iterable[ReadDocument], before: ManifestFile
) -> Steps[ManifestFile]:
    """Combine the documents of a file."""
    objects: dict[ObjectKey, KubeObject] = {}
    lines: dict[ObjectKey, int] = {}
    problems: list[Problem] = []
    faulty: dict[ObjectKey, Reading] = {}
    is_broken = False
    skipped: Counter[str] = Counter()
    count = 0
    for document in found:
        is_broken = is_broken or document.is_broken
        for reading in document.readings:
            count += 1
            if not count % STRIDE:
                yield
            key, item = reading.key, reading.item
            problems.extend(reading.problems)
            if reading.skipped:
                skipped[reading.skipped] += 1
            if item is None or key is None or is_remains(item):
                if key is not None:
                    faulty.setdefault(key, reading)
            elif key in objects:
                here = Origin(item.origin.file, lines[key])
                problems.append(twice(key, Origin(item.origin.file, reading.line), here))
            else:
                objects[key], lines[key] = item, reading.line
    # Any missing object may be in the document that cannot be parsed.
    kept = before.objects if is_broken else before.objects.keys() & faulty.keys()
    for count, key in enumerate(kept):
        if count % STRIDE == STRIDE - 1:
            yield
        is_good = not is_remains(before.objects[key])
        if key not in objects and (is_good or key not in faulty):
            objects[key], lines[key] = before.objects[key], before.lines[key]
    for key, reading in faulty.items():
        if reading.item is not None:
            objects.setdefault(key, reading.item)
            lines.setdefault(key, reading.line)
    return ManifestFile(documents, objects, lines, tuple(problems), skipped)


def _kept(objects: Mapping[ObjectKey, KubeObject]) -> str:
    return "; its last good version stays" if objects else ""


def twice(key: ObjectKey, origin: Origin, first: Origin) -> Problem:
    """The Problem of an object that appears twice."""
    kind, namespace, name = key
    message = f"is ignored: the same object is in {first}"
    return Problem(message, kind, namespace, name, origin=origin)
