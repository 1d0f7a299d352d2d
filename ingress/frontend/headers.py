"""
The fields of a request towards the endpoint, and of a response towards the client.

What is sent follows docs/compatibility.md, section 2.1; who is believed, section 5
("Trust"); what stays on its hop, RFC 9110 section 7.6.1.
"""

from __future__ import annotations

import re
from functools import lru_cache
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address

import msgspec
from twisted.web.http import datetimeToString

from ingress.answer import Answer
from ingress.config import Config
from ingress.http1.body import Trailers
from ingress.message import Derived, EncodedFields, Request, Response

FieldLines = list[tuple[bytes, bytes]]
"""Fields on their way out: ``(name, value)``, in order and number."""

HOP_BY_HOP = frozenset(
    {
        b"connection",
        b"keep-alive",
        b"proxy-connection",
        b"te",
        b"trailer",
        b"transfer-encoding",
        b"upgrade",
    }
)

_FORWARDED = frozenset(
    {
        b"forwarded",
        b"x-forwarded-for",
        b"x-forwarded-host",
        b"x-forwarded-port",
        b"x-forwarded-proto",
        b"x-forwarded-scheme",
        b"x-forwarded-server",
        b"x-forwarded-ssl",
        b"x-real-ip",
        b"x-scheme",
        b"x-request-id",
    }
)
"""Set by us or not at all; a client's own are read where they are believed."""

_TRUSTED_ONLY = (b"x-forwarded-", b"x-original-", b"ssl-client-")
"""Beginnings of names that only a trusted proxy may send on."""

_REPLACED = b"x-original-forwarded-"
"""Set by us from what the client forwarded, so never sent on."""

# `Proxy` would become the variable HTTP_PROXY of a CGI program (httpoxy, CVE-2016-5385).
_NEVER_UPSTREAM = HOP_BY_HOP | _FORWARDED | {b"proxy"}

# RFC 9110 section 8.6: no Content-Length in what has no body.
_NEVER_INTERIM = HOP_BY_HOP | {b"content-length"}

# RFC 9110 section 6.5.1: what frames, routes, authenticates or controls is for the head alone.
_NEVER_TRAILERS = _NEVER_INTERIM | {
    b"age",
    b"authorization",
    b"cache-control",
    b"content-encoding",
    b"content-range",
    b"content-type",
    b"date",
    b"expires",
    b"host",
    b"location",
    b"proxy-authenticate",
    b"proxy-authorization",
    b"retry-after",
    b"set-cookie",
    b"strict-transport-security",
    b"vary",
    b"www-authenticate",
}

# What a client must not take from its own request by naming it in Connection.
_NOT_NOMINABLE = frozenset({b"host", b"content-length"})

_REQUEST_ID = re.compile(rb"[A-Za-z0-9._-]{1,128}")
_HOST = re.compile(rb"(?:[A-Za-z0-9._-]{1,255}|\[[0-9A-Fa-f:.]{2,45}\])(?::[0-9]{1,5})?")
_MAX_PROXIES = 32
"""Entries of X-Forwarded-For that are looked at; whoever wrote more is no proxy of ours."""

_MAX_CACHED_NAME = 64
"""Bytes of a field name that a cache keeps: clients must not be able to fill it with long ones."""


class Forwarding(msgspec.Struct, frozen=True):
    """What one request says of its client, after deciding what to believe."""

    client_address: bytes
    is_secure: bool
    host: bytes
    """The Host field that goes upstream."""

    fields: bytes
    """The forwarded fields, serialized."""


