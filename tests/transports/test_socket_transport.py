"""
The plain transport: on real sockets driven by hand, and over real reactors.

What a transport of Twisted promises is tested of Twisted's own as well (`TwistedsOwn`), so that it
is known to be promised.
"""

from __future__ import annotations

import gc
import select
import socket
import weakref
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from typing import Any, cast

from twisted.internet import error, tcp
from twisted.internet.address import IPv4Address, UNIXAddress
from twisted.internet.error import ConnectionAborted, ConnectionDone, ConnectionLost
from twisted.internet.interfaces import IReactorFDSet
from twisted.internet.protocol import ClientFactory, Factory, Protocol
from twisted.internet.test.reactormixins import ReactorBuilder
from twisted.python.failure import Failure
from twisted.trial.unittest import SkipTest, SynchronousTestCase

from ingress.transports.connector import connect
from ingress.transports.server_port import as_server
from ingress.transports.socket_transport import READ_SIZE, SocketTransport
from tests.support.hand_reactor import PATIENCE, HandReactor, reset, tcp_pair, trace
from tests.support.recording_protocol import HalfCloseableRecordingProtocol, RecordingProtocol

SMALL_BUFFER = 8192
"""For the kernel's buffers: what is larger does not go out at once."""


class TransportTestCase(SynchronousTestCase):
    """
    :ivar far: the peer's end.
    """

    def setUp(self) -> None:
        self.reactor = HandReactor()
        self.protocol = RecordingProtocol()

    def connect(self, buffer_size: int | None = None) -> Any:
        near, self.far = tcp_pair(buffer_size)
        self.far.settimeout(PATIENCE)
        self.addCleanup(self.far.close)
        transport = self.make(near)
        self.addCleanup(transport.connectionLost, Failure(ConnectionLost()))
        return transport

    def make(self, sock: socket.socket) -> Any:
        """Make the transport of a socket, and connect the protocol."""
        transport = SocketTransport(sock, self.reactor, IPv4Address("TCP", *sock.getpeername()))
        transport.start(self.protocol)
        return transport

    def read(self, wanted: int) -> bytes:
        """What the peer gets while the reactor turns: so many bytes, or all up to the end."""
        got = b""
        while len(got) < wanted:
            self.reactor.turn_until(self.has_event, self.far)
            data = self.far.recv(wanted - len(got))
            if not data:
                break
            got += data
        self.reactor.turn()
        return got

    def has_event(self) -> bool:
        """Whether there is something for the peer."""
        return bool(select.select([self.far], [], [], 0)[0])

    def turn_until_lost(self) -> None:
        self.reactor.turn_until(lambda: self.protocol.lost)


class TwistedsOwn(TransportTestCase):
    """Twisted's transport in the place of ours."""

    def make(self, sock: socket.socket) -> Any:
        peer, reactor = sock.getpeername(), cast(Any, self.reactor)
        transport = tcp.Server(sock, self.protocol, peer, cast(Any, None), 0, reactor)
        self.protocol.makeConnection(transport)
        return transport


