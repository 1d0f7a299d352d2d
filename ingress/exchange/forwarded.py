"""
Reads what a trusted proxy says about its client: `X-Forwarded-*`, or `Forwarded` (RFC 7239).

A list grows at its end, where each proxy adds its own client. It is therefore read from the end,
as long as trusted proxies wrote it; everything before that is hearsay.
"""

from __future__ import annotations

import re
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address
from typing import Final

from ingress.message import Request

Address = IPv4Address | IPv6Address
Networks = tuple[IPv4Network | IPv6Network, ...]

MAX_PROXIES: Final = 32
"""Members of a list that are read; no chain of real proxies is longer."""

_HOST: Final = re.compile(rb"(?:[A-Za-z0-9._-]{1,255}|\[[0-9A-Fa-f:.]{2,45}\])(?::[0-9]{1,5})?")
_NODE: Final = re.compile(
    rb"(?:\[([0-9A-Fa-f:.]+(?:%[0-9A-Za-z._-]+)?)\]|([0-9.]+))(?::(?:[0-9]{1,5}|_[A-Za-z0-9._-]+))?"
    rb"|([0-9A-Fa-f:.]+(?:%[0-9A-Za-z._-]+)?)"
)
"""An IP address, with or without brackets and port (RFC 7239 section 6)."""

_PAIR: Final = re.compile(rb"([!#$%&'*+\-.^_`|~0-9A-Za-z]+)=(?:\"([^\"\\]*)\"|([^\"\\\s;,]+))")
_SCHEMES: Final = {b"http": False, b"ws": False, b"https": True, b"wss": True}
"""Whether a scheme is secure. Some proxies (Traefik) send the schemes of WebSockets."""


class Said:
    """
    What a trusted proxy says about one request; None for what is missing or malformed.

    :ivar address: the last address that is not that of a trusted proxy.
    :ivar is_secure: whether the client used TLS.
    :ivar host: the host that the client asked for, as in a Host field.
    :ivar port: the port that the client connected to.
    """

    __slots__ = ("address", "host", "is_secure", "port")

    def __init__(self) -> None:
        self.address: Address | None = None
        self.is_secure: bool | None = None
        self.host: bytes | None = None
        self.port: int | None = None

    def take_address(self, node: bytes, networks: Networks) -> bool:
        """
        Take the next address, in the direction of the beginning of the list.

        :return: whether it is that of a trusted proxy, so that the member before it counts, too.
        """
        address = node_address(node)
        if address is None:
            return False
        self.address = address
        return is_inside(address, networks)

    def take_scheme(self, value: bytes) -> None:
        """Take a scheme, in upper or lower case, if it is known."""
        self.is_secure = _SCHEMES.get(value.lower(), self.is_secure)

    def take_host(self, value: bytes) -> None:
        """Take a host, with or without a port, if it is valid."""
        if _HOST.fullmatch(value) is not None:
            self.host = value


def read_x_forwarded(
    request: Request, networks: Networks, address_field: bytes = b"x-forwarded-for"
) -> Said:
    """
    Read `X-Forwarded-*`. The first host, port and scheme count, which the proxy next to the client
    wrote.

    :param networks: the trusted proxies.
    :param address_field: the field with the addresses, in lower case.
    """
    said = Said()
    chain = joined(request, address_field)
    for member in _last_members(chain):
        if not said.take_address(member, networks):
            break
    said.take_scheme(_first_member(request.field(b"x-forwarded-proto")))
    said.take_host(_first_member(request.field(b"x-forwarded-host")))
    said.port = _port_number(_first_member(request.field(b"x-forwarded-port")))
    return said


def read_forwarded(value: bytes, networks: Networks) -> Said:
    """
    Read `Forwarded`. Host and scheme are those that the trusted proxy next to the client wrote.

    Commas and semicolons always separate, even in quoted strings: no address, host or scheme
    contains one, and a client that opens a quoted string cannot hide what proxies add after it.

    :param value: the values of all fields, joined.
    :param networks: the trusted proxies.
    """
    said = Said()
    for member in _last_members(value):
        pairs = _pairs(member)
        if pairs is None:
            break
        said.take_scheme(pairs.get(b"proto", b""))
        said.take_host(pairs.get(b"host", b""))
        if not said.take_address(pairs.get(b"for", b""), networks):
            break
    return said


def _pairs(member: bytes) -> dict[bytes, bytes] | None:
    """Parse the parameters of a member of `Forwarded`; None if one is malformed or repeated."""
    pairs: dict[bytes, bytes] = {}
    for text in member.split(b";"):
        text = text.strip(b" \t")
        if not text:
            continue
        match = _PAIR.fullmatch(text)
        if match is None or match[1].lower() in pairs:
            return None
        pairs[match[1].lower()] = match[3] if match[2] is None else match[2]
    return pairs


def has_x_forwarded(request: Request) -> bool:
    """Return whether a request has any `X-Forwarded-*` field, so that `Forwarded` is ignored."""
    return any(key.startswith(b"x-forwarded-") for key, _, _ in request.fields)


def joined(request: Request, name: bytes) -> bytes:
    """Join the values of all fields of this lower-case name into one list."""
    return b",".join([value for key, _, value in request.fields if key == name])


def node_address(node: bytes) -> Address | None:
    """
    :param node: ``192.0.2.1``, ``192.0.2.1:4711``, ``2001:db8::1``, ``[2001:db8::1]:4711``.
    :return: the address; None for ``unknown``, for names, and for malformed values.
    """
    match = _NODE.fullmatch(node)
    if match is None:
        return None
    text = match[1] or match[2] or match[3]
    try:
        return plain_address(text.decode("ascii"))
    except ValueError:
        return None


def plain_address(text: str) -> Address:
    """Parse an address, without its zone (which is local); a mapped IPv4 address becomes IPv4."""
    address = ip_address(text.partition("%")[0])
    if isinstance(address, IPv6Address) and address.ipv4_mapped is not None:
        return address.ipv4_mapped
    return address


def is_inside(address: Address, networks: Networks) -> bool:
    """Return whether an address lies in one of the networks."""
    return any(address in network for network in networks)


def _last_members(value: bytes) -> list[bytes]:
    """Return the last non-empty members of a list (RFC 9110 section 5.6.1), last one first."""
    pieces = value.rsplit(b",", MAX_PROXIES)[-MAX_PROXIES:]
    return [member for piece in reversed(pieces) if (member := piece.strip(b" \t"))]


def _first_member(value: bytes | None) -> bytes:
    """Return the first non-empty member of a list."""
    return (value or b"").lstrip(b", \t").partition(b",")[0].strip(b" \t")


def _port_number(text: bytes) -> int | None:
    port = int(text) if text.isdigit() and len(text) <= 5 else 0
    return port if 0 < port <= 65535 else None
