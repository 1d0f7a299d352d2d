"""
The data plane in one process: accepting and draining.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import TYPE_CHECKING, Any, Final

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IDelayedCall
from twisted.internet.task import deferLater
from twisted.logger import Logger

from ingress.config import ListenerKind
from ingress.config.limit_store import LimitStore
from ingress.config.otlp import OtlpSettings
from ingress.downstream.http1_factory import HTTP1Factory, TLSFactory
from ingress.downstream.listeners import Listeners, raise_descriptor_limit, room_for_connections
from ingress.downstream.opening import ListenerOpener
from ingress.downstream.passthrough import PassedConnections
from ingress.downstream.tls import TLSContexts
from ingress.observer import ExchangeObserver
from ingress.relay.udp_sessions import UDPSessions
from ingress.routing.snapshot import Snapshot
from ingress.serving.data_plane import DataPlane
from ingress.serving.open_ports import LAST_REPLIES, OpenPorts
from ingress.serving.port_failures import PortFailures
from ingress.telemetry.record import RecordReceiver
from ingress.transports.tls_transport import TLSTransport

if TYPE_CHECKING:
    from ingress.serving.limit_store import RedisLimitStore
    from ingress.serving.span_export import SpanExport

FLUSH_PATIENCE: Final = 1.0
"""Seconds in which the last spans are sent, if no grace is left."""

LONGEST_FLUSH: Final = 5.0
"""The same, as long as there is."""


class LocalServing:
    """
    The data plane of this process (`Serving`).

    :param listeners: bound, not yet accepting; http and https are used.
    :param contexts: the TLS side of the https listener.
    :param observers: see every exchange; started before the first exchange and stopped
        after the last.
    :param processes: the number of processes that share the limits, including this one.
    """

    log = Logger()

    def __init__(
        self,
        reactor: Any,
        listeners: Listeners,
        plane: DataPlane,
        contexts: TLSContexts,
        observers: Sequence[ExchangeObserver] = (),
        processes: int = 1,
    ) -> None:
        self._reactor = reactor
        self._listeners = listeners
        self._plane = plane
        self._contexts = contexts
        self._observers = tuple(observers)
        self._processes = processes
        passed = PassedConnections(
            plane.clients.admission, plane.relays, plane.exchanges.policy_states.limiter
        )
        self._openers = [
            (listener, self._opener(kind, passes))
            for kind, listener, passes in (
                (ListenerKind.HTTP, listeners.http, None),
                (ListenerKind.HTTPS, listeners.https, passed),
            )
        ]
        """What reads the beginnings of connections, where the configuration asks for it."""

        sessions = UDPSessions(reactor, plane.relays)
        self.ports = OpenPorts(reactor, plane, sessions, is_shared=processes > 1)
        """The ports of TCP and UDP services."""

        self._grace: IDelayedCall | None = None
        self._store: RedisLimitStore | None = None
        """Where limits are counted for all replicas, if anywhere."""

        self._otlp = OtlpSettings()
        self._spans: SpanExport | None = None
        """Where spans go, if anywhere."""

    def _opener(self, kind: ListenerKind, passed: PassedConnections | None) -> ListenerOpener:
        plane = self._plane
        return ListenerOpener(
            self._reactor,
            plane.clients,
            plane.deadlines,
            f"listen.{kind}",
            lambda config: config.has_proxy_protocol(kind),
            passed,
        )

    def __repr__(self) -> str:
        return f"<LocalServing: {self.connections} connections>"

    @property
    def port_failures(self) -> PortFailures:
        """Serving."""
        return self.ports.failures

    @property
    def connections(self) -> int:
        """The number of open client connections."""
        return len(self._plane.clients.connections)

    def launch(self) -> None:
        """Serving: nothing is forked."""

    def prepare(self) -> None:
        """Serving."""
        self._plane.deadlines.start()
        room = room_for_connections(raise_descriptor_limit())
        self._plane.clients.connection_limit.fit(room, self._processes)
        # A session takes one descriptor. They get half as many as connections, if these are few.
        self.ports.sessions.fit(room, self._processes)
        for observer in self._observers:
            observer.start()

    def publish(self, snapshot: Snapshot) -> None:
        """Serving."""
        self._plane.publish(snapshot)
        for listener, opener in self._openers:
            listener.open_with(opener if opener.apply(snapshot.config) else None)
        self.ports.published(snapshot.ports)
        self._use_store(snapshot.config.limits.store)
        self._use_collector(snapshot.config.otlp)

    def _use_store(self, wanted: LimitStore | None) -> None:
        """Have limits counted in this store from now on."""
        used = self._store
        if wanted == (used.store if used is not None else None):
            return
        self._close_store()
        if wanted is not None:
            # Imported where it is used, because few need it.
            from ingress.serving.limit_store import RedisLimitStore

            self._store = RedisLimitStore(self._reactor, wanted)
            self._store.start()
        self._plane.exchanges.policy_states.limiter.store = self._store

    def _close_store(self) -> None:
        store, self._store = self._store, None
        self._plane.exchanges.policy_states.limiter.store = None
        if store is not None:
            store.stop()

    def _use_collector(self, wanted: OtlpSettings) -> None:
        """Have spans recorded as the configuration says from now on."""
        if wanted == self._otlp:
            return
        self._otlp = wanted
        exchanges, used = self._plane.exchanges, self._spans
        recorder = self._plane.recorder or RecordReceiver()
        if used is not None and used.settings != wanted.export:
            used.stop(FLUSH_PATIENCE)
            used = None
        exchanges.recorder = recorder
        if wanted.endpoint:
            # Imported where they are used, because few need them.
            from ingress.serving.span_export import SpanExport
            from ingress.telemetry.spans import SpanRecorder

            used = used or SpanExport(self._reactor, wanted.export, self._plane.spans)
            random = self._plane.calls.random
            exchanges.recorder = SpanRecorder(recorder, used, wanted, random)
        self._spans = used

    def accept(self) -> Deferred[None]:
        """Serving."""
        return Deferred.fromCoroutine(self._accept())

    async def _accept(self) -> None:
        plane = self._plane
        self._listeners.http.start(
            self._reactor,
            HTTP1Factory(plane.clients, plane.exchanges, is_secure=False),
            plane.clients.connection_limit,
        )
        self._listeners.https.start(
            self._reactor,
            TLSFactory(plane.clients, plane.exchanges),
            plane.clients.connection_limit,
            partial(TLSTransport, self._contexts),
        )
        self.ports.start()

    def listen_again(self) -> None:
        """WorkerServing."""
        for listener in self._listeners.for_clients:
            listener.listen_again()

    def reopen(self) -> None:
        """Serving."""
        for observer in self._observers:
            observer.reopen()

    def drain(self, grace: float) -> Deferred[None]:
        """Serving."""
        return Deferred.fromCoroutine(self._drain(grace))

    async def _drain(self, grace: float) -> None:
        self._plane.clients.is_draining = True
        for listener in self._listeners.for_clients:
            await listener.stop()
        await self.ports.stop()
        self._grace = self._reactor.callLater(grace, self.cut)
        await self._plane.clients.connections.drain()
        if len(self.ports.sessions):
            await deferLater(self._reactor, min(grace, LAST_REPLIES))
        self.ports.end()
        patience = FLUSH_PATIENCE
        if self._grace.active():
            left = self._grace.getTime() - self._reactor.seconds()
            patience = max(min(left, LONGEST_FLUSH), FLUSH_PATIENCE)
            self._grace.cancel()
        if self._spans is not None:
            await self._spans.stop(patience)
        self._close_store()
        self._plane.calls.registry.close()
        self._plane.deadlines.stop()
        for observer in self._observers:
            await observer.stop()

    def cut(self) -> None:
        """Serving: the grace is over, or a second signal came."""
        count = self.connections
        if count:
            self.log.warn("Connections that are cut: {count}", count=count)
        self._plane.clients.connections.cut()
        self.ports.end()
