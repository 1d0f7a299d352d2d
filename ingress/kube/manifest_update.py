"""
The new content of a file of manifests, compared with its former one.

A document with unchanged text is not parsed again, and its objects stay the same objects.
An object that becomes faulty keeps its last good version.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime
from typing import cast

import msgspec

from ingress.document import DocumentError, DocumentText, parse_in_slices
from ingress.kube.manifest import Reading, read_objects
from ingress.kube.manifest_content import Content
from ingress.kube.manifest_file import ManifestFile, ReadDocument, twice
from ingress.kube.objects import Ingress, KubeObject, ObjectKey
from ingress.kube.remains import is_remains
from ingress.kube.store import key_of
from ingress.kube.unread import TextRemains, Unread, remains_of_text
from ingress.problem import Origin, Problem
from ingress.problem_code import Code
from ingress.steps import STRIDE, Steps


def update_file(file: str, content: Content, before: ManifestFile) -> Steps[ManifestFile]:
    """
    The new content of a file.

    :param file: its path for Problems.
    """
    if content.problem is not None:
        return _unreadable(content.problem, content.remains, before)
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


def _unreadable(problem: Problem, remains: TextRemains, before: ManifestFile) -> ManifestFile:
    """
    The same content, with a Problem more: the known ones are only hidden.

    :param remains: what may be in the file, which guards if nothing of it was ever good.
    """
    problem = replace(problem, message=f"{problem.message}; {_served(before, 'file')}")
    known = [each for each in before.problems if each is not before.unreadable]
    after = msgspec.structs.replace(
        before, problems=(problem, *known), unreadable=problem, unread=remains.unread
    )
    if not all(map(is_remains, before.objects.values())):
        return after
    kept = {key: item for key, item in before.objects.items() if key not in before.guessed}
    guards = {key_of(item): item for item in remains.guards}
    return msgspec.structs.replace(
        after,
        objects={**guards, **kept},
        lines={**{key: item.origin.line for key, item in guards.items()}, **before.lines},
        guessed=frozenset(guards.keys() - kept.keys()),
    )


def _read_document(file: str, source: DocumentText, before: ManifestFile) -> Steps[ReadDocument]:
    try:
        document = yield from parse_in_slices(source)
    except DocumentError as error:
        message = f"{error.message}; {_served(before, 'document')}"
        problem = Problem(message, origin=Origin(file, error.line), code=Code.FILE_NOT_PARSED)
        remains = yield from remains_of_text(source.text, Origin(file, source.line))
        return ReadDocument(source.line, (Reading(error.line, problems=(problem,)),), True, remains)
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
        self._guards: list[Ingress] = []
        self._unread: list[Unread] = []
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
        guessed = self._guess()
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
            unread=tuple(self._unread),
            guessed=guessed,
        )

    def _take(self, document: ReadDocument | Reading) -> Steps[None]:
        """Take over the readings of a document, and what may be in it."""
        if isinstance(document, Reading):
            document = ReadDocument(0, (document,))
        self._is_broken = self._is_broken or document.is_broken
        self._guards += document.remains.guards
        self._unread += document.remains.unread
        for count, reading in enumerate(document.readings):
            if count % STRIDE == STRIDE - 1:
                yield
            key, item = reading.key, reading.item
            if reading.skipped:
                self._skipped[reading.skipped] += 1
            if key is None:
                self._problems.extend(reading.problems)
            elif item is None or is_remains(item):
                self._faulty.setdefault(key, []).append(reading)
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
            is_renewed = key in self._faulty or key in before.guessed
            if key not in self._objects and (is_good or not is_renewed):
                self._objects[key], self._lines[key] = before.objects[key], before.lines[key]
                self._kept[key] = before.kept.get(key, before.modified)

    def _guess(self) -> frozenset[ObjectKey]:
        """
        Let what may be in a document that cannot be parsed guard hosts, unless it is an edited
        version of what is served.

        :return: the keys of what guards.
        """
        served = {
            rule.host
            for key in self._kept
            if isinstance(item := self._objects[key], Ingress) and not item.only_guards
            for rule in item.spec.rules
        }
        guessed = []
        for item in self._guards:
            key = key_of(item)
            hosts = {rule.host for rule in item.spec.rules}
            if key not in self._objects and served.isdisjoint(hosts):
                self._objects[key], self._lines[key] = item, item.origin.line
                guessed.append(key)
        return frozenset(guessed)

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
