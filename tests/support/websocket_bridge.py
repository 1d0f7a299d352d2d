"""
A bridge for clients of WebSocket that speak no HTTP/2: ``python -m tests.support.websocket_bridge PORT``.

It prints its own port, takes WebSockets over HTTP/1.1 there, and asks for each of them over HTTP/2
with prior knowledge at PORT (RFC 8441), on a connection of its own. What goes through the tunnel
passes as it is, in both directions.
"""

from __future__ import annotations

import base64
import select
import socket
import sys
import threading
from contextlib import suppress
from hashlib import sha1

import h2.config
import h2.connection
import h2.events

from tests.support.process import PATIENCE, ModuleProcess

MAGIC = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"
"""RFC 6455 section 1.3."""

PASSED = (
    b"sec-websocket-version",
    b"sec-websocket-protocol",
    b"sec-websocket-extensions",
    b"origin",
)
"""Fields of the handshake that HTTP/2 has as well (RFC 8441 section 5)."""

Fields = list[tuple[bytes, bytes]]


class Bridge:
    """
    One WebSocket.

    :param client: the connection of the client.
    :param port: where HTTP/2 is spoken.
    """

    def __init__(self, client: socket.socket, port: int) -> None:
        self._client = client
        self._server = socket.create_connection(("127.0.0.1", port), PATIENCE)
        self._server.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._h2 = h2.connection.H2Connection(h2.config.H2Configuration(header_encoding=None))
        self._h2.initiate_connection()
        self._key = b""
        self._waiting = b""
        """What the client has sent and the stream's window has no room for."""

        self._client_ended = False
        self._is_open = False
        self._is_over = False

    def run(self) -> None:
        """Until both sides have ended."""
        self._ask()
        while not self._is_over:
            self._send()
            sources = [self._server]
            if self._is_open and not self._client_ended and not self._waiting:
                sources.append(self._client)
            ready, _, _ = select.select(sources, [], [], PATIENCE)
            if not ready:
                return
            if self._server in ready:
                self._receive()
            if self._client in ready:
                data = self._client.recv(65_536)
                self._waiting += data
                self._client_ended = not data
                if not data:
                    self._h2.end_stream(1)

    def _ask(self) -> None:
        """Wait for SETTINGS, which must allow this (RFC 8441 section 3), and ask for the tunnel."""
        while not self._h2.remote_settings.enable_connect_protocol:
            self._send()
            self._receive()
        head = b""
        while b"\r\n\r\n" not in head:
            data = self._client.recv(65_536)
            if not data:
                raise ConnectionError("there is no request")
            head += data
        head, _, self._waiting = head.partition(b"\r\n\r\n")
        begin, *lines = head.split(b"\r\n")
        pairs = (line.partition(b":") for line in lines)
        fields = {name.lower(): value.strip() for name, _, value in pairs}
        self._key = fields[b"sec-websocket-key"]
        asked: Fields = [
            (b":method", b"CONNECT"),
            (b":protocol", b"websocket"),
            (b":scheme", b"http"),
            (b":path", begin.split(b" ")[1]),
            (b":authority", fields[b"host"]),
        ]
        self._h2.send_headers(
            1, asked + [(name, fields[name]) for name in PASSED if name in fields]
        )

    def _receive(self) -> None:
        data = self._server.recv(65_536)
        if not data:
            raise ConnectionError("the server is gone")
        for event in self._h2.receive_data(data):
            if isinstance(event, h2.events.ResponseReceived):
                self._answer([(name, value) for name, value in event.headers])
            elif isinstance(event, h2.events.DataReceived):
                self._client.sendall(event.data)
                self._h2.acknowledge_received_data(event.flow_controlled_length, 1)
            elif isinstance(event, h2.events.StreamEnded):
                self._end()
            elif isinstance(event, (h2.events.StreamReset, h2.events.ConnectionTerminated)):
                self._is_over = True

    def _answer(self, fields: Fields) -> None:
        status = dict(fields)[b":status"]
        accept = base64.b64encode(sha1(self._key + MAGIC).digest())
        lines = [
            b"HTTP/1.1 101 Switching Protocols" if status == b"200" else b"HTTP/1.1 %b X" % status
        ]
        if status == b"200":
            lines += [b"Upgrade: websocket", b"Connection: Upgrade"]
            lines.append(b"Sec-WebSocket-Accept: " + accept)
        lines += (b"%b: %b" % field for field in fields if not field[0].startswith(b":"))
        self._client.sendall(b"\r\n".join(lines) + b"\r\n\r\n")
        self._is_open = True

    def _send(self) -> None:
        while self._waiting and self._is_open:
            size = min(self._h2.local_flow_control_window(1), 16_384, len(self._waiting))
            if not size:
                break
            self._h2.send_data(1, self._waiting[:size])
            self._waiting = self._waiting[size:]
        data = self._h2.data_to_send()
        if data:
            self._server.sendall(data)

    def _end(self) -> None:
        """The server has ended: what the client still says until it ends as well is nobody's."""
        self._is_over = True
        with suppress(OSError):
            self._client.shutdown(socket.SHUT_WR)
            self._client.settimeout(2)
            while not self._client_ended and self._client.recv(65_536):
                pass

    def close(self) -> None:
        with suppress(OSError):
            self._send()
        self._server.close()
        self._client.close()


class WebSocketBridge(ModuleProcess):
    """
    The bridge as a process of its own.

    :param port: where HTTP/2 is spoken.
    """

    def __init__(self, port: int) -> None:
        super().__init__("tests.support.websocket_bridge", str(port))


def serve(client: socket.socket, port: int) -> None:
    """One WebSocket."""
    client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    bridge = Bridge(client, port)
    with suppress(OSError):
        bridge.run()
    bridge.close()


def main() -> None:
    port = int(sys.argv[1])
    listening = socket.create_server(("127.0.0.1", 0), backlog=128)
    print(listening.getsockname()[1], flush=True)
    while True:
        client, _ = listening.accept()
        threading.Thread(target=serve, args=(client, port), daemon=True).start()


if __name__ == "__main__":
    main()
