"""
The ports of TCP and UDP services of all workers, which the control plane allows them to open.

Workers share each port (SO_REUSEPORT), and would share it with any other process of the same user.
So before they open one, the control plane makes sure that nobody else has it: it binds the port for
itself alone, and closes it again. A port that it cannot have is left out of what workers are told.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import ClassVar

from twisted.internet.interfaces import IReactorTime
from twisted.logger import Logger

from ingress.downstream.bound_socket import ListenError, bind, bind_datagrams
from ingress.listen_address import TCPAddress
from ingress.port_service import UDP, PortKey, PortService
from ingress.routing.snapshot import Snapshot
from ingress.serving.port_failures import PortFailures

Ports = Mapping[PortKey, PortService]


def try_port(service: PortService) -> None:
    """
    Make sure that no other process has a port.

    :raises ListenError: with the reason why it cannot be had.
    """
    address = TCPAddress(service.key.port, service.interface)
    if service.key.protocol == UDP:
        for found in bind_datagrams(address):
            found.close()
        return
    bound = bind(address)
    try:
        for each in bound:
            each.claim()
    except OSError as error:
        raise ListenError(error.strerror or str(error)) from None
    finally:
        for each in bound:
            each.close()


class PortClaims:
    """
    :param publish: publishes a Snapshot to the workers.
    :param claim: `try_port`.
    """

    log: ClassVar[Logger] = Logger()

    def __init__(
        self,
        clock: IReactorTime,
        publish: Callable[[Snapshot], None],
        claim: Callable[[PortService], None] = try_port,
    ) -> None:
        self._publish = publish
        self._claim = claim
        self._snapshot: Snapshot | None = None
        self._claimed: dict[PortKey, str] = {}
        """The interface of each port that the workers may open."""

        self._granted: Ports = {}
        self.failures = PortFailures(clock, self._again)

    def __repr__(self) -> str:
        return f"<PortClaims: {len(self._claimed)}>"

    def publish(self, snapshot: Snapshot) -> None:
        """Publish a Snapshot with the ports that can be had."""
        before, self._snapshot = self._snapshot, snapshot
        if before is None or before.ports is not snapshot.ports:
            self._look(snapshot.ports)
        self._publish(self._with_granted(snapshot))

    def _again(self) -> None:
        """Try the ports again that could not be had."""
        snapshot, granted = self._snapshot, self._granted
        if snapshot is not None:
            self._look(snapshot.ports)
            if self._granted is not granted:
                self._publish(self._with_granted(snapshot))

    def _with_granted(self, snapshot: Snapshot) -> Snapshot:
        granted = self._granted
        return snapshot if granted is snapshot.ports else replace(snapshot, ports=granted)

    def _look(self, ports: Ports) -> None:
        failures: dict[PortKey, str] = {}
        claimed: dict[PortKey, str] = {}
        for key, service in ports.items():
            if self._claimed.get(key) != service.interface:
                try:
                    self._claim(service)
                except ListenError as error:
                    failures[key] = str(error)
                    continue
                self.log.info("Listening on {service}", service=service)
            claimed[key] = service.interface
        for key in self._claimed.keys() - claimed.keys():
            self.log.info("Stopped listening on {port}", port=key)
        self._claimed = claimed
        granted = ports
        if failures:
            granted = {key: each for key, each in ports.items() if key in claimed}
        self._granted = self._granted if granted == self._granted else granted
        self.failures.note(failures)

    def stop(self) -> None:
        """Try nothing any more."""
        self.failures.stop()
