"""
The TLS transports: on real sockets, driven by hand, against Python's `ssl`.
"""

from __future__ import annotations

import contextlib
import gc
import select
import socket
import ssl
import struct
import weakref
from functools import partial
from pathlib import Path
from typing import Any, cast

from OpenSSL import SSL
from OpenSSL._util import lib
from twisted.internet.address import UNIXAddress
from twisted.internet.error import ConnectionAborted, ConnectionDone, ConnectionLost
from twisted.logger import capturedLogs
from twisted.python.failure import Failure
from twisted.trial.unittest import SynchronousTestCase

from ingress.downstream.tls import TLSContexts
from ingress.transports.tls_channel import RECORD_SIZE, TLSChannel, TLSSide
from ingress.transports.tls_transport import RECORDS_PER_READ, TLSTransport
from tests.support.hand_reactor import PATIENCE, HandReactor
from tests.support.recording_protocol import (
    HalfCloseableRecordingProtocol,
    HandshakeRecordingProtocol,
    RecordingProtocol,
)
from tests.support.tls_forgery import new_keys
from tests.support.tls_pair import SELF_SIGNED, TLSPair, client_context, make_transport

SMALL_BUFFER = 8192
"""The size of the kernel's buffers: larger writes are not sent at once."""


class TLSTestCase(SynchronousTestCase):
    def connect(self, **settings: Any) -> TLSPair:
        """Return both ends before the handshake."""
        pair = TLSPair(**settings)
        self.addCleanup(pair.close)
        return pair

    def shake_hands(self, **settings: Any) -> TLSPair:
        """Return both ends after the handshake."""
        return self.connect(**settings).shake_hands()


