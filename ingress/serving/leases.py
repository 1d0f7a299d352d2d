"""
The requests in progress of this process, as the server that all replicas share counts them.

Each request has a member in a sorted set for each of its bounds, which ends by itself when the
lease is over. The process speaks for its members again and again while the requests last, so that
those of one that is gone end with it. A member that is added twice, or removed twice, is no other
count: whatever was lost on the way is put right by the next renewal.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import count, islice
from typing import Any, Final, Protocol

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IDelayedCall

from ingress.policy.limiter import SharedBound
from ingress.serving.redis_connection import Part

_PREFIX: Final = b"txingress:held:"

RENEWALS: Final = 3
"""How often a lease is renewed while it lasts: two renewals may be lost."""

STEP: Final = 0.1
"""Seconds between two looks at what is to be renewed, at least."""

MOST_AT_ONCE: Final = 1000
"""Members renewed in one such look, which takes some milliseconds of the process."""

MOST_OWED: Final = 1000
"""Replies that the server may owe when members are renewed; with more, that waits."""

MOST_UNTOLD: Final = 10_000
"""Requests that ended while the server could not be told; it forgets the others by itself."""

RENEW: Final = b"""
local time = redis.call('TIME')
local till = time[1] * 1000 + math.floor(time[2] / 1000) + tonumber(ARGV[1])
for i = 2, #ARGV do
  redis.call('ZADD', KEYS[1], string.format('%.0f', till), ARGV[i])
end
redis.call('PEXPIRE', KEYS[1], ARGV[1])
return 0
"""
"""Adds members, or makes them last: by the clock of the server, as all decisions are."""


class Server(Protocol):
    """The connection to the server, as leases need it."""

    def owed(self) -> int | None:
        """:return: how many replies it owes; None if it cannot be told anything."""

    def tell(self, *command: Part) -> Deferred[Any]:
        """:return: fires when it has replied; fails if it may not have heard."""

    def renew(self, *arguments: bytes | int) -> None:
        """Run `RENEW`: one key, and its arguments."""


class HeldPlace:
    """
    The place of one request (`ingress.policy.limiter.Place`).

    :ivar keys: of the sorted sets, one for each bound.
    :ivar member: stands for the request in all of them.
    """

    __slots__ = ("_leases", "bounds", "keys", "member")

    def __init__(
        self, leases: Leases, bounds: Sequence[SharedBound], keys: tuple[bytes, ...], member: bytes
    ) -> None:
        self._leases = leases
        self.bounds = bounds
        self.keys = keys
        self.member = member

    def __repr__(self) -> str:
        return f"<HeldPlace {self.member!r} of {self.keys}>"

    def release(self) -> None:
        """Place."""
        self._leases.release(self)


class Leases:
    """
    The places that requests of this process have.

    :param reactor: provides time.
    :param server: where they are counted.
    :param name: tells the members of this process from those of all others.
    :param lease: seconds for which a member lasts without being renewed.
    """

    def __init__(self, reactor: Any, server: Server, name: bytes, lease: float) -> None:
        self._reactor = reactor
        self._server = server
        self._name = name
        self._numbers = count()
        self.milliseconds = int(lease * 1000)
        self._lease = lease
        self._held: dict[HeldPlace, float] = {}
        """When each is to be renewed, the first one first."""

        self._untold: dict[HeldPlace, float] = {}
        """Those that are over without the server knowing, with the time when it forgets them."""

        self._timer: IDelayedCall | None = None

    def __repr__(self) -> str:
        return f"<Leases of {len(self._held)} requests, {len(self._untold)} untold>"

    def hold(self, client: bytes, bounds: Sequence[SharedBound]) -> HeldPlace:
        """As `SharedCounts.hold`."""
        keys = tuple([b"%b%b:{%b}" % (_PREFIX, each.zone.encode(), client) for each in bounds])
        place = HeldPlace(self, bounds, keys, b"%b:%x" % (self._name, next(self._numbers)))
        self._held[place] = self._now() + self._lease / RENEWALS
        if self._timer is None:
            self._plan(self._lease / RENEWALS)
        return place

    def release(self, place: HeldPlace) -> None:
        """A request is over."""
        if self._held.pop(place, None) is not None:
            self._tell(place, self._now() + self._lease)

    def connected(self) -> None:
        """The server can be told again: it may know nothing of what is held, or too much."""
        now = self._now()
        untold, self._untold = self._untold, {}
        for place, forgotten_at in untold.items():
            if forgotten_at > now:
                self._tell(place, forgotten_at)
        self._held = dict.fromkeys(self._held, now)
        if self._held:
            self._renew()

    def stop(self) -> None:
        """Renew nothing more; what is still held ends with its lease."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        self._held.clear()
        self._untold.clear()

    def _now(self) -> float:
        return float(self._reactor.seconds())

    def _tell(self, place: HeldPlace, forgotten_at: float) -> None:
        """Have the server forget a request."""
        for key in place.keys:
            self._server.tell(b"ZREM", key, place.member).addErrback(
                lambda failure: self._not_told(place, forgotten_at)
            )

    def _not_told(self, place: HeldPlace, forgotten_at: float) -> None:
        if len(self._untold) < MOST_UNTOLD:
            self._untold[place] = forgotten_at

    def _plan(self, delay: float) -> None:
        if self._timer is not None:
            self._timer.cancel()
        self._timer = self._reactor.callLater(delay, self._look)

    def _look(self) -> None:
        self._timer = None
        if self._held:
            self._renew()

    def _renew(self) -> None:
        """Renew what is due, as far as the server keeps up."""
        now, owed = self._now(), self._server.owed()
        if owed is None or owed > MOST_OWED:
            self._plan(self._lease / RENEWALS if owed is None else STEP)
            return
        members: dict[bytes, list[bytes]] = {}
        for place, due in list(islice(self._held.items(), MOST_AT_ONCE)):
            if due > now:
                break
            del self._held[place]
            self._held[place] = now + self._lease / RENEWALS
            for key in place.keys:
                members.setdefault(key, []).append(place.member)
        for key, found in members.items():
            self._server.renew(key, self.milliseconds, *found)
        self._plan(max(next(iter(self._held.values())) - now, STEP))
