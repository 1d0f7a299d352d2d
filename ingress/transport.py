"""
The TCP transports of the data path: Twisted's own, but they send at once.

Twisted's transports put what is written into a buffer and send it when the
reactor next says that the socket is writable. For a small answer that is a
second trip through the reactor and two calls of ``epoll_ctl``, for nothing: the
socket nearly always takes it. The transports here try `socket.send` first and
buffer only what the socket did not take (docs/adr/0003-transports.md has the
numbers). All else is Twisted's: they use nothing of the reactor but
`IReactorFDSet` and so work with every reactor that runs `twisted.internet.tcp`.

A send that fails says nothing to the protocol from inside its `write`: the
data is buffered, and the reactor finds the error at the next event.
"""

from __future__ import annotations

import contextlib
import select
import socket
from collections.abc import Iterable
from errno import ENOBUFS
from functools import cached_property
from typing import Any

from twisted.internet import tcp, unix
from twisted.internet.abstract import FileDescriptor
from twisted.internet.error import ConnectionDone, ConnectionLost
from twisted.internet.interfaces import IConnector
from twisted.internet.main import CONNECTION_DONE, CONNECTION_LOST
from twisted.internet.protocol import ClientFactory
from twisted.python.failure import Failure

READ_SIZE = 65536
"""What one read asks for, in bytes; what it did not fill is given back at once."""


class ImmediateSend(tcp.Connection):
    """
    Mixed in before a class of `twisted.internet.tcp`: sends in `write`, buffers the rest.

    The buffer is that of `FileDescriptor`: ``dataBuffer`` from ``offset`` on, then
    the list ``_tempDataBuffer``. As long as both are empty nobody waits for the
    socket to be writable, and a write may go past them.
    """

    def write(self, data: bytes) -> None:
        """
        Send what the socket takes and buffer the rest (`ITransport`).

        :raises TypeError: if `data` is not bytes.
        """
        if not isinstance(data, bytes):
            raise TypeError("Data must be bytes")
        # Not at once while older data waits, nor where `doWrite` has to run after the
        # write: it closes what is being closed, and asks a pull producer for more.
        if (
            self.dataBuffer
            or self._tempDataLen
            or self.disconnecting
            or self._writeDisconnecting
            or not self.connected
            or not (self.streamingProducer or self.producer is None)
        ):
            FileDescriptor.write(self, data)
        elif data:
            sent = self.writeSomeData(data)
            if sent != len(data):
                self._keep(data, sent)

    def writeSequence(self, iovec: Iterable[bytes]) -> None:
        """As `write` of all of them together (`ITransport`): one system call, not one each."""
        self.write(b"".join(iovec))

    def _keep(self, data: bytes, sent: int | ConnectionLost) -> None:
        """Wait for the socket to take the rest, or for the reactor to find the error."""
        self.dataBuffer = data
        self.offset = sent if isinstance(sent, int) else 0
        self._maybePauseProducer()  # type: ignore[no-untyped-call]
        self.startWriting()  # type: ignore[no-untyped-call]

    def writeSomeData(self, data: bytes | memoryview) -> int | ConnectionLost:
        """The number of bytes that the socket took, perhaps 0 (`FileDescriptor`)."""
        try:
            return self.socket.send(data)
        except BlockingIOError:
            return 0
        except OSError as error:
            return 0 if error.errno == ENOBUFS else CONNECTION_LOST

    def doRead(self) -> ConnectionDone | ConnectionLost | None:  # type: ignore[override]
        """Hand what the socket has to the protocol (`IReadDescriptor`)."""
        try:
            data = self.socket.recv(READ_SIZE)
        except BlockingIOError:
            return None
        except OSError:
            return CONNECTION_LOST
        if not data:
            return CONNECTION_DONE
        self.protocol.dataReceived(data)
        return None

    def has_input(self) -> bool:
        """
        Whether the peer has sent something, or ended, of which the reactor has not told yet.

        Half a microsecond, so that a connection can be asked each time it is used again.
        """
        return bool(self._input_poll.poll(0))

    @cached_property
    def _input_poll(self) -> select.poll:
        poll = select.poll()
        poll.register(self.socket, select.POLLIN)
        return poll

    @property
    def unsent(self) -> int:
        """Bytes that the socket has not taken yet of what was written."""
        return len(self.dataBuffer) - self.offset + self._tempDataLen

    def _isSendBufferFull(self) -> bool:
        # Twisted's own counts what has been sent of the first buffer, too.
        return self.unsent > self.bufferSize


class ImmediateServer(ImmediateSend, tcp.Server):
    """
    An accepted TCP connection: what a `tcp.Port` makes with this class as its ``transport``.
    """

    def __init__(
        self,
        sock: socket.socket,
        protocol: Any,
        client: tuple[Any, ...],
        server: Any,
        sessionno: int,
        reactor: Any,
    ) -> None:
        super().__init__(sock, protocol, client, server, sessionno, reactor)
        _set_no_delay(sock)


class ImmediateUNIXServer(ImmediateSend, unix.Server):
    """An accepted connection of a UNIX socket, for a `unix.Port`; it passes no descriptors."""


class ImmediateClient(ImmediateSend, tcp.Client):
    """
    A connection that we make; `connect_tcp` makes these.

    Twisted leaves one that is over in a cycle with its connector, and one that was
    never made in a cycle with itself. Only the garbage collector would free them,
    and what it is kept from looking at (`ingress.memory`) never would be.
    """

    def createInternetSocket(self) -> socket.socket:
        sock: socket.socket = super().createInternetSocket()  # type: ignore[no-untyped-call]
        _set_no_delay(sock)
        return sock

    def doConnect(self) -> None:
        """Begin the attempt, or see how it went (`tcp.Client`)."""
        if hasattr(self, "connector"):
            super().doConnect()  # type: ignore[no-untyped-call]

    def failIfNotConnected(self, err: Any) -> None:
        """The attempt is over, unless it is over already or has succeeded (`tcp.Client`)."""
        super().failIfNotConnected(err)  # type: ignore[no-untyped-call]
        if not self.connected:
            # They were methods of our own. One event may yet call both.
            vars(self).update(doRead=_do_nothing, doWrite=_do_nothing)


class ImmediateConnector(tcp.Connector):
    """Of an `ImmediateClient`."""

    def connectionLost(self, reason: Failure) -> None:
        """The connection that was made is over (`tcp.Connector`)."""
        self.transport = None
        super().connectionLost(reason)

    def _makeTransport(self) -> ImmediateClient:
        return ImmediateClient(  # type: ignore[no-untyped-call]
            self.host, self.port, self.bindAddress, self, self.reactor
        )


def connect_tcp(
    reactor: Any, host: str, port: int, factory: ClientFactory[Any], timeout: float
) -> IConnector:
    """
    As `IReactorTCP.connectTCP`, with an `ImmediateClient` as transport.

    :param reactor: an `IReactorFDSet` that is an `IReactorTime` as well.
    :param host: an IP address, or a name that the reactor then resolves.
    :param timeout: in seconds, for the name and the connection.
    """
    connector = ImmediateConnector(host, port, factory, timeout, None, reactor)
    connector.connect()
    return connector


def _do_nothing() -> None:
    """What an attempt that has failed does with its socket."""


def _set_no_delay(sock: socket.socket) -> None:
    """Send small segments at once: what we write is whole messages (RFC 9293 section 3.7.4)."""
    # Some systems refuse where the peer has reset already; the reactor will find that out.
    with contextlib.suppress(OSError):
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
