"""
Making connections: to an address, and with TLS up to the end of the handshake.
"""

from __future__ import annotations

import errno
import os
import socket
from collections.abc import Callable
from typing import Any

from twisted.internet.abstract import isIPAddress, isIPv6Address
from twisted.internet.address import IPv4Address, IPv6Address
from twisted.internet.error import (
    ConnectBindError,
    ConnectError,
    TimeoutError,
    UserError,
    getConnectError,
)
from twisted.internet.interfaces import IConnector, IDelayedCall, IReadWriteDescriptor
from twisted.internet.protocol import ClientFactory
from twisted.python.failure import Failure
from zope.interface import implementer

from ingress.transports.socket_transport import SocketTransport
from ingress.transports.stream import TransportOwner
from ingress.transports.tls_transport import TLSTransport

_UNDER_WAY = (errno.EINPROGRESS, errno.EALREADY, errno.EWOULDBLOCK)


MakeTransport = Callable[[socket.socket, Any, Any, TransportOwner], SocketTransport]
"""Makes a transport as `SocketTransport` itself does."""


class HandshakeFailed(ConnectError):
    """TCP has connected, but the TLS handshake has failed."""


@implementer(IConnector)
class Connector(TransportOwner):
    """
    One connection at a time, as `IReactorTCP.connectTCP` makes it: the factory gets the result,
    good or bad, after `connect` has returned.

    Nothing is left of an attempt that has failed, and of a connection that is over, but what the
    caller keeps: there are no cycles, which only the garbage collector could free.

    :param host: an IP address, or a name that the reactor then resolves.
    :param factory: may have the attribute ``preface``: bytes that are sent before everything
        else, also before TLS.
    :param timeout: in seconds, for the name, the connection and the handshake together.
    :param make_transport: makes the transport; ``partial(TLSTransport, side)`` for TLS.
    """

    def __init__(
        self,
        reactor: Any,
        host: str,
        port: int,
        factory: ClientFactory[Any],
        timeout: float,
        make_transport: MakeTransport = SocketTransport,
    ) -> None:
        self.transport: SocketTransport | None = None
        self._reactor = reactor
        self._host = host
        self._port = port
        self._factory = factory
        self._timeout = timeout
        self._make_transport = make_transport
        self._preface: bytes = getattr(factory, "preface", b"")
        """Sent before everything else, TLS included."""

        self._attempt: _Attempt | None = None
        self._timer: IDelayedCall | None = None
        self._resolving: Any = None
        self._is_connecting = False

    def __repr__(self) -> str:
        return f"<Connector to {self._host}:{self._port} {self._attempt or self.transport}>"

    def getDestination(self) -> IPv4Address | IPv6Address:
        """IConnector."""
        kind = IPv6Address if isIPv6Address(self._host) else IPv4Address
        return kind("TCP", self._host, self._port)

    def connect(self) -> None:
        """
        Begin (`IConnector`).

        :raises RuntimeError: unless it is over or has never begun.
        """
        if self._is_connecting or self.transport is not None:
            raise RuntimeError(f"{self} has begun already")
        self._is_connecting = True
        self._factory.doStart()
        self._timer = self._reactor.callLater(self._timeout, self._timed_out)
        self._factory.startedConnecting(self)
        if not self._is_connecting:
            return
        if isIPAddress(self._host) or isIPv6Address(self._host):
            self._try(self._host)
        else:
            self._resolving = self._reactor.resolve(self._host)
            self._resolving.addCallbacks(self._try, self._fail)

    def stopConnecting(self) -> None:
        """Give the attempt up (`IConnector`)."""
        self._fail(Failure(UserError()))

    def disconnect(self) -> None:
        """Give the attempt up, or close the connection (`IConnector`)."""
        if self._is_connecting:
            self.stopConnecting()
        elif self.transport is not None:
            self.transport.loseConnection()

    def _timed_out(self) -> None:
        self._timer = None
        self._fail(Failure(TimeoutError()))

    def _try(self, address: str) -> None:
        if self._is_connecting:
            self._resolving = None
            self._attempt = _Attempt(self._reactor, address, self._port, self._tried)
            self._attempt.begin()

    def _tried(self, result: socket.socket | Exception, name: Any) -> None:
        """
        The attempt is over.

        :param name: what it has connected to, as the system writes it.
        """
        self._attempt = None
        if isinstance(result, Exception):
            self._fail(Failure(result))
            return
        if self._preface and not _send_at_once(result, self._preface):
            result.close()
            self._fail(Failure(ConnectError(string="it takes no header")))
            return
        kind = IPv6Address if len(name) > 2 else IPv4Address
        peer = kind("TCP", *name)
        transport = self.transport = self._make_transport(result, self._reactor, peer, self)
        transport.begin()

    def transport_ready(self, transport: SocketTransport) -> None:
        """TransportOwner: there is a connection."""
        self._end_attempt()
        protocol = self._factory.buildProtocol(transport.getPeer())
        if protocol is None:
            transport.loseConnection()
        else:
            transport.start(protocol)

    def transport_lost(self, transport: SocketTransport, reason: Failure) -> None:
        """TransportOwner."""
        self.transport = None
        if self._is_connecting:
            fault = transport.fault if isinstance(transport, TLSTransport) else ""
            error = HandshakeFailed(string=fault or str(reason.value))  # type: ignore[no-untyped-call]
            self._fail(Failure(error))
            return
        self._factory.clientConnectionLost(self, reason)
        self._over()

    def _end_attempt(self) -> None:
        self._is_connecting = False
        timer, self._timer = self._timer, None
        if timer is not None:
            timer.cancel()
        resolving, self._resolving = self._resolving, None
        if resolving is not None:
            resolving.cancel()

    def _fail(self, reason: Failure) -> None:
        if not self._is_connecting:
            return
        self._end_attempt()
        attempt, self._attempt = self._attempt, None
        if attempt is not None:
            attempt.cancel()
        transport, self.transport = self.transport, None
        if transport is not None:
            transport.owner = None
            transport.connectionLost(reason)
        self._factory.clientConnectionFailed(self, reason)
        self._over()

    def _over(self) -> None:
        """Tell the factory so, unless it has begun anew."""
        if not self._is_connecting:
            self._factory.doStop()


