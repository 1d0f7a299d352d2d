"""
The opening of a connection: what is read of it before its transport and its protocol are made.

::

    accept ─► may its peer send a header? ─► header of the PROXY protocol ─► transport, protocol
                      │ no                       │ none, malformed, late
                      ▼                          ▼
                    closed                     closed

Listeners that do not ask for it have no opener, and their connections meet none of this. Exactly
the bytes of the header are taken from the socket: OpenSSL, which reads the socket itself, finds the
connection as if it began behind it.
"""

from __future__ import annotations

import socket
from collections.abc import Callable, Sequence
from typing import Any, Final

from twisted.internet.interfaces import IAddress
from twisted.logger import Logger
from twisted.python.failure import Failure
from zope.interface import implementer

from ingress.config import Config, ListenerKind
from ingress.deadline import Deadlines
from ingress.downstream.clients import Clients
from ingress.exchange.client import Client
from ingress.proxy_protocol import MAX_LENGTH, Header, HeaderRefused, read_header
from ingress.telemetry.record import ExchangeRecord

TELL_INTERVAL: Final = 60.0
"""Seconds between two lines of the log for the same reason, which clients can cause at will."""

UNTRUSTED: Final = "untrusted_proxy"
MALFORMED: Final = "proxy_header"
LATE: Final = "proxy_header_timeout"

REASONS: Final = {
    UNTRUSTED: "it may not send a header of the PROXY protocol (trusted-proxies)",
    MALFORMED: "its header of the PROXY protocol is missing or malformed",
    LATE: "no header of the PROXY protocol came in time (limits.proxy-protocol-header-timeout)",
}
"""Why connections are closed that do not begin as they must."""


@implementer(IAddress)
class ClientAddress:
    """
    The address of a client as the proxy in front says it, for factories of protocols.

    :ivar host: the IP address; empty if there is none.
    :ivar is_secure: whether that proxy has ended TLS for the client.
    """

    def __init__(self, host: str, *, is_secure: bool) -> None:
        self.host = host
        self.is_secure = is_secure


Connect = Callable[[socket.socket, Any, "IAddress | None"], None]
"""
Makes transport and protocol of an accepted socket with the address of its peer. The last argument
is the address of the client; None if it is that of the peer.
"""


class ListenerOpener:
    """
    Reads what the connections of one listener begin with (`accepting_port.Opener`).

    :param reactor: an `IReactorFDSet`.
    :param clients: count the connections.
    :param deadlines: end those that take too long.
    :param kind: the listener.
    """

    log = Logger()

    def __init__(
        self, reactor: Any, clients: Clients, deadlines: Deadlines, kind: ListenerKind
    ) -> None:
        self.reactor = reactor
        self.clients = clients
        self.deadlines = deadlines
        self.config = Config()
        """The configuration in force."""

        self._kind = kind
        self._told: dict[str, float] = {}

    def __repr__(self) -> str:
        return f"<ListenerOpener of listen.{self._kind}>"

    def apply(self, config: Config) -> bool:
        """
        Apply a new configuration.

        :return: whether there is anything to read of connections.
        """
        self.config = config
        return config.has_proxy_protocol(self._kind)

    def open(self, accepted: socket.socket, address: Any, connect: Connect) -> None:
        """
        Read what an accepted connection begins with, and go on with `connect`.

        :param address: of the peer, as `socket.accept` has it.
        """
        # A UNIX socket's peer has no address: the mode of its file says who may connect.
        host = address[0] if isinstance(address, tuple) else ""
        peer = Client(host, is_secure=False)
        if host and not peer.is_inside(self.config.proxy_protocol_peers):
            accepted.close()
            self.refuse(UNTRUSTED, host)
            return
        accepted.setblocking(False)
        Opening(self, accepted, address, connect, peer.address.decode("ascii")).begin()

    def refuse(self, reason: str, host: str, detail: str = "") -> None:
        """
        Count a connection that was closed, and tell it now and then.

        :param host: the IP address of its peer; empty for a UNIX socket.
        """
        self.clients.refused_openings[reason] += 1
        now = self.deadlines.now()
        if now >= self._told.get(reason, float("-inf")) + TELL_INTERVAL:
            self._told[reason] = now
            self.log.warn(
                "listen.{kind}: a connection from {host} was closed: {reason}{detail}"
                " (counted in txingress_refused_openings_total)",
                kind=self._kind,
                host=host or "a UNIX socket",
                reason=REASONS[reason],
                detail=f": {detail}" if detail else "",
            )


