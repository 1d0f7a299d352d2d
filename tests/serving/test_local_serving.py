"""
Tests for `ingress.serving.local_serving`.
"""

from __future__ import annotations

from dataclasses import dataclass
from random import Random
from typing import Any, cast

from twisted.internet.defer import Deferred
from twisted.internet.testing import MemoryReactorClock
from twisted.logger import capturedLogs, formatEvent
from twisted.trial.unittest import SynchronousTestCase

from ingress.config import Config, Listen, ListenerKind, OtlpSettings
from ingress.deadline import Deadlines
from ingress.downstream.bound_socket import ListenError
from ingress.downstream.tls import TLSContexts
from ingress.routing.snapshot import Snapshot
from ingress.serving.data_plane import DataPlane
from ingress.serving.local_serving import LONGEST_FLUSH, LocalServing
from ingress.telemetry.spans import SpanRecorder
from ingress.upstream.registry import EndpointRegistry
from tests.support.hand_observer import HandObserver
from tests.support.recording_listener import RecordingListener, listeners_of


@dataclass
class HandConnection:
    """A client's connection, idle or not."""

    plane: DataPlane
    is_idle: bool
    events: list[str]
    address: str = ""
    activity: str = "waiting"

    __hash__ = object.__hash__

    def in_flight(self) -> tuple[()]:
        """Nothing."""
        return ()

    def close_if_idle(self) -> None:
        if self.is_idle:
            self.plane.clients.connections.discard(self)

    def cut(self) -> None:
        self.events.append("cut")
        self.plane.clients.connections.discard(self)


class OneThread(MemoryReactorClock):
    """A reactor in whose time no other thread gets anything done."""

    def callFromThread(self, function: object, *arguments: object) -> None:
        """IReactorFromThreads."""


