"""
The two ends of a connection in HTTP/2, by our codec, by `h2` and by `ngh2`, behind one interface.

What a party is to send is queued and goes out as windows allow; what it receives is kept, and read
or left unread as it is told.
"""

from __future__ import annotations

from typing import Any

import h2.config
import h2.connection
import h2.events
import h2.settings
import ngh2

from ingress.config import Limits
from ingress.errors import PeerError
from ingress.http1.body import Trailers
from ingress.http2.client import ClientConnection, ClientEvents
from ingress.http2.counts import HTTP2Counts
from ingress.http2.hpack_encoder import encode_fields
from ingress.http2.server import ServerConnection, ServerEvents
from ingress.http2.stream import Stream, StreamUser
from ingress.message import Request, Response
from tests.fuzz.http2_readers import NGH2_MESSAGE_EVENTS, Message

Fields = list[tuple[bytes, bytes]]


class Party:
    """
    One end.

    :ivar received: the messages by stream, as far as they have come.
    :ivar resets: the streams that the other side, or a fault, has reset, with the code.
    :ivar reads: whether bodies are read as they come; else windows stay closed.
    """

    def __init__(self) -> None:
        self.received: dict[int, Message] = {}
        self.resets: dict[int, int] = {}
        self.reads = True

    def message(self, stream_id: int) -> Message:
        return self.received.setdefault(stream_id, Message())

    # What is to be sent. The numbers of streams are those of a client that leaves none out.

    def head(self, stream_id: int, fields: Fields, *, is_end: bool) -> None:
        raise NotImplementedError

    def data(self, stream_id: int, data: bytes) -> None:
        raise NotImplementedError

    def end(self, stream_id: int, trailers: Fields) -> None:
        raise NotImplementedError

    def reset(self, stream_id: int) -> None:
        raise NotImplementedError

    def ping(self) -> None:
        raise NotImplementedError

    def change_settings(self, window: int, table: int) -> bool:
        """:return: whether that is possible now."""
        # Ours never changes its settings.
        return True

    def read_again(self) -> None:
        """Read what was left unread, and from now on what comes."""
        raise NotImplementedError

    def take(self) -> bytes:
        """:return: the bytes to be sent now."""
        raise NotImplementedError

    def give(self, data: bytes) -> None:
        """Bytes have come."""
        raise NotImplementedError

    def is_at_rest(self) -> bool:
        """:return: whether all streams are over."""
        raise NotImplementedError


# Ours.


class _User(StreamUser):
    """Takes what comes on a stream of ours."""

    def __init__(self, party: OurParty) -> None:
        self.party = party
        self.stream_id = 0

    @property
    def message(self) -> Message:
        return self.party.message(self.stream_id)

    def interim_received(self, response: Response) -> None:
        self.message.interim += 1

    def response_received(self, response: Response) -> None:
        plain = [(name, value) for name, _, value in response.fields]
        self.message.fields = [(b":status", b"%d" % response.status), *plain]

    def body_received(self, data: bytes) -> None:
        assert data, "an empty piece of a body"
        self.message.body += data
        if not self.party.reads:
            self.party.streams[self.stream_id].pause_input()

    def body_ended(self, trailers: Trailers) -> None:
        assert not self.message.is_whole, "a message ends twice"
        self.message.trailers = list(trailers)
        self.message.is_whole = True

    def message_refused(self, error: PeerError) -> None:
        raise AssertionError(f"a message is refused: {error}")

    def stream_reset(self, code: int) -> None:
        self.party.resets[self.stream_id] = code


