"""
Clients that keep their connections and do nothing, and those that come back.
"""

from __future__ import annotations

import resource
import socket
import ssl
from collections.abc import Iterable
from types import TracebackType
from typing import Self

from benchmarks.comparison.process import Failed
from benchmarks.comparison.site import HOST, SMALL

PATIENCE = 30.0
"""Seconds for a connection and its answer."""

REQUEST = f"GET {SMALL} HTTP/1.1\r\nHost: {HOST}\r\n\r\n".encode()

CLOSING = f"GET {SMALL} HTTP/1.1\r\nHost: {HOST}\r\nConnection: close\r\n\r\n".encode()


class IdleConnections:
    """
    So many connections, each of which has had one answer.

    :raises Failed: if one has not, or is closed at the end: then it was not idle.
    """

    def __init__(self, port: int, number: int, *, tls: bool = False) -> None:
        self._port = port
        self._number = number
        self._context = _context() if tls else None
        self._sockets: list[socket.socket] = []

    def __enter__(self) -> Self:
        try:
            for _ in range(self._number):
                self._sockets.append(self._connect())
        except OSError as error:
            self._close()
            number = len(self._sockets)
            raise Failed(f"idle connection {number} of {self._number}: {error}") from None
        return self

    def _connect(self) -> socket.socket:
        sock = _connect(self._port)
        if self._context is not None:
            sock = self._context.wrap_socket(sock, server_hostname=HOST)
        sock.sendall(REQUEST)
        answer = b""
        while not answer.partition(b"\r\n\r\n")[2]:
            data = sock.recv(4096)
            if not data:
                raise OSError("closed")
            answer += data
        if not answer.startswith(b"HTTP/1.1 200 "):
            raise OSError(repr(answer[:40]))
        return sock

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        closed = sum(_is_closed(sock) for sock in self._sockets)
        self._close()
        if closed and error is None:
            raise Failed(f"{closed} of {self._number} idle connections were closed")

    def _close(self) -> None:
        for sock in self._sockets:
            sock.close()


def _is_closed(sock: socket.socket) -> bool:
    sock.setblocking(False)
    try:
        return not sock.recv(1)
    except (BlockingIOError, ssl.SSLWantReadError):
        return False
    except OSError:
        return True


def visit(port: int, hosts: Iterable[str]) -> None:
    """
    One request over TLS to each host, so that a proxy has what it makes for it when it
    is needed.
    """
    context = _context()
    for host in hosts:
        with context.wrap_socket(_connect(port), server_hostname=host) as sock:
            sock.sendall(CLOSING.replace(HOST.encode(), host.encode()))
            while sock.recv(4096):
                pass


def resumes(port: int) -> bool:
    """Whether a second TLS connection resumes the session of the first."""
    context = _context()
    session = None
    for _ in range(2):
        with (
            context.wrap_socket(_connect(port), server_hostname=HOST, session=session) as sock,
        ):
            sock.sendall(CLOSING)
            while sock.recv(4096):
                pass
            session = sock.session
            reused = bool(sock.session_reused)
    return reused


def _connect(port: int) -> socket.socket:
    sock = socket.create_connection(("127.0.0.1", port), PATIENCE)
    # Else the request waits until the end of the handshake is acknowledged: 40 ms.
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return sock


def _context() -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    return context


def allow_descriptors() -> None:
    """As many as the system lets us, and all that we start, have."""
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
