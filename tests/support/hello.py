"""
ClientHellos: real ones of OpenSSL, and ones that are put together by hand.
"""

from __future__ import annotations

import contextlib

from OpenSSL import SSL

RANDOM = bytes(range(32))


def openssl_hello(name: bytes | None, *, alpn: int = 0) -> bytes:
    """
    :param name: the server's name; None for a ClientHello without one.
    :param alpn: how many protocols it offers, which makes it as long as one likes.
    :return: the record that a real client sends.
    """
    context = SSL.Context(SSL.TLS_CLIENT_METHOD)
    if alpn:
        context.set_alpn_protos([b"protocol-%03d" % number for number in range(alpn)])
    connection = SSL.Connection(context, None)
    if name is not None:
        connection.set_tlsext_host_name(name)
    connection.set_connect_state()
    with contextlib.suppress(SSL.WantReadError):
        connection.do_handshake()
    return connection.bio_read(1 << 16)


def vector(content: bytes, size: int) -> bytes:
    """A vector of TLS: its length in `size` bytes, and its content."""
    return len(content).to_bytes(size) + content


def extension(kind: int, content: bytes) -> bytes:
    return kind.to_bytes(2) + vector(content, 2)


def server_name(name: bytes, kind: int = 0) -> bytes:
    """The extension server_name with one entry."""
    return extension(0, vector(kind.to_bytes(1) + vector(name, 2), 2))


def hello(*extensions: bytes, session: bytes = b"", suites: bytes = b"\x13\x01") -> bytes:
    """A ClientHello without the header of its message."""
    head = b"\x03\x03" + RANDOM + vector(session, 1) + vector(suites, 2) + vector(b"\0", 1)
    return head + vector(b"".join(extensions), 2)


def message(content: bytes, kind: int = 1) -> bytes:
    """A message of the handshake."""
    return kind.to_bytes(1) + vector(content, 3)


def records(data: bytes, size: int = 1 << 14) -> bytes:
    """Handshake records, each with at most so many bytes."""
    parts = (data[start : start + size] for start in range(0, len(data), size))
    return b"".join(b"\x16\x03\x01" + vector(part, 2) for part in parts)
