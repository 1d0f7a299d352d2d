"""
The addresses at which this proxy itself can be reached: no endpoint may be one of them.

An endpoint that leads back to a listener would send each request round until all connections
are taken.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import field, replace

from ingress.address import is_loopback, pack_plain_address
from ingress.frozen import dataclass

PackedAddress = tuple[bytes, int]
"""``(address, port)`` with the bytes of an IP address; those of IPv4 if it is mapped into IPv6."""

_LOOPBACK = {4: b"\x7f\0\0\1", 16: b"\1".rjust(16, b"\0")}
"""By the size of an address: what a connection to the unspecified address leads to."""


@dataclass(frozen=True, slots=True)
class OwnAddresses:
    """What is known of our own addresses at one moment."""

    listeners: frozenset[PackedAddress] = frozenset()
    """Where we listen; only zeros for every local address of the family."""

    local: frozenset[bytes] = frozenset()
    """The addresses of this machine, or of its network namespace."""

    front: frozenset[PackedAddress] = frozenset()
    """The addresses in front of us: those of a Service and its load balancers."""

    tcp_services: frozenset[int] = frozenset()
    """The ports of TCP services, which are open at every local address."""

    udp_services: frozenset[int] = frozenset()
    """The same for UDP."""

    ports: frozenset[int] = field(init=False, repr=False, compare=False)
    """Every port of TCP of these: almost no endpoint has one of them."""

    def __post_init__(self) -> None:
        ports = frozenset(port for _, port in self.listeners | self.front)
        object.__setattr__(self, "ports", ports | self.tcp_services)

    def claim(self, host: str, port: int, *, is_udp: bool = False) -> str:
        """
        :param host: an IP address, or a name; of names only ``localhost`` is known here.
        :return: what of ours an endpoint is; empty if it is none.
        """
        if port not in (self.udp_services if is_udp else self.ports):
            return ""
        packed = pack_plain_address("127.0.0.1" if host.lower() == "localhost" else host)
        if packed is None:
            return ""
        if not is_udp and (packed, port) in self.front:
            return "an address of the Service in front of this proxy"
        if not any(packed):
            packed = _LOOPBACK[len(packed)]
        is_local = packed in self.local or is_loopback(packed)
        if is_local and port in (self.udp_services if is_udp else self.tcp_services):
            return f"a {'UDP' if is_udp else 'TCP'} service of this proxy"
        if is_udp:
            return ""
        every = (bytes(len(packed)), port)
        if (packed, port) in self.listeners or (is_local and every in self.listeners):
            return "a listener of this proxy"
        return ""

    def with_front(self, front: frozenset[PackedAddress]) -> OwnAddresses:
        """:return: the same with other addresses in front of us."""
        return self if front == self.front else replace(self, front=front)

    def with_local(self, local: frozenset[bytes]) -> OwnAddresses:
        """:return: the same with other local addresses; the same object if they are equal."""
        return self if local == self.local else replace(self, local=local)


NO_ADDRESSES = OwnAddresses()


def pack_all(addresses: Iterable[tuple[str, int]]) -> frozenset[PackedAddress]:
    """:param addresses: ``(host, port)``; hosts that are not IP addresses are left out."""
    packed = ((pack_plain_address(host), port) for host, port in addresses)
    return frozenset((host, port) for host, port in packed if host is not None)
