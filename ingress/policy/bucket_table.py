"""
Leaky buckets of clients in a piece of memory of fixed size, which several processes may share.

The buckets are those of nginx's ``limit_req`` with ``nodelay``, in its integers: thousandths of a
request, and milliseconds. Each request puts one into the bucket of its client, which leaks at the
rate of the limit; one that would make it overflow is refused, and puts nothing in.

A bucket that is empty is the same as none. The table is an array of sets of eight places; a client
can be in one set only, which its hash names, and mostly is at the place that its hash names as
well. If all places of a set are taken, the bucket that will
be empty first gives way, of the zone that has most in the set: neither clients that come once nor
those of another zone push out one that is at its limit.
"""

from __future__ import annotations

import mmap
from collections.abc import Sequence
from struct import Struct
from typing import Any, Final, NamedTuple

from ingress.policy.process_lock import ProcessLock

WAYS: Final = 8
SETS: Final = 1 << 15
"""Sets of a table: 262,144 buckets in 10 MiB, of which the kernel provides what is used."""

_BUCKET: Final = Struct("5q")
"""
The name, the moment to which it is accounted for, the excess, the moment from which on it is empty,
and the zone.
"""

_BYTES: Final = 40
_SET_BYTES: Final = WAYS * _BYTES
_COLUMNS: Final = 5
_SET: Final = Struct(f"{WAYS * _COLUMNS}q")
_EMPTY_AT: Final = 3
_ZONE: Final = 4

_read: Final = _BUCKET.unpack_from
_write: Final = _BUCKET.pack_into
_read_set: Final = _SET.unpack_from

_WAY_BITS: Final = 20
"""The bits of a hash that name a place are above those that name a set and a lock."""

SIZE: Final = SETS * _SET_BYTES
"""Bytes of a table."""

ONE: Final = 1000
"""A request, in thousandths."""

STRIPES: Final = 1024
"""Locks of a table: so many clients can be looked at at the same time."""

_FAR_BACK: Final = -60_000
"""Milliseconds; nginx takes a clock that went back further for one that has wrapped around."""


class Rate:
    """
    What a client may send.

    :ivar leak: thousandths of a request that leak from the bucket in a second, above 0.
    :ivar burst: thousandths of a request that the bucket holds, beside the request that is
        admitted.
    :ivar salt: tells the buckets apart that a client has in one zone.
    """

    __slots__ = ("burst", "leak", "salt")

    def __init__(self, leak: int, burst: int, salt: int) -> None:
        self.leak = leak
        self.burst = burst
        self.salt = salt

    def __repr__(self) -> str:
        return f"Rate({self.leak}, {self.burst}, {self.salt})"

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Rate) and (
            self.leak == other.leak and self.burst == other.burst and self.salt == other.salt
        )

    def __hash__(self) -> int:
        return hash((self.leak, self.burst, self.salt))

    def __reduce__(self) -> tuple[Any, ...]:
        return Rate, (self.leak, self.burst, self.salt)


class Refusal(NamedTuple):
    """Why a request is refused."""

    which: int
    """The index of the rate that it exceeds, or of a bound behind these."""

    wait: int
    """Milliseconds until a request of the client passes, by that rate."""


