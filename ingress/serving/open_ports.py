"""
The ports of TCP and UDP services of one process: opened and closed as Snapshots come.

A port that is closed cuts no connection: these go on to their own end. Sessions of UDP end with
their port, because replies come from its socket. A port that cannot be opened is reported, and
tried again.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar, Final

from twisted.internet.defer import Deferred, gatherResults, maybeDeferred
from twisted.logger import Logger

from ingress.downstream.accepting_port import AcceptingPort
from ingress.downstream.bound_socket import ListenError, bind, bind_datagrams
from ingress.downstream.opening import ListenerOpener
from ingress.downstream.port_factory import PortFactory
from ingress.listen_address import TCPAddress
from ingress.port_service import UDP, PortKey, PortService
from ingress.relay.udp_port import UDPPort
from ingress.relay.udp_sessions import UDPSessions
from ingress.serving.data_plane import DataPlane
from ingress.serving.port_failures import PortFailures
from ingress.transports.view_transport import ViewTransport

LAST_REPLIES: Final = 1.0
"""Seconds in which endpoints may still answer datagrams when the process ends."""


class _OpenPort:
    """One port that is open: its sockets, for one address or both families."""

    def __init__(
        self, service: PortService, accepting: list[AcceptingPort], receiving: list[UDPPort]
    ) -> None:
        self.interface = service.interface
        self.accepting = accepting
        self.receiving = receiving

    def open_with(self, opener: ListenerOpener | None) -> None:
        for port in self.accepting:
            port.opener = opener

    def close(self) -> Deferred[None]:
        for port in self.receiving:
            port.stop()
        stopped = [maybeDeferred(port.stopListening) for port in self.accepting]
        return gatherResults(stopped).addCallback(lambda _: None)


class OpenPorts:
    """
    :param plane: has the Snapshot, the clients and what relays share.
    :param sessions: all sessions of UDP of this process.
    :param is_shared: whether other workers open the same ports; then nothing is logged.
    """

    log: ClassVar[Logger] = Logger()

    def __init__(
        self, reactor: Any, plane: DataPlane, sessions: UDPSessions, *, is_shared: bool = False
    ) -> None:
        self._reactor = reactor
        self._plane = plane
        self.sessions = sessions
        self._is_shared = is_shared
        self._wanted: Mapping[PortKey, PortService] = {}
        self._open: dict[PortKey, _OpenPort] = {}
        self._is_started = False
        self._opener = ListenerOpener(
            reactor, plane.clients, plane.deadlines, "a TCP service", lambda config: True
        )
        """Takes the headers of the PROXY protocol off the connections that have one."""

        self.failures = PortFailures(reactor, self._follow)

    def __repr__(self) -> str:
        return f"<OpenPorts: {', '.join(map(str, self._open)) or 'none'}>"

    def start(self) -> None:
        """Open the ports, and from now on follow what is published."""
        self._is_started = True
        self._follow()

    def published(self, ports: Mapping[PortKey, PortService]) -> None:
        """:param ports: those of the Snapshot that was published."""
        if ports is not self._wanted:
            self._wanted = ports
            if self._is_started:
                self._follow()
        snapshot = self._plane.relays.snapshot
        if snapshot is not None:
            self._opener.apply(snapshot.config)
        self.sessions.published()

    def _follow(self) -> None:
        for key in [key for key, port in self._open.items() if not self._is_wanted(key, port)]:
            self._close(key)
        failures: dict[PortKey, str] = {}
        for key, service in self._wanted.items():
            if key not in self._open:
                try:
                    self._open[key] = self._opened(service)
                except ListenError as error:
                    failures[key] = str(error)
        for key, port in self._open.items():
            port.open_with(self._opener if self._wanted[key].proxy_in else None)
        self.failures.note(failures)

    def _is_wanted(self, key: PortKey, port: _OpenPort) -> bool:
        service = self._wanted.get(key)
        return service is not None and service.interface == port.interface

    def _close(self, key: PortKey) -> None:
        port = self._open.pop(key)
        port.close()
        if key.protocol == UDP:
            self.sessions.end_all([key])
            if not self._is_shared:
                self.log.info("Stopped listening on {port}", port=key)

    def _opened(self, service: PortService) -> _OpenPort:
        """:raises ListenError: with the reason."""
        address = TCPAddress(service.key.port, service.interface)
        if service.key.protocol == UDP:
            opened = _OpenPort(service, [], self._receive(service.key, address))
        else:
            opened = _OpenPort(service, self._accept(service.key, address), [])
        if not self._is_shared:
            self.log.info("Listening on {service}", service=service)
        return opened

    def _accept(self, key: PortKey, address: TCPAddress) -> list[AcceptingPort]:
        plane = self._plane
        factory = PortFactory(plane.clients, plane.relays, key)
        limit = plane.clients.connection_limit
        made = [
            AcceptingPort(self._reactor, bound, factory, ViewTransport, limit)
            for bound in bind(address, is_shared=self._is_shared)
        ]
        try:
            for port in made:
                port.startListening()
        except OSError as error:
            for port in made:
                port.give_up()
            raise ListenError(error.strerror or str(error)) from None
        return made

    def _receive(self, key: PortKey, address: TCPAddress) -> list[UDPPort]:
        found = bind_datagrams(address, is_shared=self._is_shared)
        relays, sessions = self._plane.relays, self.sessions
        ports = [UDPPort(self._reactor, each, key, relays, sessions) for each in found]
        for port in ports:
            port.start()
        return ports

    def stop(self) -> Deferred[None]:
        """
        Close the ports for new clients.

        :return: fires when that is done. Sessions of UDP are served until `end`.
        """
        self._is_started = False
        self.failures.stop()
        stopped = []
        for port in self._open.values():
            for each in port.receiving:
                each.pause()
            stopped += [maybeDeferred(each.stopListening) for each in port.accepting]
        return gatherResults(stopped).addCallback(lambda _: None)

    def end(self) -> None:
        """End the sessions of UDP, and close their sockets."""
        self.sessions.end_all()
        for port in self._open.values():
            for each in port.receiving:
                each.stop()
        self._open.clear()