class SendAtOnceTests(TransportTestCase):
    """What Twisted's own does not do."""

    def test_small_write_is_sent_at_once(self) -> None:
        """What the socket takes is with the peer before the reactor turns, and no event is waited for."""
        self.connect().write(b"hello")
        self.assertEqual(self.reactor.writers, set())
        self.assertEqual(self.far.recv(100), b"hello")

    def test_immediate_again_once_drained(self) -> None:
        """After the buffer is empty, a write goes out at once again."""
        transport = self.connect(SMALL_BUFFER)
        transport.write(b"x" * 300_000)
        self.assertEqual(len(self.read(300_000)), 300_000)
        self.reactor.turn()
        transport.write(b"more")
        self.assertEqual(self.far.recv(100), b"more")

    def test_what_was_sent_does_not_count(self) -> None:
        """A large piece of which less than `bufferSize` is left pauses nobody."""
        transport = self.connect(SMALL_BUFFER)
        transport.registerProducer(self.protocol, True)
        transport.write(b"x" * (transport.bufferSize + 1000))
        self.assertEqual(self.reactor.writers, {transport})
        self.assertEqual(self.protocol.calls, [])

    def test_unsent(self) -> None:
        """It is known how much waits, and that nothing does after the end."""
        transport = self.connect(SMALL_BUFFER)
        transport.write(b"x" * 300_000)
        before = transport.unsent
        self.assertTrue(0 < before < 300_000)
        transport.write(b"y" * 1000)
        self.assertEqual(transport.unsent, before + 1000)
        transport.connectionLost(Failure(ConnectionLost()))
        self.assertEqual(transport.unsent, 0)

    def test_has_input(self) -> None:
        """Data and ends that the reactor has not reported yet are seen."""
        transport = self.connect()
        transport.pauseProducing()
        self.assertFalse(transport.has_input())
        self.far.send(b"x")
        select.select([transport], [], [], PATIENCE)
        self.assertTrue(transport.has_input())
        transport.connectionLost(Failure(ConnectionLost()))
        self.assertTrue(transport.has_input())

    def test_no_end_inside_a_call(self) -> None:
        """Whatever a protocol asks for, it learns of its end in another turn."""
        for wish in ("loseConnection", "abortConnection"):
            self.protocol = HalfCloseableRecordingProtocol()
            transport = self.connect()
            transport.loseWriteConnection()
            self.reactor.turn()
            getattr(transport, wish)()
            self.assertIsNone(self.protocol.lost)
            self.reactor.turn()
            self.assertIsNotNone(self.protocol.lost)

    def test_silent_after_abort(self) -> None:
        """A protocol that writes, reads and closes after it has aborted changes nothing."""
        transport = self.connect()
        transport.abortConnection()
        transport.write(b"late")
        transport.resumeProducing()
        transport.loseConnection()
        transport.abortConnection()
        self.assertEqual((self.reactor.readers, self.reactor.writers), (set(), set()))
        self.reactor.turn()
        self.assertIs(self.protocol.lost, ConnectionAborted)
        self.assertRaises(ConnectionResetError, self.far.recv, 10)

    def test_reset_is_no_end(self) -> None:
        """
        A reset that a write met first is one for the reader, too, after what came before it.

        The system tells it once, and then says that the peer has ended.
        """
        for is_ended in (False, True):
            self.protocol = HalfCloseableRecordingProtocol()
            transport = self.connect()
            self.far.sendall(b"part")
            if is_ended:
                self.far.shutdown(socket.SHUT_WR)
            reset(self.far)
            select.select([transport], [], [], PATIENCE)
            transport.write(b"hello")
            transport.stopWriting()
            self.reactor.turn_until(lambda: self.protocol.lost or self.protocol.calls)
            self.assertEqual(self.protocol.received, b"part")
            self.assertEqual(self.protocol.calls, ["read lost"] if is_ended else [])
            self.assertIs(self.protocol.lost, None if is_ended else ConnectionLost)

    def test_failing_stop_closes_the_socket(self) -> None:
        """A producer that fails when it is stopped keeps nothing open, and the protocol is told."""
        transport = self.connect()

        class Failing:
            def stopProducing(self) -> None:
                raise RuntimeError("cannot stop")

        transport.registerProducer(Failing(), True)
        transport.connectionLost(Failure(ConnectionLost()))
        self.assertEqual(len(self.flushLoggedErrors(RuntimeError)), 1)
        self.assertIs(self.protocol.lost, ConnectionLost)
        self.assertEqual(self.far.recv(1), b"")


