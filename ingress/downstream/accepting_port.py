"""
A port that accepts connections on a bound socket, up to a limit.
"""

from __future__ import annotations

import contextlib
import errno
import socket
from collections.abc import Callable
from typing import Any, Protocol

from twisted.internet import tcp
from twisted.internet.address import IPv4Address, IPv6Address, UNIXAddress
from twisted.internet.interfaces import IAddress, IDelayedCall, IProtocolFactory, IReactorTime
from twisted.logger import Logger
from twisted.python.failure import Failure

from ingress.downstream.bound_socket import BoundSocket
from ingress.downstream.connection_limit import TELL_INTERVAL, ConnectionLimit
from ingress.transports.socket_descriptor import accept, socket_address
from ingress.transports.socket_transport import SocketTransport
from ingress.transports.stream import TransportOwner

ACCEPTS_PER_EVENT = 16
"""
Connections accepted at most in one turn of the reactor: few, because requests in flight wait
for all of them. To ask for one that is not there costs more than another turn, so as many are
accepted as in the turn before, or twice as many if all of them were there.
"""

ACCEPT_PAUSE = 0.25
"""
Seconds without accepting after the system lacked descriptors or memory for a
connection. New clients wait in the backlog; nginx pauses 0.5 s.
"""

_CONNECTION_GONE = frozenset(
    {
        errno.ECONNABORTED,
        errno.EHOSTDOWN,
        errno.EHOSTUNREACH,
        errno.EINTR,
        errno.ENETDOWN,
        errno.ENETUNREACH,
        errno.ENOPROTOOPT,
        errno.EOPNOTSUPP,
        errno.EPERM,
        errno.EPROTO,
    }
)
"""Faults of one connection, not of the port (accept(2), "Error handling")."""


MakeTransport = Callable[[socket.socket, Any, IAddress, TransportOwner], SocketTransport]
"""Makes the transport of an accepted socket, as `SocketTransport` itself does."""


class Opener(Protocol):
    """Reads what connections begin with (`ingress.downstream.opening`)."""

    def open(self, port: AcceptingPort, accepted: socket.socket, address: Any) -> None:
        """
        Read what a connection begins with, and hand it to `AcceptingPort.connect` or
        `AcceptingPort.adopt`, or close it.

        :param address: of the peer, as `socket.accept` has it.
        """


