"""
The endpoint for uploads: ``python -m benchmarks.comparison.sink PORT``.

nginx answers before it has read a body that it does not need, which proxies treat
differently. This reads all of it, with as few calls as possible, and answers then.
"""

from __future__ import annotations

import selectors
import socket
import sys

ANSWER = b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nOK\n"

BUFFER = bytearray(1 << 20)


class Connection:
    """Requests with a Content-Length or in chunks of no trailers, one after the other."""

    def __init__(self, sock: socket.socket) -> None:
        self.socket = sock
        self._head = b""
        self._left = 0
        self._in_chunks = False
        self._tail = b""

    def read(self) -> bool:
        """:return: whether the connection goes on."""
        try:
            length = self.socket.recv_into(BUFFER)
            self._take(memoryview(BUFFER)[:length])
        except BlockingIOError:
            return True
        except OSError:  # proxies reset connections whose client is gone
            return False
        return length > 0

    def _take(self, data: memoryview) -> None:
        if self._in_chunks:
            self._chunks(bytes(data[-5:]))
        elif self._left:
            self._body(len(data))
        else:
            self._start(bytes(data))

    def _start(self, data: bytes) -> None:
        head, end, rest = (self._head + data).partition(b"\r\n\r\n")
        if not end:
            self._head = head
            return
        self._head = b""
        fields = {
            name.lower(): value.strip()
            for name, _, value in (line.partition(b":") for line in head.split(b"\r\n")[1:])
        }
        if b"transfer-encoding" in fields:
            self._in_chunks = True
            self._chunks(rest[-5:])
        else:
            self._left = int(fields.get(b"content-length", b"0"))
            self._body(len(rest))

    def _body(self, length: int) -> None:
        self._left -= length
        if self._left <= 0:
            self.socket.send(ANSWER)

    def _chunks(self, tail: bytes) -> None:
        # Good enough: the bodies of the benchmark have no such bytes.
        self._tail = (self._tail + tail)[-5:]
        if self._tail == b"0\r\n\r\n":
            self._in_chunks = False
            self._tail = b""
            self.socket.send(ANSWER)


def serve(port: int) -> None:
    listener = socket.create_server(("127.0.0.1", port), backlog=4096)
    listener.setblocking(False)
    selector = selectors.DefaultSelector()
    selector.register(listener, selectors.EVENT_READ)
    while True:
        for key, _ in selector.select():
            connection = key.data
            if connection is None:
                sock = listener.accept()[0]
                sock.setblocking(False)
                selector.register(sock, selectors.EVENT_READ, Connection(sock))
            elif not connection.read():
                selector.unregister(connection.socket)
                connection.socket.close()


if __name__ == "__main__":
    serve(int(sys.argv[1]))
