"""Tests of `ingress.health.probe`."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any, cast

from twisted.internet.defer import CancelledError
from twisted.internet.error import ConnectionRefusedError
from twisted.internet.interfaces import IConnector
from twisted.internet.protocol import ClientFactory, Protocol, connectionDone
from twisted.internet.task import Clock
from twisted.internet.testing import StringTransport
from twisted.python.failure import Failure
from twisted.trial.unittest import SynchronousTestCase

from ingress.endpoint import Endpoint
from ingress.health.probe import Probe
from ingress.policy.health_check import HealthCheck

ENDPOINT = Endpoint("fd00::1", 8080)
OK = b"HTTP/1.1 200 OK\r\n"


class ProbeTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.clock = Clock()
        self.disconnects = 0
        self.probe = Probe(self.dial, self.clock, ENDPOINT, HealthCheck("/h?x"))
        self.transport = StringTransport()

    def dial(self, host: str, port: int, factory: ClientFactory, timeout: float) -> IConnector:
        self.assertEqual((host, port, timeout), ("fd00::1", 8080, 2.0))
        return cast(IConnector, SimpleNamespace(disconnect=self.disconnect))

    def disconnect(self) -> None:
        self.disconnects += 1

    def connect(self) -> Protocol:
        connection = self.probe.buildProtocol(None)
        assert connection is not None
        connection.makeConnection(self.transport)
        return connection

    def answer(self, *pieces: bytes) -> str:
        """The result of an answer."""
        self.setUp()
        connection = self.connect()
        for piece in pieces:
            connection.dataReceived(piece)
        result: str = self.successResultOf(self.probe.done)
        self.assertTrue(self.transport.disconnecting)
        self.assertEqual(self.clock.getDelayedCalls(), [])
        return result

    def test_request(self) -> None:
        """The request names the path and the endpoint, and asks for one answer."""
        self.connect()
        sent = self.transport.value()
        self.assertTrue(sent.startswith(b"GET /h?x HTTP/1.1\r\nHost: [fd00::1]:8080\r\n"))
        self.assertTrue(sent.endswith(b"Connection: close\r\n\r\n"))

    def test_statuses(self) -> None:
        """Statuses from 200 to 399 are healthy."""
        for status, is_healthy in (
            (200, True),
            (204, True),
            (302, True),
            (404, False),
            (503, False),
        ):
            result = self.answer(b"HTTP/1.1 %d X\r\n" % status)
            self.assertEqual(result == "", is_healthy, status)

    def test_pieces(self) -> None:
        """The status may come in pieces, in either version, and after interim answers."""
        self.assertEqual(self.answer(*(OK[i : i + 1] for i in range(len(OK)))), "")
        self.assertEqual(self.answer(b"HTTP/1.0 200\n"), "")
        self.assertEqual(self.answer(b"HTTP/1.1 103 Early\r\nLink: x\r\n\r\n" + OK), "")
        self.assertEqual(self.answer(b"HTTP/1.1 100 Continue\r\n", b"\r\n", OK), "")

    def test_nonsense(self) -> None:
        """What is no status line is not healthy, nor is a line or a head without end."""
        for data in (b"SSH-2.0-x\r\n", b"HTTP/2 200\r\n", b"\n", b"x" * 2000):
            self.assertIn("does not speak HTTP", self.answer(data))
        self.assertIn("HTTP", self.answer(b"HTTP/1.1 100 C\r\n" + b"x" * 2000))

    def test_lost(self) -> None:
        """An endpoint that ends the connection without an answer is not healthy."""
        self.connect().connectionLost(connectionDone)
        self.assertIn("without an answer", self.successResultOf(self.probe.done))

    def test_refused(self) -> None:
        """Neither is one that refuses it."""
        self.probe.clientConnectionFailed(cast(Any, None), Failure(ConnectionRefusedError()))
        self.assertIn("refused", self.successResultOf(self.probe.done))

    def test_too_slow(self) -> None:
        """The timeout is for connection and answer together."""
        self.clock.advance(1.5)
        connection = self.connect()
        self.clock.advance(0.6)
        self.assertIn("in time", self.successResultOf(self.probe.done))
        connection.dataReceived(OK)

    def test_never_connects(self) -> None:
        """An attempt to connect that takes too long is given up."""
        self.clock.advance(2.1)
        self.assertIn("in time", self.successResultOf(self.probe.done))
        self.assertEqual(self.disconnects, 1)
        self.assertIsNone(self.probe.buildProtocol(None))

    def test_cancel(self) -> None:
        """A check that is cancelled leaves neither timer nor connection."""
        self.connect()
        self.probe.done.cancel()
        self.failureResultOf(self.probe.done, CancelledError)
        self.assertEqual(self.clock.getDelayedCalls(), [])
        self.assertTrue(self.transport.disconnecting)
