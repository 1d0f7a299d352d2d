"""
How busy an endpoint is, and how fast it has answered of late.

The latency is a *peak EWMA*: an exponentially weighted moving average that jumps
to each value above it, so that an endpoint that turns slow is avoided after its
first slow answer, and decays while nothing is asked of the endpoint, so that it
gets another chance. The decay is that of ingress-nginx's ``ewma``.
"""

from __future__ import annotations

from math import exp
from typing import Final

DECAY_TIME: Final = 10.0
"""Seconds after which a measurement weighs 1/e of what it did: as in ingress-nginx."""

_UNKNOWN_LATENCY: Final = 1e6
"""
Seconds, more than any endpoint takes. One of which nothing is known gets a
request at once, and the next when the first one has shown something.
"""


class EndpointLoad:
    """What the balancer compares; times are in seconds on one clock, the caller's."""

    __slots__ = ("_latency", "_measured_at", "in_flight")

    def __init__(self) -> None:
        self.in_flight = 0
        """Requests that the endpoint was asked and that are not over."""

        self._latency = 0.0
        self._measured_at = 0.0

    def __repr__(self) -> str:
        return f"<EndpointLoad in_flight={self.in_flight} latency={self._latency:.4f}>"

    def measured(self, latency: float, now: float) -> None:
        """
        :param latency: from asking the endpoint to the head of its response.
        """
        before = self._latency
        if latency < before:
            weight = self._weight(now)
            latency = before * weight + latency * (1 - weight)
        self._latency = latency
        self._measured_at = now

    def cost(self, now: float) -> float:
        """How long a request more would take, as far as one can tell."""
        latency = self._latency * self._weight(now)
        if not latency:
            return self.in_flight * _UNKNOWN_LATENCY
        return latency * (self.in_flight + 1)

    def _weight(self, now: float) -> float:
        # Clocks may go back.
        return exp(min(0.0, self._measured_at - now) / DECAY_TIME)
