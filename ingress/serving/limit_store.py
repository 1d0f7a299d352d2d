"""
The buckets of clients in a server that all replicas have.

A store that is slow or gone fails no request: `take` then says that it does not know, and the
buckets of this replica decide alone.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from functools import partial
from hashlib import sha1
from typing import Any, ClassVar, Final, cast

import hiredis
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding
from twisted.application.internet import ClientService, backoffPolicy
from twisted.internet.defer import Deferred
from twisted.internet.endpoints import HostnameEndpoint, wrapClientTLS
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
from ingress.serving.redis_connection import RedisConnection

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
"""Requests that wait for it at the same time; the buckets of this replica decide on more."""

LONGEST_DELAY: Final = 10.0
"""Seconds between two attempts to connect, at most."""

CONNECT_TIMEOUT: Final = 5.0

_PREFIX: Final = b"txingress:limit:"

SCRIPT: Final = b"""
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local found = {}
for i, key in ipairs(KEYS) do
  local leak, burst = tonumber(ARGV[2 * i - 1]), tonumber(ARGV[2 * i])
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
for i, key in ipairs(KEYS) do
  local excess, last, leak = found[i][1], found[i][2], found[i][3]
  local numbers = {string.format('%.0f', excess), string.format('%.0f', last)}
  redis.call('HSET', key, 'excess', numbers[1], 'last', numbers[2])
  redis.call('PEXPIRE', key, string.format('%.0f', (excess + 1000) * 1000 / leak + 1000))
end
return {0, 0}
"""
"""
The same as `BucketTable.take`, by the clock of the server. Returns the number of the rate that
refuses, from 1 on, or 0; and milliseconds.
"""

_DIGEST: Final = sha1(SCRIPT).hexdigest()  # noqa: S324 (the name that EVALSHA has for it)


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
        connection.send("SCRIPT", "LOAD", SCRIPT).addErrback(lambda failure: None)
        if self._is_known_lost or not self._has_been_used:
            state = "back" if self._is_known_lost else "used"
            self._has_been_used, self._is_known_lost = True, False
            self.log.info("The store of limits is {state}: {store}", state=state, store=self.store)

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

    def take(
        self, zone: str, client: bytes, rates: Sequence[Rate]
    ) -> Deferred[Refusal | None] | None:
        """
        Put a request into the buckets that all replicas share, as `BucketTable.take` does.

        :param zone: the name of the zone.
        :param client: who counts as one client.
        :return: fires with None if the request is admitted, or if the store does not say in time;
            None if it is not asked.
        """
        connection, now = self._connection, float(self._reactor.seconds())
        if connection is None or now < self._rests_until or len(self._waiting) >= MOST_WAITING:
            return None
        keys = [b"%b{%b:%b}:%d" % (_PREFIX, zone.encode(), client, rate.salt) for rate in rates]
        numbers = [number for rate in rates for number in (rate.leak, rate.burst)]
        reply = connection.send("EVALSHA", _DIGEST, len(keys), *keys, *numbers)
        self._waiting.append((now, reply))
        if self._timer is None:
            self._timer = self._reactor.callLater(PATIENCE, self._look)
        return reply.addCallbacks(partial(_refusal, len(rates)), self._unknown)

    def _unknown(self, failure: Failure) -> None:
        """Whatever the store says in place of a decision, the request passes."""
        if failure.check(hiredis.ReplyError) is None:
            return
        connection = self._connection
        if connection is not None and "NOSCRIPT" in str(failure.value):
            # The server has started anew, or was told to forget.
            connection.send("SCRIPT", "LOAD", SCRIPT).addErrback(lambda failure: None)
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


def _refusal(rates: int, reply: Any) -> Refusal | None:
    """
    :param rates: how many there are.
    :return: what the script decided; None for anything that it would not say.
    """
    match reply:
        case [int(number), int(wait)] if 0 < number <= rates and wait >= 0:
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
