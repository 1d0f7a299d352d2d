"""
The counts of all processes since the start.
"""

from __future__ import annotations

from ingress.telemetry.counts import Counters, Counts
from ingress.telemetry.rates import Rates
from ingress.telemetry.traffic_totals import TrafficTotals


class Totals:
    """The counts of one proxy, however many processes it has or had."""

    def __init__(self) -> None:
        self.counters = Counters()
        self.traffic = TrafficTotals()
        self.rates = Rates()

    def __repr__(self) -> str:
        return f"<Totals of {self.traffic.requests} requests>"

    def merge(self, counts: Counts) -> None:
        """Add the counts of a process."""
        self.counters.add(counts.counters)
        self.traffic.merge(counts.traffic)
        self.rates.add(counts.traffic)
