"""
An HTTP client that sends exactly the bytes that a test gives it.
"""

from __future__ import annotations

import json
import socket
import ssl
import struct
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.support.process import PATIENCE

READ_SIZE = 65536


@dataclass(frozen=True)
class Reply:
    """One complete response."""

    version: str
    status: int
    reason: str
    fields: tuple[tuple[str, str], ...]
    body: bytes

    def field(self, name: str) -> str | None:
        """Return the value of the first field of this name, in any case."""
        return next(iter(self.all(name)), None)

    def all(self, name: str) -> list[str]:
        """Return the values of all fields of this name, in any case."""
        return [value for key, value in self.fields if key.lower() == name.lower()]

    @property
    def text(self) -> str:
        return self.body.decode()

    @property
    def echo(self) -> dict[str, Any]:
        """Parse the report of an `EchoEndpoint`."""
        found: dict[str, Any] = json.loads(self.body)
        return found


class HTTPClient:
    """
    One connection to a port of this machine; a context manager that closes it.

    :param port: a port, or the path of a socket in the file system.
    :param tls: None for plain text.
    :param server_name: the SNI; None for none.
    :param buffer_size: the size of the socket's receive buffer, in bytes; the system's if None.
    :param preface: what is sent before everything else, TLS included.
    :param source: the address of this machine that it connects from; the system's choice if empty.
    """

    def __init__(
        self,
        port: int | Path,
        *,
        tls: ssl.SSLContext | None = None,
        server_name: str | None = None,
        buffer_size: int | None = None,
        preface: bytes = b"",
        source: str = "",
    ) -> None:
        is_tcp = isinstance(port, int)
        plain = socket.socket(socket.AF_INET if is_tcp else socket.AF_UNIX)
        try:
            plain.settimeout(PATIENCE)
            if buffer_size is not None:
                plain.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, buffer_size)
            if source:
                plain.bind((source, 0))
            plain.connect(("127.0.0.1", port) if is_tcp else str(port))
            if is_tcp:
                plain.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            if preface:
                plain.sendall(preface)
            self.socket = plain
            if tls is not None:
                self.socket = tls.wrap_socket(plain, server_hostname=server_name)
        except BaseException:
            plain.close()
            raise
        self._buffer = bytearray()

    def __enter__(self) -> HTTPClient:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    # Sending.

    def send(self, data: bytes) -> None:
        self.socket.sendall(data)

    def end(self) -> None:
        """Stop sending, but continue to read."""
        self.socket.shutdown(socket.SHUT_WR)

    def close(self) -> None:
        self.socket.close()

    def reset(self) -> None:
        """Close like a process that is killed with unread data: with RST instead of FIN."""
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.socket.close()

    def request(
        self,
        target: str = "/",
        host: str = "a.example",
        *,
        method: str = "GET",
        fields: str = "",
        body: bytes = b"",
    ) -> Reply:
        """
        Send a request and read its response.

        :param fields: further fields, each with its line end.
        """
        if body:
            fields += f"Content-Length: {len(body)}\r\n"
        head = f"{method} {target} HTTP/1.1\r\nHost: {host}\r\n{fields}\r\n"
        self.send(head.encode("latin-1") + body)
        return self.read_reply(method)

    # Reading.

    def read_reply(self, method: str = "GET") -> Reply:
        """
        Read one response, interim ones included.

        :raises ConnectionError: if the connection ends before it is whole.
        """
        version, status, reason, fields = self.read_head()
        framing = {key.lower(): value for key, value in fields}
        if method == "HEAD" or status < 200 or status in (204, 304):
            body = b""
        elif framing.get("transfer-encoding") == "chunked":
            body = self._read_chunked()
        elif "content-length" in framing:
            body = self.read_exactly(int(framing["content-length"]))
        else:
            body = self.read_to_end()
        return Reply(version, status, reason, tuple(fields), body)

    def read_head(self) -> tuple[str, int, str, list[tuple[str, str]]]:
        """:return: version, status, reason and fields."""
        line, *lines = self._read_past(b"\r\n\r\n").decode("latin-1").split("\r\n")
        version, status, reason = line.split(" ", 2)
        fields = [(key, value.strip()) for key, _, value in (one.partition(":") for one in lines)]
        return version, int(status), reason, fields

    def read_exactly(self, size: int) -> bytes:
        while len(self._buffer) < size:
            self._fill()
        return self._take(size)

    def skip(self, size: int) -> None:
        """Read and discard this many bytes."""
        size -= len(self._take(min(size, len(self._buffer))))
        while size:
            data = self.socket.recv(min(size, READ_SIZE))
            if not data:
                raise ConnectionError("the connection has ended")
            size -= len(data)

    def read_to_end(self) -> bytes:
        """
        :raises ConnectionResetError: if the end is not orderly.
        """
        pieces = [self._take(len(self._buffer))]
        while data := self.socket.recv(READ_SIZE):
            pieces.append(data)
        return b"".join(pieces)

    @property
    def is_closed(self) -> bool:
        """Return whether the other side has ended the connection; wait for that or for data."""
        if self._buffer:
            return False
        try:
            self._fill()
        except ConnectionError:
            return True
        return False

    def _read_chunked(self) -> bytes:
        pieces = []
        while size := int(self._read_past(b"\r\n"), 16):
            pieces.append(self.read_exactly(size))
            self._read_past(b"\r\n")
        self._read_past(b"\r\n")
        return b"".join(pieces)

    def _read_past(self, end: bytes) -> bytes:
        while (index := self._buffer.find(end)) < 0:
            self._fill()
        return self._take(index + len(end))[:index]

    def _take(self, size: int) -> bytes:
        data = bytes(self._buffer[:size])
        del self._buffer[:size]
        return data

    def _fill(self) -> None:
        data = self.socket.recv(READ_SIZE)
        if not data:
            raise ConnectionError("the connection has ended")
        self._buffer += data


def count_names(port: int | Path, context: ssl.SSLContext, host: str = "a.example") -> int:
    """:return: how many names the certificate of a host has; none if it is not trusted."""
    try:
        with HTTPClient(port, tls=context, server_name=host) as client:
            assert isinstance(client.socket, ssl.SSLSocket)
            found = client.socket.getpeercert()
    except ssl.SSLCertVerificationError:
        return 0
    assert found is not None
    return len(found["subjectAltName"])


def trusting(root_pem: bytes, *, version: ssl.TLSVersion | None = None) -> ssl.SSLContext:
    """
    Make a client's context that trusts one authority and checks names.

    :param version: the only version to use; 1.2 and 1.3 if None.
    """
    context = ssl.create_default_context(cadata=root_pem.decode())
    if version is not None:
        context.minimum_version = context.maximum_version = version
    return context


def trusting_all() -> ssl.SSLContext:
    """Make a client's context that accepts every certificate."""
    context = ssl.create_default_context()
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    return context
