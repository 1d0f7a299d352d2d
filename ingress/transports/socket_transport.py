"""
The plain transport of a stream socket: TCP, or a UNIX socket.

Twisted's own transports put written data into a buffer and send it when the reactor next reports
that the socket is writable. For a small message that is a needless second trip through the
reactor and two calls of ``epoll_ctl``, because the socket nearly always accepts it. Here `write`
sends, and only what the socket does not accept is kept.

A protocol never learns of its end inside a call of its own: what fails, and what ends, is reported
by the reactor, or in its next turn. There is no more between a write and the kernel than the
protocol allows: it is paused above `bufferSize` (`IConsumer.registerProducer`).
"""

from __future__ import annotations

import contextlib
import os
import socket
from errno import ENOBUFS, EPIPE
from typing import Any, ClassVar, Final

from mypy_extensions import mypyc_attr
from twisted.internet.error import ConnectionAborted
from twisted.internet.interfaces import (
    IHalfCloseableDescriptor,
    IHalfCloseableProtocol,
    ILoggingContext,
    IReadWriteDescriptor,
    ISystemHandle,
    ITCPTransport,
)
from twisted.internet.main import CONNECTION_DONE, CONNECTION_LOST
from twisted.logger import Logger
from twisted.python.failure import Failure
from zope.interface import classImplements

from ingress.transports.socket_descriptor import DONE, SocketDescriptor
from ingress.transports.stream import StreamProtocol, TransportOwner

READ_SIZE: Final = 65536
"""The size of a read, in bytes; the unused part is released at once."""

SEND_LIMIT: Final = 131072
"""Bytes up to which what waits is put together to be sent at once."""

BUFFER_SIZE: Final = 65536
"""Bytes that may wait before a producer is paused: as many as in Twisted's own transports."""

# They take a quarter less time than the methods of a socket, which parse their arguments anew.
_read: Final[Any] = os.read
_write: Final[Any] = os.write

ABORTED: Final = Failure(ConnectionAborted())