class OurParty(Party, ServerEvents):
    """Our codec in either role."""

    def __init__(self, *, is_client: bool) -> None:
        super().__init__()
        self.streams: dict[int, Stream] = {}
        self._waiting: dict[int, Fields] = {}
        counts = HTTP2Counts()
        self.connection: ClientConnection | ServerConnection
        if is_client:
            self.connection = ClientConnection(ClientEvents(), Limits(), lambda: 1000.0, counts)
        else:
            self.connection = ServerConnection(self, Limits(), 100, lambda: 1000.0, counts)

    def request_received(self, stream: Stream, request: Request) -> None:
        stream_id = stream.stream_id
        plain = [(name, value) for name, _, value in request.fields]
        message = self.message(stream_id)
        message.fields = [(b":method", request.method), (b":path", request.target), *plain]
        message.is_whole = request.body_length == 0
        user = _User(self)
        user.stream_id = stream_id
        stream.events = user
        self.streams[stream_id] = stream
        stream.resume_input()

    def request_refused(self, stream: Stream, error: PeerError) -> None:
        raise AssertionError(f"a request is refused: {error}")

    def head(self, stream_id: int, fields: Fields, *, is_end: bool) -> None:
        block = encode_fields(fields)
        if isinstance(self.connection, ClientConnection):
            user = _User(self)
            user.stream_id = stream_id
            self.streams[stream_id] = self.connection.open(user, block, is_end=is_end)
            assert self.streams[stream_id].stream_id == stream_id
        else:
            self.streams[stream_id].send_head(block, is_end=is_end)

    def data(self, stream_id: int, data: bytes) -> None:
        self.streams[stream_id].send_data(data)

    def end(self, stream_id: int, trailers: Fields) -> None:
        self.streams[stream_id].end(encode_fields(trailers) if trailers else b"")

    def reset(self, stream_id: int) -> None:
        self.streams[stream_id].reset()

    def ping(self) -> None:
        self.connection.ping(b"12345678")

    def read_again(self) -> None:
        self.reads = True
        for stream in list(self.streams.values()):
            if stream.is_input_paused and not stream.is_closed:
                stream.resume_input()

    def take(self) -> bytes:
        data = self.connection.take()
        for stream in self.connection.output.take_drained():
            stream.events.output_drained()
        return data

    def give(self, data: bytes) -> None:
        self.connection.receive(data)
        if isinstance(self.connection, ServerConnection):
            self.connection.begin()
        assert self.connection.fault is None, str(self.connection.fault)

    def is_at_rest(self) -> bool:
        output = self.connection.output
        return not self.connection.streams and output.queued == 0 and not output._ready


# The libraries.


class H2Party(Party):
    """`h2` in either role."""

    def __init__(self, *, is_client: bool, window: int) -> None:
        super().__init__()
        self.h2 = h2.connection.H2Connection(
            h2.config.H2Configuration(client_side=is_client, header_encoding=None)
        )
        codes = h2.settings.SettingCodes
        values = {codes.INITIAL_WINDOW_SIZE: window, codes.MAX_CONCURRENT_STREAMS: 100}
        if is_client:
            values[codes.ENABLE_PUSH] = 0
        self.h2.local_settings = h2.settings.Settings(client=is_client, initial_values=values)
        self.h2.initiate_connection()
        self._unacknowledged = 1
        self._pending: dict[int, list[Any]] = {}
        self._unread: dict[int, int] = {}

    def head(self, stream_id: int, fields: Fields, *, is_end: bool) -> None:
        self.h2.send_headers(stream_id, fields, end_stream=is_end)

    def data(self, stream_id: int, data: bytes) -> None:
        self._pending.setdefault(stream_id, []).append(data)

    def end(self, stream_id: int, trailers: Fields) -> None:
        self._pending.setdefault(stream_id, []).append(trailers)

    def reset(self, stream_id: int) -> None:
        self._pending.pop(stream_id, None)
        self.h2.reset_stream(stream_id, 8)

    def ping(self) -> None:
        self.h2.ping(b"12345678")

    def change_settings(self, window: int, table: int) -> bool:
        if self._unacknowledged:
            # It takes any acknowledgement for that of its last change.
            return False
        self._unacknowledged += 1
        codes = h2.settings.SettingCodes
        self.h2.update_settings({codes.INITIAL_WINDOW_SIZE: window, codes.HEADER_TABLE_SIZE: table})
        return True

    def read_again(self) -> None:
        self.reads = True
        unread, self._unread = self._unread, {}
        for stream_id, size in unread.items():
            self._acknowledge(size, stream_id)

    def _acknowledge(self, size: int, stream_id: int) -> None:
        if size:
            self.h2.acknowledge_received_data(size, stream_id)

    def take(self) -> bytes:
        for stream_id in list(self._pending):
            self._send(stream_id, self._pending[stream_id])
        return self.h2.data_to_send()

    def _send(self, stream_id: int, pieces: list[Any]) -> None:
        while pieces:
            piece = pieces[0]
            if isinstance(piece, list):
                if piece:
                    self.h2.send_headers(stream_id, piece, end_stream=True)
                else:
                    self.h2.end_stream(stream_id)
                del self._pending[stream_id]
                return
            room = min(self.h2.local_flow_control_window(stream_id), 16_384, len(piece))
            if room <= 0:
                return
            self.h2.send_data(stream_id, piece[:room])
            pieces[:1] = [piece[room:]] if piece[room:] else []

    def give(self, data: bytes) -> None:
        for event in self.h2.receive_data(data):
            self._take(event)

    def _take(self, event: Any) -> None:
        kind = type(event)
        if kind in (h2.events.RequestReceived, h2.events.ResponseReceived):
            self.message(event.stream_id).fields = [(each[0], each[1]) for each in event.headers]
        elif kind is h2.events.InformationalResponseReceived:
            self.message(event.stream_id).interim += 1
        elif kind is h2.events.DataReceived:
            self.message(event.stream_id).body += event.data
            if self.reads:
                self._acknowledge(event.flow_controlled_length, event.stream_id)
            else:
                size = self._unread.get(event.stream_id, 0) + event.flow_controlled_length
                self._unread[event.stream_id] = size
        elif kind is h2.events.TrailersReceived:
            self.message(event.stream_id).trailers = [(each[0], each[1]) for each in event.headers]
        elif kind is h2.events.StreamEnded:
            self.message(event.stream_id).is_whole = True
        elif kind is h2.events.StreamReset:
            self._pending.pop(event.stream_id, None)
            self.resets[event.stream_id] = int(event.error_code)
        elif kind is h2.events.SettingsAcknowledged:
            self._unacknowledged -= 1
        assert kind is not h2.events.ConnectionTerminated, event

    def is_at_rest(self) -> bool:
        return not self._pending


