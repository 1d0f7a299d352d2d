"""
An endpoint that speaks HTTP/2 by another implementation, on a connection in memory.
"""

from __future__ import annotations

from typing import Any

from h2.config import H2Configuration
from h2.connection import H2Connection
from h2.events import (
    ConnectionTerminated,
    DataReceived,
    Event,
    RequestReceived,
    StreamEnded,
    StreamReset,
    TrailersReceived,
)
from h2.settings import SettingCodes, Settings

from tests.support.wire import Peer


class H2Request:
    """A request as the endpoint has received it so far."""

    def __init__(self, stream_id: int, fields: list[tuple[bytes, bytes]]) -> None:
        self.stream_id = stream_id
        self.fields = fields
        self.body = b""
        self.trailers: list[tuple[bytes, bytes]] = []
        self.is_whole = False
        self.is_answered = False
        self.unread = 0
        self.reset_code: int | None = None

    def field(self, name: bytes) -> bytes | None:
        return dict(self.fields).get(name)


class H2Endpoint:
    """
    :param peer: the endpoint's end of a connection.
    :param streams: how many streams it takes at once.
    :param is_lenient: whether it does not end the connection for more of them.
    """

    def __init__(self, peer: Peer, streams: int = 100, *, is_lenient: bool = False) -> None:
        self.peer = peer
        self.h2 = H2Connection(H2Configuration(client_side=False, header_encoding=None))
        self.h2.local_settings = Settings(
            client=False, initial_values={SettingCodes.MAX_CONCURRENT_STREAMS: streams}
        )
        self.requests: dict[int, H2Request] = {}
        self.is_terminated = False
        self.acknowledges = True
        """Whether windows are opened for what is read."""

        self.h2.initiate_connection()
        if is_lenient:
            self.h2.local_settings = Settings(client=False)
        self.flush()
        self.look()

    def look(self) -> list[H2Request]:
        """Read what has come; return all requests so far."""
        while data := self.peer.read():
            for event in self.h2.receive_data(data):
                self._take(event)
            self.flush()
        return list(self.requests.values())

    def _take(self, event: Event) -> None:
        stream_id: Any = getattr(event, "stream_id", 0)
        if isinstance(event, RequestReceived):
            fields = [(bytes(name), bytes(value)) for name, value in event.headers]
            self.requests[stream_id] = H2Request(stream_id, fields)
        elif isinstance(event, DataReceived):
            self.requests[stream_id].body += event.data
            self.requests[stream_id].unread += event.flow_controlled_length
            if self.acknowledges:
                self.give_back(self.requests[stream_id])
        elif isinstance(event, TrailersReceived):
            trailers = [(bytes(name), bytes(value)) for name, value in event.headers]
            self.requests[stream_id].trailers = trailers
        elif isinstance(event, StreamEnded):
            self.requests[stream_id].is_whole = True
        elif isinstance(event, StreamReset):
            self.requests[stream_id].reset_code = int(event.error_code)
        elif isinstance(event, ConnectionTerminated):
            self.is_terminated = True

    def give_back(self, request: H2Request) -> None:
        """Give what was received of a body back to the windows."""
        unread, request.unread = request.unread, 0
        if unread:
            self.h2.acknowledge_received_data(unread, request.stream_id)
            self.flush()

    def flush(self) -> None:
        data = self.h2.data_to_send()
        if data:
            self.peer.send(data)

    def answer(
        self,
        request: H2Request,
        status: int = 200,
        body: bytes = b"",
        fields: tuple[tuple[str, str], ...] = (),
        trailers: tuple[tuple[str, str], ...] = (),
        *,
        is_end: bool = True,
    ) -> None:
        """Send a response; without `is_end` only the beginning of one."""
        request.is_answered = True
        head = [(":status", str(status)), *fields]
        is_bare = is_end and not body and not trailers
        self.h2.send_headers(request.stream_id, head, end_stream=is_bare)
        if body:
            self.h2.send_data(request.stream_id, body, end_stream=is_end and not trailers)
        if trailers:
            self.h2.send_headers(request.stream_id, trailers, end_stream=True)
        self.flush()

    def reset(self, request: H2Request, code: int) -> None:
        request.is_answered = True
        self.h2.reset_stream(request.stream_id, code)
        self.flush()
