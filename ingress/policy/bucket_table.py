"""
Leaky buckets of clients in a piece of memory of fixed size, which several processes may share.

The buckets are those of nginx's ``limit_req`` with ``nodelay``, in its integers: thousandths of a
request, and milliseconds. Each request puts one into the bucket of its client, which leaks at the
rate of the limit; one that would make it overflow is refused, and puts nothing in.

A bucket that is empty is the same as none. The table is an array of sets of eight places; a client
can be in one set only, which its hash names. If all places of a set are taken, the bucket that will
be empty first gives way, of the zone that has most in the set: neither clients that come once nor
those of another zone push out one that is at its limit.
"""

from __future__ import annotations

import mmap
from collections.abc import Sequence
from struct import Struct
from typing import Final, NamedTuple

from ingress.policy.process_lock import ProcessLock

WAYS: Final = 8
SETS: Final = 1 << 15
"""Sets of a table: 262,144 buckets in 10 MiB, of which the kernel provides what is used."""

_COLUMNS: Final = 5
_LAST, _EXCESS, _EMPTY_AT, _ZONE = (column * WAYS for column in range(1, _COLUMNS))
"""Where the columns of a set begin, in words of eight bytes; the names come first."""

_SET: Final = WAYS * _COLUMNS
_COLUMN: Final = Struct(f"{WAYS}q")
_WORD: Final = 8

SIZE: Final = SETS * _SET * _WORD
"""Bytes of a table."""

ONE: Final = 1000
"""A request, in thousandths."""

STRIPES: Final = 1024
"""Locks of a table: so many clients can be looked at at the same time."""

_FAR_BACK: Final = -60_000
"""Milliseconds; nginx takes a clock that went back further for one that has wrapped around."""


class Rate(NamedTuple):
    """What a client may send."""

    leak: int
    """Thousandths of a request that leak from the bucket in a second, above 0."""

    burst: int
    """Thousandths of a request that the bucket holds, beside the request that is admitted."""

    salt: int
    """Tells the buckets apart that a client has in one zone."""


class Refusal(NamedTuple):
    """Why a request is refused."""

    which: int
    """The index of the rate that it exceeds."""

    wait: int
    """Milliseconds until a request of the client passes, by that rate."""


class _Bucket:
    """A bucket with the request that is to be put in: its place, or -1 if it has none yet."""

    __slots__ = ("excess", "last", "name", "place")

    def __init__(self, name: int, place: int, excess: int, last: int) -> None:
        self.name = name
        self.place = place
        self.excess = excess
        self.last = last

    def __repr__(self) -> str:
        return f"<_Bucket {self.name:x} of {self.excess}>"


class BucketTable:
    """
    :param memory: `SIZE` bytes of zeros that all processes share; None for memory of one's own.
    :param lock: the lock of that memory; None if no other process has it.
    """

    def __init__(
        self, memory: mmap.mmap | None = None, lock: ProcessLock | None = None, sets: int = SETS
    ) -> None:
        self._memory = mmap.mmap(-1, sets * _SET * _WORD) if memory is None else memory
        self._words = memoryview(self._memory).cast("q")
        self._mask = sets - 1
        self._lock = lock

    def __repr__(self) -> str:
        return f"<BucketTable of {(self._mask + 1) * WAYS} buckets>"

    def take(self, client: int, zone: int, now: int, rates: Sequence[Rate]) -> Refusal | None:
        """
        Put a request into the buckets of its client, into all of them or into none.

        :param client: a hash of the client and the zone, of 64 bits.
        :param zone: a hash of the zone, of 64 bits.
        :param now: in milliseconds, by a clock that all processes have.
        :param rates: the limits, in their order; each has a bucket.
        :return: None if the request is admitted.
        """
        lock = self._lock
        if lock is None:
            return self._take(client, zone, now, rates)
        stripe = client & (STRIPES - 1)
        is_locked = lock.take(stripe)
        try:
            return self._take(client, zone, now, rates)
        finally:
            if is_locked:
                lock.give_back(stripe)

    def level(self, client: int, now: int, rate: Rate) -> int:
        """
        Look at a bucket of a client, without a lock: for people, who need no exact value.

        :param client: as for `take`; so are the others.
        :return: what is in it, in thousandths of a request.
        """
        base = (client & self._mask) * _SET
        return max(self._fill(base, client, now, rate).excess - ONE, 0)

    def _take(self, client: int, zone: int, now: int, rates: Sequence[Rate]) -> Refusal | None:
        base = (client & self._mask) * _SET
        if len(rates) == 1:
            bucket = self._fill(base, client, now, rates[0])
            if bucket.excess > rates[0].burst:
                return _refusal(0, bucket, rates[0])
            self._keep(base, zone, now, bucket, rates[0])
            return None
        buckets = [self._fill(base, client, now, rate) for rate in rates]
        for which, bucket in enumerate(buckets):
            if bucket.excess > rates[which].burst:
                return _refusal(which, bucket, rates[which])
        for which, bucket in enumerate(buckets):
            self._keep(base, zone, now, bucket, rates[which])
        return None

    def _fill(self, base: int, client: int, now: int, rate: Rate) -> _Bucket:
        """:return: the bucket as it is with one request more; nothing is kept yet."""
        words, name = self._words, client ^ rate.salt
        names = _COLUMN.unpack_from(self._memory, base * _WORD)
        if name not in names:
            return _Bucket(name, -1, 0, now)
        place = base + names.index(name)
        last: int = words[place + _LAST]
        passed = now - last
        if passed > 0:
            last = now
        elif passed < _FAR_BACK:
            passed, last = 1, now
        else:
            passed = 0
        filled: int = words[place + _EXCESS]
        excess = filled - rate.leak * passed // ONE + ONE
        return _Bucket(name, place, excess if excess > 0 else 0, last)

    def _keep(self, base: int, zone: int, now: int, bucket: _Bucket, rate: Rate) -> None:
        words, place = self._words, bucket.place
        if place < 0:
            place = self._place_for(base, now)
            words[place] = bucket.name
            words[place + _ZONE] = zone
        words[place + _LAST] = bucket.last
        words[place + _EXCESS] = bucket.excess
        # From then on the bucket is the same as none.
        words[place + _EMPTY_AT] = bucket.last + (bucket.excess + ONE) * 1000 // rate.leak + 1

    def _place_for(self, base: int, now: int) -> int:
        """:return: a place for another bucket."""
        ends = _COLUMN.unpack_from(self._memory, (base + _EMPTY_AT) * _WORD)
        first = min(ends)
        if first <= now:
            return base + ends.index(first)
        zones = _COLUMN.unpack_from(self._memory, (base + _ZONE) * _WORD)
        most = max(map(zones.count, zones))
        _, way = min((ends[way], way) for way in range(WAYS) if zones.count(zones[way]) == most)
        return base + way


def _refusal(which: int, bucket: _Bucket, rate: Rate) -> Refusal:
    """:param which: the index of the rate that the bucket exceeds."""
    return Refusal(which, -((rate.burst - bucket.excess) * 1000 // rate.leak))
