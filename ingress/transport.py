"""
The TCP transports of the data path: Twisted's transports, changed to send at once.

Twisted's transports put written data into a buffer and send it when the reactor
next reports that the socket is writable. For a small response that is a needless
second trip through the reactor and two calls of ``epoll_ctl``, because the socket
nearly always accepts the data. The transports here try `socket.send` first and
buffer only what the socket did not accept (docs/adr/0003-transports.md has the
numbers). Everything else is Twisted's: they use only `IReactorFDSet` of the
reactor, so they work with every reactor that runs `twisted.internet.tcp`.

A failed send is not reported to the protocol inside its `write`: the data is
buffered, and the reactor finds the error at the next event.
"""

from __future__ import annotations

import contextlib
import select
import socket
from collections.abc import Iterable
from errno import ENOBUFS
from functools import update_wrapper
from types import FunctionType
from typing import Any, TypeVar

from twisted.internet import tcp, unix
from twisted.internet.abstract import FileDescriptor
from twisted.internet.error import ConnectionDone, ConnectionLost
from twisted.internet.interfaces import IConnector
from twisted.internet.main import CONNECTION_DONE, CONNECTION_LOST
from twisted.internet.protocol import ClientFactory
from twisted.python.failure import Failure

READ_SIZE = 65536
"""The size of a read, in bytes; the unused part is released at once."""

_BUSY_METHODS = ("_read_records", "doRead", "has_input", "write", "writeSomeData")
"""Those that run for each piece of data."""

_C = TypeVar("_C", bound=type)


def with_own_code(cls: _C) -> _C:
    """
    Give a class copies of the methods that run for each piece of data (a decorator).

    The interpreter adapts the code of a function to the class of the objects that it meets (PEP
    659), so code that two classes share is slow for both.
    """
    for name in _BUSY_METHODS:
        function = getattr(cls, name, None)
        if function is not None:
            code = function.__code__.replace()
            own = FunctionType(
                code, function.__globals__, name, function.__defaults__, function.__closure__
            )
            setattr(cls, name, update_wrapper(own, function))
    return cls


class ImmediateSend(tcp.Connection):
    """
    A mixin, placed before a class of `twisted.internet.tcp`, that sends in `write`.

    It buffers what the socket does not accept in the buffer of `FileDescriptor`:
    ``dataBuffer`` from ``offset`` on, then the list ``_tempDataBuffer``. As long as
    both are empty, no data waits for the socket, and a write may bypass them.
    """

    def __init__(self, *arguments: Any) -> None:
        # In each object, although the class has the same: the interpreter finds these faster.
        self.dataBuffer = b""
        self.disconnecting = False
        self._writeDisconnecting = False
        self._input_poll: select.poll | None = None
        super().__init__(*arguments)

    def write(self, data: bytes) -> None:
        """
        Send what the socket accepts and buffer the rest (`ITransport`).

        :raises TypeError: if `data` is not bytes.
        """
        if not isinstance(data, bytes):
            raise TypeError("Data must be bytes")
        # Data is not sent at once while older data waits, or if `doWrite` has to run after
        # the write, to finish a close or to ask a pull producer for more.
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
        """Write all pieces together (`ITransport`), with one system call instead of one each."""
        self.write(b"".join(iovec))

    def _keep(self, data: bytes, sent: int | ConnectionLost) -> None:
        """Wait for the socket to accept the rest, or for the reactor to find the error."""
        self.dataBuffer = data
        self.offset = sent if isinstance(sent, int) else 0
        self._maybePauseProducer()  # type: ignore[no-untyped-call]
        self.startWriting()  # type: ignore[no-untyped-call]

    def writeSomeData(self, data: bytes | memoryview) -> int | ConnectionLost:
        """Send data; return how many bytes the socket took, perhaps 0 (`FileDescriptor`)."""
        try:
            return self.socket.send(data)
        except BlockingIOError:
            return 0
        except OSError as error:
            return 0 if error.errno == ENOBUFS else CONNECTION_LOST

    def doRead(self) -> ConnectionDone | ConnectionLost | None:  # type: ignore[override]
        """Pass the socket's data to the protocol (`IReadDescriptor`)."""
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
        Return whether there is data, or an end, that the reactor has not reported yet.

        This takes half a microsecond, so it can be called each time a connection is reused.
        """
        poll = self._input_poll
        if poll is None:
            # Not a `cached_property`: one slows down all attributes of its object (Python 3.11).
            poll = self._input_poll = select.poll()
            poll.register(self.socket, select.POLLIN)
        return bool(poll.poll(0))

    @property
    def unsent(self) -> int:
        """The number of written bytes that the socket has not accepted yet."""
        return len(self.dataBuffer) - self.offset + self._tempDataLen

    def _isSendBufferFull(self) -> bool:
        # Twisted's own method also counts the part of the first buffer that has been sent.
        return self.unsent > self.bufferSize


@with_own_code
class ImmediateServer(ImmediateSend, tcp.Server):
    """
    An accepted TCP connection, which a `tcp.Port` makes with this class as its ``transport``.
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


@with_own_code
class ImmediateUNIXServer(ImmediateSend, unix.Server):
    """An accepted connection of a UNIX socket, for a `unix.Port`; it cannot pass descriptors."""


@with_own_code
class ImmediateClient(ImmediateSend, tcp.Client):
    """
    A connection that we open; `connect_tcp` makes these.

    Twisted leaves a finished connection in a cycle with its connector, and a failed
    attempt in a cycle with itself. Only the garbage collector could free them, and it
    does not see objects that were hidden from it (`ingress.memory`).
    """

    def createInternetSocket(self) -> socket.socket:
        sock: socket.socket = super().createInternetSocket()  # type: ignore[no-untyped-call]
        _set_no_delay(sock)
        return sock

    def doConnect(self) -> None:
        """Begin the attempt, or check its result (`tcp.Client`)."""
        if hasattr(self, "connector"):
            super().doConnect()  # type: ignore[no-untyped-call]

    def failIfNotConnected(self, err: Any) -> None:
        """End the attempt, unless it has ended or succeeded already (`tcp.Client`)."""
        super().failIfNotConnected(err)  # type: ignore[no-untyped-call]
        if not self.connected:
            # These were bound methods of this object. One event may still call both.
            vars(self).update(doRead=_do_nothing, doWrite=_do_nothing)


class ImmediateConnector(tcp.Connector):
    """The connector of an `ImmediateClient`."""

    def connectionLost(self, reason: Failure) -> None:
        """Handle the end of the connection (`tcp.Connector`)."""
        self.transport = None
        super().connectionLost(reason)

    def _makeTransport(self) -> ImmediateClient:
        return ImmediateClient(self.host, self.port, self.bindAddress, self, self.reactor)


def connect_tcp(
    reactor: Any, host: str, port: int, factory: ClientFactory[Any], timeout: float
) -> IConnector:
    """
    Connect like `IReactorTCP.connectTCP`, with an `ImmediateClient` as transport.

    :param reactor: an `IReactorFDSet` that is an `IReactorTime` as well.
    :param host: an IP address, or a name that the reactor then resolves.
    :param timeout: in seconds, for the name and the connection.
    """
    connector = ImmediateConnector(host, port, factory, timeout, None, reactor)
    connector.connect()
    return connector


def _do_nothing() -> None:
    """Replace the socket methods of a failed attempt."""


def _set_no_delay(sock: socket.socket) -> None:
    """Send small segments at once: we write whole messages (RFC 9293 section 3.7.4)."""
    # Some systems refuse if the peer has already sent a reset; the reactor will find that.
    with contextlib.suppress(OSError):
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
