"""
The annotations of one Ingress, read value by value; faults are collected.

A value that is absent or cannot be read gives the default. A value that decides
access and cannot be honoured closes what its author owns (docs/compatibility.md,
sections 2.0 and 5).
"""

from __future__ import annotations

import re
from collections.abc import Collection, Container, Iterator, Mapping
from enum import Enum, IntEnum
from typing import NamedTuple

from ingress.policy.known_annotations import code_of_ignored, is_harmless, why_ignored
from ingress.problem_code import Code

PREFIX = "nginx.ingress.kubernetes.io/"
"""ingress-nginx's prefix: its users change the class name and nothing else."""

OWN_PREFIX = "txingress.dev/"
"""The prefix of annotations that only this proxy has."""

_BOOLEANS = {
    **dict.fromkeys(("1", "t", "T", "TRUE", "true", "True"), True),
    **dict.fromkeys(("0", "f", "F", "FALSE", "false", "False"), False),
}
"""The values that Go's ``strconv.ParseBool`` accepts."""

_INTEGER = re.compile(r"[+-]?[0-9]{1,18}")
"""The numbers that Go's ``strconv.Atoi`` accepts, except the largest ones of 64 bits."""


class AnnotationFault(NamedTuple):
    """A fault of one annotation."""

    name: str
    """The name with its prefix."""

    value: str
    """The value as written; empty if it must not be shown."""

    message: str

    code: Code = Code.ANNOTATION_VALUE


class Extent(IntEnum):
    """How much of what an object names is closed; each member includes the ones before."""

    RULES = 1
    """The rules of the object and its default backend."""

    OWNED_HOSTS = 2
    """
    All rules that its namespace has on those of its hosts whose oldest object is of this
    namespace as well; on other hosts, `RULES`.
    """

    HOSTS = 3
    """All rules that its namespace has on its hosts."""


CLOSED = {
    Extent.RULES: "the paths answer 503",
    Extent.OWNED_HOSTS: "all paths of this namespace on the same hosts answer 503",
    Extent.HOSTS: "all paths of this namespace on the same hosts answer 503",
}
"""What follows, for the author of the object."""


_NOT_OF_CANARIES = (
    "ignored on a canary: the annotations of the Ingress that has the rule hold for its requests"
)


class Subject(Enum):
    """What cannot be honoured where something is closed."""

    ACCESS = "access"
    ENCRYPTION = "encryption"


class Closing(NamedTuple):
    """What a fault closes."""

    extent: Extent
    subject: Subject


class Annotations:
    """
    The annotations of one object: those under `PREFIX` by the name that follows it, those under
    `OWN_PREFIX` by their whole name.

    :param annotations: all annotations of the object.
    """

    def __init__(self, annotations: Mapping[str, str]) -> None:
        self.faults: list[AnnotationFault] = []
        """The faults found so far, in the order of reading."""

        self.closing: Closing | None = None
        """What the faults found so far close, if anything."""

        self._values = {
            key.removeprefix(PREFIX): value
            for key, value in annotations.items()
            if key.startswith((PREFIX, OWN_PREFIX))
        }

    def __repr__(self) -> str:
        return f"<Annotations {sorted(self._values)}, {len(self.faults)} faults>"

    def __bool__(self) -> bool:
        """Whether there is any."""
        return bool(self._values)

    @property
    def names(self) -> Collection[str]:
        """The names, without the prefix."""
        return self._values.keys()

    def __contains__(self, name: str) -> bool:
        """Whether the object has this annotation."""
        return name in self._values

    def __iter__(self) -> Iterator[str]:
        """The names, without the prefix."""
        return iter(self._values)

    def text(self, name: str, pattern: re.Pattern[str] | None = None, accepted: str = "") -> str:
        """
        :param pattern: a pattern that the whole value must match; None accepts every value.
        :param accepted: the pattern in words, for the fault.
        :return: the value without surrounding blanks; empty if it is absent or invalid.
        """
        written = self._values.get(name)
        if written is None:
            return ""
        value = written.strip()
        if value and pattern is not None and pattern.fullmatch(value) is None:
            self.fault(name, f"{accepted} is accepted; the default is used instead")
            return ""
        return value

    def boolean(self, name: str, default: bool) -> bool:
        """Read the value as Go's ``ParseBool`` does."""
        value = self.text(name)
        if not value:
            return default
        parsed = _BOOLEANS.get(value)
        if parsed is None:
            self.fault(name, "true or false is accepted; the default is used instead")
            return default
        return parsed

    def integer(self, name: str) -> int | None:
        """Read the value as Go's ``Atoi`` does; None if it is absent or invalid."""
        value = self.text(name, _INTEGER, "a whole number")
        return int(value) if value else None

    def choice(self, name: str, accepted: tuple[str, ...]) -> str:
        """
        :param accepted: the values, of which the first is the default; an empty value
            stands for the absence of the annotation.
        :return: one of them; upper and lower case are equal.
        """
        value = self.text(name)
        for candidate in accepted:
            if value.lower() == candidate.lower():
                return candidate
        if value:
            named = " or ".join(filter(None, accepted))
            self.fault(name, f"{named} is accepted; the default is used instead")
        return accepted[0]

    def words(self, name: str) -> tuple[str, ...]:
        """:return: the members of a list with commas between them, without empty ones."""
        members = (member.strip() for member in self.text(name).split(","))
        return tuple(member for member in members if member)

    def fault(
        self,
        name: str,
        message: str,
        *,
        is_shown: bool = True,
        code: Code = Code.ANNOTATION_VALUE,
    ) -> None:
        """
        Report an annotation; several features may read it and report the same.

        :param is_shown: whether the value may be shown: the value of a snippet, or of an
            annotation that decides access, may hold a secret.
        """
        value = self._values.get(name, "") if is_shown else ""
        full_name = name if name.startswith(OWN_PREFIX) else PREFIX + name
        found = AnnotationFault(full_name, value, message, code)
        if found not in self.faults:
            self.faults.append(found)

    def close(
        self,
        name: str,
        message: str,
        *,
        extent: Extent = Extent.RULES,
        subject: Subject = Subject.ACCESS,
        is_shown: bool = False,
    ) -> None:
        """
        Report an annotation that cannot be honoured and must not be ignored: requests get 503.

        :param message: what is wrong; what follows is added here.
        """
        self.fault(
            name,
            f"{message}; {CLOSED[extent]}",
            is_shown=is_shown,
            code=Code.ANNOTATION_CLOSES,
        )
        closing = Closing(extent, subject)
        if self.closing is None:
            self.closing = closing
        else:
            subjects = {subject, self.closing.subject}
            self.closing = Closing(
                max(extent, self.closing.extent),
                Subject.ACCESS if Subject.ACCESS in subjects else Subject.ENCRYPTION,
            )

    def fault_unknown(self, known: Container[str], ignored: Container[str] = ()) -> None:
        """
        Report each annotation that no feature reads.

        :param known: the names of those that one does.
        :param ignored: the names of those that one would read if this were no canary.
        """
        reported = {fault.name for fault in self.faults}
        for name, value in self._values.items():
            if name in known or not reported.isdisjoint((name, PREFIX + name)):
                continue
            if name in ignored:
                is_shown = not name.endswith("-snippet")
                code = Code.ANNOTATION_WITHOUT_EFFECT
                self.fault(name, _NOT_OF_CANARIES, is_shown=is_shown, code=code)
            elif not is_harmless(name, value):
                self.fault(name, why_ignored(name), code=code_of_ignored(name))