class NGH2Party(Party):
    """`ngh2` in either role."""

    def __init__(self, *, is_client: bool, window: int) -> None:
        super().__init__()
        config = ngh2.Configuration(auto_window_update=False)
        role = ngh2.Role.CLIENT if is_client else ngh2.Role.SERVER
        self.ngh2 = ngh2.Connection(role, config)
        settings = {4: window, 3: 100}
        if is_client:
            settings[2] = 0
        self.ngh2.initiate_connection(settings)
        self._is_client = is_client
        self._unread: list[tuple[int, int]] = []

    def head(self, stream_id: int, fields: Fields, *, is_end: bool) -> None:
        if not self._is_client:
            if fields[0][1].startswith(b"1"):
                self.ngh2.send_informational_response(stream_id, fields)
            else:
                self.ngh2.send_response(stream_id, fields, end_stream=is_end)
            return
        assert self.ngh2.send_request(fields, end_stream=is_end) == stream_id

    def data(self, stream_id: int, data: bytes) -> None:
        self.ngh2.send_data(stream_id, data)

    def end(self, stream_id: int, trailers: Fields) -> None:
        if trailers:
            self.ngh2.send_trailers(stream_id, trailers)
        else:
            self.ngh2.end_stream(stream_id)

    def reset(self, stream_id: int) -> None:
        self.ngh2.reset_stream(stream_id)

    def ping(self) -> None:
        self.ngh2.ping(b"12345678")

    def change_settings(self, window: int, table: int) -> bool:
        self.ngh2.update_settings({4: window, 1: table})
        return True

    def read_again(self) -> None:
        self.reads = True
        unread, self._unread = self._unread, []
        for stream_id, size in unread:
            self.ngh2.acknowledge_received_data(size, stream_id)

    def take(self) -> bytes:
        return self.ngh2.data_to_send()

    def give(self, data: bytes) -> None:
        self.ngh2.receive_data(data)
        for event in self.ngh2.events():
            self._take(event)
        if self.reads:
            self.read_again()

    def _take(self, event: Any) -> None:
        kind = type(event)
        if kind in NGH2_MESSAGE_EVENTS:
            self.message(event.stream_id).take_ngh2(event)
            if kind is ngh2.DataReceived:
                self._unread.append((event.stream_id, len(event.data)))
        elif kind is ngh2.StreamReset:
            self.resets[event.stream_id] = int(event.error_code)
        assert kind not in (ngh2.ConnectionClosed, ngh2.GoAwayReceived), event

    def is_at_rest(self) -> bool:
        return self.ngh2.queued_body_size() == 0
