"""
What clients send, and have in progress, counted in a server that all replicas have.

A store that is slow or gone fails no request: `take` then says that it does not know, and the
counts of this replica decide alone.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from functools import partial
from hashlib import sha1
from secrets import token_hex
from typing import Any, ClassVar, Final, cast

import hiredis
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding
from twisted.application.internet import ClientService, backoffPolicy
from twisted.internet.defer import Deferred, fail
from twisted.internet.endpoints import HostnameEndpoint, wrapClientTLS
from twisted.internet.error import ConnectionDone
from twisted.internet.interfaces import IDelayedCall, IProtocol, IStreamClientEndpoint
from twisted.internet.protocol import Factory
from twisted.internet.ssl import (
    Certificate,
    optionsForClientTLS,
    trustRootFromCertificates,
)
from twisted.logger import Logger
from twisted.python.failure import Failure

from ingress.config.limit_store import LimitStore
from ingress.policy.bucket_table import Rate, Refusal
from ingress.policy.limiter import Place, SharedBound
from ingress.serving.leases import RENEW, HeldPlace, Leases
from ingress.serving.redis_connection import Part, RedisConnection

PATIENCE: Final = 0.05
"""Seconds for which a request waits for the store."""

REST: Final = 1.0
"""Seconds for which the store is not asked after it was too slow."""

SILENCE: Final = 5.0
"""Seconds without any reply after which another connection is made."""

MOST_OWED: Final = 10_000
"""Replies that a connection may owe; with more, another one is made."""

LONGEST_WAIT: Final = 24 * 3600 * 1000
"""Milliseconds that a client may be told to wait."""

MOST_WAITING: Final = 10_000
"""Requests that wait for it at the same time; the counts of this replica decide on more."""

LONGEST_DELAY: Final = 10.0
"""Seconds between two attempts to connect, at most."""

CONNECT_TIMEOUT: Final = 5.0

_PREFIX: Final = b"txingress:limit:"

SCRIPT: Final = b"""
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local found = {}
local rates = tonumber(ARGV[1])
for i = 1, rates do
  local key, leak, burst = KEYS[i], tonumber(ARGV[2 * i]), tonumber(ARGV[2 * i + 1])
  local bucket = redis.call('HMGET', key, 'excess', 'last')
  local excess, last = 0, now
  if bucket[1] then
    last = tonumber(bucket[2])
    local passed = now - last
    if passed > 0 then last = now else passed = 0 end
    excess = tonumber(bucket[1]) - math.floor(leak * passed / 1000) + 1000
    if excess < 0 then excess = 0 end
    if excess > burst then
      return {i, math.ceil((excess - burst) * 1000 / leak)}
    end
  end
  found[i] = {excess, last, leak}
end
for i = 1, rates do
  local key, excess, last, leak = KEYS[i], found[i][1], found[i][2], found[i][3]
  local numbers = {string.format('%.0f', excess), string.format('%.0f', last)}
  redis.call('HSET', key, 'excess', numbers[1], 'last', numbers[2])
  redis.call('PEXPIRE', key, string.format('%.0f', (excess + 1000) * 1000 / leak + 1000))
end
local lease, member = ARGV[2 * rates + 2], ARGV[2 * rates + 3]
for i = rates + 1, #KEYS do
  redis.call('ZREMRANGEBYSCORE', KEYS[i], '-inf', string.format('%.0f', now))
  if redis.call('ZCARD', KEYS[i]) >= tonumber(ARGV[rates + 3 + i]) then
    return {i, 0}
  end
end
for i = rates + 1, #KEYS do
  redis.call('ZADD', KEYS[i], string.format('%.0f', now + tonumber(lease)), member)
  redis.call('PEXPIRE', KEYS[i], lease)
