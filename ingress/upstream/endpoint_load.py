"""
The load of an endpoint: its requests in flight and its recent latency.

The latency is a *peak EWMA*, an exponentially weighted moving average that jumps to each value
above it, so that an endpoint that turns slow is avoided after its first slow response. It decays
while the endpoint gets no requests, so that it gets another chance. The decay is that of
ingress-nginx's ``ewma``.
"""

from __future__ import annotations

from math import exp
from typing import Final

DECAY_TIME: Final = 10.0
"""Seconds after which the weight of a measurement is down to 1/e, as in ingress-nginx."""

_UNKNOWN_LATENCY: Final = 1e6
"""
Seconds, more than any endpoint takes. An endpoint whose latency is unknown gets one request at
once, and the next one when the first has been answered.
"""


class EndpointLoad:
    """The load of one endpoint; all times are in seconds on the caller's clock."""

    __slots__ = ("_latency", "_measured_at", "in_flight")

    def __init__(self) -> None:
        self.in_flight = 0
        """Requests that the endpoint has got and that are not over."""

        self._latency = 0.0
        self._measured_at = 0.0

    def __repr__(self) -> str:
        return f"<EndpointLoad in_flight={self.in_flight} latency={self._latency:.4f}>"

    def measured(self, latency: float, now: float) -> None:
        """
        Take a measurement into account.

        :param latency: seconds from the request to the head of its response.
        :param now: the current time.
        """
        before = self._latency
        if latency < before:
            weight = self._weight(now)
            latency = before * weight + latency * (1 - weight)
        self._latency = latency
        self._measured_at = now

    def cost(self, now: float) -> float:
        """Estimate how many seconds another request would take."""
        latency = self._latency * self._weight(now)
        if not latency:
            return self.in_flight * _UNKNOWN_LATENCY
        return latency * (self.in_flight + 1)

    def _weight(self, now: float) -> float:
        # A clock may go back.
        return exp(min(0.0, self._measured_at - now) / DECAY_TIME)
