"""
What the soak's clients speak HTTP/2 with: `h2` on a blocking socket.
"""

from __future__ import annotations

import socket
import ssl
from dataclasses import dataclass

import h2.config
import h2.connection
import h2.events
import h2.exceptions


@dataclass
class Answer:
    """A response as far as it has come."""

    status: int = 0
    body: bytes = b""
    is_whole: bool = False


class HTTP2Client:
    """
    A connection.

    :param port: of the proxy.
    :param host: of all requests.
    :param tls: None for the clear, with prior knowledge.
    """

    def __init__(self, port: int, host: str, tls: ssl.SSLContext | None, patience: float) -> None:
        plain = socket.create_connection(("127.0.0.1", port), patience)
        plain.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._socket = plain if tls is None else tls.wrap_socket(plain, server_hostname=host)
        self._scheme = "http" if tls is None else "https"
        self._host = host
        self._h2 = h2.connection.H2Connection(h2.config.H2Configuration(header_encoding=None))
        self._h2.initiate_connection()
        self._answers: dict[int, Answer] = {}
        self._bodies: dict[int, bytes] = {}

    def __enter__(self) -> HTTP2Client:
        return self

    def __exit__(self, *_: object) -> None:
        self._socket.close()

    def ask(self, path: str, *, method: str = "GET", body: bytes = b"") -> int:
        """:return: the stream of a request, which goes out as windows allow."""
        stream_id = self._h2.get_next_available_stream_id()
        head = [
            (":method", method),
            (":scheme", self._scheme),
            (":authority", self._host),
            (":path", path),
        ]
        self._h2.send_headers(stream_id, head, end_stream=not body)
        self._answers[stream_id] = Answer()
        if body:
            self._bodies[stream_id] = body
        return stream_id

    def reset(self, stream_id: int) -> None:
        """Cancel a request, unless its response is whole."""
        if self._answers[stream_id].is_whole:
            return
        self._bodies.pop(stream_id, None)
        self._h2.reset_stream(stream_id, 8)
        self.flush()

    def wait(self, stream_id: int) -> Answer:
        """
        :return: the response.
        :raises OSError: if the stream, or the connection, ends before.
        """
        answer = self._answers[stream_id]
        while not answer.is_whole:
            self.read()
        return self._answers.pop(stream_id)

    def read(self) -> None:
        """Send what may be sent, and take what comes next."""
        self.flush()
        data = self._socket.recv(1 << 16)
        if not data:
            raise ConnectionError("the connection has ended")
        try:
            for event in self._h2.receive_data(data):
                self._take(event)
        except h2.exceptions.ProtocolError as error:
            raise ConnectionError(f"the proxy breaks the protocol: {error!r}") from error
        self.flush()

    def flush(self) -> None:
        for stream_id, body in list(self._bodies.items()):
            self._send(stream_id, body)
        data = self._h2.data_to_send()
        if data:
            self._socket.sendall(data)

    def _send(self, stream_id: int, body: bytes) -> None:
        while size := min(self._h2.local_flow_control_window(stream_id), 16_384, len(body)):
            self._h2.send_data(stream_id, body[:size], end_stream=size == len(body))
            body = body[size:]
        if body:
            self._bodies[stream_id] = body
        else:
            del self._bodies[stream_id]

    def _take(self, event: h2.events.Event) -> None:
        if isinstance(event, h2.events.ResponseReceived):
            self._answers[event.stream_id].status = int(dict(event.headers)[b":status"])
        elif isinstance(event, h2.events.DataReceived):
            stream_id = event.stream_id
            if stream_id in self._answers:
                self._answers[stream_id].body += event.data
            self._h2.acknowledge_received_data(event.flow_controlled_length, stream_id)
        elif isinstance(event, h2.events.StreamEnded):
            self._answers[event.stream_id].is_whole = True
        elif isinstance(event, h2.events.StreamReset):
            raise ConnectionError(f"the stream was reset with {event.error_code}")
        elif isinstance(event, h2.events.ConnectionTerminated):
            raise ConnectionError(f"the connection ends with {event.error_code}")