def _send_at_once(sock: socket.socket, data: bytes) -> bool:
    """
    Send a few bytes as the first ones of a connection, for which a socket always has room.

    :return: whether they are sent.
    """
    try:
        return sock.send(data) == len(data)
    except OSError:
        return False


def connect(
    reactor: Any,
    host: str,
    port: int,
    factory: ClientFactory[Any],
    timeout: float,
    make_transport: MakeTransport = SocketTransport,
) -> Connector:
    """
    Connect as a `Connector` does.

    :param reactor: an `IReactorFDSet` that is an `IReactorTime` as well.
    """
    connector = Connector(reactor, host, port, factory, timeout, make_transport)
    connector.connect()
    return connector


@implementer(IReadWriteDescriptor)
class _Attempt:
    """
    A socket that connects. The reactor tells of the end, never `begin` itself.

    :param done: called with the socket, or why there is none, and the name of the peer.
    """

    def __init__(
        self, reactor: Any, address: str, port: int, done: Callable[[Any, Any], None]
    ) -> None:
        self._reactor = reactor
        self._done: Callable[[Any, Any], None] | None = done
        self._name: Any = (address, port)
        self._socket: socket.socket | None = None
        self._is_v6 = isIPv6Address(address)

    def __repr__(self) -> str:
        return f"<_Attempt on {self._name}>"

    def begin(self) -> None:
        """Connect; `done` is called later."""
        try:
            if self._is_v6:
                # With the number of a zone, if it has one.
                flags = socket.AI_NUMERICHOST | socket.AI_NUMERICSERV
                host, port = self._name
                self._name = socket.getaddrinfo(host, port, flags=flags)[0][4]
            family = socket.AF_INET6 if self._is_v6 else socket.AF_INET
            self._socket = socket.socket(family, socket.SOCK_STREAM)
            self._socket.setblocking(False)
            # Small segments are sent at once: protocols here write whole messages (RFC 9293
            # section 3.7.4).
            self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        except OSError as error:
            self._fail_later(ConnectBindError(error.errno, error.strerror))
            return
        number = self._socket.connect_ex(self._name)
        if number and number not in _UNDER_WAY:
            self._fail_later(getConnectError((number, os.strerror(number))))
        else:
            self._reactor.addWriter(self)

    def cancel(self) -> None:
        """Close the socket; `done` is not called."""
        self._done = None
        sock = self._take()
        if sock is not None:
            sock.close()

    def _take(self) -> socket.socket | None:
        """Watch the socket no more."""
        sock = self._socket
        if sock is not None:
            self._reactor.removeWriter(self)
            self._socket = None
        return sock

    def _fail_later(self, error: Exception) -> None:
        self._reactor.callLater(0, self._end, error)

    def _end(self, error: Exception | None) -> None:
        done, self._done = self._done, None
        sock = self._take()
        if done is None:
            return
        if error is None:
            done(sock, self._name)
            return
        if sock is not None:
            sock.close()
        done(error, self._name)

    # IReadWriteDescriptor.

    def fileno(self) -> int:
        """IFileDescriptor."""
        return -1 if self._socket is None else self._socket.fileno()

    def doWrite(self) -> None:
        """The socket is connected, or has failed (`IWriteDescriptor`)."""
        if self._socket is None:
            return
        number = self._socket.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
        self._end(getConnectError((number, os.strerror(number))) if number else None)

    def doRead(self) -> None:
        """IReadDescriptor: it is not read."""

    def connectionLost(self, reason: Failure) -> None:
        """The socket has failed (`IFileDescriptor`)."""
        if self._socket is None:
            return
        number = self._socket.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
        self._end(getConnectError((number, os.strerror(number) if number else str(reason.value))))

    def logPrefix(self) -> str:
        """ILoggingContext."""
        return "-"