class Client:
    """
    One client connection, as the fields towards endpoints describe it.

    :param address: the peer's IP address; empty for a Unix socket, whose client
        is then said to be nobody. A mapped IPv4 address counts as IPv4.
    :param is_secure: whether it came over TLS.
    """

    __slots__ = (
        "_address",
        "_config",
        "_derived",
        "_fields",
        "_forwarding",
        "address",
        "is_secure",
        "is_trusted",
    )

    def __init__(self, address: str, *, is_secure: bool) -> None:
        self._address = _plain_address(address) if address else None
        self.address = str(self._address).encode("ascii") if address else b""
        self.is_secure = is_secure
        self._config: Config | None = None
        self._fields = b""
        self._derived: Derived | None = None
        """Of the last request, which `_forwarding` is of."""

        self._forwarding = Forwarding(b"", False, b"", b"")
        self.is_trusted = False

    def is_trusted_by(self, config: Config) -> bool:
        """Whether it is one of the proxies whose forwarded fields are believed."""
        return self._address is not None and is_inside(self._address, config.trusted_proxies)

    def forwarding(self, request: Request, config: Config) -> Forwarding:
        """
        :param config: of the Snapshot that the request is served from.
        """
        if request.derived is self._derived and config is self._config:
            return self._forwarding
        self._derived = request.derived
        forwarding = self._forwarding = self._forward(request, config)
        return forwarding

    def _forward(self, request: Request, config: Config) -> Forwarding:
        if config is not self._config:
            self._config = config
            self.is_trusted = self.is_trusted_by(config)
            ports = config.public_ports
            port = ports.https if self.is_secure else ports.http
            self._fields = _connection_fields(self.address, port, is_secure=self.is_secure)
        if self.is_trusted:
            return self._believed(request, config)
        original = b""
        for key, _, value in request.fields:
            if key == b"x-forwarded-for":
                original += b"X-Original-Forwarded-For: %b\r\n" % value
            elif key == b"x-forwarded-host":
                original += b"X-Original-Forwarded-Host: %b\r\n" % value
        return Forwarding(
            self.address,
            self.is_secure,
            request.authority,
            b"%bX-Forwarded-Host: %b\r\n%b" % (self._fields, request.authority, original),
        )

    def _believed(self, request: Request, config: Config) -> Forwarding:
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
        return Forwarding(address, is_secure, host, fields)

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


def _connection_fields(address: bytes, port: int, *, is_secure: bool) -> bytes:
    scheme = b"https" if is_secure else b"http"
    client = b"X-Real-IP: %b\r\nX-Forwarded-For: %b\r\n" % (address, address) if address else b""
    return client + (
        b"X-Forwarded-Port: %d\r\n"
        b"X-Forwarded-Proto: %b\r\nX-Forwarded-Scheme: %b\r\nX-Scheme: %b\r\n"
    ) % (port, scheme, scheme, scheme)


def own_request_id(request: Request) -> bytes:
    """The id that the client gave its request; empty for none, and for one that is no token."""
    derived = request.derived
    kept = derived.request_id
    if kept is None:
        own = request.field(b"x-request-id")
        kept = own if own is not None and _REQUEST_ID.fullmatch(own) else b""
        derived.request_id = kept
    return kept


@lru_cache(maxsize=1024)
def _stays_here(key: bytes, is_trusted: bool) -> bool:
    """Whether a client's field of this name goes no further; all clients send the same few."""
    if key in _NEVER_UPSTREAM or key.startswith(_REPLACED):
        return True
    # nginx drops names with an underscore as well: a CGI-like endpoint cannot tell
    # X_Real_IP from X-Real-IP.
    return b"_" in key or (not is_trusted and key.startswith(_TRUSTED_ONLY))


def upstream_head(
    request: Request, forwarding: Forwarding, identity: bytes, *, is_trusted: bool
) -> bytes:
    """
    The head that goes to the endpoint: the client's fields in order and number,
    less what stays on its hop or must not be believed, then ours.
    """
    key = (forwarding.host, is_trusted)
    fields = request.derived.upstream.get(key)
    if fields is None:
        fields = request.derived.upstream[key] = _upstream_fields(request, *key)
    return b"%b %b HTTP/1.1\r\n%bX-Request-ID: %b\r\n%b\r\n" % (
        request.method,
        request.target,
        fields,
        identity,
        forwarding.fields,
    )


