"""
The client of a connection, what is believed of it for each request, and the forwarded fields that
endpoints get.

The rules are in docs/compatibility.md, section 2.1, and section 5 ("Trust").
"""

from __future__ import annotations

from typing import Final

from ingress.believed_client import BelievedClient
from ingress.client_session import ClientSession
from ingress.config import Config
from ingress.exchange.forwarded import (
    Address,
    Networks,
    Said,
    has_x_forwarded,
    is_inside,
    joined,
    plain_address,
    read_forwarded,
    read_x_forwarded,
)
from ingress.message import Request
from ingress.recent_values import RecentValues

_MAX_KEPT: Final = 1024
"""
The most bytes of forwarded fields that are kept for the next request. An idle connection keeps
them, and clients can make them as long as a head.
"""


class _KnownAddress:
    """
    An address of clients: parsing one takes a tenth of what a connection costs. Its connections
    share what they keep of it.

    :param parsed: None for none.
    """

    __slots__ = ("_fields", "_fields_of", "_forwarded", "_forwarded_of", "name", "parsed", "text")

    def __init__(self, parsed: Address | None) -> None:
        self.parsed = parsed
        self.name = "" if parsed is None else str(parsed)
        self.text = self.name.encode("ascii")
        self._fields = b""
        self._fields_of = (-1, False)
        """The port and the security of the last connection, whose fields are `_fields`."""

        self._forwarded = b""
        self._forwarded_of = (b"", b"")
        """The fields and the authority of the last request, which `_forwarded` is made of."""

    def fields(self, port: int, *, is_secure: bool) -> bytes:
        """
        :param port: the public one of its connection.
        :return: the fields that say where a connection comes from.
        """
        key = (port, is_secure)
        if self._fields_of != key:
            self._fields = _connection_fields(self.text, port, is_secure=is_secure, chain=self.text)
            self._fields_of = key
        return self._fields

    def forwarded(self, fields: bytes, authority: bytes) -> bytes:
        """:return: all forwarded fields of a request that has none itself."""
        key = (fields, authority)
        if self._forwarded_of != key:
            forwarded = b"%bX-Forwarded-Host: %b\r\n" % key
            if len(forwarded) > _MAX_KEPT:
                return forwarded
            self._forwarded = forwarded
            self._forwarded_of = key
        return self._forwarded


_known: Final[RecentValues[str, _KnownAddress]] = RecentValues(4096)


def _parse(address: str) -> _KnownAddress:
    """:raises ValueError: if it is neither an address nor empty."""
    known = _known.get(address)
    if known is None:
        known = _KnownAddress(plain_address(address) if address else None)
        _known.put(address, known)
    return known


_NOBODY: Final = BelievedClient(b"", b"", b"", is_secure=False, is_trusted=False)


