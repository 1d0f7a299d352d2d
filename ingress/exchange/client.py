"""
Who a client is, and what of that is believed: the forwarded fields of each request.

What is sent follows docs/compatibility.md, section 2.1; who is believed, section 5 ("Trust").
"""

from __future__ import annotations

import re
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address
from typing import Final

from ingress.believed_client import BelievedClient
from ingress.config import Config
from ingress.message import Request

_HOST: Final = re.compile(rb"(?:[A-Za-z0-9._-]{1,255}|\[[0-9A-Fa-f:.]{2,45}\])(?::[0-9]{1,5})?")
_MAX_PROXIES: Final = 32
"""Entries of X-Forwarded-For that are looked at; whoever wrote more is no proxy of ours."""

_MAX_KEPT: Final = 1024
"""
Bytes of forwarded fields that are kept for the next request: an idle connection has them. With
what strangers made up they can be as long as a head.
"""


class Client:
    """
    One client connection, as the fields towards endpoints describe it.

    :param address: the peer's IP address; empty for a Unix socket, whose client
        is then said to be nobody. A mapped IPv4 address counts as IPv4.
    :param is_secure: whether it came over TLS.
    """

    __slots__ = (
        "_address",
        "_authority",
        "_believed",
        "_config",
        "_fields",
        "_identity",
        "_is_trusted",
        "address",
        "is_secure",
    )

    def __init__(self, address: str, *, is_secure: bool) -> None:
        self._address = _plain_address(address) if address else None
        self.address = str(self._address).encode("ascii") if address else b""
        self.is_secure = is_secure
        self._config: Config | None = None
        self._fields = b""
        self._identity: object = None
        self._authority = b""
        """Of the request that `_believed` is of, like `_identity`, which its fields have."""

        self._believed = BelievedClient(b"", b"", b"", is_secure=False, is_trusted=False)
        self._is_trusted = False

    def is_trusted_by(self, config: Config) -> bool:
        """Whether it is one of the proxies whose forwarded fields are believed."""
        return self._address is not None and is_inside(self._address, config.trusted_proxies)

    def believed(self, request: Request, config: Config) -> BelievedClient:
        """
        Decide what to believe of the client of one request.

        :param config: of the Snapshot that the request is served from.
        """
        identity, authority = request.derived.identity, request.authority
        if identity is self._identity and authority == self._authority and config is self._config:
            return self._believed
        believed = self._believe(request, config)
        if len(believed.forwarded) <= _MAX_KEPT:
            self._identity, self._authority, self._believed = identity, authority, believed
        return believed

    def _believe(self, request: Request, config: Config) -> BelievedClient:
        if config is not self._config:
            self._config = config
            self._identity = None
            self._is_trusted = self.is_trusted_by(config)
            ports = config.public_ports
            port = ports.https if self.is_secure else ports.http
            self._fields = _connection_fields(self.address, port, is_secure=self.is_secure)
        if self._is_trusted:
            return self._believe_proxy(request, config)
        original = request.derived.forwarded
        if original is None:
            original = request.derived.forwarded = _original_forwarded(request)
        return BelievedClient(
            self.address,
            request.authority,
            b"%bX-Forwarded-Host: %b\r\n%b" % (self._fields, request.authority, original),
            is_secure=self.is_secure,
            is_trusted=False,
        )

    def _believe_proxy(self, request: Request, config: Config) -> BelievedClient:
        """The same with the forwarded fields of a trusted proxy, each where it is well-formed."""
        scheme = _first_entry(request.field(b"x-forwarded-proto")).lower()
        is_secure = scheme == b"https" if scheme in (b"http", b"https") else self.is_secure
        forwarded_host = request.field(b"x-forwarded-host") or b""
        host = _first_entry(forwarded_host)
        if not _HOST.fullmatch(host):
            host = request.authority
        port = _port_number(_first_entry(request.field(b"x-forwarded-port")))
        if port is None:
            ports = config.public_ports
            port = ports.https if is_secure else ports.http
        chain = b",".join(v for k, _, v in request.fields if k == b"x-forwarded-for")
        address = self._first_untrusted(chain, config)
        fields = _connection_fields(address, port, is_secure=is_secure)
        fields += b"X-Forwarded-Host: %b\r\n" % host
        if chain:
            fields += b"X-Original-Forwarded-For: %b\r\n" % chain
        if forwarded_host:
            fields += b"X-Original-Forwarded-Host: %b\r\n" % forwarded_host
        return BelievedClient(address, host, fields, is_secure=is_secure, is_trusted=True)

    def _first_untrusted(self, chain: bytes, config: Config) -> bytes:
        """The last address of X-Forwarded-For that no trusted proxy has."""
        found = self.address
        for entry in reversed(chain.rsplit(b",", _MAX_PROXIES)[-_MAX_PROXIES:]):
            try:
                address = _plain_address(entry.strip(b" \t").decode("ascii"))
            except ValueError:
                break
            found = str(address).encode("ascii")
            if not is_inside(address, config.trusted_proxies):
                break
        return found


def _plain_address(text: str) -> IPv4Address | IPv6Address:
    """Without a zone, which means nothing elsewhere; IPv4 where it is mapped into IPv6."""
    address = ip_address(text.partition("%")[0])
    if isinstance(address, IPv6Address) and address.ipv4_mapped is not None:
        return address.ipv4_mapped
    return address


def is_inside(
    address: IPv4Address | IPv6Address, networks: tuple[IPv4Network | IPv6Network, ...]
) -> bool:
    """Whether an address lies in one of the networks."""
    return any(address in network for network in networks)


def _first_entry(value: bytes | None) -> bytes:
    """Of a list, what the proxy nearest to the client said."""
    return (value or b"").partition(b",")[0].strip(b" \t")


def _port_number(text: bytes) -> int | None:
    port = int(text) if text.isdigit() and len(text) <= 5 else 0
    return port if 0 < port <= 65535 else None


def _original_forwarded(request: Request) -> bytes:
    """What a stranger said that it forwards."""
    original = b""
    for key, _, value in request.fields:
        if key == b"x-forwarded-for":
            original += b"X-Original-Forwarded-For: %b\r\n" % value
        elif key == b"x-forwarded-host":
            original += b"X-Original-Forwarded-Host: %b\r\n" % value
    return original


def _connection_fields(address: bytes, port: int, *, is_secure: bool) -> bytes:
    scheme = b"https" if is_secure else b"http"
    client = b"X-Real-IP: %b\r\nX-Forwarded-For: %b\r\n" % (address, address) if address else b""
    return client + (
        b"X-Forwarded-Port: %d\r\n"
        b"X-Forwarded-Proto: %b\r\nX-Forwarded-Scheme: %b\r\nX-Scheme: %b\r\n"
    ) % (port, scheme, scheme, scheme)
