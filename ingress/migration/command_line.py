"""
Splits a command line into flags, as the library pflag of ingress-nginx does.

``--name=value`` and ``--name value`` are the same, but for booleans, which take a value behind
``=`` only. One letter after one hyphen is a shorthand: ``-v=2``, ``-v 2`` and ``-v2``. ``--`` ends
the flags. What is no flag is an argument, which ingress-nginx does not look at.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from difflib import get_close_matches
from typing import Final

from ingress.migration.flag import Flag
from ingress.migration.flag_table import FLAGS, FORMER_FLAGS
from ingress.migration.flag_value import FlagKind

_SHORTHANDS: Final = {flag.shorthand: flag for flag in FLAGS.values() if flag.shorthand}


@dataclass(frozen=True, slots=True)
class GivenFlag:
    """A flag that was given."""

    flag: Flag
    text: str
    """Its value as written; ``true`` for a boolean without one."""

    word: int = 0
    """Its place among the words of the command line, from 0."""


@dataclass(slots=True)
class CommandLine:
    """What a command line has."""

    given: list[GivenFlag] = field(default_factory=list)
    """In order; a flag may be there more than once."""

    arguments: list[str] = field(default_factory=list)
    """What is no flag."""

    mistakes: list[tuple[str, str]] = field(default_factory=list)
    """The flag as written, without its value, and what is wrong with it."""

    mistaken: list[int] = field(default_factory=list)
    """The places of these."""

    wants_help: bool = False


def split(arguments: Sequence[str]) -> CommandLine:
    """
    :param arguments: without the name of the program.
    :return: all of it; mistakes are collected, and end nothing.
    """
    line = CommandLine()
    rest = list(arguments)
    while rest:
        place = len(arguments) - len(rest)
        word = rest.pop(0)
        if word == "--":
            line.arguments += rest
            break
        if word.startswith("--"):
            _take_long(word[2:], place, rest, line)
        elif word.startswith("-") and word != "-":
            _take_short(word[1:], place, rest, line)
        else:
            line.arguments.append(word)
        line.mistaken += [place] * (len(line.mistakes) - len(line.mistaken))
    return line


def _take_long(word: str, place: int, rest: list[str], line: CommandLine) -> None:
    name, has_value, text = word.partition("=")
    if name == "help" and not has_value:
        line.wants_help = True
        return
    flag = FLAGS.get(name)
    if flag is None:
        line.mistakes.append((f"--{name}", _why_unknown(name)))
    else:
        _take(flag, f"--{name}", text if has_value else None, place, rest, line)


def _take_short(word: str, place: int, rest: list[str], line: CommandLine) -> None:
    letter, following = word[0], word[1:]
    if word == "h":
        line.wants_help = True
        return
    flag = _SHORTHANDS.get(letter)
    if flag is None:
        hint = (
            f"; did you mean --{word.partition('=')[0]}?" if word.partition("=")[0] in FLAGS else ""
        )
        name = f"-{word.partition('=')[0]}"
        line.mistakes.append((name, f"ingress-nginx has no such flag{hint}"))
    else:
        text = following.removeprefix("=") if following else None
        _take(flag, f"-{letter}", text, place, rest, line)


def _take(
    flag: Flag, written: str, text: str | None, place: int, rest: list[str], line: CommandLine
) -> None:
    if text is None and flag.kind is FlagKind.BOOLEAN:
        text = "true"
    if text is None and not rest:
        line.mistakes.append((written, "a value is needed"))
        return
    line.given.append(GivenFlag(flag, rest.pop(0) if text is None else text, place))


def _why_unknown(name: str) -> str:
    if name in FORMER_FLAGS:
        return "ingress-nginx 1.15 has this flag no more, and does not start with it"
    close = get_close_matches(name.replace("_", "-"), FLAGS, 1, 0.8)
    hint = f"; did you mean --{close[0]}?" if close else ""
    return f"ingress-nginx has no such flag{hint}"