def _upstream_fields(request: Request, host: bytes, is_trusted: bool) -> bytes:
    """
    The client's fields as the endpoint gets them.

    :param host: for the Host field.
    """
    options = request.connection_options
    parts: list[bytes] = []
    has_host = False
    for key, name, value in request.fields:
        stays_here = _stays_here if len(key) <= _MAX_CACHED_NAME else _stays_here.__wrapped__
        if stays_here(key, is_trusted):
            continue
        if key == b"expect" and request.is_http_10:
            # RFC 9110 section 10.1.1: it must be ignored there.
            continue
        if key == b"host":
            has_host = True
            value = host
        elif options and key in options and key not in _NOT_NOMINABLE:
            continue
        parts.append(b"%b: %b\r\n" % (name, value))
    if not has_host:
        parts.append(b"Host: %b\r\n" % host)
    if request.body_length is None:
        parts.append(b"Transfer-Encoding: chunked\r\n")
    if request.wants_websocket:
        parts.append(b"Connection: Upgrade\r\nUpgrade: websocket\r\n")
    elif request.takes_trailers:
        parts.append(b"Connection: TE\r\nTE: trailers\r\n")
    return b"".join(parts)


def downstream_fields(response: Response, hsts: bytes = b"") -> FieldLines:
    """
    The endpoint's fields that reach the client, in order and number, and a Date.

    :param hsts: our Strict-Transport-Security, if the answer is to have it (RFC 6797): then
        it has no other.
    :return: what is the same object for the next response of the same head; it must not
        be changed.
    """
    kept = response.derived.downstream.get(hsts)
    if kept is not None:
        return kept
    options = response.connection_options
    fields: FieldLines = []
    has_date = False
    for key, name, value in response.fields:
        if key in HOP_BY_HOP or (options and key in options and key not in _NOT_NOMINABLE):
            continue
        if key == b"date":
            has_date = True
        elif key == b"content-length" and response.status == 204:
            # RFC 9110 section 8.6: it must not be sent, so it is not sent on.
            continue
        fields.append((name, value))
    if hsts:
        fields = _with_hsts(fields, hsts)
    if has_date:
        fields = response.derived.downstream[hsts] = EncodedFields(fields)
    else:
        # RFC 9110 section 6.6.1: who forwards a response without Date adds it.
        fields.append((b"Date", datetimeToString()))
    return fields


def downstream_trailers(trailers: Trailers) -> FieldLines:
    """Those of the endpoint's trailers that mean something where the head is gone by."""
    return [(name, value) for name, value in trailers if name.lower() not in _NEVER_TRAILERS]


def interim_fields(response: Response) -> FieldLines:
    """The fields of a 1xx response that reach the client."""
    options = response.connection_options
    return [
        (name, value)
        for key, name, value in response.fields
        if key not in _NEVER_INTERIM and key not in options
    ]


def answer_fields(
    answer: Answer, accept: bytes | None, identity: bytes, hsts: bytes = b""
) -> tuple[FieldLines, bytes]:
    """
    The fields and the body of an answer of our own.

    :param accept: the request's Accept, if any.
    :param identity: the request's id.
    :param hsts: as for `downstream_fields`.
    """
    media_type, body = answer.body(accept, identity.decode("ascii"))
    fields = [
        (b"Date", datetimeToString()),
        (b"Content-Type", media_type),
        (b"Content-Length", b"%d" % len(body)),
        (b"X-Request-ID", identity),
        *answer.fields,
    ]
    return (_with_hsts(fields, hsts) if hsts else fields), body


def _with_hsts(fields: FieldLines, value: bytes) -> FieldLines:
    """With our Strict-Transport-Security and no other."""
    kept = [field for field in fields if field[0].lower() != b"strict-transport-security"]
    return [*kept, (b"Strict-Transport-Security", value)]
