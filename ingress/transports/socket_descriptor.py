"""
What transports are to a reactor and to the system, whatever they carry.

They go with every `IReactorFDSet`. A reactor that has a `DescriptorTable` (its attribute
``descriptor_table``) is spoken to through that, which is compiled as well.
"""

from __future__ import annotations

import contextlib
import select
import socket
import struct
from time import monotonic
from typing import Any, ClassVar, Final

from mypy_extensions import mypyc_attr
from twisted.internet.address import IPv4Address, IPv6Address, UNIXAddress
from twisted.internet.error import ConnectionDone, ConnectionLost
from twisted.internet.interfaces import IHalfCloseableDescriptor
from twisted.internet.main import CONNECTION_DONE, CONNECTION_LOST
from twisted.logger import Logger
from twisted.python.failure import Failure

from ingress.transports.stream import StreamTransport
from ingress.transports.turn_end import TurnEnd, TurnUser
from ingress.transports.turn_time import TurnTime

_RESET: Final = struct.pack("ii", 1, 0)
"""SO_LINGER, so that closing the socket resets the connection."""


IN: Final = 1
OUT: Final = 4
_BOTH: Final = int(socket.SHUT_RDWR)
_SOL_SOCKET: Final = int(socket.SOL_SOCKET)
_SO_LINGER: Final = int(socket.SO_LINGER)
_STREAM: Final = int(socket.SOCK_STREAM)
_ERROR: Final = 8
_GONE: Final = 8 | 16
"""The events of epoll: EPOLLIN, EPOLLOUT, EPOLLERR, and EPOLLERR or EPOLLHUP."""

# Made once, as the reactors of Twisted do: a Failure costs more than closing a socket.
DONE: Final = Failure(ConnectionDone())
LOST: Final = Failure(ConnectionLost())


@mypyc_attr(allow_interpreted_subclasses=True)
class SocketDescriptor(StreamTransport, TurnUser):
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
        self.awaits_turn = False
        self._number: int = sock.fileno()
        self._is_reading = False
        self._is_writing = False
        """Whether the reactor watches the socket for this."""

        self._poll: Any = None
        self._table: DescriptorTable | None = getattr(reactor, "descriptor_table", None)

    def doRead(self) -> Any:
        """IReadDescriptor: return a reason if the connection, or its input, is over."""
        raise NotImplementedError

    def doWrite(self) -> Any:
        """IWriteDescriptor: return a reason if the connection is over."""
        raise NotImplementedError

    def readConnectionLost(self, reason: Failure) -> None:
        """IHalfCloseableDescriptor."""
        raise NotImplementedError

    def connectionLost(self, reason: Failure) -> None:
        """IReadDescriptor."""
        raise NotImplementedError

    def writeConnectionLost(self, reason: Failure) -> None:
        """IHalfCloseableDescriptor."""
        self.connectionLost(reason)

    def pauseProducing(self) -> None:
        """IPushProducer."""
        self.stopReading()

    def _await_turn(self) -> None:
        """Have `turn_ended` called soon (`TurnUser`)."""
        table = self._table
        (TurnEnd(self.reactor) if table is None else table.turn_end).tell(self)

    def fileno(self) -> int:
        """IFileDescriptor: -1 if the connection is closed."""
        return self._number

    def startReading(self) -> None:
        """Watch the socket for input."""
        if not self._is_reading:
            self._is_reading = True
            if self._table is not None:
                self._table.add(self, IN)
            else:
                self.reactor.addReader(self)

    def stopReading(self) -> None:
        """Watch the socket for input no more."""
        if self._is_reading:
            self._is_reading = False
            if self._table is not None:
                self._table.remove(self, IN)
            else:
                self.reactor.removeReader(self)

    def startWriting(self) -> None:
        """Watch the socket for room."""
        if not self._is_writing:
            self._is_writing = True
            if self._table is not None:
                self._table.add(self, OUT)
            else:
                self.reactor.addWriter(self)

    def stopWriting(self) -> None:
        """Watch the socket for room no more."""
        if self._is_writing:
            self._is_writing = False
            if self._table is not None:
                self._table.remove(self, OUT)
            else:
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
        try:
            if is_reset:
                sock.setsockopt(_SOL_SOCKET, _SO_LINGER, _RESET)
            else:
                sock.shutdown(_BOTH)
        except OSError:
            # The peer has closed or reset it before.
            pass
        sock.close()