class Client:
    """
    The client of one connection.

    :param address: the peer's IP address; empty for a Unix socket, which has none. A mapped IPv4
        address counts as IPv4.
    :param is_secure: whether the client uses TLS.
    :param port: the peer's port; 0 if it has none.
    :ivar is_in_clear: whether the connection does not: a proxy in front may have ended TLS. Set by
        whoever knows of one.
    :ivar session: its handshake, if that has asked for a certificate; set before any request.
    """

    __slots__ = (
        "_authority",
        "_believed",
        "_config",
        "_fields",
        "_identity",
        "_is_trusted",
        "_known",
        "_names_address",
        "address",
        "is_in_clear",
        "is_secure",
        "port",
        "session",
    )

    def __init__(self, address: str, *, is_secure: bool, port: int = 0) -> None:
        known = self._known = _parse(address)
        self.address = known.text
        self.is_secure = is_secure
        self.is_in_clear = not is_secure
        self.port = port
        self.session: ClientSession | None = None
        self._config: Config | None = None
        self._fields = b""
        self._identity: object = None
        self._authority = b""
        """`_believed` was made for a request with this authority and this identity of fields."""

        self._believed = _NOBODY
        self._is_trusted = False
        self._names_address = False
        """Whether the address that the peer forwards is believed, and nothing else of it."""

    @property
    def name(self) -> str:
        """`address` as text."""
        return self._known.name

    def is_trusted_by(self, config: Config) -> bool:
        """Return whether the peer is a proxy whose forwarded fields are believed."""
        return self.is_inside(config.trusted_proxies)

    def names_clients_by(self, config: Config) -> bool:
        """Return whether the peer is a proxy that is believed about the addresses of clients."""
        return self.is_trusted_by(config) or self.is_inside(
            config.nginx.forwarded_for.address_proxies
        )

    def is_inside(self, networks: Networks) -> bool:
        """Return whether the peer's address lies in one of the networks."""
        parsed = self._known.parsed
        return parsed is not None and is_inside(parsed, networks)

    def believed(self, request: Request, config: Config) -> BelievedClient:
        """
        Decide what to believe of the client of one request.

        :param config: the configuration of the Snapshot that serves the request.
        """
        identity, authority = request.cache.identity, request.authority
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
            self._names_address = not self._is_trusted and self.names_clients_by(config)
            ports = config.public_ports
            port = ports.https if self.is_secure else ports.http
            self._fields = self._known.fields(port, is_secure=self.is_secure)
        if self._is_trusted:
            return self._believe_proxy(request, config)
        original = request.cache.forwarded
        if original is None:
            original = request.cache.forwarded = _original_forwarded(request)
        address, fields = self.address, self._fields
        if self._names_address:
            settings = config.nginx.forwarded_for
            named = read_x_forwarded(request, settings.address_proxies, settings.field).address
            if named is not None:
                ports = config.public_ports
                port = ports.https if self.is_secure else ports.http
                address = str(named).encode("ascii")
                fields = _connection_fields(address, port, is_secure=self.is_secure, chain=address)
        forwarded = self._known.forwarded(fields, request.authority)
        return BelievedClient(
            address,
            request.authority,
            forwarded + original if original else forwarded,
            is_secure=self.is_secure,
            is_trusted=False,
            session=self.session,
            port=self.port,
        )

    def _heard(self, request: Request, config: Config, standard: bytes) -> Said:
        """
        :param standard: the values of `Forwarded`; empty if it does not count.
        :return: what a trusted proxy says about its client.
        """
        if standard:
            return read_forwarded(standard, config.trusted_proxies)
        field = config.nginx.forwarded_for.field
        return read_x_forwarded(request, config.trusted_proxies, field)

    def _believe_proxy(self, request: Request, config: Config) -> BelievedClient:
        """Use the forwarded fields of a trusted proxy, each one if it is well-formed."""
        settings = config.nginx.forwarded_for
        standard = b"" if has_x_forwarded(request) else joined(request, b"forwarded")
        said = self._heard(request, config, standard)
        is_secure = self.is_secure if said.is_secure is None else said.is_secure
        authority = request.authority if said.host is None else said.host
        ports = config.public_ports
        port = said.port or (ports.https if is_secure else ports.http)
        address = self.address if said.address is None else str(said.address).encode("ascii")
        chain = joined(request, b"x-forwarded-for") if settings.is_full else b""
        fields = _connection_fields(
            address,
            port,
            is_secure=is_secure,
            chain=b"%b, %b" % (chain, self.address) if chain else address,
        )
        fields += b"X-Forwarded-Host: %b\r\n" % authority
        fields += _forwarded(said) if standard else _original_chain(request)
        return BelievedClient(
            address,
            authority,
            fields,
            is_secure=is_secure,
            is_trusted=True,
            session=self.session,
            port=self.port if said.address is None else 0,
        )


def _original_chain(request: Request) -> bytes:
    """Encode what a trusted proxy forwarded, each kind as one list."""
    chain = joined(request, b"x-forwarded-for")
    hosts = joined(request, b"x-forwarded-host")
    original = b"X-Original-Forwarded-For: %b\r\n" % chain if chain else b""
    return original + (b"X-Original-Forwarded-Host: %b\r\n" % hosts if hosts else b"")


def _forwarded(said: Said) -> bytes:
    """
    Encode `Forwarded` (RFC 7239) as far as it was believed. It is not passed on as it came:
    applications read its beginning first, which the client may have written itself.
    """
    pairs: list[bytes] = []
    if said.address is not None:
        node = b"%b" if said.address.version == 4 else b'"[%b]"'
        pairs.append(b"for=" + node % str(said.address).encode("ascii"))
    if said.host is not None:
        pairs.append(b'host="%b"' % said.host)
    if said.is_secure is not None:
        pairs.append(b"proto=https" if said.is_secure else b"proto=http")
    return b"Forwarded: %b\r\n" % b";".join(pairs) if pairs else b""


def _original_forwarded(request: Request) -> bytes:
    """Encode what a client that is not trusted claims to forward."""
    original = b""
    for key, _, value in request.fields:
        if key == b"x-forwarded-for":
            original += b"X-Original-Forwarded-For: %b\r\n" % value
        elif key == b"x-forwarded-host":
            original += b"X-Original-Forwarded-Host: %b\r\n" % value
    return original


def _connection_fields(address: bytes, port: int, *, is_secure: bool, chain: bytes) -> bytes:
    """
    :param address: of the client; empty if it has none.
    :param chain: the value of X-Forwarded-For.
    """
    scheme = b"https" if is_secure else b"http"
    client = b"X-Real-IP: %b\r\nX-Forwarded-For: %b\r\n" % (address, chain) if address else b""
    return client + (
        b"X-Forwarded-Port: %d\r\n"
        b"X-Forwarded-Proto: %b\r\nX-Forwarded-Scheme: %b\r\nX-Scheme: %b\r\n"
    ) % (port, scheme, scheme, scheme)
