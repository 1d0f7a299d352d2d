"""
The counters of one process, and how they reach the process that adds them up.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import NamedTuple

from ingress.policy.limiter import LimitLabels
from ingress.telemetry.relay_counts import RelayCounts, combine_relays
from ingress.telemetry.traffic import Traffic, TrafficCounts


class HTTP2End(NamedTuple):
    """How a stream or a connection of HTTP/2 ended before its time."""

    side: str
    """``client`` or ``endpoint``: who was at the other end."""

    direction: str
    """``sent`` if we ended it, ``received`` if the peer did."""

    code: str
    """The name of the error code (RFC 9113 section 7); ``other`` for all that it does not have."""


@dataclass(slots=True)
class Counters:
    """Counters other than those of traffic; none of them ever falls."""

    accepted: int = 0
    """Client connections."""

    refused: int = 0
    """Client connections that were closed at once, because the client had too many."""

    retries: int = 0
    """Requests that were sent to another endpoint after one had failed."""

    ejections: int = 0
    """Ejections of endpoints that kept failing."""

    dropped_lines: int = 0
    """Lines of the access log that were lost."""

    cpu_seconds: float = 0.0
    """Processor time of workers. The process that adds up reads its own when it is scraped."""

    read_bytes: int = 0
    written_bytes: int = 0
    """Storage that workers have read and written; likewise."""

    outcomes: Counter[str] = field(default_factory=Counter)
    """Exchanges by outcome (`ingress.errors.Outcome`)."""

    dropped_fields: int = 0
    """Fields of requests that no endpoint got, because of the characters in their names."""

    beyond_share: Counter[str] = field(default_factory=Counter)
    """Connections and requests that were refused because most were in use, by share."""

    gave_way: int = 0
    """Client connections that were closed to make room for others."""

    refused_openings: Counter[str] = field(default_factory=Counter)
    """Client connections that were closed because they did not begin as they must, by reason."""

    policy_failures: Counter[str] = field(default_factory=Counter)
    """Requests that got 500 because a policy failed, by its name."""

    slow_policy_calls: Counter[str] = field(default_factory=Counter)
    """Calls of policies that held the reactor for too long, by the name of the policy."""

    limited: Counter[LimitLabels] = field(default_factory=Counter)
    """Requests beyond a limit of their client."""

    mirror_copies: Counter[str] = field(default_factory=Counter)
    """Copies of requests (``mirror-target``), by what became of them."""

    spans: Counter[str] = field(default_factory=Counter)
    """Spans (OpenTelemetry), by what became of them."""

    http2_glitches: Counter[str] = field(default_factory=Counter)
    """What peers in HTTP/2 did that is odd, or that a bound forbids, by kind."""

    http2_refused: Counter[str] = field(default_factory=Counter)
    """Streams of HTTP/2 that were refused, by side."""

    http2_resets: Counter[HTTP2End] = field(default_factory=Counter)
    """Streams of HTTP/2 that were reset."""

    http2_goaways: Counter[HTTP2End] = field(default_factory=Counter)
    """Connections of HTTP/2 whose end was announced."""

    relays: RelayCounts = field(default_factory=dict)
    """Relays that are over."""

    udp: Counter[str] = field(default_factory=Counter)
    """Datagrams that were not passed on, and sessions that gave way, by reason."""

    def add(self, other: Counters) -> None:
        """Add the counts of `other`."""
        self._combine(other, 1)

    def since(self, before: Counters) -> Counters:
        """
        :param before: the counts at an earlier moment.
        :return: what was counted since then.
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
        self.read_bytes += sign * other.read_bytes
        self.written_bytes += sign * other.written_bytes
        self.dropped_fields += sign * other.dropped_fields
        self.gave_way += sign * other.gave_way
        combine_relays(self.relays, other.relays, sign)
        for labels, count in other.limited.items():
            self.limited[labels] += sign * count
        for ends, other_ends in (
            (self.http2_resets, other.http2_resets),
            (self.http2_goaways, other.http2_goaways),
        ):
            for end, count in other_ends.items():
                ends[end] += sign * count
        for own, others in (
            (self.outcomes, other.outcomes),
            (self.beyond_share, other.beyond_share),
            (self.refused_openings, other.refused_openings),
            (self.http2_glitches, other.http2_glitches),
            (self.http2_refused, other.http2_refused),
            (self.policy_failures, other.policy_failures),
            (self.slow_policy_calls, other.slow_policy_calls),
            (self.mirror_copies, other.mirror_copies),
            (self.spans, other.spans),
            (self.udp, other.udp),
        ):
            for name, count in others.items():
                own[name] += sign * count


class Counts(NamedTuple):
    """What a process counted during a period; it can be pickled."""

    counters: Counters
    traffic: TrafficCounts


class CountsCollector:
    """
    Returns what was counted since it was last taken, a part at a time.

    :param read: reads what the process has counted since its start.
    """

    def __init__(self, traffic: Traffic, read: Callable[[], Counters]) -> None:
        self._traffic = traffic
        self._read = read
        self._told = Counters()
        self._is_whole = False

    def take(self) -> Counts | None:
        """
        :return: None once after the last part. What was counted meanwhile is in the
            next round of parts.
        """
        if self._is_whole:
            self._is_whole = False
            return None
        traffic = self._traffic.take()
        self._is_whole = traffic.is_last
        counted = self._read()
        told, self._told = self._told, counted.since(Counters())
        return Counts(counted.since(told), traffic)
