"""
The listeners of the configuration: bound at start, accepting after the first Snapshot.
"""

from __future__ import annotations

import resource
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from twisted.internet.defer import Deferred, gatherResults, maybeDeferred
from twisted.internet.interfaces import IProtocolFactory
from twisted.logger import Logger

from ingress.config import Listen, ListenerKind
from ingress.downstream.accepting_port import (
    AcceptingPort,
    MakeTransport,
    Opener,
)
from ingress.downstream.bound_socket import BoundSocket, ListenError, bind
from ingress.downstream.connection_limit import ConnectionLimit
from ingress.listen_address import AddressRefused, parse_listen_address
from ingress.transports.socket_transport import SocketTransport

ADMIN_CONNECTIONS = 256
"""
The limit of the admin listener, apart from `limits.connections`: few clients probe and
scrape, and each browser that shows the page has up to six. Beyond it the oldest connections
are cut (`YieldingLimit`), with answers that are under way.
"""

MIN_CONNECTIONS = 16
"""The limit of connections is never lower, however few descriptors there are."""

RESERVED_DESCRIPTORS = 256
"""For files, logs, watches and the reactor itself."""

DESCRIPTORS_WANTED = 1 << 20
"""
The limit is not raised beyond this. Containers often allow a thousand million, and some
programs close every descriptor that they may have.
"""


class Listener:
    """
    One key of ``listen``: its sockets, and their ports after the start.

    :param name: the key, such as ``http``.
    """

    log = Logger()

    def __init__(self, name: str, bound: Iterable[BoundSocket]) -> None:
        self.name = name
        self._bound = tuple(bound)
        self._ports: list[AcceptingPort] = []
        self._opener: Opener | None = None

    def __repr__(self) -> str:
        state = "listens" if self._ports else "bound"
        return f"<Listener {self.name}: {state} on {', '.join(self.addresses) or 'nothing'}>"

    @property
    def addresses(self) -> tuple[str, ...]:
        """The addresses as the log shows them; empty if the listener is switched off or stopped."""
        return tuple(one.address for one in self._bound)

    @property
    def port(self) -> int | None:
        """The number of the first TCP port, if there is one."""
        return next((one.port for one in self._bound if one.port is not None), None)

    @property
    def ports(self) -> tuple[int, ...]:
        """The numbers of all TCP ports of this listener."""
        return tuple(dict.fromkeys(one.port for one in self._bound if one.port is not None))

    @property
    def tcp_addresses(self) -> tuple[tuple[str, int], ...]:
        """``(host, port)`` of each TCP socket; zeros for every address of a family."""
        return tuple(
            (host, one.port) for one in self._bound if one.port is not None for host in one.hosts
        )

    def start(
        self,
        reactor: Any,
        factory: IProtocolFactory,
        limit: ConnectionLimit,
        make_transport: MakeTransport = SocketTransport,
    ) -> None:
        """
        Listen, and accept.

        :param reactor: an `IReactorFDSet` that is an `IReactorTime` as well.
        :param limit: may be shared with other listeners.
        :param make_transport: makes the transports of accepted connections.
        :raises ListenError: if another process listens on an address meanwhile.
        """
        for bound in self._bound:
            port = AcceptingPort(reactor, bound, factory, make_transport, limit)
            port.opener = self._opener
            try:
                port.startListening()
            except OSError as error:
                raise self._refusal(bound, error) from None
            self._ports.append(port)
            if not bound.is_twin:
                self._log_address(bound)

    def twin(self) -> Listener:
        """
        A listener for the same addresses in a worker (`BoundSocket.twin`). It logs nothing.

        :raises ListenError: if another process listens on one of them.
        """
        twins: list[BoundSocket] = []
        for bound in self._bound:
            try:
                twins.append(bound.twin())
            except OSError as error:
                for twin in twins:
                    twin.close()
                raise self._refusal(bound, error) from None
        return Listener(self.name, twins)

    def claim(self) -> None:
        """
        Make sure that no other process listens, before the twins do (`BoundSocket.claim`).

        :raises ListenError: if another process does.
        """
        for bound in self._bound:
            try:
                bound.claim()
            except OSError as error:
                raise self._refusal(bound, error) from None

    def log_addresses(self) -> None:
        """Log the addresses once for all twins, which listen by now."""
        for bound in self._bound:
            self._log_address(bound)

    def withdraw(self) -> None:
        """Stop listening in all processes, until `listen_again` (`BoundSocket.withdraw`)."""
        for bound in self._bound:
            bound.withdraw()

    def open_with(self, opener: Opener | None) -> None:
        """Have an opener read what the connections of its ports begin with; None for nobody."""
        self._opener = opener
        for port in self._ports:
            port.opener = opener

    def listen_again(self) -> None:
        """Have the ports that were withdrawn listen and accept again."""
        for port in self._ports:
            port.listen_again()

    def descriptors(self) -> list[int]:
        """The descriptors of the sockets, while it is neither started nor stopped."""
        return [bound.socket.fileno() for bound in self._bound]

    def _log_address(self, bound: BoundSocket) -> None:
        self.log.info("listen.{name} on {address}", name=self.name, address=bound.address)

    def _refusal(self, bound: BoundSocket, error: OSError) -> ListenError:
        return ListenError(f"listen.{self.name}: {bound.address}: {error.strerror}")

    def stop(self) -> Deferred[None]:
        """Stop accepting and close the sockets; open connections stay open."""
        ports, self._ports = self._ports, []
        for bound in self._bound[len(ports) :]:
            bound.close()
        self._bound = ()
        stopped = [maybeDeferred(port.stopListening) for port in ports]
        return gatherResults(stopped).addCallback(lambda _: None)


