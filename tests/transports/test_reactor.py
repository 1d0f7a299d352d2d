"""
The reactor's shorter way to a descriptor keeps what the longer one promises.
"""

from __future__ import annotations

import os
import select
import socket
import time
from typing import Any

from twisted.internet.error import ConnectionDone, ConnectionLost
from twisted.internet.protocol import connectionDone
from twisted.python.failure import Failure
from twisted.trial.unittest import SkipTest, SynchronousTestCase

from ingress.transports.socket_transport import SocketTransport
from ingress.transports.turn_end import TurnListener, turn_end_of
from tests.support.hand_reactor import PATIENCE, reset, tcp_pair
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


class Received(TurnListener):
    """Sees what protocols have received by the end of a turn."""

    def __init__(self, *protocols: RecordingProtocol) -> None:
        self.awaits_turn = False
        self.seen: list[bytes] = []
        self._protocols = protocols

    def turn_ended(self) -> None:
        self.seen.append(b"".join(each.received for each in self._protocols))


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

    def test_reset_under_way(self) -> None:
        """A reset of which the error alone is there yet is none the less a reset."""
        protocol = RecordingProtocol()
        reset(self.connect(protocol))
        select.select([protocol.transport], [], [], PATIENCE)
        self.reactor.descriptor_table._act(protocol.transport, select.EPOLLERR)
        self.assertIs(protocol.lost, ConnectionLost)

    def test_close_takes_no_timer(self) -> None:
        """Connections that close are closed at the end of the turn, or at once if none is under way."""
        during, between = RecordingProtocol(), RecordingProtocol()
        during.on_data = lambda protocol: protocol.transport.loseConnection()
        far = self.connect(during)
        far.sendall(b"hello")
        self.reactor.doPoll(PATIENCE)
        self.assertIs(during.lost, ConnectionDone)
        self.connect(between)
        between.transport.loseConnection()
        self.assertIsNone(between.lost)
        before = time.monotonic()
        self.reactor.doPoll(PATIENCE)
        self.assertLess(time.monotonic() - before, PATIENCE)
        self.assertIs(between.lost, ConnectionDone)
        self.assertEqual(self.reactor.getDelayedCalls(), [])

    def test_end_of_a_turn(self) -> None:
        """Who waits for the end of a turn is called after all of its events, without a timer."""
        first, second = RecordingProtocol(), RecordingProtocol()
        user = Received(first, second)
        first.on_data = second.on_data = lambda protocol: turn_end_of(self.reactor).tell(user)
        for protocol in first, second:
            self.connect(protocol).sendall(b"hello")
            select.select([protocol.transport], [], [], PATIENCE)
        self.reactor.doPoll(0)
        self.assertEqual(user.seen, [b"hellohello"])
        self.assertEqual(self.reactor.getDelayedCalls(), [])
        # Outside of a turn it is the next one, which does not wait for events.
        turn_end_of(self.reactor).tell(user)
        before = time.monotonic()
        self.reactor.doPoll(PATIENCE)
        self.assertLess(time.monotonic() - before, PATIENCE)
        self.assertEqual(len(user.seen), 2)
        for protocol in first, second:
            protocol.transport.connectionLost(Failure(ConnectionDone()))

    def test_number_of_another(self) -> None:
        """The event of a connection that is closed by another's is not that of the next one."""
        first, second, third = RecordingProtocol(), RecordingProtocol(), RecordingProtocol()
        ends = self.connect(first), self.connect(second)
        transport: Any = second.transport
        transport.pauseProducing()
        number = transport.fileno()

        def replace(protocol: RecordingProtocol) -> None:
            transport.connectionLost(Failure(ConnectionDone()))
            near, far = tcp_pair()
            self.addCleanup(far.close)
            if near.fileno() != number:
                os.dup2(near.fileno(), number, inheritable=False)
                near.close()
                near = socket.socket(fileno=number)
            made = SocketTransport(near, self.reactor, None)
            made.start(third)
            made.pauseProducing()
            made.startWriting()

        first.on_data = replace
        ends[0].sendall(b"hello")
        select.select([first.transport], [], [], PATIENCE)
        # So that its event is the end alone, and the second one.
        transport.startWriting()
        reset(ends[1])
        select.select([second.transport], [], [], PATIENCE)
        self.reactor.doPoll(0)
        self.assertEqual((second.lost, third.lost), (ConnectionDone, None))
        third.transport.connectionLost(Failure(ConnectionDone()))
        first.transport.connectionLost(Failure(ConnectionDone()))

    def test_files(self) -> None:
        """What epoll cannot watch, a file, is watched all the same, as Twisted does it."""
        with open(__file__, "rb") as file:
            self.reactor.addReader(file)
            self.reactor.addWriter(file)
            self.assertIn(file, self.reactor.getReaders())
            self.assertIn(file, self.reactor.getWriters())
            self.reactor.removeReader(file)
            self.assertEqual(self.reactor.getWriters(), [file])
            self.assertEqual(self.reactor.removeAll(), [file])

    def test_what_is_watched(self) -> None:
        """A descriptor that is read and written is one, and all are given up at once."""
        protocol = RecordingProtocol()
        self.connect(protocol)
        transport: Any = protocol.transport
        for _ in range(2):
            transport.startWriting()
            self.assertIn(transport, self.reactor.getReaders())
            self.assertEqual(self.reactor.getWriters(), [transport])
        self.assertEqual(self.reactor.removeAll(), [transport])
        self.assertEqual(self.reactor.getWriters(), [])
        transport.connectionLost(Failure(ConnectionDone()))

    def test_closed_too_early(self) -> None:
        """A descriptor whose socket somebody has closed can be removed."""
        near, far = socket.socketpair()
        self.addCleanup(far.close)
        self.reactor.addReader(near)
        near.close()
        self.reactor.removeReader(near)
        self.assertNotIn(near, self.reactor.getReaders())