class HandshakeTests(TLSTestCase):
    def test_protocol_learns_what_was_agreed(self) -> None:
        """Protocol and server name are unknown before the handshake, and known after it."""
        pair = self.connect(server_name="A.example")
        transport = pair.transport
        self.assertEqual((transport.negotiated_protocol, server_name(transport)), (None, None))
        pair.shake_hands()
        self.assertEqual(transport.negotiated_protocol, b"http/1.1")
        self.assertEqual((server_name(transport) or "").lower(), "a.example")

    def test_protocol_is_told(self) -> None:
        """A listener's `handshakeCompleted` is called once, before any data."""
        pair = self.connect(protocol=HandshakeRecordingProtocol())
        self.assertEqual(pair.protocol.calls, [])
        pair.shake_hands().send(b"hello")
        self.assertEqual(pair.protocol.calls, ["handshake after 0 bytes"])

    def test_nothing_agreed(self) -> None:
        """A client without SNI and ALPN is served, and both stay None."""
        pair = self.shake_hands(server_name=None, client=client_context(protocols=()))
        pair.send(b"hello")
        self.assertEqual(pair.protocol.received, b"hello")
        self.assertIsNone(pair.transport.negotiated_protocol)
        self.assertIsNone(server_name(pair.transport))

    def test_byte_by_byte(self) -> None:
        """A handshake whose bytes come one at a time, with data behind it, is the same handshake."""
        contexts = TLSContexts(lambda: None, SELF_SIGNED)
        protocol = RecordingProtocol()
        transport, reactor, far = make_transport(contexts, protocol)
        self.addCleanup(far.close)
        incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        client = client_context().wrap_bio(incoming, outgoing)
        while not client.version():
            with contextlib.suppress(ssl.SSLWantReadError):
                client.do_handshake()
                client.write(b"hello")
            for octet in outgoing.read():
                far.send(bytes((octet,)))
                reactor.turn()
            reactor.turn_until(partial(has_event, far), far)
            incoming.write(far.recv(65536))
        reactor.turn_until(lambda: protocol.received)
        self.assertEqual(protocol.received, b"hello")
        transport.abortConnection()
        reactor.turn()

    def test_write_before_handshake(self) -> None:
        """Data that the protocol writes before the handshake is sent after it."""
        pair = self.connect()
        pair.transport.write(b"hello")
        pair.reactor.turn(3)
        self.assertEqual(pair.reactor.writers, set())
        self.assertEqual(pair.shake_hands().read(5), b"hello")

    def test_lose_connection_before_handshake(self) -> None:
        """A handshake that takes too long is ended like any connection."""
        pair = self.connect()
        pair.transport.write(b"never sent")
        pair.transport.loseConnection()
        pair.reactor.turn()
        self.assertIs(pair.protocol.lost, ConnectionDone)

    def test_lose_write_connection_before_handshake(self) -> None:
        """Closing one direction before the handshake closes the connection."""
        pair = self.connect()
        pair.transport.loseWriteConnection()
        pair.reactor.turn()
        self.assertIs(pair.protocol.lost, ConnectionDone)

    def test_paused_before_handshake(self) -> None:
        """A handshake waits until a protocol that has paused reads."""
        pair = self.connect()
        pair.transport.pauseProducing()
        self.assertRaises(ssl.SSLWantReadError, pair.client.do_handshake)
        pair.reactor.turn()
        self.assertEqual(pair.reactor.readers, set())
        pair.transport.resumeProducing()
        pair.shake_hands().send(b"hello")
        self.assertEqual(pair.protocol.received, b"hello")

    def test_plain_http(self) -> None:
        """A client that speaks HTTP to the TLS port loses its connection, without a line of the log."""
        contexts = TLSContexts(lambda: None, SELF_SIGNED)
        protocol = RecordingProtocol()
        _, reactor, far = make_transport(contexts, protocol)
        self.addCleanup(far.close)
        far.send(b"GET / HTTP/1.1\r\nHost: a.example\r\n\r\n")
        with capturedLogs() as events:
            reactor.turn_until(lambda: protocol.lost)
        self.assertIs(protocol.lost, ConnectionLost)
        self.assertEqual(events, [])

    def test_end_in_handshake(self) -> None:
        """A client that leaves within the handshake is a `ConnectionLost`."""
        pair = self.connect()
        pair.client.close()
        pair.reactor.turn_until(lambda: pair.protocol.lost)
        self.assertIs(pair.protocol.lost, ConnectionLost)