class WriteTests(TransportTestCase):
    def test_sequence_is_sent_as_one(self) -> None:
        """`writeSequence` sends all its parts in order."""
        self.connect().writeSequence([b"he", b"", b"llo"])
        self.assertEqual(self.read(5), b"hello")

    def test_rest_is_sent_when_there_is_room(self) -> None:
        """What the socket did not take follows in order, whatever is written meanwhile."""
        transport = self.connect(SMALL_BUFFER)
        expected = b""
        for number in range(200):
            data = bytes((number,)) * (number * 37 + 1)
            transport.write(data)
            expected += data
        self.assertEqual(self.reactor.writers, {transport})
        self.assertEqual(self.read(len(expected)), expected)
        self.assertEqual(self.reactor.writers, set())

    def test_empty_write_sends_nothing(self) -> None:
        """Writing nothing waits for nothing."""
        transport = self.connect()
        transport.write(b"")
        transport.writeSequence([])
        self.assertEqual(self.reactor.writers, set())

    def test_only_bytes(self) -> None:
        """Text is refused before any of it is sent."""
        transport = self.connect()
        self.assertRaises(TypeError, transport.write, "text")
        self.assertRaises(TypeError, transport.writeSequence, [b"bytes", "text"])
        transport.write(b"end")
        self.assertEqual(self.read(3), b"end")

    def test_write_after_loss_is_forgotten(self) -> None:
        """A protocol that has not noticed yet may write to a transport that is gone."""
        transport = self.connect()
        transport.connectionLost(Failure(ConnectionLost()))
        transport.write(b"late")
        self.assertEqual(self.far.recv(1), b"")

    def test_failed_send_is_not_told_from_inside(self) -> None:
        """A write to a peer that has reset returns; the reactor then finds the connection lost."""
        transport = self.connect()
        reset(self.far)
        select.select([transport], [], [], PATIENCE)
        transport.pauseProducing()
        transport.write(b"hello")
        self.assertIsNone(self.protocol.lost)
        self.reactor.turn()
        self.assertIs(self.protocol.lost, ConnectionLost)

    def test_options(self) -> None:
        """The options of the socket can be asked for and set."""
        transport = self.connect()
        for option in ("TcpNoDelay", "TcpKeepAlive"):
            for enabled in (True, False):
                getattr(transport, f"set{option}")(enabled)
                self.assertIs(getattr(transport, f"get{option}")(), enabled)

    def test_addresses(self) -> None:
        """Both ends are known by their addresses."""
        transport = self.connect()
        self.assertEqual(transport.getPeer(), IPv4Address("TCP", *self.far.getsockname()))
        self.assertEqual(transport.getHost(), IPv4Address("TCP", *self.far.getpeername()))


class ProducerTests(TransportTestCase):
    def test_streaming_producer_is_paused_and_resumed(self) -> None:
        """It is paused once more than `bufferSize` waits, and resumed when all of it is sent."""
        transport = self.connect(SMALL_BUFFER)
        transport.registerProducer(self.protocol, True)
        written = 0
        while not self.protocol.calls:
            transport.write(b"x" * 10_000)
            written += 10_000
        self.assertEqual(self.protocol.calls, ["pause"])
        self.read(written)
        self.assertEqual(self.protocol.calls, ["pause", "resume"])

    def test_fast_reader_pauses_nobody(self) -> None:
        """As long as the socket takes everything the producer goes on."""
        transport = self.connect()
        transport.registerProducer(self.protocol, True)
        for _ in range(100):
            transport.write(b"x" * 10_000)
            self.read(10_000)
        self.assertEqual(self.protocol.calls, [])

    def test_pull_producer_is_asked_until_it_ends(self) -> None:
        """One that is not streaming is asked for each piece, although each goes out at once."""
        transport = self.connect()
        pieces = [b"one", b"two", b"three"]

        class Pull:
            def resumeProducing(self) -> None:
                transport.write(pieces.pop(0))
                if not pieces:
                    transport.unregisterProducer()

            def stopProducing(self) -> None:
                pieces.clear()

        transport.registerProducer(Pull(), False)
        self.assertEqual(self.read(11), b"onetwothree")

    def test_producer_is_stopped_with_the_connection(self) -> None:
        """Whoever produces is told that there is no one to produce for."""
        transport = self.connect()
        transport.registerProducer(self.protocol, True)
        self.far.close()
        self.turn_until_lost()
        self.assertEqual(self.protocol.calls, ["stop"])


