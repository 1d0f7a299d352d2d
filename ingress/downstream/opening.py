"""
The opening of a connection: what is read of it before its transport and its protocol are made.

::

    accept ─► header of the PROXY protocol ─► ClientHello ─┬─► transport and protocol of the port
                 │ from a stranger, none,         │ late   └─► a relay: TLS is passed through
                 ▼ malformed, late                ▼
               closed                           closed

Listeners that do not ask for it have no opener, and their connections meet none of this. Exactly
the bytes of the header are taken from the socket, and none of the ClientHello: whoever reads the
socket next, OpenSSL or a relay, finds the connection as if it began there.
"""

from __future__ import annotations

import select
import socket
from collections.abc import Callable, Sequence
from typing import Any, Final

from twisted.internet.interfaces import IAddress, IDelayedCall
from twisted.logger import Logger
from twisted.python.failure import Failure
from zope.interface import implementer

from ingress.client_hello import MAX_RECORDS, HelloReader
from ingress.config import Config
from ingress.deadline import NEVER, Deadlines
from ingress.downstream.accepting_port import AcceptingPort
from ingress.downstream.clients import Clients
from ingress.downstream.passthrough import PassedConnections
from ingress.exchange.client import Client
from ingress.proxy_protocol import MAX_LENGTH, Addresses, Header, HeaderRefused, read_header
from ingress.telemetry.record import ExchangeRecord

TELL_INTERVAL: Final = 60.0
"""Seconds between two lines of the log for the same reason, which clients can cause at will."""

UNTRUSTED: Final = "untrusted_proxy"
MALFORMED: Final = "proxy_header"
LATE: Final = "proxy_header_timeout"
HELLO_LATE: Final = "client_hello_timeout"

REASONS: Final = {
    UNTRUSTED: "it may not send a header of the PROXY protocol (trusted-proxies)",
    MALFORMED: "its header of the PROXY protocol is missing or malformed",
    LATE: "no header of the PROXY protocol came in time (limits.proxy-protocol-header-timeout)",
    HELLO_LATE: "no whole ClientHello came in time (limits.tls-handshake-timeout)",
}
"""Why connections are closed that do not begin as they must."""


PAUSE: Final = 0.05
"""Seconds before another look at a ClientHello where the system cannot wait for so many bytes."""

_ENDED: Final = getattr(select, "POLLRDHUP", 0)
"""Only Linux has it. Elsewhere the deadline ends who has sent half a ClientHello."""


@implementer(IAddress)
class ClientAddress:
    """
    The address of a client as the proxy in front says it, for factories of protocols.

    :ivar host: the IP address.
    :ivar is_secure: whether that proxy has ended TLS for the client.
    """

    def __init__(self, addresses: Addresses, *, is_secure: bool) -> None:
        self.addresses = addresses
        self.host = str(addresses.source)
        self.port = addresses.source_port
        self.is_secure = is_secure


class ListenerOpener:
    """
    Reads what the connections of one listener begin with (`accepting_port.Opener`).

    :param reactor: an `IReactorFDSet`.
    :param clients: count the connections.
    :param deadlines: end those that take too long.
    :param name: what the log calls the listener.
    :param wants_header: whether its connections begin with a header of the PROXY protocol.
    :param passed: passes on connections by the name in their ClientHello; None if they have none.
    """

    log = Logger()

    def __init__(
        self,
        reactor: Any,
        clients: Clients,
        deadlines: Deadlines,
        name: str,
        wants_header: Callable[[Config], bool],
        passed: PassedConnections | None = None,
    ) -> None:
        self.reactor = reactor
        self.clients = clients
        self.deadlines = deadlines
        self.config = Config()
        """The configuration in force."""

        self.passed: PassedConnections | None = None
        """None as well while no host is passed through."""

        self.has_header = False
        """Whether connections begin with a header of the PROXY protocol."""

        self._name = name
        self._wants_header = wants_header
        self._passed = passed
        self._told: dict[str, float] = {}

    def __repr__(self) -> str:
        return f"<ListenerOpener of {self._name}>"

    def apply(self, config: Config) -> bool:
        """
        Apply a new configuration and the hosts of a new Snapshot.

        :return: whether there is anything to read of connections.
        """
        self.config = config
        self.has_header = self._wants_header(config)
        passed = self._passed
        self.passed = passed if passed is not None and passed.has_hosts else None
        return self.has_header or self.passed is not None

    def open(self, port: AcceptingPort, accepted: socket.socket, address: Any) -> None:
        """`accepting_port.Opener`."""
        # A UNIX socket's peer has no address: the mode of its file says who may connect.
        host = address[0] if isinstance(address, tuple) else ""
        peer = Client(host, is_secure=False)
        if self.has_header and host and not peer.is_inside(self.config.proxy_protocol_peers):
            accepted.close()
            self.refuse(UNTRUSTED, host)
            return
        accepted.setblocking(False)
        Opening(self, port, accepted, address, peer).begin()

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
                "{name}: a connection from {host} was closed: {reason}{detail}"
                " (counted in txingress_refused_openings_total)",
                name=self._name,
                host=host or "a UNIX socket",
                reason=REASONS[reason],
                detail=f": {detail}" if detail else "",
            )