end
return {0, 0}
"""
"""
The same as `BucketTable.take`, by the clock of the server, and then a member in the set of each
bound (`ingress.serving.leases`). Returns the number of the rate or bound that refuses, from 1 on,
or 0; and milliseconds.
"""

_SCRIPTS: Final = (SCRIPT, RENEW)
_DIGEST, _RENEW_DIGEST = [sha1(each).hexdigest() for each in _SCRIPTS]  # noqa: S324 (EVALSHA's name)


class RedisLimitStore:
    """
    A view of the store, with a connection of its own.

    :param reactor: provides time and connections.
    :param store: where it is.
    :param endpoint: how to get there; None for the address of `store`.
    """

    log: ClassVar[Logger] = Logger()

    def __init__(
        self, reactor: Any, store: LimitStore, endpoint: IStreamClientEndpoint | None = None
    ) -> None:
        self.store = store
        self._reactor = reactor
        self._connection: RedisConnection | None = None
        """None until it may be used."""

        self._waiting: deque[tuple[float, Deferred[Any]]] = deque()
        """What was asked, with its time, in order; replies may have come already."""

        self._timer: IDelayedCall | None = None
        self._rests_until = 0.0
        self._heard = (-1, 0.0)
        """The number of replies on this connection when it was too slow, and since when."""

        self._is_known_lost = self._has_been_used = False
        name = token_hex(8).encode("ascii")
        self._leases = Leases(reactor, self, name, store.lease)
        factory = Factory.forProtocol(lambda: RedisConnection(store, self._lost))
        factory.noisy = False
        self._service = ClientService(
            _endpoint(reactor, store) if endpoint is None else endpoint,
            factory,
            retryPolicy=backoffPolicy(maxDelay=LONGEST_DELAY),
            clock=reactor,
            prepareConnection=self._prepare,
        )

    def __repr__(self) -> str:
        return f"<RedisLimitStore {self.store} {'usable' if self._connection else 'lost'}>"

    def start(self) -> None:
        """Connect, and connect again whenever the connection is lost."""
        self._service.startService()
        self._service.whenConnected(failAfterFailures=1).addErrback(self._report)

    def stop(self) -> Deferred[Any]:
        """Connect no more; nothing is waited for."""
        self._connection = None
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        self._leases.stop()
        self._expire(float("inf"))
        return self._service.stopService()

    def _prepare(self, protocol: IProtocol) -> Deferred[None]:
        connection = cast(RedisConnection, protocol)
        greeted = connection.greet()
        greeted.addTimeout(CONNECT_TIMEOUT, self._reactor)
        return greeted.addCallbacks(
            partial(self._greeted, connection), partial(self._refused, connection)
        )

    def _greeted(self, connection: RedisConnection, _: None) -> None:
        self._connection, self._heard = connection, (-1, 0.0)
        self._load_scripts(connection)
        self._leases.connected()
        if self._is_known_lost or not self._has_been_used:
            state = "back" if self._is_known_lost else "used"
            self._has_been_used, self._is_known_lost = True, False
            self.log.info("The store of limits is {state}: {store}", state=state, store=self.store)

    def _load_scripts(self, connection: RedisConnection) -> None:
        for script in _SCRIPTS:
            connection.send("SCRIPT", "LOAD", script).addErrback(lambda failure: None)

    def _refused(self, connection: RedisConnection, failure: Failure) -> Failure:
        self._report(failure)
        connection.abort()
        return failure

    def _lost(self) -> None:
        if self._connection is not None:
            self._connection = None
            self._report(None)

    def _report(self, failure: Failure | None) -> None:
        """Say that replicas count for themselves, once until the store is back."""
        if not self._is_known_lost and self._service.running:
            self._is_known_lost = True
            why = failure.value if failure is not None else "the connection is lost"
            self.log.warn(
                "The store of limits {store} cannot be used ({why}): each replica counts alone",
                store=self.store,
                why=why,
            )

    def hold(self, client: bytes, bounds: Sequence[SharedBound]) -> Place:
        """SharedCounts."""
        return self._leases.hold(client, bounds)

    def take(
        self, zone: str, client: bytes, rates: Sequence[Rate], place: Place | None = None
    ) -> Deferred[Refusal | None] | None:
        """SharedCounts: None if the store is not asked."""
        connection, now = self._connection, float(self._reactor.seconds())
        if connection is None or now < self._rests_until or len(self._waiting) >= MOST_WAITING:
            return None
        # All keys of a client have one tag, so that they are in one place of a cluster.
        keys = [b"%b%b:{%b}:%d" % (_PREFIX, zone.encode(), client, rate.salt) for rate in rates]
        arguments: list[bytes | int] = [len(rates)]
        for rate in rates:
            arguments += (rate.leak, rate.burst)
        if isinstance(place, HeldPlace):
            keys += place.keys
            arguments += (self._leases.milliseconds, place.member)
            arguments += [bound.most for bound in place.bounds]
        reply = connection.send("EVALSHA", _DIGEST, len(keys), *keys, *arguments)
        self._waiting.append((now, reply))
        if self._timer is None:
            self._timer = self._reactor.callLater(PATIENCE, self._look)
        return reply.addCallbacks(partial(_refusal, len(keys)), self._unknown)

    # Server, of leases.

    def owed(self) -> int | None:
        """
        End a connection on which the store is silent: perhaps nobody asks it anything else.

        :return: how many replies it owes; None if it cannot be told anything.
        """
        if self._connection is not None and self._connection.owed:
            self._check(float(self._reactor.seconds()))
        return None if self._connection is None else self._connection.owed

    def tell(self, *command: Part) -> Deferred[Any]:
        """:return: fires with the reply; fails if there may be none."""
        connection = self._connection
        if connection is None or connection.owed > MOST_OWED:
            return fail(ConnectionDone())
        return connection.send(*command)

    def renew(self, *arguments: bytes | int) -> None:
        """Add members to a set, or make them last."""
        renewed = self.tell("EVALSHA", _RENEW_DIGEST, 1, *arguments)
        renewed.addErrback(self._not_renewed)

    def _not_renewed(self, failure: Failure) -> None:
        connection = self._connection
        if connection is not None and "NOSCRIPT" in str(failure.value):
            self._load_scripts(connection)

    def _unknown(self, failure: Failure) -> None:
        """Whatever the store says in place of a decision, the request passes."""
        if failure.check(hiredis.ReplyError) is None:
            return
        connection = self._connection
        if connection is not None and "NOSCRIPT" in str(failure.value):
            # The server has started anew, or was told to forget.
            self._load_scripts(connection)
        else:
            self._rests_until = float(self._reactor.seconds()) + REST
            self._report(failure)

    def _look(self) -> None:
        """Decide without the store where it takes too long."""
        self._timer = None
        now = float(self._reactor.seconds())
        if self._expire(now - PATIENCE):
            self._rests_until = now + REST
            self._check(now)
        if self._waiting:
            oldest, _ = self._waiting[0]
            self._timer = self._reactor.callLater(max(oldest + PATIENCE - now, 0.001), self._look)

    def _check(self, now: float) -> None:
        """Make another connection if this one is silent, or owes more than can be kept."""
        connection, (count, since) = self._connection, self._heard
        if connection is None:
            return
        if connection.reply_count != count:
            count, since = self._heard = (connection.reply_count, now)
        if now - since >= SILENCE or connection.owed > MOST_OWED:
            connection.abort()

    def _expire(self, until: float) -> bool:
        """Give up waiting for what was asked until then; return whether anything was."""
        has_expired = False
        waiting = self._waiting
        while waiting and (waiting[0][1].called or waiting[0][0] <= until):
            _, reply = waiting.popleft()
            if not reply.called:
                has_expired = True
                reply.callback(None)
        return has_expired


def _refusal(most: int, reply: Any) -> Refusal | None:
    """
    :param most: how many rates and bounds there are.
    :return: what the script decided; None for anything that it would not say.
    """
    match reply:
        case [int(number), int(wait)] if 0 < number <= most and wait >= 0:
            return Refusal(number - 1, min(wait, LONGEST_WAIT))
    return None


def _endpoint(reactor: Any, store: LimitStore) -> IStreamClientEndpoint:
    plain = HostnameEndpoint(reactor, store.host, store.port, timeout=CONNECT_TIMEOUT)
    if not store.is_secure:
        return plain
    wrapped: IStreamClientEndpoint = wrapClientTLS(_options(store), plain)
    return wrapped


def _options(store: LimitStore) -> Any:
    """:return: the settings of TLS, with the authorities that may vouch for the store."""
    if store.authorities is None:
        return optionsForClientTLS(store.host)
    found = [
        Certificate.loadPEM(each.public_bytes(Encoding.PEM))
        for each in x509.load_pem_x509_certificates(store.authorities)
    ]
    return optionsForClientTLS(store.host, trustRoot=trustRootFromCertificates(found))
