"""
What relays and sessions of UDP are counted by.
"""

from __future__ import annotations

from typing import NamedTuple

from ingress.telemetry.relay_record import RelayRecord

MAX_LABELS = 10_000
"""Ports and Services that are counted apart; those beyond are counted together."""


class RelayLabels(NamedTuple):
    """What relays have in common that are counted together."""

    protocol: str
    port: int
    """0 for all ports beyond `MAX_LABELS`, and for UNIX sockets."""

    namespace: str = ""
    service: str = ""
    service_port: str = ""


class RelayTotals:
    """The relays of one port to one Service that are over; it can be pickled, and added up."""

    __slots__ = ("outcomes", "received", "seconds", "sent")

    def __init__(self) -> None:
        self.outcomes: dict[str, int] = {}
        """How many ended in which way."""

        self.received = 0
        self.sent = 0
        """Bytes from and to clients."""

        self.seconds = 0.0
        """How long they lasted, together."""

    def __repr__(self) -> str:
        return f"<RelayTotals {self.outcomes}>"

    def combine(self, other: RelayTotals, sign: int) -> None:
        """Add another one, or subtract it."""
        self.received += sign * other.received
        self.sent += sign * other.sent
        self.seconds += sign * other.seconds
        for outcome, count in other.outcomes.items():
            self.outcomes[outcome] = self.outcomes.get(outcome, 0) + sign * count


RelayCounts = dict[RelayLabels, RelayTotals]
"""The relays that are over."""


def count_relay(counts: RelayCounts, record: RelayRecord) -> None:
    """Count a relay that is over."""
    key = record.upstream
    labels = RelayLabels(record.protocol, record.port, key.namespace, key.service, key.port)
    totals = counts.get(labels)
    if totals is None:
        if len(counts) >= MAX_LABELS:
            labels = RelayLabels(record.protocol, 0)
        totals = counts.setdefault(labels, RelayTotals())
    totals.received += record.received
    totals.sent += record.sent
    totals.seconds += record.duration
    totals.outcomes[record.outcome] = totals.outcomes.get(record.outcome, 0) + 1


def combine_relays(counts: RelayCounts, other: RelayCounts, sign: int) -> None:
    """Add the counts of another process or moment, or subtract them; nothing is left of zeros."""
    for labels, totals in other.items():
        mine = counts.get(labels)
        if mine is None:
            mine = counts[labels] = RelayTotals()
        mine.combine(totals, sign)
        if not any(mine.outcomes.values()):
            del counts[labels]
