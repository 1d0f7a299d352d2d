"""
WebSockets over HTTP/2 through a real process, by the bridge that other clients use.
"""

from __future__ import annotations

import contextlib
import socket
import threading
from pathlib import Path
from typing import ClassVar

from tests.e2e.case import ProcessTestCase
from tests.support.client import HTTPClient
from tests.support.manifest import ingress_manifest, served_manifests
from tests.support.websocket_bridge import WebSocketBridge
from tests.support.wire import SWITCHING

HOST = "a.example"
UPGRADE = (
    f"GET /chat HTTP/1.1\r\nHost: {HOST}\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
    "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Protocol: chat\r\n"
    "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
).encode()
"""The key of RFC 6455 section 1.3."""


class TunnelEndpoint:
    """
    Accepts every WebSocket and sends back what comes, until the client ends.

    :ivar heads: of the requests.
    """

    def __init__(self) -> None:
        self.heads: list[bytes] = []
        self._listening = socket.create_server(("127.0.0.1", 0))
        self.port = self._listening.getsockname()[1]
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                connection, _ = self._listening.accept()
                threading.Thread(target=self._serve, args=(connection,), daemon=True).start()

    def _serve(self, connection: socket.socket) -> None:
        with contextlib.suppress(OSError), connection:
            head = b""
            while b"\r\n\r\n" not in head:
                head += connection.recv(65_536)
            head, _, rest = head.partition(b"\r\n\r\n")
            self.heads.append(head)
            connection.sendall(SWITCHING[:-2] + b"Sec-WebSocket-Protocol: chat\r\n\r\n" + rest)
            while data := connection.recv(65_536):
                connection.sendall(data)

    def stop(self) -> None:
        self._listening.close()


class BridgeTests(ProcessTestCase):
    endpoint: ClassVar[TunnelEndpoint]
    bridge: ClassVar[WebSocketBridge]

    @classmethod
    def prepare(cls, folder: Path) -> None:
        cls.endpoint = cls.keep(TunnelEndpoint())
        cls.serve(
            folder,
            ingress_manifest("chat", HOST, {"/chat": "chat"}),
            *served_manifests("chat", cls.endpoint.port),
        )
        cls.bridge = cls.keep(WebSocketBridge(cls.process.port("http")))

    def test_tunnel(self) -> None:
        """A tunnel takes what goes through it both ways, whole and in order, and ends with it."""
        with HTTPClient(self.bridge.port) as client:
            client.send(UPGRADE)
            _, status, _, fields = client.read_head()
            self.assertEqual(status, 101)
            told = {name.lower(): value for name, value in fields}
            self.assertEqual(told["sec-websocket-accept"], "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=")
            self.assertEqual(told["sec-websocket-protocol"], "chat")
            for size in (1, 125, 65_536, 200_000):
                data = bytes(index % 251 for index in range(size))
                sending = threading.Thread(target=client.send, args=(data,))
                sending.start()
                self.assertEqual(client.read_exactly(size), data)
                sending.join()
            client.end()
            self.assertEqual(client.read_to_end(), b"")
        head = self.endpoint.heads[-1].lower()
        self.assertTrue(head.startswith(b"get /chat http/1.1\r\nhost: a.example\r\n"), head)
        self.assertIn(b"\r\nsec-websocket-protocol: chat\r\n", head + b"\r\n")

    def test_refused(self) -> None:
        """What is no WebSocket for the proxy gets its answer."""
        with HTTPClient(self.bridge.port) as client:
            client.send(UPGRADE.replace(b"/chat", b"/other"))
            self.assertEqual(client.read_head()[1], 404)
