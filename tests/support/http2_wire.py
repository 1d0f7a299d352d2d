"""
A client of HTTP/2 at one end of a `Wire`: `h2`, and what it has received.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence

import h2.config
import h2.connection
import h2.events
import h2.settings

from ingress.http2.frame import FRAME_HEADER, RST_STREAM
from tests.support.wire import Peer, Wire

GET = (
    (b":method", b"GET"),
    (b":scheme", b"http"),
    (b":path", b"/"),
    (b":authority", b"a.example"),
)
POST = ((b":method", b"POST"), *GET[1:])


class Answer:
    """A response as it came."""

    def __init__(self) -> None:
        self.fields: dict[bytes, bytes] = {}
        self.pairs: list[tuple[bytes, bytes]] = []
        """The same, with each field that comes more than once."""

        self.interim: list[int] = []
        self.body = b""
        self.trailers: list[tuple[bytes, bytes]] = []
        self.is_whole = False
        self.reset: int | None = None
        self.unread = 0

    def __repr__(self) -> str:
        return f"<Answer {self.fields} {self.body[:50]!r} {self.is_whole} reset={self.reset}>"

    @property
    def status(self) -> int:
        return int(self.fields[b":status"])


class HTTP2Client:
    """
    :param wire: the wire to connect to.
    :param window: of each stream, in bytes.
    :param reads: whether what is received is given back to the windows.
    :param peer: a connection to use; None for a new one.
    """

    def __init__(
        self,
        wire: Wire,
        *,
        window: int = 65_535,
        reads: bool = True,
        peer: Peer | None = None,
    ) -> None:
        self.wire = wire
        self.peer: Peer = wire.connect() if peer is None else peer
        config = h2.config.H2Configuration(
            header_encoding=None, validate_outbound_headers=False, normalize_outbound_headers=False
        )
        self.h2 = h2.connection.H2Connection(config)
        self.h2.local_settings = h2.settings.Settings(
            client=True,
            initial_values={
                h2.settings.SettingCodes.ENABLE_PUSH: 0,
                h2.settings.SettingCodes.INITIAL_WINDOW_SIZE: window,
            },
        )
        self.answers: defaultdict[int, Answer] = defaultdict(Answer)
        self.goaways: list[tuple[int, int]] = []
        """``(last stream, code)``"""

        self.pongs = 0
        self._received = b""
        self._reads = reads
        self._next = 1
        self.h2.initiate_connection()
        self.settle()

    def request(
        self,
        fields: Sequence[tuple[bytes, bytes]] = GET,
        body: bytes | None = None,
        *,
        end: bool = True,
    ) -> int:
        """
        Send a request.

        :param body: None for none.
        :param end: whether the request is whole then.
        :return: its stream.
        """
        stream_id = self.next_stream()
        self.h2.send_headers(stream_id, fields, end_stream=end and body is None)
        if body is not None:
            self.send(stream_id, body, end=end)
        self.settle()
        return stream_id

    def next_stream(self) -> int:
        """:return: the number of a stream that has not been used."""
        stream_id = self._next
        self._next += 2
        return stream_id

    def send(self, stream_id: int, data: bytes, *, end: bool = False) -> None:
        """Send some of a body, which the windows must allow."""
        for start in range(0, len(data), 16_384):
            self.h2.send_data(stream_id, data[start : start + 16_384])
        if end:
            self.h2.end_stream(stream_id)
        self.settle()

    def upload(self, stream_id: int, data: bytes) -> int:
        """:return: how many bytes were sent before the proxy took no more."""
        sent = 0
        while sent < len(data) and self.answers[stream_id].reset is None:
            room = min(self.h2.local_flow_control_window(stream_id), 16_384)
            if room <= 0:
                break
            piece = data[sent : sent + room]
            self.send(stream_id, piece)
            sent += len(piece)
        return sent

    def give_back(self) -> None:
        """Give all that was received back to the windows, where that waits for this call."""
        for stream_id, answer in list(self.answers.items()):
            if answer.unread:
                unread, answer.unread = answer.unread, 0
                self.h2.acknowledge_received_data(unread, stream_id)
        self.settle()

    def reset(self, stream_id: int) -> None:
        self.h2.reset_stream(stream_id, 8)
        self.settle()

    def settle(self) -> None:
        """Send what waits, and read everything that comes."""
        for _ in range(1000):
            data = self.h2.data_to_send()
            if data:
                self.peer.send_some(data)
            received = self.peer.read()
            self.take(received)
            if not received and not data:
                return
        raise AssertionError("the conversation never comes to rest")

    def take(self, data: bytes) -> None:
        """Take what was received, frame by frame, because `h2` stops at GOAWAY."""
        self._received += data
        while len(self._received) >= FRAME_HEADER:
            size = FRAME_HEADER + int.from_bytes(self._received[:3], "big")
            if len(self._received) < size:
                break
            frame, self._received = self._received[:size], self._received[size:]
            if frame[3] == RST_STREAM:
                # h2 says nothing of one that follows the end of its stream.
                stream_id = int.from_bytes(frame[5:9], "big")
                self.answers[stream_id].reset = int.from_bytes(frame[9:], "big")
            for event in self.h2.receive_data(frame):
                self._take(event)

    def _take(self, event: h2.events.Event) -> None:
        if isinstance(event, h2.events.ResponseReceived):
            self.answers[event.stream_id].fields = dict(event.headers)
            self.answers[event.stream_id].pairs = list(event.headers)
        elif isinstance(event, h2.events.InformationalResponseReceived):
            status = int(dict(event.headers)[b":status"])
            self.answers[event.stream_id].interim.append(status)
        elif isinstance(event, h2.events.DataReceived):
            self.answers[event.stream_id].body += event.data
            self.answers[event.stream_id].unread += (
                0 if self._reads else (event.flow_controlled_length)
            )
            if self._reads:
                self.h2.acknowledge_received_data(event.flow_controlled_length, event.stream_id)
        elif isinstance(event, h2.events.TrailersReceived):
            self.answers[event.stream_id].trailers = list(event.headers)
        elif isinstance(event, h2.events.StreamEnded):
            self.answers[event.stream_id].is_whole = True
        elif isinstance(event, h2.events.ConnectionTerminated):
            self.goaways.append((event.last_stream_id or 0, int(event.error_code or 0)))
            # Streams go on.
            self.h2.state_machine.state = h2.connection.ConnectionState.CLIENT_OPEN
        elif isinstance(event, h2.events.PingAckReceived):
            self.pongs += 1
