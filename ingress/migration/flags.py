"""
The command line of ingress-nginx's controller as a configuration of ours.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Final

from ingress.migration.command_line import GivenFlag, split
from ingress.migration.flag import FlagVerdict
from ingress.migration.flag_settings import Reading, Settings
from ingress.migration.flag_table import FLAGS
from ingress.migration.flag_value import FlagValue
from ingress.problem import printable, shown

_REFERENCE: Final = re.compile(r"\$(\$?)\(([-._a-zA-Z][-._a-zA-Z0-9]*)\)")


@dataclass(frozen=True, slots=True)
class FlagRemark:
    """What becomes of one flag that was given, or that is missed."""

    flag: str
    """Its name without hyphens; empty for what is no flag."""

    value: str
    """As written; empty if it must not be shown, or if there is none."""

    verdict: FlagVerdict
    text: str
    """What it sets, or what follows; for people, without a full stop."""

    word: int | None = None
    """Its place among the arguments, from 0; None for what is missed."""

    def __str__(self) -> str:
        """One line: ``--FLAG=VALUE: works: TEXT``."""
        name = f"--{self.flag}" if self.flag else ""
        written = f"{name}={shown(self.value)}" if self.value else name
        return ": ".join(filter(None, (written, self.verdict.value, self.text)))


@dataclass(frozen=True, slots=True)
class ReadFlags:
    """What a command line came to."""

    settings: Settings
    """
    A configuration as a document (``etc/ingress.yaml``), complete: it may be written as YAML.
    """

    remarks: tuple[FlagRemark, ...]
    """One for each flag that was given, in order, and those for the command line as a whole."""

    values: Mapping[str, FlagValue]
    """The value of each flag that was given."""

    wants_help: bool = False

    @property
    def stops(self) -> tuple[FlagRemark, ...]:
        """Why a process with these flags must not start; empty if it may."""
        return self.with_verdict(FlagVerdict.STOPS)

    @property
    def wants_version(self) -> bool:
        """Whether only the version is asked for."""
        return self.values.get("version") is True

    def with_verdict(self, verdict: FlagVerdict) -> tuple[FlagRemark, ...]:
        """:return: the remarks with one verdict."""
        return tuple(each for each in self.remarks if each.verdict is verdict)


def read(arguments: Sequence[str], environment: Mapping[str, str]) -> ReadFlags:
    """
    Read a command line; mistakes are remarks, and nothing is raised.

    :param arguments: without the name of the program. A ``$(NAME)`` that Kubernetes has not
        replaced yet is replaced here.
    :param environment: of the container: POD_NAMESPACE and NODE_NAME.
    """
    line = split([expand(word, environment) for word in arguments])
    remarks = [
        FlagRemark("", "", FlagVerdict.STOPS, f"{printable(written)}: {why}", place)
        for (written, why), place in zip(line.mistakes, line.mistaken, strict=True)
    ]
    values: dict[str, FlagValue] = {}
    words: dict[str, int] = {}
    for given in line.given:
        remarks.append(replace(_read_one(given, values), word=given.word))
        words[given.flag.name] = given.word
    reading = Reading(values, environment)
    settings = reading.settings()
    remarks += [
        FlagRemark(name, _written(name, values), verdict, text, words.get(name))
        for name, verdict, text in reading.found
    ]
    remarks += [
        FlagRemark("", printable(word), FlagVerdict.NO_EFFECT, _why_no_flag(word))
        for word in line.arguments
    ]
    return ReadFlags(settings, tuple(remarks), values, line.wants_help)


def expand(word: str, environment: Mapping[str, str]) -> str:
    """
    Replace ``$(NAME)`` as Kubernetes does in ``args``: ``$$(NAME)`` stays as ``$(NAME)``, and
    so does the name of a variable that does not exist.
    """

    def replaced(match: re.Match[str]) -> str:
        if match[1]:
            return match[0][1:]
        return environment.get(match[2], match[0])

    return _REFERENCE.sub(replaced, word)


def _read_one(given: GivenFlag, values: dict[str, FlagValue]) -> FlagRemark:
    """Read one flag into `values`."""
    flag = given.flag
    written = "" if flag.is_secret else given.text
    unknown = _REFERENCE.search(given.text)
    if unknown is not None:
        text = f"{unknown[2]} is not in the environment"
        return FlagRemark(flag.name, written, FlagVerdict.STOPS, text)
    try:
        value = flag.kind.read(given.text)
    except ValueError as error:
        return FlagRemark(flag.name, written, FlagVerdict.STOPS, str(error))
    before = values.get(flag.name)
    if isinstance(value, tuple) and isinstance(before, tuple):
        value = (*before, *value)
    values[flag.name] = value
    if flag.verdict is not FlagVerdict.SETS and value == flag.kind.read(flag.default):
        return FlagRemark(flag.name, written, FlagVerdict.NO_EFFECT, "it is the default")
    return FlagRemark(flag.name, written, flag.verdict, flag.effect)


def _written(name: str, values: Mapping[str, FlagValue]) -> str:
    value = values.get(name, "")
    if FLAGS[name].is_secret:
        return ""
    return ",".join(value) if isinstance(value, tuple) else str(value)


def _why_no_flag(word: str) -> str:
    if word in ("true", "false"):
        return "it is no flag: the value of a boolean stands behind =, without a blank"
    return "it is no flag, and is not looked at, as in ingress-nginx"