@mypyc_attr(allow_interpreted_subclasses=True)
class SocketTransport(SocketDescriptor):
    """
    :param sock: connected; closed with the transport.
    :param reactor: an `IReactorFDSet` that is an `IReactorTime` as well.
    :param peer: the address of the peer (`getPeer`); whoever knows better may change it.
    :param owner: learns of the end.
    :ivar bufferSize: bytes that may wait before the producer is paused.
    """

    log: ClassVar[Logger] = Logger()

    def __init__(
        self, sock: socket.socket, reactor: Any, peer: Any, owner: TransportOwner | None = None
    ) -> None:
        super().__init__(sock, reactor, peer)
        self.owner: TransportOwner | None = owner
        self.bufferSize: int = BUFFER_SIZE
        self.connected = True
        self.disconnected = False
        self.disconnecting = False
        """Whether the connection is to be closed when all is sent."""

        self.producer: Any = None
        self.streamingProducer = False
        self.producerPaused = False
        self._is_aborting = False
        self._is_half_closing = False
        """Whether our side is to be ended when all is sent."""

        self._is_half_closed = False
        self._sends_at_once = True
        """
        Whether a write may be sent before all else, if nothing waits: the connection is neither
        about to end nor asks a pull producer for more after each write.
        """

        self._is_broken = False
        """Whether a write has met a reset. The system tells it once, and reads then find an end."""

        self._first = b""
        self._start: int = 0
        """What waits is this from that byte on, and then the list, which is made when needed."""

        self._rest: list[bytes] | None = None

    def __repr__(self) -> str:
        state = "to" if self.connected else "closed, was to"
        return f"<{type(self).__name__} of {self.protocol} {state} {self.peer}>"

    def start(self, protocol: Any) -> None:
        """Connect a protocol (`IProtocol`), and read for it."""
        self.protocol = protocol
        self.startReading()
        protocol.makeConnection(self)

    def begin(self) -> None:
        """Do what has to be done before there can be a protocol, and tell the owner then."""
        if self.owner is not None:
            self.owner.transport_ready(self)

    # ITransport, IConsumer: what is written.

    def write(self, data: bytes) -> None:
        """
        Send what the socket accepts and keep the rest (`ITransport`).

        :raises TypeError: if `data` is not bytes.
        """
        if not isinstance(data, bytes):
            raise TypeError("Data must be bytes")
        if self.unsent or not self._sends_at_once:
            self._write_later(data)
        elif data:
            sent = self._send(data, 0)
            if sent != len(data):
                # The reactor will find an error, so that nobody learns of it in here.
                self._keep(data, sent if sent > 0 else 0)

    def _keep(self, data: bytes, start: int) -> None:
        """Wait for the socket to accept what comes from this byte on; nothing else waits."""
        self._first = data
        self._start = start
        self.unsent = len(data) - start
        self._wait_for_room()

    def _write_later(self, data: bytes) -> None:
        if not self.connected or self._is_aborting or self._is_half_closed or not data:
            return
        if self._rest is None:
            self._rest = []
        self._rest.append(data)
        self.unsent += len(data)
        self._wait_for_room()

    def _wait_for_room(self) -> None:
        self.startWriting()
        if self.producer is not None and self.streamingProducer and self.unsent > self.bufferSize:
            self.producerPaused = True
            self.producer.pauseProducing()

    def _send(self, data: Any, start: int) -> int:
        """
        :param data: bytes, or a memoryview.
        :param start: the bytes before it have been sent already.
        :return: how many bytes the socket took, perhaps 0; -1 if the connection is lost.
        """
        try:
            sent: int = _write(self._number, memoryview(data)[start:] if start else data)
        except BlockingIOError:
            return 0
        except OSError as error:
            if error.errno == ENOBUFS:
                return 0
            # EPIPE: the peer had ended its side before, and that end is a true one.
            self._is_broken = self._is_broken or error.errno != EPIPE
            return -1
        return sent

    def _flush(self) -> bool:
        """Send some of what waits; return False if the connection is lost."""
        rest = self._rest
        if rest is not None and len(self._first) - self._start < SEND_LIMIT:
            if self._first:
                rest.insert(0, self._first[self._start :])
            self._first = b"".join(rest)
            self._start = 0
            self._rest = None
        sent = self._send(self._first, self._start)
        if sent < 0:
            return False
        self.unsent -= sent
        self._start += sent
        if self._start == len(self._first):
            self._first = b""
            self._start = 0
        return True

    def registerProducer(self, producer: Any, streaming: bool) -> None:
        """
        IConsumer.

        :raises RuntimeError: if there is a producer already.
        """
        if self.producer is not None:
            raise RuntimeError(f"{self} has a producer already, {self.producer}")
        if self.disconnected:
            producer.stopProducing()
            return
        self.producer = producer
        self.streamingProducer = streaming
        self.producerPaused = False
        if not streaming:
            self._sends_at_once = False
            producer.resumeProducing()

    def unregisterProducer(self) -> None:
        """IConsumer: nothing more comes from the producer."""
        self.producer = None
        self._sends_at_once = (
            self.connected
            and not self.disconnecting
            and not self._is_half_closing
            and not self._is_aborting
        )
        if self.disconnecting or self._is_half_closing:
            self._wish_to_finish()

    # IReadWriteDescriptor: what the reactor calls.

    def doRead(self) -> Any:
        """Pass the socket's data to the protocol (`IReadDescriptor`)."""
        try:
            data: bytes = _read(self._number, READ_SIZE)
        except BlockingIOError:
            return None
        except OSError:
            return CONNECTION_LOST
        if not data:
            return CONNECTION_LOST if self._is_broken else CONNECTION_DONE
        protocol = self.protocol
        # Twice the same for the reader: for the compiler the first one is a native call.
        if isinstance(protocol, StreamProtocol):
            protocol.dataReceived(data)
        else:
            protocol.dataReceived(data)
        return None

    def doWrite(self) -> Any:
        """Send some of what waits, and what follows when all is sent (`IWriteDescriptor`)."""
        if self.unsent:
            if not self._flush():
                return CONNECTION_LOST
            if self.unsent:
                return None
        self.stopWriting()
        return self._all_sent()

    def _all_sent(self) -> Any:
        """Do what waits until all is sent; return a reason if the connection is over."""
        producer = self.producer
        if producer is not None and (self.producerPaused or not self.streamingProducer):
            self.producerPaused = False
            producer.resumeProducing()
        elif self.disconnecting:
            return self._end()
        elif self._is_half_closing and not self._is_half_closed:
            self._end_our_side()
        return None

    # IPushProducer: the peer.

    def resumeProducing(self) -> None:
        """IPushProducer."""
        if self.connected and not self.disconnecting and not self._is_aborting:
            self.startReading()

    # Endings.

    def loseConnection(self) -> None:
        """Close once everything written has been sent; the protocol learns of it later."""
        if self.connected and not self.disconnecting and not self._is_aborting:
            self.stopReading()
            self.disconnecting = True
            self._sends_at_once = False
            self._wish_to_finish()

    def loseWriteConnection(self) -> None:
        """ITCPTransport: the peer sees an end after everything written."""
        self._is_half_closing = True
        self._sends_at_once = False
        self._wish_to_finish()

    def abortConnection(self) -> None:
        """ITCPTransport: the peer sees a reset; the protocol learns of it in the next turn."""
        if not self.connected or self._is_aborting:
            return
        self._is_aborting = True
        self._sends_at_once = False
        self.stopReading()
        self.stopWriting()
        self.reactor.callLater(0, self.connectionLost, ABORTED)

    def _wish_to_finish(self) -> None:
        """Have `turn_ended` called, unless `doWrite` is going to be."""
        is_sending = self.unsent and self._is_writing
        if self.connected and not is_sending:
            self._await_turn()

    def turn_ended(self) -> None:
        """TurnUser: do what waits until all is sent, if it is."""
        if not self.connected or self._is_aborting or self.unsent:
            return
        why: Any
        try:
            why = self._all_sent()
        except Exception as error:
            self.log.failure("{transport} failed", transport=self)
            why = error
        if why is not None:
            self.connectionLost(DONE if why is CONNECTION_DONE else Failure(why))

    def _end(self) -> Any:
        """All is sent, and the connection is to be closed; return None if that has to wait."""
        return CONNECTION_DONE

    def _end_our_side(self) -> None:
        """All is sent, and our side is to be ended."""
        self._is_half_closed = True
        with contextlib.suppress(OSError):
            self.socket.shutdown(socket.SHUT_WR)
        protocol = self._half_closeable()
        if protocol is not None:
            try:
                protocol.writeConnectionLost()
            except Exception:
                self.log.failure("{transport} failed", transport=self)
                self.connectionLost(Failure())

    def readConnectionLost(self, reason: Failure) -> None:
        """The peer sends no more (`IHalfCloseableDescriptor`); the reactor reads no more."""
        self._is_reading = False
        protocol = self._half_closeable()
        if protocol is None:
            self.connectionLost(reason)
            return
        try:
            protocol.readConnectionLost()
        except Exception:
            self.log.failure("{transport} failed", transport=self)
            self.connectionLost(Failure())

    def _half_closeable(self) -> Any:
        """Return the protocol if it knows of connections of which one side has ended."""
        protocol = self.protocol
        if isinstance(protocol, StreamProtocol):
            return protocol
        return IHalfCloseableProtocol(protocol, None)

    def connectionLost(self, reason: Failure) -> None:
        """The connection is over: close the socket, and tell the protocol (`IReadDescriptor`)."""
        if not self.connected:
            return
        self.connected = False
        self.disconnected = True
        self._sends_at_once = False
        # Before the number of the socket is given to another one.
        self.stopReading()
        self.stopWriting()
        self._close(is_reset=isinstance(reason.value, ConnectionAborted))
        self._first = b""
        self._rest = None
        self.unsent = 0
        producer, self.producer = self.producer, None
        protocol, self.protocol = self.protocol, None
        owner, self.owner = self.owner, None
        try:
            if producer is not None:
                producer.stopProducing()
        except Exception:
            self.log.failure("The producer of {transport} failed", transport=self)
        if owner is not None:
            owner.transport_lost(self, reason)
        if protocol is not None:
            protocol.connectionLost(reason)


# Not a decorator, because the class is compiled.
classImplements(
    SocketTransport,
    ITCPTransport,
    ISystemHandle,
    IReadWriteDescriptor,
    IHalfCloseableDescriptor,
    ILoggingContext,
)