class ReadTests(TransportTestCase):
    def test_data(self) -> None:
        """Data comes as it arrives, at most READ_SIZE at a time."""
        self.connect()
        self.far.sendall(b"x" * 100_000)
        self.reactor.turn_until(lambda: len(self.protocol.received) == 100_000)
        self.assertEqual(self.protocol.received, b"x" * 100_000)
        self.assertLessEqual(max(self.protocol.chunks), READ_SIZE)

    def test_nothing_there(self) -> None:
        """An event without data, as another process's read leaves one, is no end."""
        self.assertIsNone(self.connect().doRead())

    def test_paused(self) -> None:
        """What comes while reading is paused comes when it is resumed."""
        transport = self.connect()
        transport.pauseProducing()
        self.far.send(b"hello")
        select.select([transport], [], [], PATIENCE)
        self.reactor.turn()
        self.assertEqual(self.protocol.received, b"")
        transport.resumeProducing()
        self.reactor.turn()
        self.assertEqual(self.protocol.received, b"hello")

    def test_end(self) -> None:
        """A peer that closes is `ConnectionDone`."""
        self.connect()
        self.far.close()
        self.turn_until_lost()
        self.assertIs(self.protocol.lost, ConnectionDone)

    def test_reset(self) -> None:
        """A peer that resets is `ConnectionLost`."""
        self.connect()
        reset(self.far)
        self.turn_until_lost()
        self.assertIs(self.protocol.lost, ConnectionLost)

    def test_half_closed_by_peer(self) -> None:
        """A protocol that can may answer after the peer has ended its side."""
        self.protocol = HalfCloseableRecordingProtocol()
        transport = self.connect()
        self.far.shutdown(socket.SHUT_WR)
        self.reactor.turn_until(lambda: self.protocol.calls)
        self.assertEqual(self.protocol.calls, ["read lost"])
        transport.write(b"answer")
        self.assertEqual(self.read(6), b"answer")

    def test_byte_by_byte(self) -> None:
        """A peer that sends a byte at a time is heard out."""
        self.connect()
        for number in range(300):
            self.far.send(bytes((number % 256,)))
            self.reactor.turn_until(lambda: self.protocol.received)
            self.assertEqual(self.protocol.received, bytes((number % 256,)))
            self.protocol.received = b""


class CloseTests(TransportTestCase):
    def test_lose_connection(self) -> None:
        """With nothing buffered the connection closes at the next turn."""
        transport = self.connect()
        transport.write(b"hello")
        transport.loseConnection()
        self.assertIsNone(self.protocol.lost)
        self.reactor.turn()
        self.assertIs(self.protocol.lost, ConnectionDone)
        self.assertEqual(self.read(100), b"hello")

    def test_lose_connection_sends_what_is_buffered(self) -> None:
        """The peer gets all that was written, then the end, also with a producer registered."""
        transport = self.connect(SMALL_BUFFER)
        transport.registerProducer(self.protocol, True)
        transport.write(b"x" * 60_000)
        transport.loseConnection()
        self.assertEqual(len(self.read(60_001)), 60_000)
        self.assertIs(self.protocol.lost, ConnectionDone)

    def test_paused_producer_may_end_what_it_began(self) -> None:
        """A producer that was paused when the connection was to close is resumed, and its end is sent."""
        transport = self.connect(SMALL_BUFFER)
        transport.registerProducer(self.protocol, True)
        transport.write(b"x" * 200_000)
        transport.loseConnection()
        self.assertEqual(len(self.read(200_000)), 200_000)
        self.reactor.turn()
        self.assertEqual(self.protocol.calls, ["pause", "resume"])
        self.assertIsNone(self.protocol.lost)
        transport.write(b"end")
        transport.unregisterProducer()
        self.assertEqual(self.read(100), b"end")
        self.assertIs(self.protocol.lost, ConnectionDone)

    def test_lose_write_connection(self) -> None:
        """The peer gets what is buffered and an end; what it still sends is read."""
        self.protocol = HalfCloseableRecordingProtocol()
        transport = self.connect(SMALL_BUFFER)
        transport.write(b"x" * 60_000)
        transport.loseWriteConnection()
        self.assertEqual(len(self.read(60_001)), 60_000)
        self.assertEqual(self.protocol.calls, ["write lost"])
        self.far.send(b"more")
        self.reactor.turn_until(lambda: self.protocol.received)
        self.assertEqual(self.protocol.received, b"more")
        transport.loseConnection()
        self.reactor.turn()
        self.assertIs(self.protocol.lost, ConnectionDone)

    def test_lost_once(self) -> None:
        """An end for several reasons is told once, and leaves the next socket alone."""
        transport = self.connect()
        transport.loseConnection()
        transport.connectionLost(Failure(ConnectionLost()))
        transport.connectionLost(Failure(ConnectionDone()))
        self.assertEqual(transport.fileno(), -1)
        # One of them gets its number.
        others = tcp_pair()
        self.reactor.turn(3)
        self.assertIs(self.protocol.lost, ConnectionLost)
        others[0].send(b"still here")
        self.assertEqual(others[1].recv(100), b"still here")
        for other in others:
            other.close()

    def test_abort(self) -> None:
        """The peer sees a reset, and the protocol is told at the next turn."""
        transport = self.connect(SMALL_BUFFER)
        transport.write(b"x" * 60_000)
        transport.abortConnection()
        self.assertIsNone(self.protocol.lost)
        self.reactor.turn()
        self.assertIs(self.protocol.lost, ConnectionAborted)
        with self.assertRaises(ConnectionResetError):
            while self.far.recv(65536):
                pass


