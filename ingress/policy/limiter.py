"""
The live state of limits: what clients have sent, what is in flight, and who was refused.
"""

from __future__ import annotations

import mmap
import socket
from collections import Counter
from collections.abc import Callable, Sequence
from functools import lru_cache
from typing import TYPE_CHECKING, Final, NamedTuple, Protocol

from ingress.policy import bucket_table, in_flight
from ingress.policy.bucket_table import Buckets, BucketTable, LocalBuckets, Rate, Refusal
from ingress.policy.in_flight import InFlight, Region
from ingress.policy.process_lock import PATIENCE, ProcessLock, open_lock_file

if TYPE_CHECKING:
    from twisted.internet.defer import Deferred

MOST_LABELS: Final = 10_000
"""Combinations of labels; refusals beyond these are counted without the name of the Ingress."""

_MAPPED: Final = bytes(10) + b"\xff\xff"
"""The beginning of IPv6 addresses that stand for IPv4 ones (RFC 4291 section 2.5.5.2)."""


class LimitLabels(NamedTuple):
    """What tells refusals apart in metrics."""

    namespace: str
    ingress: str
    limit: str
    """``rps``, ``rpm``, ``connections``, ``client-requests`` or ``concurrency``."""

    is_dry: bool = False
    """Whether the request was only counted, and not refused."""

    @property
    def as_text(self) -> dict[str, str]:
        """The labels as metrics have them."""
        return {
            "namespace": self.namespace,
            "ingress": self.ingress,
            "limit": self.limit,
            "dry_run": "true" if self.is_dry else "false",
        }


class SharedLimits:
    """
    The memory that the workers of a replica share, made before they are forked.

    :param processes: how many workers there are.
    :ivar descriptor: of the file with the locks, which every worker must keep.
    """

    def __init__(self, processes: int) -> None:
        self._buckets = mmap.mmap(-1, bucket_table.SIZE)
        self._regions = [mmap.mmap(-1, in_flight.SIZE) for _ in range(processes)]
        self.descriptor = open_lock_file()

    def __repr__(self) -> str:
        return f"<SharedLimits of {len(self._regions)} processes>"

    def limiter(self, patience: float = PATIENCE) -> Limiter:
        """
        :param patience: seconds to wait for another process that counts (`ProcessLock`).
        :return: the view of this process, a worker.
        """
        lock = ProcessLock(self.descriptor, patience)
        return Limiter(
            BucketTable(self._buckets, lock), InFlight([*map(Region, self._regions)], lock)
        )

    def levels(self) -> LimitLevels:
        """:return: those of all workers, seen from the process that has made them."""
        regions = [*map(Region, self._regions)]
        return LimitLevels(
            BucketTable(self._buckets),
            lambda client: sum(region.count(client) for region in regions),
        )


class LimitLevels(NamedTuple):
    """How full the limits of clients are, for people who look."""

    buckets: Buckets
    in_flight: Callable[[int], int]
    """Counts the requests in flight of a client, by the hash of client and zone."""


class SharedBound(NamedTuple):
    """How many requests of a client all replicas together may have in progress."""

    zone: str
    """The name of the zone; empty for all rules together."""

    most: int


class Place(Protocol):
    """What a request in progress takes of such bounds."""

    @property
    def bounds(self) -> Sequence[SharedBound]:
        """The bounds, in the order of their refusals."""

    def release(self) -> None:
        """The request is over; called once."""


class SharedCounts(Protocol):
    """What all replicas count together (``limits.store``)."""

    def hold(self, client: bytes, bounds: Sequence[SharedBound]) -> Place:
        """
        Take a place in all of these bounds for a request that this replica admits. It is counted
        until `Place.release`, or until this process is gone for some time.

        :param client: who counts as one client.
        """

    def take(
        self, zone: str, client: bytes, rates: Sequence[Rate], place: Place | None
    ) -> Deferred[Refusal | None] | None:
        """
        Put a request into the buckets of its client, as `BucketTable.take` does, and see whether
        its place is free.

        :param zone: the name of the zone.
        :param client: who counts as one client.
        :param place: from `hold`; None if there are no bounds.
        :return: fires with None, without long delay, if the request is admitted or if nobody says
            so in time, else with a refusal, whose index counts the bounds behind the rates; None
            if nobody can say.
        """


class Limiter:
    """
    The live state of all limits of a process, or its view of what all workers share.

    :param buckets: None for those of this process alone; so is `flights`.
    """

    def __init__(self, buckets: Buckets | None = None, flights: InFlight | None = None) -> None:
        self.buckets = LocalBuckets() if buckets is None else buckets
        self.in_flight = InFlight() if flights is None else flights
        self.store: SharedCounts | None = None
        """None if each replica counts for itself."""

        self.refused: Counter[LimitLabels] = Counter()
        """Requests beyond a limit since the start."""

    def __repr__(self) -> str:
        return f"<Limiter {self.refused.total()} refused>"

    def levels(self) -> LimitLevels:
        """:return: those of this process, or of all workers."""
        return LimitLevels(self.buckets, self.in_flight.count)

    def count(self, labels: LimitLabels) -> None:
        """Count a request beyond a limit."""
        if labels not in self.refused and len(self.refused) >= MOST_LABELS:
            labels = LimitLabels("", "", labels.limit, labels.is_dry)
        self.refused[labels] += 1


def client_of(address: bytes) -> bytes:
    """
    :param address: of the client as text, as `BelievedClient` has it; empty for a UNIX socket.
    :return: whom limits count as one client: an IPv4 address, or a network of 64 bits with IPv6,
        which is the least that a site gets (RFC 6177).
    """
    return _client_of(address)


@lru_cache(maxsize=4096)
def _client_of(address: bytes) -> bytes:
    if b":" not in address:
        return address
    octets = socket.inet_pton(socket.AF_INET6, address.decode("ascii"))
    if octets.startswith(_MAPPED):
        return socket.inet_ntop(socket.AF_INET, octets[12:]).encode("ascii")
    return octets[:8] + b"/64"
