"""
What transports are to a reactor and to the system, whatever they carry.
"""

from __future__ import annotations

import contextlib
import select
import socket
import struct
from typing import Any, Final

from mypy_extensions import mypyc_attr
from twisted.internet.address import IPv4Address, IPv6Address, UNIXAddress

from ingress.transports.stream import StreamTransport

_RESET: Final = struct.pack("ii", 1, 0)
"""SO_LINGER, so that closing the socket resets the connection."""


@mypyc_attr(allow_interpreted_subclasses=True)
class SocketDescriptor(StreamTransport):
    """
    A connected socket that a reactor watches.

    :param sock: is closed with the transport.
    :param reactor: an `IReactorFDSet` that is an `IReactorTime` as well.
    :param peer: the address of the peer (`getPeer`); whoever knows better may change it.
    :ivar socket: None if the connection is closed.
    """

    def __init__(self, sock: socket.socket, reactor: Any, peer: Any) -> None:
        sock.setblocking(False)
        self.socket: Any = sock
        self.reactor = reactor
        self.peer = peer
        self.protocol: Any = None
        self.unsent = 0
        self.negotiated_protocol = None
        self._number: int = sock.fileno()
        self._is_reading = False
        self._is_writing = False
        """Whether the reactor watches the socket for this."""

        self._poll: Any = None

    def fileno(self) -> int:
        """IFileDescriptor: -1 if the connection is closed."""
        return self._number

    def startReading(self) -> None:
        """Watch the socket for input."""
        if not self._is_reading:
            self._is_reading = True
            self.reactor.addReader(self)

    def stopReading(self) -> None:
        """Watch the socket for input no more."""
        if self._is_reading:
            self._is_reading = False
            self.reactor.removeReader(self)

    def startWriting(self) -> None:
        """Watch the socket for room."""
        if not self._is_writing:
            self._is_writing = True
            self.reactor.addWriter(self)

    def stopWriting(self) -> None:
        """Watch the socket for room no more."""
        if self._is_writing:
            self._is_writing = False
            self.reactor.removeWriter(self)

    def has_input(self) -> bool:
        """StreamTransport: this takes half a microsecond."""
        if self.socket is None:
            return True
        if self._poll is None:
            self._poll = select.poll()
            self._poll.register(self._number, select.POLLIN)
        return bool(self._poll.poll(0))

    def getPeer(self) -> Any:
        """ITransport."""
        return self.peer

    def getHost(self) -> Any:
        """ITransport."""
        return socket_address(self.socket.family, self.socket.getsockname())

    def getHandle(self) -> Any:
        """ISystemHandle: the socket."""
        return self.socket

    def getTcpNoDelay(self) -> bool:
        """ITCPTransport."""
        return bool(self.socket.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY))

    def setTcpNoDelay(self, enabled: bool) -> None:
        """ITCPTransport; without effect where there is no TCP."""
        # Some systems refuse if the peer has already sent a reset; the reactor will find that.
        with contextlib.suppress(OSError):
            self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, enabled)

    def getTcpKeepAlive(self) -> bool:
        """ITCPTransport."""
        return bool(self.socket.getsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE))

    def setTcpKeepAlive(self, enabled: bool) -> None:
        """ITCPTransport."""
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, enabled)

    @property
    def logstr(self) -> str:
        """How old-style messages of the log name the connection."""
        return f"{type(self.protocol).__name__},{getattr(self.peer, 'host', '-')}"

    def logPrefix(self) -> str:
        """ILoggingContext."""
        return self.logstr

    def _close(self, is_reset: bool) -> None:
        """Close the socket, also for a process that has been forked meanwhile."""
        sock, self.socket = self.socket, None
        self._poll = None
        self._number = -1
        with contextlib.suppress(OSError):
            if is_reset:
                sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET)
            else:
                sock.shutdown(socket.SHUT_RDWR)
        sock.close()


def socket_address(family: int, name: Any) -> Any:
    """
    :param family: of a stream socket, such as `socket.AF_INET`.
    :param name: what `getsockname` returns, or the system says of a peer.
    :return: an `IAddress`.
    """
    if family == socket.AF_INET:
        return IPv4Address("TCP", name[0], name[1])
    if family == socket.AF_INET6:
        return IPv6Address("TCP", name[0], name[1], name[2], name[3])
    return UNIXAddress(name.encode() if isinstance(name, str) and name else name or None)
