"""
The annotations of one Ingress, read value by value; faults are collected.

A value that is absent or cannot be read gives the default. An annotation that no
policy has read is reported as not implemented (docs/compatibility.md, sections
2.0 and 5).
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import NamedTuple

from ingress.policy.known_annotations import why_ignored

PREFIX = "nginx.ingress.kubernetes.io/"
"""ingress-nginx's prefix: its users change the class name and nothing else."""

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


class Annotations:
    """
    The annotations under `PREFIX`, by the name that follows it.

    :param annotations: all annotations of the object.
    """

    def __init__(self, annotations: Mapping[str, str]) -> None:
        self.faults: list[AnnotationFault] = []
        """The faults found so far, in the order of reading."""

        self._values = {
            key[len(PREFIX) :]: value
            for key, value in annotations.items()
            if key.startswith(PREFIX)
        }
        self._unread = dict.fromkeys(self._values)

    def __repr__(self) -> str:
        return f"<Annotations {sorted(self._values)}, {len(self.faults)} faults>"

    def __bool__(self) -> bool:
        """Whether there is any."""
        return bool(self._values)

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
        self._unread.pop(name, None)
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

    def fault(self, name: str, message: str, *, is_shown: bool = True) -> None:
        """
        Report an annotation.

        :param is_shown: whether the value may be shown: the value of a snippet, or of an
            annotation that decides access, may hold a secret.
        """
        self._unread.pop(name, None)
        value = self._values.get(name, "") if is_shown else ""
        self.faults.append(AnnotationFault(PREFIX + name, value, message))

    def fault_unread(self) -> None:
        """Report each annotation that no policy has read."""
        for name in tuple(self._unread):
            self.fault(name, why_ignored(name))
