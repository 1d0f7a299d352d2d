"""
Real HTTP servers on loopback, as endpoints for end-to-end tests.
"""

from __future__ import annotations

import json
import socket
import ssl
import threading
from collections.abc import Callable
from contextlib import suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from tests.support.process import PATIENCE


class EchoEndpoint:
    """
    Answers each request with what it received, as JSON: ``name``, ``method``,
    ``target``, ``fields`` (pairs in order) and ``length`` (of the body, in bytes).

    :param name: tells a test which endpoint answered.
    :param port: 0 for any free port.
    :param tls: None for plain text.
    :param interface: the address that it listens on.
    """

    def __init__(
        self,
        name: str,
        port: int = 0,
        tls: ssl.SSLContext | None = None,
        interface: str = "127.0.0.1",
    ) -> None:
        self.name = name
        self.tls = tls
        self.requests: list[str] = []
        """The request lines received so far."""

        self.connections = 0
        """The number of accepted connections."""

        endpoint = self

        class Handler(_EchoHandler):
            owner = endpoint

        self._server = _Server((interface, port), Handler)
        self.port = self._server.server_address[1]
        self._thread = threading.Thread(
            target=self._server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True
        )
        self._thread.start()

    @property
    def address(self) -> str:
        return f"127.0.0.1:{self.port}"

    def stop(self) -> None:
        """Close the listener; also for `addCleanup`."""
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    # Stopping with requests in flight does not wait for their connections to end.
    block_on_close = False
    request_queue_size = 1024

    def handle_error(self, request: object, client_address: object) -> None:
        """BaseServer: log nothing, because many tests end connections in the middle."""


class _EchoHandler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    owner: EchoEndpoint

    def setup(self) -> None:
        self.owner.connections += 1
        if self.owner.tls is not None:
            # The handshake runs here, where it blocks only this thread.
            self.request = self.owner.tls.wrap_socket(self.request, server_side=True)
        super().setup()
        # Send each answer in one segment: Nagle's algorithm would delay the body by 40 ms.
        self.wfile = self.connection.makefile("wb", 65536)

    def handle_expect_100(self) -> bool:
        """BaseHTTPRequestHandler: answer the client, which waits for it."""
        may_go_on = super().handle_expect_100()
        self.wfile.flush()
        return may_go_on

    def finish(self) -> None:
        super().finish()
        if self.owner.tls is not None:
            # The server closes only the accepted socket, which this one has replaced.
            self.request.close()

    def answer(self) -> None:
        self.owner.requests.append(self.requestline)
        length = self._read_body()
        body = json.dumps(
            {
                "name": self.owner.name,
                "method": self.command,
                # `path` has one slash where it began with several.
                "target": self.requestline.split(" ")[1],
                "fields": self.headers.items(),
                "length": length,
            }
        ).encode()
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)
        self.wfile.flush()

    do_GET = do_HEAD = do_POST = do_PUT = do_DELETE = do_PATCH = do_OPTIONS = answer

    def _read_body(self) -> int:
        if self.headers.get("Transfer-Encoding") != "chunked":
            return self._skip(int(self.headers.get("Content-Length", 0)))
        length = 0
        while size := int(self.rfile.readline(), 16):
            length += self._skip(size)
            self.rfile.readline()
        self.rfile.readline()
        return length

    def _skip(self, size: int) -> int:
        """:return: how many of `size` bytes came."""
        left = size
        while left and (data := self.rfile.read(min(left, 1 << 16))):
            left -= len(data)
        return size - left

    def log_message(self, format: str, *args: object) -> None:
        """BaseHTTPRequestHandler: log nothing."""


class RawEndpoint:
    """
    Runs a function on each accepted connection, in a thread of its own.

    The connection is closed when the function returns. Failures because the other side
    is gone are ignored.

    :param serve: takes the accepted socket; `read_head` reads a request from it.
    :param host: a loopback address.
    """

    def __init__(self, serve: Callable[[socket.socket], None], host: str = "127.0.0.1") -> None:
        self._serve = serve
        self._open: set[socket.socket] = set()
        self._lock = threading.Lock()
        self._listening = socket.create_server((host, 0), backlog=1024)
        self.port: int = self._listening.getsockname()[1]
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self) -> None:
        while True:
            try:
                accepted, _ = self._listening.accept()
            except OSError:
                return
            with self._lock:
                self._open.add(accepted)
            threading.Thread(target=self._run, args=(accepted,), daemon=True).start()

    def _run(self, accepted: socket.socket) -> None:
        accepted.settimeout(PATIENCE)
        accepted.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        with suppress(OSError), accepted:
            self._serve(accepted)
        with self._lock:
            self._open.discard(accepted)

    @property
    def connections(self) -> int:
        """The number of open connections."""
        return len(self._open)

    def stop(self) -> None:
        """Stop accepting, and end the open connections."""
        # Closing alone does not wake a thread that waits in accept().
        with suppress(OSError):
            self._listening.shutdown(socket.SHUT_RDWR)
        self._listening.close()
        with self._lock:
            still_open = tuple(self._open)
        for accepted in still_open:
            with suppress(OSError):
                accepted.shutdown(socket.SHUT_RDWR)


class RefusingEndpoint:
    """
    An endpoint on which nothing listens.

    Its port stays bound; otherwise the next listener on any free port might get it and answer.
    """

    def __init__(self) -> None:
        self._bound = socket.socket()
        self._bound.bind(("127.0.0.1", 0))
        self.port: int = self._bound.getsockname()[1]

    def stop(self) -> None:
        """Release the port."""
        self._bound.close()


def read_head(connection: socket.socket) -> bytes:
    """
    Read a request's head, and not one byte more.

    :raises ConnectionError: if the connection ends before it is whole.
    """
    head = b""
    while not head.endswith(b"\r\n\r\n"):
        byte = connection.recv(1)
        if not byte:
            raise ConnectionError("the connection has ended")
        head += byte
    return head


def answering(response: bytes) -> Callable[[socket.socket], None]:
    """Make a function for `RawEndpoint` that reads one head, sends these bytes and closes."""

    def serve(connection: socket.socket) -> None:
        read_head(connection)
        connection.sendall(response)

    return serve