class DataTests(TLSTestCase):
    def test_small_write_is_sent_at_once(self) -> None:
        """Data that the socket takes is sent before the reactor turns."""
        pair = self.shake_hands()
        pair.transport.write(b"hello")
        self.assertEqual(pair.reactor.writers, set())
        pair.client.settimeout(PATIENCE)
        self.assertEqual(pair.client.recv(100), b"hello")

    def test_writes_keep_their_order(self) -> None:
        """Data that the socket did not take follows in order, whatever is written meanwhile."""
        for version in (ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3):
            pair = self.shake_hands(buffer_size=SMALL_BUFFER, client=client_context(version))
            expected = b""
            for number in range(200):
                data = bytes((number,)) * (number * 97 + 1)
                pair.transport.write(data)
                expected += data
            self.assertEqual(pair.reactor.writers, {pair.transport})
            self.assertEqual(pair.read(len(expected)), expected)
            self.assertEqual(pair.reactor.writers, set())

    def test_write_of_many_records(self) -> None:
        """One write may be of any size."""
        data = bytes(range(256)) * 20_000
        pair = self.shake_hands()
        pair.transport.write(data)
        self.assertEqual(pair.read(len(data)), data)

    def test_producer_is_paused_and_resumed(self) -> None:
        """A streaming producer is paused while much waits for a slow client."""
        pair = self.shake_hands(buffer_size=SMALL_BUFFER)
        pair.transport.registerProducer(pair.protocol, True)
        written = 0
        while not pair.protocol.calls:
            pair.transport.write(b"x" * 10_000)
            written += 10_000
        self.assertEqual(pair.protocol.calls, ["pause"])
        pair.read(written)
        self.assertEqual(pair.protocol.calls, ["pause", "resume"])

    def test_upload(self) -> None:
        """All of a large upload arrives, no more than a few records an event."""
        data = bytes(range(256)) * 4_000
        for version in (ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3):
            pair = self.shake_hands(client=client_context(version))
            pair.send(data)
            self.assertEqual(pair.protocol.received, data)
            self.assertLessEqual(max(pair.protocol.chunks), RECORD_SIZE)

    def test_upload_starves_nobody(self) -> None:
        """An event brings no more than its share, however much there is."""
        pair = self.shake_hands()
        for _ in range(RECORDS_PER_READ + 2):
            pair.client.send(b"x" * RECORD_SIZE)
        wait_for_bytes(pair.transport, (RECORDS_PER_READ + 2) * RECORD_SIZE)
        pair.transport.doRead()
        self.assertEqual(pair.protocol.chunks, [RECORD_SIZE] * RECORDS_PER_READ)

    def test_new_keys_starve_nobody(self) -> None:
        """Keys that are renewed without end do not prolong an event."""
        key_log, settings = Path(self.mktemp()), client_context(ssl.TLSVersion.TLSv1_3)
        settings.keylog_filename = str(key_log)
        pair = self.shake_hands(client=settings)
        suite = pair.client.cipher()
        assert suite is not None
        records = new_keys(100, b"hello", suite[0], key_log)
        # As they are: `ssl` would encrypt them.
        socket.socket.sendall(pair.client, records)
        wait_for_bytes(pair.transport, len(records))
        pair.transport.doRead()
        self.assertEqual(pair.protocol.received, b"")
        pair.reactor.turn_until(lambda: pair.protocol.received == b"hello")

    def test_pause_between_records(self) -> None:
        """A protocol that pauses gets no further record, and all of them when it resumes."""
        pair = self.shake_hands()
        pair.protocol.on_data = lambda protocol: protocol.transport.pauseProducing()
        for _ in range(3):
            pair.client.send(b"x" * RECORD_SIZE)
        wait_for_bytes(pair.transport, 3 * RECORD_SIZE)
        pair.reactor.turn()
        self.assertEqual(pair.protocol.chunks, [RECORD_SIZE])
        pair.protocol.on_data = lambda protocol: None
        pair.transport.resumeProducing()
        pair.reactor.turn()
        self.assertEqual(pair.protocol.chunks, [RECORD_SIZE] * 3)

    def test_unix_socket(self) -> None:
        """A UNIX socket carries TLS as well."""
        near, far = socket.socketpair()
        reactor, protocol = HandReactor(), RecordingProtocol()
        contexts = TLSContexts(lambda: None, SELF_SIGNED)
        transport = TLSTransport(contexts, near, reactor, UNIXAddress(None))
        transport.start(protocol)
        far.setblocking(False)
        client = client_context().wrap_socket(far, do_handshake_on_connect=False)
        self.addCleanup(client.close)
        self.assertRaises(ssl.SSLWantReadError, client.do_handshake)
        reactor.turn()
        client.do_handshake()
        client.send(b"hello")
        reactor.turn_until(lambda: protocol.received)
        self.assertEqual(protocol.received, b"hello")
        transport.loseConnection()
        reactor.turn()
        self.assertIs(protocol.lost, ConnectionDone)