class Bucket:
    """
    The bucket of a client.

    :ivar name: a hash of whose it is, of 64 bits.
    :ivar last: the moment to which it is accounted for, in milliseconds.
    :ivar excess: what is in it, in thousandths of a request.
    :ivar empty_at: the moment from which on it is the same as none.
    :ivar zone: a hash of the zone.
    :ivar place: where it is, in bytes; -1 if it has no place yet.
    :ivar filled: what would be in it with the request for which `fill` was called.
    """

    __slots__ = (
        "_next_last",
        "empty_at",
        "excess",
        "filled",
        "last",
        "name",
        "place",
        "zone",
    )

    def __init__(self, name: int, place: int = -1, last: int = 0, excess: int = 0) -> None:
        self.name = name
        self.place = place
        self.last = last
        self.excess = excess
        self.empty_at = 0
        self.zone = 0
        self._next_last = 0
        self.filled = 0

    def __repr__(self) -> str:
        return f"<Bucket {self.name:x} of {self.excess}>"

    def fill(self, now: int, rate: Rate) -> bool:
        """
        Find out what one request more would make of it.

        :return: whether the bucket would overflow.
        """
        if self.place < 0:
            self._next_last, self.filled = now, 0
            return False
        last = self.last
        passed = now - last
        if passed > 0:
            last = now
        elif passed < _FAR_BACK:
            passed, last = 1, now
        else:
            passed = 0
        excess = self.excess - rate.leak * passed // ONE + ONE
        if excess < 0:
            excess = 0
        self._next_last, self.filled = last, excess
        return excess > rate.burst

    def refusal(self, which: int, rate: Rate) -> Refusal:
        """
        :param which: the index of the rate that the bucket exceeds.
        """
        return Refusal(which, -((rate.burst - self.filled) * 1000 // rate.leak))

    def put(self, zone: int, rate: Rate) -> None:
        """Put the request in."""
        self.last, self.excess, self.zone = self._next_last, self.filled, zone
        self.empty_at = self.last + (self.excess + ONE) * 1000 // rate.leak + 1


class Buckets:
    """
    Buckets of clients.

    :param sets: how many sets there are, a power of two.
    """

    def __init__(self, sets: int = SETS) -> None:
        self._mask = sets - 1

    def take(self, client: int, zone: int, now: int, rates: Sequence[Rate]) -> Refusal | None:
        """
        Put a request into the buckets of its client, into all of them or into none.

        :param client: a hash of the client and the zone, of 64 bits.
        :param zone: a hash of the zone, of 64 bits.
        :param now: in milliseconds, by a clock that all processes have.
        :param rates: the limits, in their order; each has a bucket.
        :return: None if the request is admitted.
        """
        index = client & self._mask
        if len(rates) == 1:
            rate = rates[0]
            bucket = self._find(index, client ^ rate.salt)
            if bucket.fill(now, rate):
                return bucket.refusal(0, rate)
            bucket.put(zone, rate)
            self._keep(index, now, bucket)
            return None
        buckets = [self._find(index, client ^ rate.salt) for rate in rates]
        # Of two limits that refuse, the first one is told.
        for which, bucket in enumerate(buckets):
            if bucket.fill(now, rates[which]):
                return bucket.refusal(which, rates[which])
        for which, bucket in enumerate(buckets):
            bucket.put(zone, rates[which])
            self._keep(index, now, bucket)
        return None

    def level(self, client: int, now: int, rate: Rate) -> int:
        """
        Look at a bucket of a client, without a lock: for people, who need no exact value.

        :param client: as for `take`; so are the others.
        :return: what is in it, in thousandths of a request.
        """
        bucket = self._find(client & self._mask, client ^ rate.salt)
        bucket.fill(now, rate)
        return max(bucket.filled - ONE, 0)

    def _find(self, index: int, name: int) -> Bucket:
        """
        :param index: of the set.
        :return: the bucket of this name, or a new one without a place.
        """
        raise NotImplementedError

    def _keep(self, index: int, now: int, bucket: Bucket) -> None:
        """Keep a bucket that has been filled, and find a place for a new one."""
        raise NotImplementedError


class LocalBuckets(Buckets):
    """The buckets of one process, which nobody shares."""

    def __init__(self, sets: int = SETS) -> None:
        super().__init__(sets)
        self._sets: dict[int, list[Bucket]] = {}

    def __repr__(self) -> str:
        return f"<LocalBuckets in {len(self._sets)} sets>"

    def _find(self, index: int, name: int) -> Bucket:
        found = self._sets.get(index)
        if found is not None:
            for bucket in found:
                if bucket.name == name:
                    return bucket
        return Bucket(name)

    def _keep(self, index: int, now: int, bucket: Bucket) -> None:
        if bucket.place >= 0:
            return
        found = self._sets.get(index)
        if found is None:
            found = self._sets[index] = []
        if len(found) < WAYS:
            bucket.place = len(found)
            found.append(bucket)
            return
        ends = tuple([each.empty_at for each in found])
        bucket.place = _freed(ends, tuple([each.zone for each in found]), now)
        found[bucket.place].place = -1
        found[bucket.place] = bucket


class BucketTable(Buckets):
    """
    Buckets that all processes share.

    :param memory: `SIZE` bytes of zeros that all processes share; None for memory of one's own.
    :param lock: the lock of that memory; None if no other process has it.
    """

    def __init__(
        self, memory: mmap.mmap | None = None, lock: ProcessLock | None = None, sets: int = SETS
    ) -> None:
        super().__init__(sets)
        self._memory = mmap.mmap(-1, sets * _SET_BYTES) if memory is None else memory
        self._lock = lock

    def __repr__(self) -> str:
        return f"<BucketTable of {(self._mask + 1) * WAYS} buckets>"

    def take(self, client: int, zone: int, now: int, rates: Sequence[Rate]) -> Refusal | None:
        """Buckets: while no other process looks at this client."""
        lock = self._lock
        if lock is None:
            return Buckets.take(self, client, zone, now, rates)
        stripe = client & (STRIPES - 1)
        is_locked = lock.take(stripe)
        try:
            return Buckets.take(self, client, zone, now, rates)
        finally:
            if is_locked:
                lock.give_back(stripe)

    def _find(self, index: int, name: int) -> Bucket:
        base = index * _SET_BYTES
        place = base + _way(name) * _BYTES
        found: tuple[int, ...] = _read(self._memory, place)
        if found[0] != name:
            names: tuple[int, ...] = _read_set(self._memory, base)[::_COLUMNS]
            if name not in names:
                return Bucket(name)
            place = base + names.index(name) * _BYTES
            found = _read(self._memory, place)
        return Bucket(name, place, found[1], found[2])

    def _keep(self, index: int, now: int, bucket: Bucket) -> None:
        place = bucket.place
        if place < 0:
            place = self._place_for(index * _SET_BYTES, bucket.name, now)
        _write(
            self._memory,
            place,
            bucket.name,
            bucket.last,
            bucket.excess,
            bucket.empty_at,
            bucket.zone,
        )

    def _place_for(self, base: int, name: int, now: int) -> int:
        """:return: a place for another bucket."""
        words: tuple[int, ...] = _read_set(self._memory, base)
        ends, way = words[_EMPTY_AT::_COLUMNS], _way(name)
        if ends[way] > now:
            way = _freed(ends, words[_ZONE::_COLUMNS], now)
        return base + way * _BYTES


def _freed(ends: tuple[int, ...], zones: tuple[int, ...], now: int) -> int:
    """
    :param ends: when the buckets of a set will be empty.
    :param zones: their zones.
    :return: the place of the one that gives way.
    """
    first = min(ends)
    if first <= now:
        return ends.index(first)
    counts = [zones.count(zone) for zone in zones]
    most = max(counts)
    _, way = min([(end, way) for way, end in enumerate(ends) if counts[way] == most])
    return way


def _way(name: int) -> int:
    """:return: the number of the place at which a bucket is looked for first."""
    return (name >> _WAY_BITS) & (WAYS - 1)