class TwistedsWriteTests(TwistedsOwn, WriteTests):
    """WriteTests."""


class TwistedsProducerTests(TwistedsOwn, ProducerTests):
    """ProducerTests."""


class TwistedsReadTests(TwistedsOwn, ReadTests):
    """ReadTests."""


class TwistedsCloseTests(TwistedsOwn, CloseTests):
    """CloseTests."""


class UNIXTests(SynchronousTestCase):
    def test_both_ways(self) -> None:
        """An accepted connection of a UNIX socket sends at once as well."""
        reactor = HandReactor()
        protocol = RecordingProtocol()
        near, far = socket.socketpair()
        self.addCleanup(far.close)
        transport = SocketTransport(near, reactor, UNIXAddress(None))
        transport.start(protocol)
        transport.setTcpNoDelay(True)
        transport.write(b"hello")
        self.assertEqual(far.recv(100), b"hello")
        far.send(b"answer")
        reactor.turn_until(lambda: protocol.received)
        self.assertEqual(protocol.received, b"answer")
        transport.loseConnection()
        reactor.turn()
        self.assertEqual((protocol.lost, far.recv(1)), (ConnectionDone, b""))


class GarbageTests(SynchronousTestCase):
    """A connection that is over is freed at once: the collector may never look at it."""

    def setUp(self) -> None:
        self.reactor = HandReactor()
        # Else a run of the collector at the wrong moment would hide a cycle.
        gc.collect()
        gc.disable()
        self.addCleanup(gc.enable)

    def dial(self, port: int, timeout: float = 5) -> DroppedConnection:
        factory = DroppedConnection()
        connector = connect(self.reactor, "127.0.0.1", port, factory, timeout)
        factory.watch(connector, connector._attempt)
        return factory

    def listen(self) -> tuple[socket.socket, int]:
        listening = socket.create_server(("127.0.0.1", 0))
        self.addCleanup(listening.close)
        return listening, listening.getsockname()[1]

    def assert_all_gone(self, factory: DroppedConnection) -> None:
        self.assertEqual([one for one in factory.watched if one() is not None], [])

    def test_closed_by_us(self) -> None:
        """Nothing is left of a connection that was lost in an orderly way."""
        listening, port = self.listen()
        factory = self.dial(port)
        self.reactor.turn_until(lambda: factory.protocol)
        far, _ = listening.accept()
        self.addCleanup(far.close)
        factory.watched.append(trace(factory.protocol.transport))
        factory.protocol.transport.write(b"hello")
        factory.protocol.transport.loseConnection()
        self.reactor.turn_until(lambda: factory.has_ended)
        self.assert_all_gone(factory)

    def test_closed_by_peer(self) -> None:
        """Nothing is left of a connection that the peer reset, a producer included."""
        listening, port = self.listen()
        factory = self.dial(port)
        self.reactor.turn_until(lambda: factory.protocol)
        factory.watched.append(trace(factory.protocol.transport))
        factory.protocol.transport.registerProducer(factory.protocol, True)
        far, _ = listening.accept()
        reset(far)
        self.reactor.turn_until(lambda: factory.has_ended)
        self.assert_all_gone(factory)

    def test_aborted(self) -> None:
        """Nothing is left of a connection that we cut."""
        listening, port = self.listen()
        factory = self.dial(port)
        self.reactor.turn_until(lambda: factory.protocol)
        far, _ = listening.accept()
        self.addCleanup(far.close)
        factory.watched.append(trace(factory.protocol.transport))
        factory.protocol.transport.abortConnection()
        self.reactor.turn_until(lambda: factory.has_ended)
        self.assert_all_gone(factory)

    def test_refused(self) -> None:
        """Nothing is left of an attempt that was refused."""
        with socket.socket() as unused:
            unused.bind(("127.0.0.1", 0))
            factory = self.dial(unused.getsockname()[1])
            self.reactor.turn_until(lambda: factory.has_ended)
        self.assert_all_gone(factory)

    def test_timed_out(self) -> None:
        """Nothing is left of an attempt that took too long."""
        with full_backlog() as port:
            factory = self.dial(port, timeout=5)
            self.reactor.turn()
            self.reactor.advance(6)
            self.assertTrue(factory.has_ended)
        self.assert_all_gone(factory)

    def test_cancelled(self) -> None:
        """Nothing is left of an attempt that nobody wants any more, begun or not."""
        for turns in (0, 1):
            with self.subTest(turns=turns), full_backlog() as port:
                factory = DroppedConnection()
                connector = connect(self.reactor, "127.0.0.1", port, factory, 5)
                factory.watch(connector, connector._attempt)
                self.reactor.turn(turns)
                connector.disconnect()
                del connector
                self.reactor.turn()
                self.assertTrue(factory.has_ended)
                self.assert_all_gone(factory)