class EndTests(TLSTestCase):
    def test_lose_connection(self) -> None:
        """The client gets everything that was written, and then close_notify."""
        pair = self.shake_hands(buffer_size=SMALL_BUFFER)
        pair.transport.write(b"x" * 60_000)
        pair.transport.loseConnection()
        self.assertEqual(len(pair.read(60_000)), 60_000)
        self.assertTrue(pair.has_ended())
        self.assertIs(pair.protocol.lost, ConnectionDone)

    def test_client_need_not_answer(self) -> None:
        """A client that never says close_notify keeps no connection open."""
        pair = self.shake_hands()
        pair.transport.loseConnection()
        pair.reactor.turn()
        self.assertIs(pair.protocol.lost, ConnectionDone)

    def test_lose_write_connection(self) -> None:
        """The client sees a clean end, and what it still sends is read."""
        pair = self.shake_hands(protocol=HalfCloseableRecordingProtocol(), buffer_size=SMALL_BUFFER)
        pair.transport.write(b"x" * 60_000)
        pair.transport.loseWriteConnection()
        self.assertEqual(len(pair.read(60_000)), 60_000)
        self.assertTrue(pair.has_ended())
        self.assertEqual(pair.protocol.calls, ["write lost"])
        pair.send(b"more")
        self.assertEqual(pair.protocol.received, b"more")
        pair.transport.loseConnection()
        pair.reactor.turn()
        self.assertIs(pair.protocol.lost, ConnectionDone)

    def test_client_says_goodbye(self) -> None:
        """A client's close_notify is answered with ours, and is a clean end."""
        for version in (ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3):
            pair = self.shake_hands(client=client_context(version))
            pair.drive(pair.client.unwrap)
            self.assertIs(pair.protocol.lost, ConnectionDone)

    def test_answer_after_goodbye(self) -> None:
        """A protocol of half-closed connections may answer after the client's close_notify."""
        pair = self.shake_hands(protocol=HalfCloseableRecordingProtocol())
        self.assertRaises(ssl.SSLWantReadError, pair.client.unwrap)
        pair.reactor.turn_until(lambda: pair.protocol.calls)
        self.assertEqual(pair.protocol.calls, ["read lost"])
        pair.transport.write(b"answer")
        pair.transport.loseConnection()
        pair.reactor.turn()
        self.assertIs(pair.protocol.lost, ConnectionDone)

    def test_truncated(self) -> None:
        """A client that closes without close_notify is `ConnectionLost`, and no error in the log."""
        pair = self.shake_hands()
        pair.client.send(b"hello")
        socket.socket.shutdown(pair.client, socket.SHUT_WR)
        pair.reactor.turn_until(lambda: pair.protocol.lost)
        self.assertEqual(pair.protocol.received, b"hello")
        self.assertIs(pair.protocol.lost, ConnectionLost)

    def test_reset(self) -> None:
        """A client that resets is `ConnectionLost`."""
        pair = self.shake_hands()
        reset(pair)
        pair.reactor.turn_until(lambda: pair.protocol.lost)
        self.assertIs(pair.protocol.lost, ConnectionLost)

    def test_broken_record(self) -> None:
        """Bytes that are no record end the connection."""
        pair = self.shake_hands()
        with socket.socket(fileno=pair.client.detach()) as plain:
            plain.send(b"no record at all")
            pair.reactor.turn_until(lambda: pair.protocol.lost)
        self.assertIs(pair.protocol.lost, ConnectionLost)

    def test_failed_send_is_not_told_from_inside(self) -> None:
        """A write to a client that has reset returns; the reactor finds the connection lost."""
        pair = self.shake_hands()
        pair.transport.pauseProducing()
        reset(pair)
        has_event(pair.transport, PATIENCE)
        pair.transport.write(b"one")
        pair.transport.write(b"two")
        self.assertIsNone(pair.protocol.lost)
        pair.reactor.turn()
        self.assertIs(pair.protocol.lost, ConnectionLost)

    def test_failed_send_costs_nobody_else(self) -> None:
        """OpenSSL's record of one connection's failure does not reach another's read."""
        pair, other = self.shake_hands(), self.shake_hands()
        reset(pair)
        has_event(pair.transport, PATIENCE)
        pair.transport.write(b"hello")
        self.assertEqual(lib.ERR_peek_error(), 0)
        other.transport.doRead()
        other.send(b"still here")
        self.assertEqual((other.protocol.received, other.protocol.lost), (b"still here", None))

    def test_abort(self) -> None:
        """The client sees a reset, and the protocol loses its connection at the next turn."""
        pair = self.shake_hands(buffer_size=SMALL_BUFFER)
        pair.transport.write(b"x" * 60_000)
        pair.transport.abortConnection()
        self.assertIsNone(pair.protocol.lost)
        pair.reactor.turn()
        self.assertIs(pair.protocol.lost, ConnectionAborted)
        with socket.socket(fileno=pair.client.detach()) as plain:
            plain.settimeout(PATIENCE)
            plain.recv(65536)
            self.assertRaises(ConnectionResetError, plain.recv, 65536)

    def test_memory_is_given_back(self) -> None:
        """A transport that is lost keeps nothing of OpenSSL's, even if somebody keeps the transport."""
        pair = self.shake_hands()
        assert pair.transport.channel is not None
        handle = weakref.ref(pair.transport.channel._ssl)
        pair.transport.loseConnection()
        pair.reactor.turn_until(lambda: pair.protocol.lost)
        gc.collect()
        self.assertIsNone(handle())

    def test_handshake_is_let_go(self) -> None:
        """Without what only handshakes need, data, the server name, faults and ends are the same."""
        pair, other = self.shake_hands(), self.shake_hands()
        for each in (pair, other):
            channel = each.transport.channel
            assert channel is not None
            connection = weakref.ref(channel.connection)
            channel.let_go()
            gc.collect()
            self.assertIsNone(connection())
            each.send(b"hello")
            each.transport.write(b"world")
            self.assertEqual(each.read(5), b"world")
            self.assertEqual(server_name(each.transport), "a.example")
        pair.transport.loseConnection()
        pair.reactor.turn_until(lambda: pair.protocol.lost)
        self.assertTrue(pair.has_ended())
        with socket.socket(fileno=other.client.detach()) as plain:
            plain.send(b"no record at all")
            other.reactor.turn_until(lambda: other.protocol.lost)
        self.assertIs(other.protocol.lost, ConnectionLost)


