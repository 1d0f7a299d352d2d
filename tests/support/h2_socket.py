"""
A client of HTTP/2 on a socket: `h2`, and what it has received.
"""

from __future__ import annotations

import socket
import ssl
from collections import defaultdict
from collections.abc import Callable, Sequence
from types import TracebackType

import h2.config
import h2.connection
import h2.events
import h2.settings

from tests.support.client import HTTPClient
from tests.support.process import PATIENCE

Pairs = Sequence[tuple[str, str]]


class SocketAnswer:
    """A response as far as it has come."""

    def __init__(self) -> None:
        self.fields: list[tuple[str, str]] = []
        self.body = b""
        self.trailers: list[tuple[str, str]] = []
        self.is_whole = False
        self.reset: int | None = None

    @property
    def status(self) -> int:
        return int(self.field(":status") or 0)

    @property
    def is_over(self) -> bool:
        return self.is_whole or self.reset is not None

    def field(self, name: str) -> str | None:
        """:return: the value of a field of the head, or of a trailer."""
        return dict([*self.fields, *self.trailers]).get(name)


class H2Socket:
    """
    :param port: of this machine.
    :param tls: None for plain text, and prior knowledge.
    :param server_name: the SNI.
    :param window: of each stream; the connection's grows with what is read.
    :param preface: what is sent before everything else, TLS included.
    """

    def __init__(
        self,
        port: int,
        *,
        tls: ssl.SSLContext | None = None,
        server_name: str | None = None,
        window: int = 65_535,
        preface: bytes = b"",
    ) -> None:
        if tls is not None:
            tls.set_alpn_protocols(["h2"])
        self._client = HTTPClient(port, tls=tls, server_name=server_name, preface=preface)
        self._scheme = "http" if tls is None else "https"
        self.socket = self._client.socket
        self.h2 = h2.connection.H2Connection(h2.config.H2Configuration(header_encoding="utf-8"))
        self.h2.local_settings = h2.settings.Settings(
            client=True,
            initial_values={
                h2.settings.SettingCodes.ENABLE_PUSH: 0,
                h2.settings.SettingCodes.INITIAL_WINDOW_SIZE: window,
            },
        )
        self.answers: defaultdict[int, SocketAnswer] = defaultdict(SocketAnswer)
        self.goaways: list[int] = []
        """The codes of GOAWAY frames."""

        self.unread: set[int] = set()
        """Streams whose windows stay as they are."""

        self.is_over = False
        """Whether the proxy has ended the connection."""

        self.h2.initiate_connection()
        self.flush()

    def __enter__(self) -> H2Socket:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        self._client.close()

    def flush(self) -> None:
        data = self.h2.data_to_send()
        if data:
            self.socket.sendall(data)

    def begin(
        self,
        host: str,
        path: str = "/",
        fields: Pairs = (),
        *,
        method: str = "GET",
        is_end: bool = True,
    ) -> int:
        """:return: the stream of a request whose head is sent."""
        stream_id = self.h2.get_next_available_stream_id()
        pseudo = {":method": method, ":scheme": self._scheme, ":path": path, ":authority": host}
        self.h2.send_headers(stream_id, [*pseudo.items(), *fields], end_stream=is_end)
        self.flush()
        return stream_id

    def ask(
        self,
        host: str,
        path: str = "/",
        fields: Pairs = (),
        *,
        method: str = "GET",
        body: bytes | None = None,
    ) -> SocketAnswer:
        """:return: the answer to a whole request."""
        stream_id = self.begin(host, path, fields, method=method, is_end=body is None)
        if body is not None:
            self.h2.send_data(stream_id, body, end_stream=True)
            self.flush()
        self.read_until(lambda: self.answers[stream_id].is_over)
        return self.answers[stream_id]

    def read_until(self, condition: Callable[[], bool]) -> None:
        """Read until a condition holds, or the connection is over."""
        while not condition() and not self.is_over:
            self.read(PATIENCE)

    def read(self, patience: float) -> None:
        """Read once; nothing within the time is no failure for less than `PATIENCE`."""
        self.socket.settimeout(patience)
        try:
            data = self.socket.recv(65_536)
        except TimeoutError:
            if patience >= PATIENCE:
                raise
            return
        except ConnectionResetError:
            data = b""
        if not data:
            self.is_over = True
            return
        for event in self.h2.receive_data(data):
            self._take(event)
        self.flush()

    def _take(self, event: h2.events.Event) -> None:
        if isinstance(event, h2.events.ConnectionTerminated):
            self.goaways.append(int(event.error_code or 0))
            # Streams go on.
            self.h2.state_machine.state = h2.connection.ConnectionState.CLIENT_OPEN
            return
        answer = self.answers[getattr(event, "stream_id", 0)]
        if isinstance(event, h2.events.ResponseReceived):
            answer.fields = [(str(name), str(value)) for name, value in event.headers]
        elif isinstance(event, h2.events.DataReceived):
            answer.body += event.data
            if event.stream_id in self.unread:
                # Only the connection has room for more.
                self.h2.increment_flow_control_window(event.flow_controlled_length)
            else:
                self.h2.acknowledge_received_data(event.flow_controlled_length, event.stream_id)
        elif isinstance(event, h2.events.TrailersReceived):
            answer.trailers = [(str(name), str(value)) for name, value in event.headers]
        elif isinstance(event, h2.events.StreamEnded):
            answer.is_whole = True
        elif isinstance(event, h2.events.StreamReset):
            answer.reset = int(event.error_code)


def alpn(port: int, *offered: str, server_name: str) -> str | None:
    """
    :return: what a handshake with these protocols agrees on.
    :raises ssl.SSLError: if the handshake fails.
    """
    context = ssl.create_default_context()
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    context.set_alpn_protocols(offered)
    with (
        socket.create_connection(("127.0.0.1", port), PATIENCE) as plain,
        context.wrap_socket(plain, server_hostname=server_name) as secure,
    ):
        return secure.selected_alpn_protocol()
