"""
Counts of the requests in flight of clients, of all processes together.

Each process counts its own. Beside that it writes its counts into a region of memory that all can
read and nobody else writes, so that the counts of a process that dies end with it: its successor
begins with an empty region.
"""

from __future__ import annotations

import mmap
from collections.abc import Sequence
from struct import Struct
from typing import ClassVar, Final

from ingress.late import LateLogger
from ingress.policy.process_lock import ProcessLock

WAYS: Final = 8
SETS: Final = 1 << 14
"""Sets of a region: it has room for 131,072 clients, eight times the connections of a replica."""

_WORD: Final = 8
_SET: Final = 2 * WAYS
_COLUMN: Final = Struct(f"{WAYS}q")

SIZE: Final = SETS * _SET * _WORD
"""Bytes of a region: 2 MiB, of which the kernel provides what is used."""

MOST_IDLE: Final = 4096
"""Counts that are kept although a client has nothing in flight: it will soon again."""

_STRIPES: Final = 1024
_FIRST_STRIPE: Final = 1 << 20
"""Behind the stripes of the buckets."""


class Region:
    """
    The counts of one process, in memory that all can read.

    :param memory: `SIZE` bytes.
    """

    def __init__(self, memory: mmap.mmap) -> None:
        self._memory = memory
        self._words = memoryview(memory).cast("q")

    def __repr__(self) -> str:
        return f"<Region of {SETS * WAYS} counts>"

    def clear(self) -> None:
        """Forget the counts of a process that is gone."""
        self._memory[:] = bytes(SIZE)

    def count(self, client: int) -> int:
        """:return: how many requests of a client are in flight there."""
        base = (client & (SETS - 1)) * _SET
        names = _COLUMN.unpack_from(self._memory, base * _WORD)
        return self._words[base + names.index(client) + WAYS] if client in names else 0

    def put(self, client: int, count: int) -> None:
        """Write a count. If there is no room for one more client, the others do not see it."""
        words = self._words
        base = (client & (SETS - 1)) * _SET
        names = _COLUMN.unpack_from(self._memory, base * _WORD)
        if client in names:
            words[base + names.index(client) + WAYS] = count
        elif count:
            counts = _COLUMN.unpack_from(self._memory, (base + WAYS) * _WORD)
            if 0 in counts:
                place = base + counts.index(0)
                words[place] = client
                words[place + WAYS] = count


class Flight:
    """
    The requests in flight of a client in this process.

    :ivar client: a hash of the client and the zone, of 64 bits.
    :ivar count: how many there are.
    :ivar is_kept: whether it still counts; if not, there is another one for the client.
    """

    __slots__ = ("client", "count", "is_kept")

    def __init__(self, client: int) -> None:
        self.client = client
        self.count = 0
        self.is_kept = True

    def __repr__(self) -> str:
        return f"<Flight {self.client:x} of {self.count}>"


class InFlight:
    """
    :param regions: those of all processes; empty if there is one process.
    :param lock: of the regions.
    """

    log: ClassVar[LateLogger] = LateLogger("ingress.policy.in_flight.InFlight")

    def __init__(self, regions: Sequence[Region] = (), lock: ProcessLock | None = None) -> None:
        self._own: dict[int, Flight] = {}
        self._most = MOST_IDLE
        """So many are kept before those without a request in flight are forgotten."""

        self._region: Region | None = None
        self._others: tuple[Region, ...] = ()
        self._lock = lock
        if regions and lock is not None:
            self._join(regions, lock)

    def __repr__(self) -> str:
        clients = sum(1 for flight in self._own.values() if flight.count)
        return f"<InFlight of {clients} clients>"

    def __len__(self) -> int:
        return len(self._own)

    def _join(self, regions: Sequence[Region], lock: ProcessLock) -> None:
        number = lock.claim(len(regions))
        if number is None:
            self.log.error("No memory is left for the counts of this worker: it counts for itself")
            return
        self._region = regions[number]
        self._region.clear()
        self._others = (*regions[:number], *regions[number + 1 :])

    def flight_of(self, client: int) -> Flight:
        """
        :param client: a hash of the client and the zone, of 64 bits.
        :return: the count of this client.
        """
        found = self._own.get(client)
        if found is None:
            if len(self._own) >= self._most:
                self._forget()
            found = self._own[client] = Flight(client)
        return found

    def _forget(self) -> None:
        for flight in [each for each in self._own.values() if not each.count]:
            flight.is_kept = False
            del self._own[flight.client]
        # Twice as many as there are, so that it is not done for each new client.
        self._most = max(MOST_IDLE, 2 * len(self._own))

    def begin(self, flight: Flight, most: int) -> bool:
        """
        Count a request that begins, unless the client has enough in flight.

        :param flight: that of the client, which is kept.
        :param most: how many requests it may have.
        :return: whether it was counted; then call `end` when it is over.
        """
        if flight.count >= most:
            return False
        region, lock = self._region, self._lock
        if region is None or lock is None:
            flight.count += 1
            return True
        client = flight.client
        stripe = _FIRST_STRIPE + (client & (_STRIPES - 1))
        is_locked = lock.take(stripe)
        try:
            if flight.count + sum([other.count(client) for other in self._others]) >= most:
                return False
            flight.count += 1
            region.put(client, flight.count)
        finally:
            if is_locked:
                lock.give_back(stripe)
        return True

    def count(self, client: int) -> int:
        """:return: how many requests of a client are in flight in all processes."""
        own = self._own.get(client)
        others = sum([other.count(client) for other in self._others])
        return others if own is None else others + own.count

    def end(self, flight: Flight) -> None:
        """A request that was counted is over."""
        flight.count -= 1
        if self._region is not None:
            self._region.put(flight.client, flight.count)