class ScriptedChannel(TLSChannel):
    """Does what the script says: raises it, or returns it; then works, or has nothing to read."""

    def __init__(self, **script: list[Any]) -> None:
        super().__init__(None)
        self.script = script

    def _act(self, name: str, else_: Any = None) -> Any:
        result = self.script[name].pop(0) if self.script.get(name) else else_
        if isinstance(result, Exception):
            raise result
        return result

    def shake_hands(self) -> None:
        self._act("shake_hands")

    def read(self) -> bytes:
        return cast(bytes, self._act("read", SSL.WantReadError()))

    def write(self, data: bytes, start: int) -> int:
        return cast(int, self._act("write", len(data) - start))

    def say_goodbye(self) -> None:
        self._act("say_goodbye")

    def negotiated_protocol(self) -> bytes | None:
        return None


class ScriptedSide(TLSSide):
    def __init__(self, channel: TLSChannel) -> None:
        self._channel = channel

    def open_channel(self, sock: object) -> TLSChannel:
        return self._channel


class WaitTests(SynchronousTestCase):
    """Waits of OpenSSL that has to write in order to read, or the reverse."""

    def make(self, **script: list[Any]) -> tuple[Any, HandReactor, RecordingProtocol]:
        protocol = RecordingProtocol()
        side = ScriptedSide(ScriptedChannel(**script))
        transport, reactor, far = make_transport(side, protocol)
        self.addCleanup(far.close)
        self.addCleanup(transport.connectionLost, Failure(ConnectionLost()))
        return transport, reactor, protocol

    def test_handshake_wants_to_write(self) -> None:
        """Nothing is read until the socket takes the server's part; then both go on."""
        transport, reactor, _ = self.make(shake_hands=[SSL.WantWriteError()])
        transport.doRead()
        self.assertEqual((reactor.readers, reactor.writers), (set(), {transport}))
        reactor.turn()
        self.assertEqual((reactor.readers, reactor.writers), ({transport}, set()))

    def test_read_wants_to_write(self) -> None:
        """A read that has to write goes on as soon as it can, without anything new to read."""
        transport, reactor, protocol = self.make(read=[SSL.WantWriteError(), b"hello"])
        transport.doRead()
        transport.doRead()
        self.assertEqual((reactor.readers, reactor.writers), (set(), {transport}))
        reactor.turn()
        self.assertEqual(protocol.received, b"hello")
        self.assertEqual((reactor.readers, reactor.writers), ({transport}, set()))

    def test_paused_while_read_wants_to_write(self) -> None:
        """A protocol that pauses meanwhile gets no data until it resumes."""
        transport, reactor, protocol = self.make(read=[SSL.WantWriteError(), b"hello"])
        transport.doRead()
        transport.doRead()
        transport.pauseProducing()
        reactor.turn()
        self.assertEqual((protocol.received, reactor.readers), (b"", set()))
        transport.resumeProducing()
        self.assertEqual(reactor.readers, {transport})

    def test_resumed_while_read_wants_to_write(self) -> None:
        """Resuming does not read before the socket is writable."""
        transport, reactor, _ = self.make(read=[SSL.WantWriteError(), b"hello"])
        transport.doRead()
        transport.doRead()
        transport.pauseProducing()
        transport.resumeProducing()
        self.assertEqual(reactor.readers, set())

    def test_write_wants_to_read(self) -> None:
        """A write that has to read first does not spin on a socket that is writable."""
        transport, reactor, _ = self.make(
            write=[SSL.WantReadError(), 5], read=[SSL.WantReadError()]
        )
        transport.doRead()
        transport.write(b"hello")
        reactor.turn(2)
        self.assertEqual(reactor.writers, set())
        transport.doRead()
        self.assertEqual(reactor.writers, {transport})
        reactor.turn()
        self.assertEqual((transport.unsent, reactor.writers), (0, set()))

    def test_goodbye_waits_for_room(self) -> None:
        """close_notify is sent when the socket takes it, and the connection closes then."""
        transport, reactor, protocol = self.make(say_goodbye=[SSL.WantWriteError()])
        transport.doRead()
        transport.loseConnection()
        transport.doWrite()
        self.assertEqual((protocol.lost, reactor.writers), (None, {transport}))
        reactor.turn()
        self.assertIs(protocol.lost, ConnectionDone)

    def test_half_closing_goodbye_waits_for_room(self) -> None:
        """close_notify is sent when the socket takes it, if only our side of the connection ends."""
        transport, reactor, protocol = self.make(say_goodbye=[SSL.WantWriteError()])
        transport.doRead()
        transport.loseWriteConnection()
        transport.doWrite()
        self.assertEqual(reactor.writers, {transport})
        reactor.turn()
        self.assertEqual((protocol.lost, reactor.writers), (None, set()))
        transport.loseConnection()
        reactor.turn()
        self.assertIs(protocol.lost, ConnectionDone)


def server_name(transport: TLSTransport) -> str | None:
    """Return what the client has called the server."""
    assert transport.channel is not None
    return transport.channel.server_name()


def wait_for_bytes(transport: TLSTransport, count: int) -> None:
    """Wait until the kernel has at least so many bytes for a transport."""
    transport.socket.settimeout(PATIENCE)
    transport.socket.recv(count, socket.MSG_PEEK | socket.MSG_WAITALL)
    transport.socket.setblocking(False)


def has_event(descriptor: Any, timeout: float = 0) -> bool:
    """Return whether the kernel has something for a transport or socket: data, or a reset."""
    return bool(select.select([descriptor], [], [], timeout)[0])


def reset(pair: TLSPair) -> None:
    """Close the client's end so that the transport sees a reset."""
    pair.client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    pair.client.close()