class Opening:
    """
    A connection while its beginning is read: a connection of a client (`ClientConnection`), and a
    descriptor of the reactor (`IReadDescriptor`).

    :param port: has accepted it.
    :param address: of the peer, as `socket.accept` has it.
    :param client: the peer, until a header names somebody else.
    """

    def __init__(
        self,
        opener: ListenerOpener,
        port: AcceptingPort,
        accepted: socket.socket,
        address: Any,
        client: Client,
    ) -> None:
        self.address = client.name
        self.deadline = NEVER
        self._peer_client = client
        self._opener = opener
        self._port = port
        self._socket = accepted
        self._number = accepted.fileno()
        self._peer = address
        self._named: ClientAddress | None = None
        """The client of the header."""

        self._header = b""
        """The beginning of a header that is not whole yet."""

        self._hello: HelloReader | None = None
        """Reads the ClientHello; None before."""

        self._seen = 0
        """Bytes of the ClientHello that had come when it was last looked at."""

        self._pause: IDelayedCall | None = None
        self._is_over = False
        self._is_watched = False

    def __repr__(self) -> str:
        return f"<Opening {self.address}>"

    def begin(self) -> None:
        """Read what is there; nearly always that is all that is needed."""
        opener = self._opener
        if opener.has_header:
            limits = opener.config.limits
            self.deadline = opener.deadlines.now() + limits.proxy_protocol_header_timeout
        else:
            self._expect_hello()
        self.doRead()
        if self._is_over:
            return
        if not opener.clients.admission.may_wait(self._peer_client):
            self._close()
        else:
            self._is_watched = True
            opener.clients.connections.add(self)
            opener.clients.connection_limit.opened(self)
            opener.deadlines.watch(self)
            if self._pause is None:
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
        self._refuse(LATE if self._hello is None else HELLO_LATE)

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
        Read more of what is to come.

        :raises OSError: if there is nothing, or the connection is lost.
        :raises HeaderRefused: if there is no header where one must be.
        """
        if self._hello is None:
            self._read_header()
        if self._hello is not None and not self._is_over:
            self._read_hello(self._hello)

    def _read_header(self) -> None:
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
            self._take_header(found)

    def _take_header(self, header: Header) -> None:
        """Go on with the client that the header names."""
        opener = self._opener
        addresses = header.addresses
        if addresses is not None:
            is_secure = addresses.destination_port == opener.config.public_ports.https
            self._named = ClientAddress(addresses, is_secure=is_secure)
        if opener.passed is None:
            self._go_on()
        else:
            self._expect_hello()

    def _expect_hello(self) -> None:
        opener = self._opener
        self._hello = HelloReader()
        self.deadline = opener.deadlines.now() + opener.config.limits.tls_handshake_timeout

    def _read_hello(self, hello: HelloReader) -> None:
        """Look at the ClientHello, which stays in the socket."""
        data = self._socket.recv(MAX_RECORDS, socket.MSG_PEEK)
        hello.read(data)
        if hello.is_over:
            self._go_on(hello.server_name)
        elif not data or (len(data) == self._seen and has_ended(self._socket)):
            self._close()
        elif len(data) == self._seen or self._socket.family == socket.AF_UNIX:
            # The system wakes us for less than we want: look again in a while.
            self._seen = len(data)
            self._wait()
        else:
            self._seen = len(data)
            self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVLOWAT, hello.needed)

    def _wait(self) -> None:
        reactor = self._opener.reactor
        reactor.removeReader(self)
        self._pause = reactor.callLater(PAUSE, self._end_pause)

    def _end_pause(self) -> None:
        self._pause = None
        self._opener.reactor.addReader(self)

    def _go_on(self, server_name: bytes | None = None) -> None:
        """Give the connection to who serves it."""
        self._leave()
        if self._seen:
            self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVLOWAT, 1)
        passed = self._opener.passed
        found = None if passed is None else passed.find(server_name)
        if passed is None or found is None:
            self._port.connect(self._socket, self._peer, self._named)
        else:
            passed.begin(self._port, self._socket, self._peer, self._named, found)

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
        if self._pause is not None:
            self._pause.cancel()
            self._pause = None
        if self._is_watched:
            self._is_watched = False
            opener = self._opener
            opener.reactor.removeReader(self)
            opener.deadlines.forget(self)
            opener.clients.connection_limit.closed(self)
            opener.clients.connections.discard(self)


def has_ended(sock: socket.socket) -> bool:
    """Whether the peer sends no more, even if something is left to be read."""
    poll = select.poll()
    poll.register(sock, _ENDED)
    return bool(poll.poll(0))