class LocalServingTests(SynchronousTestCase):
    """The order in which a process begins to serve and ends."""

    def setUp(self) -> None:
        self.events: list[str] = []
        self.reactor = OneThread()
        deadlines = Deadlines(self.reactor)
        self.plane = DataPlane(
            EndpointRegistry(cast(Any, None), cast(Any, None), deadlines),
            deadlines,
            Random(0),
            wall_clock=self.reactor.seconds,
            process=1,
        )
        self.http, self.https = (RecordingListener(name, self.events) for name in ("http", "https"))
        self.observer = HandObserver(self.events)
        self.serving = LocalServing(
            self.reactor,
            listeners_of(self.http, self.https),
            self.plane,
            cast(TLSContexts, type("TLSContexts", (), {"open_connection": None})),
            [self.observer],
        )

    def begin(self) -> None:
        self.serving.prepare()
        self.serving.publish(Snapshot(Config()))
        self.successResultOf(self.serving.accept())
        self.events.clear()

    def connect(self, *, is_idle: bool) -> HandConnection:
        connection = HandConnection(self.plane, is_idle, self.events)
        self.plane.clients.connections.add(connection)
        return connection

    def test_accept(self) -> None:
        """What sees every exchange starts before anything accepts."""
        self.serving.prepare()
        self.assertEqual(self.events, ["observer starts"])
        snapshot = Snapshot(Config())
        self.serving.publish(snapshot)
        self.assertIs(self.plane.exchanges.snapshot, snapshot)
        self.assertEqual(self.events, ["observer starts"])
        self.successResultOf(self.serving.accept())
        self.assertEqual(self.events, ["observer starts", "http starts", "https starts"])
        self.serving.drain(0)

    def test_address_taken(self) -> None:
        """An address that somebody else was faster to listen on is told."""
        self.serving.prepare()
        self.https.fault = ListenError("taken")
        self.failureResultOf(self.serving.accept(), ListenError)
        self.serving.drain(0)

    def test_openers(self) -> None:
        """Beginnings of connections are read as long as a published configuration says so."""
        self.begin()
        self.assertEqual((self.http.opener, self.https.opener), (None, None))
        listen = Listen(proxy_protocol=frozenset({ListenerKind.HTTPS}))
        self.serving.publish(Snapshot(Config(listen=listen)))
        self.assertIsNone(self.http.opener)
        self.assertIsNotNone(self.https.opener)
        self.serving.publish(Snapshot(Config()))
        self.assertIsNone(self.https.opener)
        self.serving.drain(0)

    def test_reopen(self) -> None:
        """What writes to files opens them again."""
        self.begin()
        self.serving.reopen()
        self.assertEqual(self.events, ["observer reopens"])
        self.serving.drain(0)

    def test_collector(self) -> None:
        """Spans are recorded while there is a collector, whatever the process did before."""
        exchanges = self.plane.exchanges
        self.begin()
        plain = exchanges.recorder
        self.assertNotIsInstance(plain, SpanRecorder)

        def publish(**changes: Any) -> object:
            self.serving.publish(Snapshot(Config(otlp=OtlpSettings(**changes))))
            return exchanges.recorder

        first = publish(endpoint="http://127.0.0.1:9/")
        self.assertIsInstance(first, SpanRecorder)
        self.assertIs(publish(endpoint="http://127.0.0.1:9/"), first)
        self.assertIsNot(publish(endpoint="http://127.0.0.1:9/", for_all=True), first)
        self.assertEqual(len(self.reactor.getDelayedCalls()), 1)
        # The queue of the collector that is gone is emptied meanwhile.
        self.assertIsInstance(publish(endpoint="http://127.0.0.2:9/"), SpanRecorder)
        self.assertEqual(len(self.reactor.getDelayedCalls()), 2)
        self.assertNotIsInstance(publish(), SpanRecorder)
        self.reactor.advance(LONGEST_FLUSH)
        self.successResultOf(self.serving.drain(0))

    def test_last_spans(self) -> None:
        """The end waits for the last spans, and not for ever."""
        self.begin()
        otlp = OtlpSettings("http://127.0.0.1:9/")
        self.serving.publish(Snapshot(Config(otlp=otlp)))
        drained = self.serving.drain(60.0)
        self.assertNoResult(drained)
        self.reactor.advance(LONGEST_FLUSH)
        self.successResultOf(drained)
        self.assertEqual(self.reactor.getDelayedCalls(), [])

    def test_idle(self) -> None:
        """Without connections it ends at once, and leaves nothing behind."""
        self.begin()
        self.successResultOf(self.serving.drain(7.0))
        self.assertEqual(self.events, ["http stops", "https stops", "observer stops"])
        self.assertEqual(self.reactor.getDelayedCalls(), [])

    def test_drain(self) -> None:
        """Idle connections end, others are waited for, and then what tells of them."""
        self.observer.stopped = Deferred()
        self.begin()
        self.connect(is_idle=True)
        busy = self.connect(is_idle=False)
        drained = self.serving.drain(7.0)
        self.assertEqual(len(self.plane.clients.connections), 1)
        self.assertTrue(self.plane.clients.is_draining)
        self.assertNotIn("observer stops", self.events)
        self.plane.clients.connections.discard(busy)
        self.assertIn("observer stops", self.events)
        self.assertNoResult(drained)
        self.observer.stopped.callback(None)
        self.successResultOf(drained)
        self.assertEqual(self.reactor.getDelayedCalls(), [])

    def test_grace(self) -> None:
        """After the grace what is still open is cut."""
        self.begin()
        self.connect(is_idle=False)
        drained = self.serving.drain(7.0)
        self.reactor.advance(6.9)
        self.assertNoResult(drained)
        with capturedLogs() as events:
            self.reactor.advance(0.2)
        self.assertEqual([formatEvent(event) for event in events], ["Connections that are cut: 1"])
        self.assertIn("cut", self.events)
        self.successResultOf(drained)

    def test_cut_short(self) -> None:
        """Who cuts does not wait for the grace."""
        self.begin()
        self.connect(is_idle=False)
        drained = self.serving.drain(7.0)
        self.serving.cut()
        self.successResultOf(drained)
        self.assertEqual(self.reactor.getDelayedCalls(), [])

    def test_nothing_to_cut(self) -> None:
        """Where nothing is open, cutting says nothing."""
        self.begin()
        with capturedLogs() as events:
            self.serving.cut()
        self.assertEqual(events, [])
        self.serving.drain(0)
