"""
The values of flags, as Go's pflag reads them.

Each function takes text and returns a value. It raises ValueError with what is accepted.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from enum import Enum
from ipaddress import ip_address
from typing import Final

FlagValue = bool | int | float | str | tuple[str, ...]
"""A value that was read. Durations are seconds."""

BOOLEANS: Final = {
    **dict.fromkeys(("1", "t", "T", "TRUE", "true", "True"), True),
    **dict.fromkeys(("0", "f", "F", "FALSE", "false", "False"), False),
}
"""The values that Go's ``strconv.ParseBool`` accepts."""

_INTEGER: Final = re.compile(r"[+-]?(?:0|[1-9][0-9]{0,17})")
_NUMBER: Final = re.compile(
    r"[+-]?(?:[0-9]{1,30}\.?[0-9]{0,30}|\.[0-9]{1,30})(?:[eE][+-]?[0-9]{1,3})?"
)
_DURATION: Final = re.compile(r"[+-]?(?:0|(?:[0-9]{0,15}\.?[0-9]{0,15}(?:ns|us|µs|ms|s|m|h)){1,8})")
_PART: Final = re.compile(r"([0-9]*\.?[0-9]*)(ns|us|µs|ms|s|m|h)")
_SECONDS: Final = {
    "ns": 1e-9,
    "us": 1e-6,
    "µs": 1e-6,
    "ms": 1e-3,
    "s": 1.0,
    "m": 60.0,
    "h": 3600.0,
}


def boolean(text: str) -> bool:
    """Accept what Go's ``ParseBool`` does."""
    if text not in BOOLEANS:
        raise ValueError("true or false is accepted")
    return BOOLEANS[text]


def integer(text: str) -> int:
    """Accept a whole number."""
    if not _INTEGER.fullmatch(text):
        raise ValueError("a whole number is accepted")
    return int(text)


def number(text: str) -> float:
    """Accept a decimal number."""
    if not _NUMBER.fullmatch(text):
        raise ValueError("a number is accepted")
    return float(text)


def duration(text: str) -> float:
    """Accept a duration of Go, such as ``1m30s``; a number needs its unit."""
    if not _DURATION.fullmatch(text) or not (
        text.strip("+-") == "0" or any(map(str.isdigit, text))
    ):
        raise ValueError("a duration such as 30s, 10m or 1h is accepted")
    total = sum(float(count or 0) * _SECONDS[unit] for count, unit in _PART.findall(text))
    return -total if text.startswith("-") else total


def numbers(text: str) -> tuple[str, ...]:
    """Accept numbers with commas between them; they stay text."""
    members = tuple(text.split(","))
    if not all(_NUMBER.fullmatch(member) for member in members):
        raise ValueError("numbers with commas between them are accepted")
    return members


def words(text: str) -> tuple[str, ...]:
    """Accept text with commas between its members."""
    return tuple(filter(None, (member.strip() for member in text.split(","))))


def address(text: str) -> str:
    """Accept an IP address."""
    try:
        return str(ip_address(text.strip()))
    except ValueError:
        raise ValueError("an IP address is accepted") from None


class FlagKind(Enum):
    """The types of flags."""

    TEXT = "text"
    BOOLEAN = "boolean"
    INTEGER = "integer"
    NUMBER = "number"
    DURATION = "duration"
    NUMBERS = "numbers"
    WORDS = "list"
    ADDRESS = "address"

    def read(self, text: str) -> FlagValue:
        """:raises ValueError: with what is accepted."""
        return _READERS[self](text)


_READERS: Final[dict[FlagKind, Callable[[str], FlagValue]]] = {
    FlagKind.TEXT: str,
    FlagKind.BOOLEAN: boolean,
    FlagKind.INTEGER: integer,
    FlagKind.NUMBER: number,
    FlagKind.DURATION: duration,
    FlagKind.NUMBERS: numbers,
    FlagKind.WORDS: words,
    FlagKind.ADDRESS: address,
}
