"""
Who gets which answers of the admin listener.

Probes and metrics are for everybody. All else shows what is served, and is for this machine and
for the clients of the configuration, and only under one of our own names (`host_check`).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from ipaddress import IPv4Network, IPv6Network, ip_address
from typing import Final

from ingress.address import is_loopback
from ingress.admin.host_check import HostCheck, Refusal

Networks = Sequence[IPv4Network | IPv6Network]

OPEN_PATHS: Final = frozenset({b"/healthz", b"/readyz", b"/metrics"})
"""The paths that answer every client under any name."""

_REFUSED: Final = (
    403,
    "this client may only ask for /healthz, /readyz and /metrics; "
    "admin.clients in the configuration can list its address",
)


class AccessCheck:
    """
    :param hosts: knows our own names.
    :param clients: returns those of the configuration.
    :param health_path: a further path that is for everybody; empty for none.
    """

    def __init__(
        self,
        hosts: HostCheck | None = None,
        clients: Callable[[], Networks] = tuple,
        health_path: str = "",
    ) -> None:
        self._hosts = hosts if hosts is not None else HostCheck()
        self._clients = clients
        self._open_paths = OPEN_PATHS | {health_path.encode()} if health_path else OPEN_PATHS

    def refusal(
        self,
        path: bytes,
        hosts: Sequence[bytes],
        origins: Sequence[bytes],
        own_address: str,
        client: str,
    ) -> Refusal | None:
        """
        :param path: the path of the request.
        :param hosts: its Host fields.
        :param origins: its Origin fields.
        :param own_address: the address that the client has connected to; empty for a UNIX socket.
        :param client: the address of the client; empty for a UNIX socket, whose file says who may
            connect.
        :return: None if the request may be answered.
        """
        if path in self._open_paths:
            return None
        if client and not self._may_ask(client):
            return _REFUSED
        return self._hosts.refusal(hosts, origins, own_address)

    def _may_ask(self, client: str) -> bool:
        try:
            address = ip_address(client.partition("%")[0])
        except ValueError:
            return False
        if is_loopback(address.packed):
            return True
        mapped = getattr(address, "ipv4_mapped", None)
        return any((mapped or address) in network for network in self._clients())
