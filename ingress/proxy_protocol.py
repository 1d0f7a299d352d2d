"""
The header of the PROXY protocol: bytes to a value, and back.

A proxy that passes on bytes writes the header before the first of them, so that whoever accepts
the connection learns the address of the client. Version 1 is a line of text, version 2 is binary.

Source of the format: https://www.haproxy.org/download/2.8/doc/proxy-protocol.txt, "the
specification" below. Readers are stricter than it in one place: a header of version 2 may have at
most `MAX_LENGTH` bytes, although its length field could say 64 KiB.
"""

from __future__ import annotations

import re
import struct
from enum import StrEnum
from ipaddress import IPv4Address, IPv6Address, ip_address
from typing import Final

from ingress.errors import IngressError
from ingress.frozen import dataclass

MAX_LENGTH: Final = 4096
"""Bytes of a header of version 2, with all of its TLVs; longer ones are refused."""

MAX_LINE: Final = 107
"""Bytes of a line of version 1, with its CRLF (specification, section 2.1)."""

SIGNATURE: Final = b"\r\n\r\n\x00\r\nQUIT\n"
"""The first bytes of version 2, which begin no request of HTTP/1.1, HTTP/2 or TLS."""

_FIXED: Final = struct.Struct("!12sBBH")
"""What every header of version 2 begins with: signature, command, family, length of the rest."""

_LOCAL: Final = 0x20
_PROXY: Final = 0x21
_UNSPECIFIED: Final = 0x00
_TCP4: Final = 0x11
_TCP6: Final = 0x21
_ADDRESS_LENGTHS: Final = {
    _UNSPECIFIED: 0,
    _TCP4: 12,
    0x12: 12,
    _TCP6: 36,
    0x22: 36,
    0x31: 216,
    0x32: 216,
}
"""
The length of the addresses by family and transport; no others exist (section 2.2). Those of UNIX
sockets and of datagrams describe no client that has a TCP address, and count as unspecified.
"""

_TEXT: Final = re.compile(
    rb"PROXY (TCP[46]) ([0-9A-Fa-f:.]{2,39}) ([0-9A-Fa-f:.]{2,39})"
    rb" (0|[1-9][0-9]{0,4}) (0|[1-9][0-9]{0,4})\r\n"
)
_UNKNOWN: Final = re.compile(rb"PROXY UNKNOWN(?: [^\r\n]*)?\r\n")
_PREFIX: Final = b"PROXY "

_MAX_PORT: Final = 65535


class Version(StrEnum):
    """The two forms of the header."""

    V1 = "v1"
    V2 = "v2"


class HeaderRefused(IngressError):
    """What a connection begins with is no header of the PROXY protocol; the message says why."""


@dataclass(frozen=True, slots=True)
class Addresses:
    """Both ends of the client's connection."""

    source: IPv4Address | IPv6Address
    """The client."""

    source_port: int
    destination: IPv4Address | IPv6Address
    """Where it connected to; of the same family."""

    destination_port: int


@dataclass(frozen=True, slots=True)
class Header:
    """A whole header."""

    addresses: Addresses | None
    """
    None if the proxy speaks for itself (LOCAL), or does not say for whom (UNKNOWN, UNSPEC): then
    the address of the connection counts.
    """

    length: int
    """Its bytes; what the client sent follows."""


def read_header(data: bytes) -> Header | None:
    """
    Read the header at the beginning of a connection.

    :param data: all that has come so far.
    :return: None if it is not whole yet. Then all of `data` belongs to the header.
    :raises HeaderRefused: if it does not begin with a header, as soon as that is certain.
    """
    if data.startswith(_PREFIX[: len(data)]) and data:
        return _read_text(data)
    if data.startswith(SIGNATURE[: len(data)]):
        return _read_binary(data) if len(data) >= _FIXED.size else None
    raise HeaderRefused("it does not begin with a header of the PROXY protocol")


