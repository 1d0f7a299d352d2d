"""
OpenSSL on the socket of one connection.

pyOpenSSL makes a buffer for each read and checks three helpers of the handshake after each call.
Here the calls for records go to the same library (`cryptography`'s) directly. All else, and every
error, is pyOpenSSL's.
"""

from __future__ import annotations

from typing import Any, Final

from mypy_extensions import mypyc_attr
from OpenSSL import SSL
from OpenSSL._util import ffi, lib

RECORD_SIZE: Final = 16384
"""The most bytes that a record holds (RFC 8446 section 5.1)."""

_buffer: Final[Any] = ffi.new("char[]", RECORD_SIZE)
"""Shared by all connections: data is copied out of it at once, in the only thread."""

_octets: Final[Any] = ffi.buffer(_buffer)
_ssl_read: Final[Any] = lib.SSL_read
_ssl_write: Final[Any] = lib.SSL_write
_ssl_shutdown: Final[Any] = lib.SSL_shutdown
_HOST_NAME: Final[Any] = lib.TLSEXT_NAMETYPE_host_name

_raise: Final[Any] = SSL.Connection._raise_ssl_error
"""Raises what a call has met. Of its first argument it needs the context alone (`_context`)."""


def clear_errors() -> None:
    """
    Clear this thread's queue of OpenSSL errors.

    After a failed write to the socket pyOpenSSL raises `SysCallError` and leaves
    OpenSSL's own error in the queue. Before OpenSSL 4 the next connection that had no
    data yet found the error there and failed, too (SSL_get_error(3)).
    """
    lib.ERR_clear_error()


@mypyc_attr(allow_interpreted_subclasses=True)
class TLSChannel:
    """
    :param connection: on the socket; its context enables partial writes, as those of pyOpenSSL do.
    :ivar connection: None after `let_go`, and for one of a test, which defines all methods.

    Each method raises `SSL.Error`: a `WantReadError` or `WantWriteError` if it has to be called
    again when the socket is readable or writable.
    """

    def __init__(self, connection: Any) -> None:
        self.connection = connection
        self._ssl: Any = None
        self._context: Any = None
        """Is there for OpenSSL as long as the connection, and its callbacks with it."""

        if connection is not None:
            self._ssl = connection._ssl
            self._context = connection.get_context()
            # By default pyOpenSSL continues each read until there is data. A peer that sends only
            # key updates (RFC 8446 section 4.6.3) or renegotiation requests, without a pause,
            # would keep the reactor in one read for ever.
            lib.SSL_clear_mode(self._ssl, lib.SSL_MODE_AUTO_RETRY)

    def shake_hands(self) -> None:
        """Take one step of the handshake; the last one returns."""
        self.connection.do_handshake()

    def let_go(self) -> None:
        """
        Let go of what only handshakes need: pyOpenSSL's part, half a kibibyte. Nothing can be asked
        about the handshake any more but the server name.
        """
        # The client's SNI may have chosen another one.
        self._context = self.connection.get_context()
        self.connection = None

    def read(self) -> bytes:
        """
        Read a record, or what is left of one.

        :return: never empty.
        :raises SSL.ZeroReturnError: if the peer has sent close_notify.
        """
        size: int = _ssl_read(self._ssl, _buffer, RECORD_SIZE)
        if size <= 0:
            _raise(self, self._ssl, size)
        data: bytes = _octets[:size]
        return data

    def write(self, data: bytes, start: int) -> int:
        """
        Send one record.

        :param start: the bytes before it have been sent already; not the end of `data`.
        :return: how many of the bytes were sent.
        """
        size: int
        if start:
            size = _ssl_write(self._ssl, ffi.from_buffer(data) + start, len(data) - start)
        else:
            size = _ssl_write(self._ssl, data, len(data))
        if size <= 0:
            _raise(self, self._ssl, size)
        return size

    def say_goodbye(self) -> None:
        """Send close_notify."""
        result: int = _ssl_shutdown(self._ssl)
        if result < 0:
            _raise(self, self._ssl, result)

    def server_name(self) -> str | None:
        """Return the client's SNI as sent, after the handshake; None if the client sent none."""
        name: Any = lib.SSL_get_servername(self._ssl, _HOST_NAME)
        octets: bytes = ffi.string(name) if name else b""
        return octets.decode("latin-1") if octets else None

    def negotiated_protocol(self) -> bytes | None:
        """Return what ALPN has agreed on, after the handshake; None for nothing."""
        negotiated: bytes = self.connection.get_alpn_proto_negotiated()
        return negotiated or None


@mypyc_attr(allow_interpreted_subclasses=True)
class TLSSide:
    """How one side of a connection opens TLS on it, and what it thinks of the handshake."""

    def open_channel(self, sock: Any) -> TLSChannel:
        """
        :return: on the socket, before the handshake.
        :raises SSL.Error: if TLS cannot be spoken.
        """
        raise NotImplementedError

    def accept(self, channel: TLSChannel) -> None:
        """
        The handshake is done.

        :raises SSL.Error: to refuse the peer.
        """

    def failed(self, channel: TLSChannel | None, error: SSL.Error) -> str:
        """
        There is no handshake, or its peer was refused.

        :param channel: None if there was none to begin it on.
        :return: why, in words.
        """
        return str(error)

    def ended(self, channel: TLSChannel) -> None:
        """An accepted connection is over."""
