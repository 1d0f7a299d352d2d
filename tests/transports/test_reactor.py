"""
The reactor's shorter way to a descriptor keeps what the longer one promises.
"""

from __future__ import annotations

import select
import time
from typing import Any

from twisted.internet.error import ConnectionDone
from twisted.internet.protocol import connectionDone
from twisted.python.failure import Failure
from twisted.trial.unittest import SkipTest, SynchronousTestCase

from ingress.transports.socket_transport import SocketTransport
from tests.support.hand_reactor import PATIENCE, tcp_pair
from tests.support.recording_protocol import RecordingProtocol

try:
    from ingress.transports.reactor import DirectEPollReactor
except ImportError:  # no epoll on this system
    DirectEPollReactor = None  # type: ignore[assignment,misc]


class BoomError(Exception):
    """Raised on purpose."""


class FailingProtocol(RecordingProtocol):
    """Raises when the connection is lost."""

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        super().connectionLost(reason)
        raise BoomError


class DirectEPollReactorTests(SynchronousTestCase):
    def setUp(self) -> None:
        if DirectEPollReactor is None:
            raise SkipTest("this system has no epoll")
        self.reactor: Any = DirectEPollReactor()
        self.addCleanup(self.close_reactor)

    def close_reactor(self) -> None:
        for reader in self.reactor._internalReaders:
            reader.connectionLost(None)
        self.reactor._poller.close()

    def connect(self, protocol: RecordingProtocol) -> Any:
        near, far = tcp_pair()
        self.addCleanup(far.close)
        SocketTransport(near, self.reactor, None).start(protocol)
        return far

    def test_clock(self) -> None:
        """Its clock is the one that nobody sets."""
        before = time.monotonic()
        self.assertTrue(before <= self.reactor.seconds() <= time.monotonic())

    def test_data_and_end_reach_the_protocol(self) -> None:
        """A descriptor is told of its events, and lost when it says so."""
        protocol = RecordingProtocol()
        far = self.connect(protocol)
        far.sendall(b"hello")
        self.reactor.doPoll(PATIENCE)
        far.close()
        self.reactor.doPoll(PATIENCE)
        self.assertEqual((protocol.received, protocol.lost), (b"hello", ConnectionDone))
        self.assertNotIn(protocol.transport, self.reactor.getReaders())

    def test_failing_protocol_costs_its_own_connection(self) -> None:
        """An exception out of `connectionLost` is logged, and the others get their events."""
        failing, healthy = FailingProtocol(), RecordingProtocol()
        self.connect(failing).close()
        self.connect(healthy).close()
        for protocol in failing, healthy:
            select.select([protocol.transport], [], [], PATIENCE)
        self.reactor.doPoll(0)
        self.assertEqual((failing.lost, healthy.lost), (ConnectionDone, ConnectionDone))
        self.assertEqual(len(self.flushLoggedErrors(BoomError)), 1)

    def test_failing_read_ends_the_connection(self) -> None:
        """An exception out of `dataReceived` is logged, and ends its own connection alone."""
        protocol = RecordingProtocol()
        far = self.connect(protocol)

        def fail(protocol: RecordingProtocol) -> None:
            raise BoomError

        protocol.on_data = fail
        far.sendall(b"hello")
        self.reactor.doPoll(PATIENCE)
        self.assertEqual(protocol.lost, BoomError)
        self.assertEqual(len(self.flushLoggedErrors(BoomError)), 1)

    def test_removed_descriptor_gets_no_event(self) -> None:
        """Who is removed by the event of another is not called for its own."""
        first, second = RecordingProtocol(), RecordingProtocol()
        ends = self.connect(first), self.connect(second)
        first.on_data = lambda protocol: second.transport.pauseProducing()
        second.on_data = lambda protocol: first.transport.pauseProducing()
        for end, protocol in zip(ends, (first, second), strict=True):
            end.sendall(b"hello")
            select.select([protocol.transport], [], [], PATIENCE)
        self.reactor.doPoll(0)
        self.assertEqual(sorted([first.received, second.received]), [b"", b"hello"])
        for protocol in first, second:
            protocol.transport.connectionLost(Failure(ConnectionDone()))