class AcceptingPort(tcp.Port):
    """
    A port on a bound socket: TCP, UNIX, or inherited.

    `IReactorSocket.adoptStreamPort` would be the public way, but its ports use
    Twisted's own transports, change the mode of UNIX sockets, and close connections
    when descriptors run out.

    :param bound: the socket; closed with the port.
    :param make_transport: makes the transports of accepted connections.
    :param limit: their owner.
    """

    log = Logger()

    def __init__(
        self,
        reactor: Any,
        bound: BoundSocket,
        factory: IProtocolFactory,
        make_transport: MakeTransport,
        limit: ConnectionLimit,
    ) -> None:
        super().__init__(0, factory, reactor=reactor)
        self._bound = bound
        self._limit = limit
        self._clock: IReactorTime = reactor
        self._pause: IDelayedCall | None = None
        self._told = float("-inf")
        self._accepts = 1
        """How many connections to accept in the next turn."""

        self.opener: Opener | None = None
        """Reads what connections begin with, before they get transport and protocol."""

        self._is_withdrawn = False
        """Whether another process has stopped the listening (`BoundSocket.withdraw`)."""

        self.addressFamily = bound.socket.family
        # Sockets of systemd and of other workers must stay usable after this port.
        self._shouldShutdown = False
        self._make_transport = make_transport

    def startListening(self) -> None:
        """
        Listen and accept (`IListeningPort`).

        :raises OSError: if another socket was faster to listen on this address.
        """
        self.socket = self._bound.socket
        with contextlib.suppress(OSError):
            # Accepted sockets inherit it: small segments are sent at once, because protocols
            # write whole messages (RFC 9293 section 3.7.4). A UNIX socket has no such thing.
            self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.socket.listen(maximum_backlog())
        self.fileno = self.socket.fileno  # type: ignore[method-assign]
        self._realPortNumber = self._bound.port  # for repr and log
        self.connected = True
        self.factory.doStart()  # type: ignore[union-attr]
        self.startReading()  # type: ignore[no-untyped-call]

    def give_up(self) -> None:
        """Close the socket of a port that may have begun to listen, or not."""
        if self.connected:
            self.stopListening()  # type: ignore[no-untyped-call]
        else:
            self._bound.close()

    def doRead(self) -> None:
        """Accept waiting connections, up to `ACCEPTS_PER_EVENT` (`IReadDescriptor`)."""
        for accepts in range(self._accepts):
            if not self._limit.has_room() and not self._limit.can_make_room(self.now()):
                self.stopReading()  # type: ignore[no-untyped-call]
                self._limit.wait(self)
                return
            try:
                accepted, address = accept(self.socket, self.addressFamily)
            except BlockingIOError:
                self._accepts = max(accepts, 1)
                return
            except OSError as error:
                if error.errno == errno.EINVAL:
                    self._withdrawn()
                    return
                if error.errno not in _CONNECTION_GONE:
                    self._refused(error)
                    return
            else:
                if self.opener is None:
                    self.connect(accepted, address)
                else:
                    self._open(self.opener, accepted, address)
        self._accepts = min(self._accepts * 2, ACCEPTS_PER_EVENT)

    def resume(self) -> None:
        """Accept again, after a lack of room or of descriptors."""
        is_open = self.connected and not self.disconnecting and not self._is_withdrawn
        if is_open and self._pause is None:
            self.startReading()  # type: ignore[no-untyped-call]

    def listen_again(self) -> None:
        """Listen and accept again after another process has stopped the listening."""
        if self._is_withdrawn and self.connected and not self.disconnecting:
            self._is_withdrawn = False
            self.socket.listen(maximum_backlog())
            self.resume()

    def _withdrawn(self) -> None:
        self._is_withdrawn = True
        self.stopReading()  # type: ignore[no-untyped-call]

    def now(self) -> float:
        """Seconds on the reactor's clock."""
        return self._clock.seconds()

    def connectionLost(self, reason: Failure) -> None:
        """The port is closed, or its socket does not listen any more (`IReadDescriptor`)."""
        if self.connected and not self.disconnecting:
            # The socket is still ours, but the reactor sees it hung up.
            self._withdrawn()
            return
        if self._pause is not None:
            self._pause.cancel()
            self._pause = None
        super().connectionLost(reason)  # type: ignore[no-untyped-call]
        self._bound.removed()

    def _logConnectionLostMsg(self) -> None:
        """Twisted's own message has a port number, which a UNIX socket lacks."""
        if not self._bound.is_twin:
            self.log.info("Stopped listening on {address}", address=self._bound.address)

    def getHost(self) -> IPv4Address | IPv6Address | UNIXAddress:
        """The address that it listens on (`IListeningPort`)."""
        address: IPv4Address | IPv6Address | UNIXAddress
        address = socket_address(self.addressFamily, self.socket.getsockname())
        return address

    def _open(self, opener: Opener, accepted: socket.socket, address: Any) -> None:
        """Let the opener read; its failure does not stop the port."""
        try:
            opener.open(self, accepted, address)
        except Exception:
            self.log.failure("A connection could not be opened")
            accepted.close()

    def connect(
        self, accepted: socket.socket, address: Any, client: IAddress | None = None
    ) -> None:
        """
        Set up a connection; its failure does not stop the port.

        :param address: of the peer, as `socket.accept` has it.
        :param client: the address for the factory; None for that of the peer.
        """
        try:
            peer = self._peer(address)
            protocol = self.factory.buildProtocol(client or peer)  # type: ignore[union-attr]
            if protocol is None:
                accepted.close()
                return
            transport = self._make_transport(accepted, self.reactor, peer, self._limit)
        except Exception:
            self.log.failure("A connection could not be set up")
            accepted.close()
            return
        self._start(transport, protocol)

    def adopt(
        self, accepted: socket.socket, address: Any, make: MakeTransport, protocol: Any
    ) -> None:
        """
        Set up a connection with another transport and protocol than those of this port.

        :param address: of the peer, as `socket.accept` has it.
        :param make: makes the transport.
        """
        self._start(make(accepted, self.reactor, self._peer(address), self._limit), protocol)

    def _peer(self, address: Any) -> Any:
        """:return: the address of a peer, as transports have it."""
        if self.addressFamily == socket.AF_INET6 and address[3]:
            # A link-local address means nothing without its zone.
            zoned, _ = socket.getnameinfo(address, socket.NI_NUMERICHOST | socket.NI_NUMERICSERV)
            address = (zoned, *address[1:])
        return socket_address(self.addressFamily, address)

    def _start(self, transport: SocketTransport, protocol: Any) -> None:
        self._limit.opened(transport)
        try:
            transport.start(protocol)
        except Exception:
            self.log.failure("{transport} could not begin", transport=transport)
            transport.abortConnection()

    def _refused(self, error: OSError) -> None:
        """Pause: the system has no descriptor or no memory left."""
        self.stopReading()  # type: ignore[no-untyped-call]
        self._pause = self._clock.callLater(ACCEPT_PAUSE, self._end_pause)
        if self.now() >= self._told + TELL_INTERVAL:
            self._told = self.now()
            self.log.warn(
                "No connection can be accepted on {address}: {reason}; new ones wait",
                address=self._bound.address,
                reason=error.strerror,
            )

    def _end_pause(self) -> None:
        self._pause = None
        self.resume()


def maximum_backlog() -> int:
    """
    The longest queue of connections to accept that the system allows.

    With Twisted's 50, of 1,000 clients that connected at once 666 waited more than
    0.9 s, because their first segment was dropped; with 4096 none did.
    """
    try:
        with open("/proc/sys/net/core/somaxconn", encoding="ascii") as setting:
            return int(setting.read())
    except (OSError, ValueError):
        return 4096