def _read_text(data: bytes) -> Header | None:
    end = data.find(b"\r\n", 0, MAX_LINE)
    if end < 0:
        if len(data) >= MAX_LINE:
            raise HeaderRefused(f"a header of version 1 has at most {MAX_LINE} bytes")
        # No line has a CR or LF before its end.
        if b"\n" in data or b"\r" in data[:-1]:
            raise HeaderRefused("a header of version 1 ends with CR LF")
        return None
    line = data[: end + 2]
    if _UNKNOWN.fullmatch(line):
        return Header(None, len(line))
    match = _TEXT.fullmatch(line)
    if match is None:
        raise HeaderRefused("its line is none of version 1 of the PROXY protocol")
    family, source, destination, source_port, destination_port = match.groups()
    kind = IPv4Address if family == b"TCP4" else IPv6Address
    ports = int(source_port), int(destination_port)
    if max(ports) > _MAX_PORT:
        raise HeaderRefused("a port is above 65535")
    try:
        addresses = kind(source.decode()), kind(destination.decode())
    except ValueError:
        raise HeaderRefused(f"it has an address that is none of {family.decode()}") from None
    return Header(Addresses(addresses[0], ports[0], addresses[1], ports[1]), len(line))


def _read_binary(data: bytes) -> Header | None:
    _, command, family, rest = _FIXED.unpack_from(data)
    if command not in (_LOCAL, _PROXY):
        raise HeaderRefused("its version or command is none of version 2 of the PROXY protocol")
    length = _FIXED.size + rest
    if length > MAX_LENGTH:
        raise HeaderRefused(f"a header of version 2 has at most {MAX_LENGTH} bytes")
    if command == _PROXY:
        if family not in _ADDRESS_LENGTHS:
            raise HeaderRefused("its family or transport is none of the PROXY protocol")
        if rest < _ADDRESS_LENGTHS[family]:
            raise HeaderRefused("it is shorter than its addresses")
    if len(data) < length:
        return None
    if command == _LOCAL or family not in (_TCP4, _TCP6):
        # The receiver skips what follows, TLVs included (section 2.2).
        return Header(None, length)
    size = 4 if family == _TCP4 else 16
    start = _FIXED.size
    source, destination = data[start : start + size], data[start + size : start + 2 * size]
    ports = struct.unpack_from("!HH", data, start + 2 * size)
    return Header(
        Addresses(ip_address(source), ports[0], ip_address(destination), ports[1]), length
    )


def make_header(version: Version, addresses: Addresses | None) -> bytes:
    """
    Make the header for a connection that we open.

    :param addresses: of the client's connection; None if we speak for ourselves, as a health check
        does, or the client has none, as on a UNIX socket.
    """
    if version is Version.V1:
        return _make_text(addresses)
    if addresses is None:
        return _FIXED.pack(SIGNATURE, _LOCAL, _UNSPECIFIED, 0)
    source, destination = addresses.source.packed, addresses.destination.packed
    ports = struct.pack("!HH", addresses.source_port, addresses.destination_port)
    family = _TCP4 if addresses.source.version == 4 else _TCP6
    rest = source + destination + ports
    return _FIXED.pack(SIGNATURE, _PROXY, family, len(rest)) + rest


def _make_text(addresses: Addresses | None) -> bytes:
    if addresses is None:
        return b"PROXY UNKNOWN\r\n"
    line = (
        f"PROXY TCP{addresses.source.version} {addresses.source} {addresses.destination}"
        f" {addresses.source_port} {addresses.destination_port}\r\n"
    )
    return line.encode("ascii")


def addresses_of(
    source: str, source_port: int, destination: str, destination_port: int
) -> Addresses | None:
    """
    Make the addresses of a connection from the texts of its ends.

    A header has one family: if the ends have different ones, because another header gave the
    client's address, an IPv4 address is written as a mapped one (``::ffff:192.0.2.1``).

    :param source: empty if the client has no address.
    :return: None if one of them is no IP address.
    """
    try:
        # A zone means nothing to others.
        ends = ip_address(source.partition("%")[0]), ip_address(destination.partition("%")[0])
    except ValueError:
        return None
    if ends[0].version != ends[1].version:
        ends = _mapped(ends[0]), _mapped(ends[1])
    return Addresses(ends[0], source_port, ends[1], destination_port)


def _mapped(address: IPv4Address | IPv6Address) -> IPv6Address:
    if isinstance(address, IPv6Address):
        return address
    return IPv6Address(b"\0" * 10 + b"\xff\xff" + address.packed)