class DroppedConnection(ClientFactory[Any]):
    """
    Keeps nothing of its connection once that is over.

    :ivar watched: weak references to what belonged to it.
    """

    noisy = False

    def __init__(self) -> None:
        self.watched: list[weakref.ref[Any]] = []
        self.protocol: Any = None
        self.has_ended = False

    def watch(self, *watched: Any) -> None:
        self.watched += map(weakref.ref, watched)

    def buildProtocol(self, address: Any) -> Protocol:
        self.protocol = RecordingProtocol()
        self.watch(self.protocol)
        return cast(Protocol, self.protocol)

    def clientConnectionLost(self, connector: Any, reason: Failure) -> None:
        self.protocol, self.has_ended = None, True

    def clientConnectionFailed(self, connector: Any, reason: Failure) -> None:
        self.has_ended = True


ECHOED = 500_001


class EchoOnce(Protocol):
    """Sends back what comes, and closes after the last byte of it."""

    transport: Any

    def dataReceived(self, data: bytes) -> None:
        self.transport.write(data)
        if data.endswith(b"."):
            self.transport.loseConnection()


class Client(RecordingProtocol):
    """Sends a lot as soon as it can."""

    def connectionMade(self) -> None:
        self.transport.write(b"x" * (ECHOED - 1) + b".")


class RecordingClientFactory(ClientFactory[Any]):
    """:ivar failure: why no connection was made."""

    noisy = False

    def __init__(self, stop: Callable[[], object]) -> None:
        self.client = Client()
        self.failure: Failure | None = None
        self._stop = stop

    def buildProtocol(self, address: Any) -> Client:
        return self.client

    def clientConnectionFailed(self, connector: Any, reason: Failure) -> None:
        self.failure = reason
        self._stop()

    def clientConnectionLost(self, connector: Any, reason: Failure) -> None:
        self._stop()


