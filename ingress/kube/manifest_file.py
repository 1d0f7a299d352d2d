"""
The content of one file of manifests: its objects, and what is wrong with them.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import msgspec

from ingress.kube.manifest import Reading
from ingress.kube.objects import KubeObject, ObjectKey
from ingress.kube.unread import TextRemains, Unread
from ingress.problem import Origin, Problem
from ingress.problem_code import Code
from ingress.steps import STRIDE, Steps


class ReadDocument(msgspec.Struct, frozen=True, gc=False):
    """The result of reading one document."""

    line: int
    readings: tuple[Reading, ...]

    is_broken: bool = False
    """Whether it cannot be parsed, so that its objects are unknown."""

    remains: TextRemains = TextRemains()
    """What may be in it then."""

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
        return ReadDocument(line, tuple(readings), self.is_broken, self.remains)


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

    unread: tuple[Unread, ...] = ()
    """Where there may be ConfigMaps that are not known."""

    guessed: frozenset[ObjectKey] = frozenset()
    """Those of the objects that may be in a document, or file, that cannot be read."""


def twice(key: ObjectKey, origin: Origin, first: Origin) -> Problem:
    """The Problem of an object that appears twice."""
    kind, namespace, name = key
    message = f"is ignored: the same object is in {first}"
    return Problem(message, kind, namespace, name, origin=origin, code=Code.OBJECT_TWICE)
