"""
What a process has found for a Route or for an Upstream, so that no request looks it up again.

A look-up reads every part of a key, which with 10,000 hosts lie in no cache of the processor. Each
value says itself whom it is of, so that it is never taken for that of another Snapshot, recorder or
balancer. None of it is compared, or sent to workers.
"""

from __future__ import annotations


class SnapshotMark:
    """Stands for one Snapshot."""

    __slots__ = ()


class RouteFindings:
    """
    :ivar upstream: the `Upstream` of the Route; None if it has not been looked up.
    :ivar snapshot: the mark of the Snapshot that has it.
    :ivar series: where a recorder counts its requests.
    """

    __slots__ = ("series", "snapshot", "upstream")

    def __init__(self) -> None:
        self.series: object = None
        self.snapshot: SnapshotMark | None = None
        self.upstream: object = None


class UpstreamFindings:
    """
    :ivar turn: where a balancer counts whose turn it is.
    """

    __slots__ = ("turn",)

    def __init__(self) -> None:
        self.turn: object = None