class OverReactor(ReactorBuilder, SynchronousTestCase):
    """Both ends, over every kind of reactor that watches descriptors."""

    _reactors = [  # noqa: RUF012
        "twisted.internet.selectreactor.SelectReactor",
        "twisted.internet.pollreactor.PollReactor",
        "twisted.internet.epollreactor.EPollReactor",
        "twisted.internet.test.reactormixins.AsyncioSelectorReactor",
        "ingress.transports.reactor.DirectEPollReactor",
    ]
    requiredInterfaces = (IReactorFDSet,)

    def listen(self, reactor: Any, interface: str = "127.0.0.1") -> int:
        """A server that echoes; its port."""
        factory = Factory.forProtocol(EchoOnce)
        factory.noisy = False
        try:
            port = reactor.listenTCP(0, factory, interface=interface)
        except error.CannotListenError:
            raise SkipTest(f"no {interface} on this machine") from None
        port.transport = as_server()
        return int(port.getHost().port)

    def run_client(
        self, reactor: Any, host: str, port: int, timeout: float = 10
    ) -> RecordingClientFactory:
        """Connect, and run until that has failed or the connection is lost."""
        factory = RecordingClientFactory(reactor.stop)
        connect(reactor, host, port, factory, timeout)
        self.runReactor(reactor, 20)
        return factory

    def assert_echoed(self, factory: RecordingClientFactory) -> None:
        self.assertIsNone(factory.failure)
        self.assertEqual(len(factory.client.received), ECHOED)
        self.assertIs(factory.client.lost, ConnectionDone)

    def test_echo(self) -> None:
        """What is larger than any buffer goes there and back, and both ends close."""
        reactor = self.buildReactor()
        factory = self.run_client(reactor, "127.0.0.1", self.listen(reactor))
        self.assert_echoed(factory)
        self.assertIsInstance(factory.client.transport, SocketTransport)

    def test_ipv6(self) -> None:
        """An IPv6 address is connected to as it is written."""
        reactor = self.buildReactor()
        self.assert_echoed(self.run_client(reactor, "::1", self.listen(reactor, "::1")))

    def test_name(self) -> None:
        """A name is resolved first."""
        reactor = self.buildReactor()
        self.assert_echoed(self.run_client(reactor, "localhost", self.listen(reactor)))

    def test_no_delay(self) -> None:
        """The connection that is made sends small segments at once."""
        reactor = self.buildReactor()
        factory = RecordingClientFactory(reactor.stop)
        delays: list[bool] = []
        factory.client.on_data = lambda client: delays.append(client.transport.getTcpNoDelay())
        connect(reactor, "127.0.0.1", self.listen(reactor), factory, 10)
        self.runReactor(reactor, 20)
        self.assertEqual(set(delays), {True})

    def test_refused(self) -> None:
        """Where nobody listens, the factory is told so."""
        reactor = self.buildReactor()
        with socket.socket() as unused:
            unused.bind(("127.0.0.1", 0))
            factory = self.run_client(reactor, "127.0.0.1", unused.getsockname()[1])
        assert factory.failure is not None
        self.assertTrue(factory.failure.check(error.ConnectionRefusedError))

    def test_timeout(self) -> None:
        """A connection that takes longer than it may has failed."""
        reactor = self.buildReactor()
        with full_backlog() as port:
            factory = self.run_client(reactor, "127.0.0.1", port, timeout=0.05)
        assert factory.failure is not None
        self.assertTrue(factory.failure.check(error.TimeoutError))


@contextmanager
def full_backlog() -> Iterator[int]:
    """The port of a socket whose queue of connections is full, so that one more must wait."""
    with ExitStack() as stack:
        listening = stack.enter_context(socket.socket())
        listening.bind(("127.0.0.1", 0))
        listening.listen(0)
        for _ in range(3):
            waiting = stack.enter_context(socket.socket())
            waiting.setblocking(False)
            waiting.connect_ex(listening.getsockname())
        yield listening.getsockname()[1]


globals().update(OverReactor.makeTestCaseClasses())
del OverReactor
