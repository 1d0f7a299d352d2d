"""
What was found in all lines of an access log, counted in bounded memory, and told.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Final, NamedTuple

from ingress.command.log_comparison import Comparison, Result
from ingress.counted_noun import counted
from ingress.problem import Origin
from ingress.routing.build import Built

MOST_GROUPS: Final = 10_000
"""Differences that are told apart; others are counted together."""

MOST_EXAMPLES: Final = 3


@dataclass
class Group:
    """Lines with the same result."""

    count: int = 0
    examples: list[tuple[int, str]] = field(default_factory=list)
    """Numbers of lines, with the request."""

    def add(self, number: int, text: str) -> None:
        """Count a line."""
        self.count += 1
        if len(self.examples) < MOST_EXAMPLES:
            self.examples.append((number, text))

    def as_json(self) -> dict[str, Any]:
        """:return: plain values."""
        return {
            "count": self.count,
            "examples": [{"line": line, "request": text} for line, text in self.examples],
        }


class Difference(NamedTuple):
    """What lines that differ have in common."""

    ingress: str
    """The Ingress that decides here; empty if none does."""

    host: str
    path: str
    was: str
    now: str


class Tally:
    """
    The results of all lines, in bounded memory.

    :param most: differences that are told apart.
    """

    def __init__(self, built: Built, most: int = MOST_GROUPS) -> None:
        self._most = most
        self.counts = Counter[Result]()
        self.differences: dict[Difference, Group] = {}
        self.reasons: dict[str, Group] = {}
        self.malformed = Group()
        self.beyond = 0
        """Lines that differ and are in no group, because there are too many."""

        self._ingresses = built.memo.objects.ingresses

    def rebuilt(self, built: Built) -> None:
        """Have the places of Ingresses from another build."""
        self._ingresses = built.memo.objects.ingresses

    @property
    def lines(self) -> int:
        """All lines so far."""
        return self.counts.total()

    def add(self, number: int, text: str, found: Comparison) -> None:
        """:param text: the request, for examples."""
        self.counts[found.result] += 1
        if found.result is Result.DIFFERENT:
            route = found.route
            ingress = "/".join(route.ingress) if route is not None else ""
            host, path = (route.host or "*", route.path) if route is not None else ("", "")
            self._add(
                self.differences,
                Difference(ingress, host, path, found.was, found.now),
                number,
                text,
            )
        elif found.result is Result.UNDECIDABLE:
            self._add(self.reasons, found.was, number, text)
        elif found.result is Result.MALFORMED:
            self.malformed.add(number, text)

    def _add(self, groups: dict[Any, Group], key: object, number: int, text: str) -> None:
        group = groups.get(key)
        if group is None:
            if len(groups) >= self._most:
                self.beyond += groups is self.differences
                return
            group = groups[key] = Group()
        group.add(number, text)

    def origin(self, difference: Difference) -> Origin:
        """:return: where the Ingress of a difference stands."""
        namespace, _, name = difference.ingress.partition("/")
        found = self._ingresses.get((namespace, name))
        return found.origin if found is not None else Origin()

    def sorted_differences(self) -> list[tuple[Difference, Group]]:
        """:return: the most frequent first."""
        return sorted(self.differences.items(), key=lambda one: (-one[1].count, one[0]))

    def as_json(self) -> dict[str, Any]:
        """:return: plain values; the numbers have the names that the text has."""
        return {
            "lines": self.lines,
            **{result.name.lower(): self.counts[result] for result in Result},
            "differences": [
                {
                    **{name: value or None for name, value in difference._asdict().items()},
                    "file": self.origin(difference).file or None,
                    "line": self.origin(difference).line or None,
                    **group.as_json(),
                }
                for difference, group in self.sorted_differences()
            ],
            "differencesNotListed": self.beyond,
            "reasons": [
                {"reason": reason, **group.as_json()}
                for reason, group in sorted(self.reasons.items(), key=lambda one: -one[1].count)
            ],
            "malformedExamples": self.malformed.as_json()["examples"],
        }


def report(tally: Tally) -> Iterator[str]:
    """:return: lines for people."""
    for difference, group in tally.sorted_differences():
        yield f"{group.count} different: {_subject(tally, difference)}"
        yield f"    {difference.was} -> {difference.now}"
        yield from _examples(group)
    if tally.beyond:
        yield f"{tally.beyond} different: of more kinds than are listed"
    for reason, group in sorted(tally.reasons.items(), key=lambda one: -one[1].count):
        yield f"{group.count} undecidable: {reason}"
        yield from _examples(group)
    if tally.malformed.count:
        yield f"{tally.malformed.count} malformed"
        yield from _examples(tally.malformed)
    counts: Mapping[Result, int] = tally.counts
    numbers = ", ".join(f"{counts[result]} {result.name.lower()}" for result in Result)
    yield f"{counted(tally.lines, 'line')}: {numbers}"


def _subject(tally: Tally, difference: Difference) -> str:
    if not difference.ingress:
        return "no rule decides here"
    origin = tally.origin(difference)
    place = f", in {origin}" if origin.file else ""
    return f"{difference.host}{difference.path} of {difference.ingress}{place}"


def _examples(group: Group) -> Iterator[str]:
    for line, text in group.examples:
        yield f"      line {line}: {text}"