class DescriptorTable(TurnTime):
    """
    The descriptors of a reactor, watched by epoll.

    :param epoll: a `select.epoll`.
    :ivar turn_end: ends the turn after the events of a `poll`, which is soon.
    """

    log: ClassVar[Logger] = Logger()

    now: float = 0.0
    """TurnTime: when the events under way were reported."""

    def __init__(self, epoll: Any) -> None:
        self.now = monotonic()
        self.epoll = epoll
        self.turn_end = TurnEnd()
        self._descriptors: dict[int, Any] = {}
        self._masks: dict[int, int] = {}
        """By the number of the descriptor, as the descriptors."""

        self._new: set[int] = set()
        """Those that are watched since the events under way were reported."""

    def __repr__(self) -> str:
        return f"<DescriptorTable of {len(self._descriptors)}>"

    def add(self, descriptor: Any, mask: int) -> None:
        """
        Watch for this as well.

        :param descriptor: an `IReadDescriptor` or `IWriteDescriptor`.
        :param mask: `IN` or `OUT`.
        :raises OSError: if the system cannot watch it.
        """
        number: int = descriptor.fileno()
        before = self._masks.get(number, 0)
        if before & mask:
            return
        if before:
            self.epoll.modify(number, before | mask)
        else:
            self.epoll.register(number, mask)
            self._new.add(number)
        self._masks[number] = before | mask
        self._descriptors[number] = descriptor

    def remove(self, descriptor: Any, mask: int) -> bool:
        """
        Watch for this no more.

        :return: whether it was watched at all.
        """
        number: int = descriptor.fileno()
        if number < 0:
            # It was closed too early.
            number = self._find(descriptor)
        before = self._masks.get(number, 0)
        if not before & mask:
            return number in self._masks
        if before == mask:
            del self._masks[number]
            del self._descriptors[number]
            # Whoever has closed it already has ended the watch as well.
            try:  # noqa: SIM105 (costs half as much)
                self.epoll.unregister(number)
            except OSError:
                pass
        else:
            self.epoll.modify(number, before ^ mask)
            self._masks[number] = before ^ mask
        return True

    def _is_there(self, descriptor: Any) -> bool:
        number: int = descriptor.fileno()
        return self._descriptors.get(number) is descriptor

    def _find(self, descriptor: Any) -> int:
        for number, each in self._descriptors.items():
            if each is descriptor:
                return number
        return -1

    def watched(self, mask: int) -> list[Any]:
        """Return the descriptors that are watched for this."""
        return [self._descriptors[number] for number, each in self._masks.items() if each & mask]

    def poll(self, timeout: Any) -> None:
        """
        Wait for events and let their descriptors act on them.

        :param timeout: a number of seconds, or what counts as one; None waits without end.
        """
        turn_end = self.turn_end
        if turn_end.users:
            timeout = 0.0
        most = len(self._descriptors) or 1
        events: list[tuple[int, int]] = self.epoll.poll(-1 if timeout is None else timeout, most)
        self.now = monotonic()
        self._new.clear()
        for number, event in events:
            # Another descriptor's event may have removed this one.
            descriptor = self._descriptors.get(number)
            if descriptor is not None:
                try:
                    if event == IN and isinstance(descriptor, SocketDescriptor):
                        # The common case: the same as the other branch, without its checks.
                        try:
                            why = descriptor.doRead()
                        except Exception as error:
                            self.log.failure("{descriptor!r} failed", descriptor=descriptor)
                            why = error
                        if why is not None:
                            self._lose(descriptor, why, is_read=True)
                    elif number not in self._new:
                        # If its number has been given to a new one meanwhile, the event is not
                        # that one's; to read in vain would do no harm.
                        self._act(descriptor, event)
                except Exception:
                    self.log.failure("{descriptor!r} failed", descriptor=descriptor)
        if turn_end.users:
            turn_end.end()

    def _act(self, descriptor: Any, event: int) -> None:
        """As Twisted's reactors do."""
        why: Any = None
        is_read = False
        if event & _ERROR and isinstance(descriptor, SocketDescriptor) and descriptor._is_reading:
            # While a reset arrives, the error may be there before the rest. A read tells it, and
            # Twisted's reactors would take it for an end.
            event |= IN
        if event & _GONE and not event & IN:
            number: int = descriptor.fileno()
            is_read = self._masks.get(number, 0) & IN != 0
            why = CONNECTION_DONE if is_read else CONNECTION_LOST
        else:
            try:
                if event & IN:
                    is_read = True
                    why = descriptor.doRead()
                # Unless the read has closed it.
                if not why and event & OUT and self._is_there(descriptor):
                    is_read = False
                    why = descriptor.doWrite()
            except Exception as error:
                self.log.failure("{descriptor!r} failed", descriptor=descriptor)
                why = error
        if why:
            self._lose(descriptor, why, is_read=is_read)

    def _lose(self, descriptor: Any, why: Any, *, is_read: bool) -> None:
        """Tell a descriptor of its end, or of that of its input."""
        self.remove(descriptor, IN)
        is_done = isinstance(why, ConnectionDone)
        if is_read and is_done and IHalfCloseableDescriptor.providedBy(descriptor):
            descriptor.readConnectionLost(DONE)
            return
        self.remove(descriptor, OUT)
        if is_done:
            descriptor.connectionLost(DONE)
        else:
            lost = why is CONNECTION_LOST
            descriptor.connectionLost(LOST if lost else Failure(why))


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


def accept(listening: Any, family: int) -> Any:
    """
    Accept a connection as `socket.accept` does, in half of the time: that looks its own family
    and kind up in enumerations for each connection.

    :param listening: a stream socket of this family.
    :return: the socket, and the name of the peer.
    :raises OSError: as `socket.accept`.
    """
    number, name = listening._accept()
    return socket.socket(family, _STREAM, 0, number), name
