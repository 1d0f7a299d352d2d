"""
What a trusted proxy says of its client: `X-Forwarded-*`, or `Forwarded` (RFC 7239).

A list grows at its end, where each proxy adds whom it was asked by. So it is read from its end,
for as long as trusted proxies wrote it; what is before that is hearsay.
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
"""An IP address, with brackets or a port where that is not ambiguous (RFC 7239 section 6)."""

_PAIR: Final = re.compile(rb"([!#$%&'*+\-.^_`|~0-9A-Za-z]+)=(?:\"([^\"\\]*)\"|([^\"\\\s;,]+))")
_SCHEMES: Final = {b"http": False, b"ws": False, b"https": True, b"wss": True}
"""Some proxies name the scheme of a WebSocket (Traefik)."""


class Said:
    """
    What a trusted proxy says of one request; what it does not say, or says badly, is None.

    :ivar address: the last address that no trusted proxy has.
    :ivar is_secure: whether the client came over TLS.
    :ivar host: what it asked for, as in a Host field.
    :ivar port: that it came to.
    """

    __slots__ = ("address", "host", "is_secure", "port")

    def __init__(self) -> None:
        self.address: Address | None = None
        self.is_secure: bool | None = None
        self.host: bytes | None = None
        self.port: int | None = None

    def take_address(self, node: bytes, networks: Networks) -> bool:
        """
        :param node: a member of a list; the next one towards its beginning.
        :return: whether a trusted proxy has this address, so that it wrote what is before it.
        """
        address = node_address(node)
        if address is None:
            return False
        self.address = address
        return is_inside(address, networks)

    def take_scheme(self, value: bytes) -> None:
        """A scheme in any case, if it is one of HTTP's."""
        self.is_secure = _SCHEMES.get(value.lower(), self.is_secure)

    def take_host(self, value: bytes) -> None:
        """A host, with or without its port, if it is one."""
        if _HOST.fullmatch(value) is not None:
            self.host = value


def read_x_forwarded(request: Request, networks: Networks) -> Said:
    """
    Read `X-Forwarded-*`. Of hosts, ports and schemes the first counts, which the client's own
    proxy wrote.

    :param networks: the trusted proxies.
    """
    said = Said()
    chain = joined(request, b"x-forwarded-for")
    for member in _last_members(chain):
        if not said.take_address(member, networks):
            break
    said.take_scheme(_first_member(request.field(b"x-forwarded-proto")))
    said.take_host(_first_member(request.field(b"x-forwarded-host")))
    said.port = _port_number(_first_member(request.field(b"x-forwarded-port")))
    return said


def read_forwarded(value: bytes, networks: Networks) -> Said:
    """
    Read `Forwarded`. Host and scheme are those that the proxy next to the client wrote.

    Commas and semicolons always separate: no address, host or scheme has one, and a client that
    opens a quoted string cannot hide what proxies write behind it.

    :param value: of all its fields.
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
    """The parameters of a member of `Forwarded`, by name; None if one is malformed or repeated."""
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
    """Whether a request has any `X-Forwarded-*` field: then its `Forwarded` does not count."""
    return any(key.startswith(b"x-forwarded-") for key, _, _ in request.fields)


def joined(request: Request, name: bytes) -> bytes:
    """:return: the values of all fields of this lower-case name, which are one list."""
    return b",".join([value for key, _, value in request.fields if key == name])


def node_address(node: bytes) -> Address | None:
    """
    :param node: ``192.0.2.1``, ``192.0.2.1:4711``, ``2001:db8::1``, ``[2001:db8::1]:4711``.
    :return: its address; None for ``unknown``, names, and what makes no sense.
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
    """Without a zone, which means nothing elsewhere; IPv4 where it is mapped into IPv6."""
    address = ip_address(text.partition("%")[0])
    if isinstance(address, IPv6Address) and address.ipv4_mapped is not None:
        return address.ipv4_mapped
    return address


def is_inside(address: Address, networks: Networks) -> bool:
    """Whether an address lies in one of the networks."""
    return any(address in network for network in networks)


def _last_members(value: bytes) -> list[bytes]:
    """The last members of a list that are not empty (RFC 9110 section 5.6.1), from its end."""
    pieces = value.rsplit(b",", MAX_PROXIES)[-MAX_PROXIES:]
    return [member for piece in reversed(pieces) if (member := piece.strip(b" \t"))]


def _first_member(value: bytes | None) -> bytes:
    """The first member of a list that is not empty."""
    return (value or b"").lstrip(b", \t").partition(b",")[0].strip(b" \t")


def _port_number(text: bytes) -> int | None:
    port = int(text) if text.isdigit() and len(text) <= 5 else 0
    return port if 0 < port <= 65535 else None