@dataclass(frozen=True, slots=True)
class Listeners:
    """The listeners by their kind; one that is switched off has no address."""

    by_kind: Mapping[ListenerKind, Listener]

    @property
    def http(self) -> Listener:
        """The listener of this kind."""
        return self.by_kind[ListenerKind.HTTP]

    @property
    def https(self) -> Listener:
        """The listener of this kind."""
        return self.by_kind[ListenerKind.HTTPS]

    @property
    def admin(self) -> Listener:
        """The listener of this kind."""
        return self.by_kind[ListenerKind.ADMIN]

    @property
    def for_clients(self) -> tuple[Listener, ...]:
        """The listeners of the data plane, which workers share."""
        return tuple(one for kind, one in self.by_kind.items() if kind.is_for_clients)

    @property
    def tcp_addresses(self) -> tuple[tuple[str, int], ...]:
        """``(host, port)`` of each TCP socket (`Listener.tcp_addresses`)."""
        return tuple(each for one in self.by_kind.values() for each in one.tcp_addresses)

    def twins(self, count: int) -> tuple[Listeners, ...]:
        """
        The listeners of each of `count` workers: those for clients (`Listener.twin`).

        :raises ListenError: if another process listens on one of their addresses; then
            no socket stays bound.
        """
        twins: list[Listeners] = []
        try:
            for _ in range(count):
                mine = {kind: Listener(kind, ()) for kind in self.by_kind}
                twins.append(Listeners(mine))
                for kind, one in self.by_kind.items():
                    if kind.is_for_clients:
                        mine[kind] = one.twin()
        except ListenError:
            for each in (*twins, self):
                each.stop()
            raise
        return tuple(twins)

    def withdraw(self) -> None:
        """Have the worker with these listeners get no new connections."""
        for one in self.for_clients:
            one.withdraw()

    def descriptors(self) -> list[int]:
        """The descriptors of all sockets, while they are neither started nor stopped."""
        return [number for one in self.by_kind.values() for number in one.descriptors()]

    def stop(self) -> Deferred[None]:
        """Stop all of them (`Listener.stop`)."""
        every = [one.stop() for one in self.by_kind.values()]
        return gatherResults(every).addCallback(lambda _: None)


def bind_listeners(listen: Listen, folder: Path) -> Listeners:
    """
    Bind every address of the configuration.

    :param folder: the base of relative paths after ``unix:``.
    :raises ListenError: with a line for each address that cannot be bound; then no
        socket stays bound.
    """
    bound: dict[ListenerKind, list[BoundSocket]] = {}
    failures: list[str] = []
    for kind, descriptions in listen.by_kind.items():
        bound[kind] = []
        for description in descriptions:
            try:
                found = bind(parse_listen_address(description, folder))
            except (AddressRefused, ListenError) as error:
                failures.append(f"listen.{kind}: {description}: {error}")
                continue
            for one in found:
                other = next((key for key in bound if _overlaps(bound[key], one)), None)
                if other is not None:
                    failures.append(f"listen.{kind}: {description}: listen.{other} is there too")
                bound[kind].append(one)
    if failures:
        for sockets in bound.values():
            for one in sockets:
                one.close()
        raise ListenError("\n".join(dict.fromkeys(failures)))
    return Listeners({kind: Listener(kind, sockets) for kind, sockets in bound.items()})


def _overlaps(sockets: Iterable[BoundSocket], other: BoundSocket) -> bool:
    return any(one.overlaps(other) for one in sockets)


def raise_descriptor_limit() -> int:
    """
    Raise the soft limit of open files towards the hard one.

    :return: the number of descriptors that the process may have.
    """
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = DESCRIPTORS_WANTED if hard == resource.RLIM_INFINITY else min(hard, DESCRIPTORS_WANTED)
    if soft != resource.RLIM_INFINITY and soft < wanted:
        try:
            resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))
        except (OSError, ValueError):
            return soft
        return wanted
    return DESCRIPTORS_WANTED if soft == resource.RLIM_INFINITY else soft


def room_for_connections(descriptors: int) -> int:
    """
    The number of client connections that so many descriptors allow.

    Each takes two: its own, and one to an endpoint.
    """
    return max(MIN_CONNECTIONS, (descriptors - RESERVED_DESCRIPTORS) // 2)