class Opening:
    """
    A connection while its beginning is read: a connection of a client (`ClientConnection`), and a
    descriptor of the reactor (`IReadDescriptor`).

    :param address: of the peer, as `socket.accept` has it.
    :param host: the IP address of the peer; empty for a UNIX socket.
    """

    def __init__(
        self,
        opener: ListenerOpener,
        accepted: socket.socket,
        address: Any,
        connect: Connect,
        host: str,
    ) -> None:
        self.address = host
        limits = opener.config.limits
        self.deadline = opener.deadlines.now() + limits.proxy_protocol_header_timeout
        self._opener = opener
        self._socket = accepted
        self._number = accepted.fileno()
        self._peer = address
        self._connect = connect
        self._header = b""
        """The beginning of a header that is not whole yet."""

        self._is_over = False
        self._is_watched = False

    def __repr__(self) -> str:
        return f"<Opening {self.address}>"

    def begin(self) -> None:
        """Read what is there; nearly always that is all that is needed."""
        self.doRead()
        if not self._is_over:
            self._is_watched = True
            opener = self._opener
            opener.clients.connections.add(self)
            opener.clients.connection_limit.opened(self)
            opener.deadlines.watch(self)
            opener.reactor.addReader(self)

    # ClientConnection.

    @property
    def activity(self) -> str:
        """ClientConnection."""
        return "reading"

    def in_flight(self) -> Sequence[ExchangeRecord]:
        """ClientConnection."""
        return ()

    def close_if_idle(self) -> None:
        """ClientConnection."""
        self._close()

    def cut(self) -> None:
        """ClientConnection."""
        self._close()

    def deadline_passed(self) -> None:
        """Timed."""
        self._refuse(LATE)

    # IReadDescriptor.

    def fileno(self) -> int:
        """IReadDescriptor: the same when the socket is closed, or another one's."""
        return self._number

    def logPrefix(self) -> str:
        """ILoggingContext."""
        return "Opening"

    def doRead(self) -> None:
        """IReadDescriptor."""
        try:
            self._read()
        except BlockingIOError:
            pass
        except HeaderRefused as error:
            self._refuse(MALFORMED, str(error))
        except OSError:
            self._close()

    def connectionLost(self, reason: Failure) -> None:
        """IReadDescriptor: the peer is gone."""
        self._close()

    def _read(self) -> None:
        """
        Read more of the header.

        :raises OSError: if there is nothing, or the connection is lost.
        :raises HeaderRefused: if it is none.
        """
        data = self._socket.recv(MAX_LENGTH, socket.MSG_PEEK)
        if not data:
            # Whoever looks whether the port is open sends nothing, and has done no wrong.
            if self._header:
                raise HeaderRefused("the connection ended within it")
            self._close()
            return
        before = len(self._header)
        whole = self._header + data
        found = read_header(whole)
        self._header = whole if found is None else b""
        self._socket.recv(len(data) if found is None else found.length - before)
        if found is not None:
            self._go_on(found)

    def _go_on(self, header: Header) -> None:
        """Make transport and protocol for the client that the header names."""
        self._leave()
        addresses = header.addresses
        client: ClientAddress | None = None
        if addresses is not None:
            https = self._opener.config.public_ports.https
            client = ClientAddress(
                str(addresses.source), is_secure=addresses.destination_port == https
            )
        self._connect(self._socket, self._peer, client)

    # Endings.

    def _refuse(self, reason: str, detail: str = "") -> None:
        self._opener.refuse(reason, self.address, detail)
        self._close()

    def _close(self) -> None:
        self._leave()
        self._socket.close()

    def _leave(self) -> None:
        """Watch the socket no more."""
        self._is_over = True
        if self._is_watched:
            self._is_watched = False
            opener = self._opener
            opener.reactor.removeReader(self)
            opener.deadlines.forget(self)
            opener.clients.connection_limit.closed(self)
            opener.clients.connections.discard(self)
