"""
A Problem: what is wrong with one object, as data and never an exception.

A fault of one object is recorded and everything else is served. Each Problem is logged
once when it appears and once when it is gone.
"""

from __future__ import annotations

import json

from ingress.frozen import dataclass
from ingress.problem_code import Code


@dataclass(frozen=True, slots=True)
class Origin:
    """The place that an object was read from."""

    file: str = ""
    """The file's path as the configuration led to it; empty for a cluster."""

    line: int = 0
    """The line, from 1, on which the object (or the field) starts; 0 if unknown."""

    def __str__(self) -> str:
        if not self.file:
            return ""
        return f"{self.file}, line {self.line}" if self.line else self.file


@dataclass(frozen=True, slots=True)
class Problem:
    """
    One fault of one object, or of a file in which no object could be read.

    Equal Problems are the same Problem; that is how new ones and gone ones are found.
    """

    message: str
    """What is wrong and what is accepted, for the object's author."""

    kind: str = ""
    """The object's kind, such as ``Ingress``; empty for a whole file."""

    namespace: str = ""
    name: str = ""

    field: str = ""
    """The field's path as kubectl writes it: ``spec.rules[0].host``."""

    value: str = ""
    """The faulty value as written, shortened; never a secret."""

    origin: Origin = Origin()

    code: Code | None = None
    """The kind of thing that is wrong; each Problem of a Snapshot has one."""

    def __str__(self) -> str:
        """One line: ``FILE, line N: KIND NAMESPACE/NAME: FIELD: VALUE: MESSAGE``."""
        subject = f"{self.kind} {self.namespace}/{self.name}" if self.kind else ""
        if self.kind and not self.namespace:
            subject = f"{self.kind} {self.name}".rstrip()
        parts = (str(self.origin), subject, self.field, self.value, self.message)
        return ": ".join(part for part in parts if part)


def moved(problem: Problem, origin: Origin) -> Problem:
    """:return: the same Problem at another place; `dataclasses.replace` takes twice as long."""
    return Problem(
        problem.message,
        problem.kind,
        problem.namespace,
        problem.name,
        problem.field,
        problem.value,
        origin,
        problem.code,
    )


def coded(problem: Problem) -> str:
    """:return: the Problem as text, behind its code."""
    return f"{problem.code} {problem}" if problem.code is not None else str(problem)


_MAX_SHOWN = 80
"""Characters of a value that a Problem shows: a log line stays one."""


def shown(value: str, most: int = _MAX_SHOWN) -> str:
    """
    :param value: as its author wrote it; never a secret.
    :return: the same, shortened to so many characters and printable.
    """
    return printable(value if len(value) <= most else f"{value[:most]}…")


def quoted(value: str) -> str:
    """
    :param value: as its author wrote it; never a secret.
    :return: the same in quotes, so that it can be told from the words around it,
        shortened and printable.
    """
    if (
        len(value) < _MAX_SHOWN - 2
        and value.isprintable()
        and '"' not in value
        and "\\" not in value
    ):
        return f'"{value}"'
    return shown(json.dumps(value, ensure_ascii=False))


def printable(text: str) -> str:
    """
    :return: the same with control characters escaped, so that it can neither end
        a line of the log nor steer a terminal.
    """
    if text.isprintable():
        return text
    return "".join(
        character if character.isprintable() else repr(character)[1:-1] for character in text
    )
