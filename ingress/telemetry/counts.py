"""
What one process counts, and how it comes to who adds up.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import NamedTuple

from ingress.telemetry.traffic import Traffic, TrafficCounts


@dataclass(slots=True)
class Counters:
    """What is counted beside traffic; none of it ever falls."""

    accepted: int = 0
    """Connections of clients."""

    refused: int = 0
    """Of those, the ones that were closed at once: their client had too many."""

    retries: int = 0
    """Endpoints that were asked because another one had failed."""

    ejections: int = 0
    """Of endpoints that failed again and again."""

    dropped_lines: int = 0
    """Of the access log."""

    cpu_seconds: float = 0.0
    """Processor time of workers; that of the process that adds up is read when it is told."""

    outcomes: Counter[str] = field(default_factory=Counter)
    """Exchanges by how they ended (`ingress.errors.Outcome`)."""

    dropped_fields: int = 0
    """Fields of requests that no endpoint got, because of the characters in their names."""

    def add(self, other: Counters) -> None:
        """Count what `other` counted, too."""
        self._combine(other, 1)

    def since(self, before: Counters) -> Counters:
        """
        :param before: what was counted up to some earlier moment.
        :return: what was counted from then on.
        """
        difference = Counters()
        difference._combine(self, 1)
        difference._combine(before, -1)
        return difference

    def _combine(self, other: Counters, sign: int) -> None:
        self.accepted += sign * other.accepted
        self.refused += sign * other.refused
        self.retries += sign * other.retries
        self.ejections += sign * other.ejections
        self.dropped_lines += sign * other.dropped_lines
        self.cpu_seconds += sign * other.cpu_seconds
        self.dropped_fields += sign * other.dropped_fields
        for outcome, count in other.outcomes.items():
            self.outcomes[outcome] += sign * count


class Counts(NamedTuple):
    """What a process counted in a while; it can be pickled."""

    counters: Counters
    traffic: TrafficCounts


class CountsCollector:
    """
    Gives what was counted since it was asked last, a part at a time.

    :param read: what the process counted since its start.
    """

    def __init__(self, traffic: Traffic, read: Callable[[], Counters]) -> None:
        self._traffic = traffic
        self._read = read
        self._told = Counters()
        self._is_whole = False

    def take(self) -> Counts | None:
        """
        :return: None once after the last part: what was counted in the meantime is for
            the next time.
        """
        if self._is_whole:
            self._is_whole = False
            return None
        traffic = self._traffic.take()
        self._is_whole = traffic.is_last
        counted = self._read()
        told, self._told = self._told, counted.since(Counters())
        return Counts(counted.since(told), traffic)
