"""
The client of the exchanges that `benchmarks.guard_program` counts.
"""

from __future__ import annotations

import socket
import ssl
from collections.abc import Callable
from typing import Protocol

from benchmarks.guard_scenario import (
    BODY,
    GRPC_END,
    HTTP2_ANSWER,
    HTTP2_OPENING,
    HTTP2_SETTINGS,
)

PIECE = 16384
"""Bytes that are sent at once."""


class Proxy(Protocol):
    """The process that is counted, in whose turns the client takes part."""

    ports: dict[str, int]
    poll: Callable[[float], None]

    def wait(self, attempt: Callable[[], bool], what: str) -> None: ...

    def settle(self) -> None: ...


class Unsupported(Exception):
    """This version cannot do what is to be measured."""


class Client:
    """A connection to the proxy."""

    def __init__(self, process: Proxy, *, is_secure: bool = False, is_http2: bool = False) -> None:
        """:raises Unsupported: if the proxy does not speak HTTP/2, and is to."""
        self._process = process
        port = process.ports["https" if is_secure else "http"]
        self._socket = socket.create_connection(("127.0.0.1", port))
        self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        if is_secure:
            self._handshake()
        if is_http2:
            self._open_http2()

    def _open_http2(self) -> None:
        self._socket.send(HTTP2_OPENING)
        received = bytearray()

        def has_settings() -> bool:
            received.extend(self._receive())
            return len(received) > 9

        self._process.wait(has_settings, "SETTINGS")
        if not received.startswith(HTTP2_SETTINGS, 3):
            raise Unsupported
        self._socket.send(HTTP2_ANSWER)
        # The acknowledgement of ours.
        self._process.settle()
        self._receive()

    def _handshake(self) -> None:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
        self._socket.setblocking(False)
        secured = self._socket = context.wrap_socket(
            self._socket, server_hostname="guard.example", do_handshake_on_connect=False
        )

        def has_shaken_hands() -> bool:
            try:
                secured.do_handshake()
            except ssl.SSLWantReadError:
                return False
            return True

        self._process.wait(has_shaken_hands, "a handshake")

    def send(self, request: bytes) -> None:
        """In pieces, so that no buffer of a socket is too small for it."""
        for start in range(0, len(request), PIECE):
            if start:
                self._process.poll(0)
            self._socket.send(request[start : start + PIECE])

    def read(self, end: bytes, status: bytes) -> None:
        """
        :param end: of the response; empty where it is complete once its head has come.
        """
        self._process.poll(0)
        received = self._receive()
        if not _is_ended(received, end):
            collected = bytearray(received)

            def is_whole() -> bool:
                collected.extend(self._receive())
                return _is_ended(collected, end)

            self._process.wait(is_whole, "a response")
            received = bytes(collected)
        assert received.startswith(status, 9), received[:1000]

    def _receive(self) -> bytes:
        try:
            if isinstance(self._socket, ssl.SSLSocket):
                return self._socket.recv(2 * BODY)
            return self._socket.recv(2 * BODY, socket.MSG_DONTWAIT)
        except (BlockingIOError, ssl.SSLWantReadError):
            return b""

    def close(self) -> None:
        self._socket.close()


def _is_ended(response: bytes | bytearray, end: bytes) -> bool:
    if end == GRPC_END:
        return end in response
    return response.endswith(end) if end else b"\r\n\r\n" in response
