"""Tests of `ingress.http2.client`, whose endpoint is `h2`."""

from __future__ import annotations

import h2.config
import h2.connection
import h2.events
import h2.settings
from twisted.trial.unittest import SynchronousTestCase

from ingress.config import Limits
from ingress.errors import PeerError, ResponseError
from ingress.http1.body import Trailers
from ingress.http2.client import ClientConnection, ClientEvents
from ingress.http2.counts import HTTP2Counts
from ingress.http2.fault import NO_ERROR, PROTOCOL_ERROR, REFUSED_STREAM
from ingress.http2.frame import (
    DATA,
    END_STREAM,
    GOAWAY,
    PREFACE,
    PRIORITY_UPDATE,
    PUSH_PROMISE,
    RST_STREAM,
)
from ingress.http2.hpack_encoder import encode_fields
from ingress.http2.stream import Stream, StreamUser
from ingress.message import Response
from tests.support.http2_client import GET, POST, frame, read_frames, settings, word


class Answer(StreamUser):
    """A response as it came."""

    def __init__(self) -> None:
        self.interim: list[int] = []
        self.response: Response | None = None
        self.body = b""
        self.trailers: Trailers | None = None
        self.error: PeerError | None = None
        self.reset: int | None = None

    def interim_received(self, response: Response) -> None:
        self.interim.append(response.status)

    def response_received(self, response: Response) -> None:
        self.response = response

    def body_received(self, data: bytes) -> None:
        self.body += data

    def body_ended(self, trailers: Trailers) -> None:
        self.trailers = trailers

    def message_refused(self, error: PeerError) -> None:
        self.error = error

    def stream_reset(self, code: int) -> None:
        self.reset = code


class Watcher(ClientEvents):
    def __init__(self) -> None:
        self.told: list[object] = []

    def settings_changed(self) -> None:
        self.told.append("settings")

    def going_away(self, code: int) -> None:
        self.told.append(code)

    def ping_answered(self, data: bytes) -> None:
        self.told.append(data)


class ClientConnectionTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.events = Watcher()
        self.connection = ClientConnection(self.events, Limits(), lambda: 1.0, HTTP2Counts())
        config = h2.config.H2Configuration(
            client_side=False,
            header_encoding=None,
            validate_outbound_headers=False,
            normalize_outbound_headers=False,
        )
        self.endpoint = h2.connection.H2Connection(config)
        self.endpoint.initiate_connection()
        self.came: list[h2.events.Event] = []

    def exchange(self) -> None:
        """Pass everything both ways."""
        for _ in range(4):
            while data := self.connection.take():
                self.came += self.endpoint.receive_data(data)
            self.connection.receive(self.endpoint.data_to_send())

    def open(self, fields: object = GET, *, end: bool = True) -> tuple[Stream, Answer]:
        answer = Answer()
        block = encode_fields(fields)  # type: ignore[arg-type]
        return self.connection.open(answer, block, is_end=end), answer

    def test_exchange(self) -> None:
        """A request with a body and trailers is answered by a response with both."""
        stream, answer = self.open(POST, end=False)
        stream.send_data(b"x" * 100_000)
        stream.end(encode_fields([(b"x-sum", b"1")]))
        self.exchange()
        received = sum(
            len(each.data) for each in self.came if isinstance(each, h2.events.DataReceived)
        )
        self.assertEqual(received, 65_535)
        self.endpoint.increment_flow_control_window(50_000)
        self.endpoint.increment_flow_control_window(50_000, 1)
        self.exchange()
        self.assertTrue(any(isinstance(x, h2.events.TrailersReceived) for x in self.came))
        self.endpoint.send_headers(1, [(b":status", b"100")])
        self.endpoint.send_headers(1, [(b":status", b"200"), (b"content-length", b"2")])
        self.endpoint.send_data(1, b"ok")
        self.endpoint.send_headers(1, [(b"grpc-status", b"0")], end_stream=True)
        self.exchange()
        self.assertEqual(answer.interim, [100])
        assert answer.response is not None
        self.assertEqual((answer.response.status, answer.response.body_length), (200, 2))
        self.assertEqual((answer.body, answer.trailers), (b"ok", [(b"grpc-status", b"0")]))
        self.assertEqual(self.connection.streams, {})

    def test_without_body(self) -> None:
        """A response may be whole with its head, as that to HEAD is."""
        for is_of_head in (False, True):
            answer = Answer()
            self.connection.open(answer, encode_fields(GET), is_end=True, is_of_head=is_of_head)
            self.exchange()
            stream_id = 3 if is_of_head else 1
            length = b"5" if is_of_head else b"0"
            head = [(b":status", b"200"), (b"content-length", length)]
            self.endpoint.send_headers(stream_id, head, end_stream=True)
            self.exchange()
            self.assertEqual(answer.trailers, ())
            self.assertIsNone(answer.error)

    def test_malformed(self) -> None:
        """A malformed response ends its stream, and no other one."""
        for head in (
            [(b":status", b"20")],
            [(b"x", b"y")],
            [(b":status", b"101")],
            [(b":status", b"200"), (b"connection", b"close")],
            [(b":status", b"200"), (b"transfer-encoding", b"chunked")],
            [(b":status", b"200"), (b"X-Upper", b"1")],
            [(b":status", b"200"), (b":path", b"/")],
            [(b":status", b"200"), (b"a", b"b\r\nc: d")],
            [(b":status", b"200"), (b"content-length", b"1"), (b"content-length", b"2")],
            [(b":status", b"200"), (b"a", b"b" * 70_000)],
        ):
            stream, answer = self.open()
            self.exchange()
            self.endpoint.send_headers(stream.stream_id, head)
            self.exchange()
            self.assertIsInstance(answer.error, ResponseError, head)
            self.assertNotIn(stream.stream_id, self.connection.streams)
            self.assertIsNone(self.connection.fault)

    def test_length(self) -> None:
        """A body that is not as long as its Content-Length is refused."""
        for body in (b"a", b"abc"):
            stream, answer = self.open()
            self.exchange()
            head = [(b":status", b"200"), (b"content-length", b"2")]
            self.endpoint.send_headers(stream.stream_id, head)
            self.endpoint.send_data(stream.stream_id, body, end_stream=True)
            self.exchange()
            self.assertIsInstance(answer.error, ResponseError)

    def test_data_first(self) -> None:
        """DATA before the head of a response resets its stream; its user gets none of it."""
        for flags in (0, END_STREAM):
            stream, answer = self.open()
            self.exchange()
            for end in (0, flags):
                self.connection.receive(frame(DATA, end, stream.stream_id, b"HTTP/1.1 200 OK"))
            self.exchange()
            self.assertIsInstance(answer.error, ResponseError)
            self.assertEqual((answer.body, answer.trailers), (b"", None))
            resets = [each for each in self.came if isinstance(each, h2.events.StreamReset)]
            self.assertEqual(resets[-1].error_code, PROTOCOL_ERROR)
            self.assertIsNone(self.connection.fault)

    def test_paused(self) -> None:
        """A response that is whole before its user reads on is passed on all the same."""
        for body, is_end in ((b"", True), (b"held", True), (b"", False), (b"held", False)):
            stream, answer = self.open(end=is_end)
            self.exchange()
            stream_id = stream.stream_id
            self.endpoint.send_headers(stream_id, [(b":status", b"200")])
            self.endpoint.send_data(stream_id, b"some")
            self.exchange()
            stream.pause_input()
            if body:
                self.endpoint.send_data(stream_id, body)
            self.endpoint.send_headers(stream_id, [(b"x-sum", b"1")], end_stream=True)
            self.exchange()
            self.assertEqual((answer.body, answer.trailers), (b"some", None))
            # RFC 9113 section 8.1: this says that the rest of the request is not wanted.
            self.connection.receive(frame(RST_STREAM, 0, stream_id, word(NO_ERROR)))
            self.assertIsNone(answer.reset)
            stream.resume_input()
            self.assertEqual((answer.body, answer.trailers), (b"some" + body, [(b"x-sum", b"1")]))
            self.assertEqual(self.connection.streams, {})

    def test_room(self) -> None:
        """There is room for what is known, and after the settings for as many as they say."""
        known = ClientConnection(ClientEvents(), Limits(), lambda: 1.0, HTTP2Counts(), 8)
        self.assertEqual((self.connection.room, known.room), (1, 8))
        self.open()
        self.assertEqual(self.connection.room, 0)
        self.exchange()
        self.assertEqual(self.events.told, ["settings"])
        self.assertEqual(self.connection.room, 99)
        self.connection.receive(settings((3, 1)))
        self.assertEqual(self.connection.room, 0)

    def test_goaway(self) -> None:
        """Streams that were not processed are reset with REFUSED_STREAM; the others go on."""
        _, first = self.open()
        _, second = self.open()
        self.exchange()
        self.connection.receive(frame(GOAWAY, 0, 0, word(1) + word(0)))
        self.assertEqual((first.reset, second.reset), (None, REFUSED_STREAM))
        self.assertEqual(self.connection.room, 0)
        self.assertEqual(self.events.told, ["settings", 0])
        self.endpoint.send_headers(1, [(b":status", b"204")], end_stream=True)
        self.exchange()
        self.assertEqual(first.trailers, ())

    def test_reset(self) -> None:
        """A reset by either side ends the stream alone."""
        stream, answer = self.open()
        other, left = self.open()
        self.exchange()
        self.connection.receive(frame(RST_STREAM, 0, 1, word(REFUSED_STREAM)))
        self.assertEqual(answer.reset, REFUSED_STREAM)
        self.assertTrue(stream.is_closed)
        other.reset()
        self.exchange()
        self.assertTrue(any(isinstance(x, h2.events.StreamReset) for x in self.came))
        self.assertIsNone(left.reset)

    def test_ping(self) -> None:
        """PINGs tell whether the endpoint is there."""
        self.connection.ping(b"12345678")
        self.exchange()
        self.assertIn(b"12345678", self.events.told)

    def test_faults(self) -> None:
        """What no server may send ends the connection, such as frames on streams not opened."""
        for piece in (
            frame(PUSH_PROMISE, 4, 1, word(2)),
            frame(1, 5, 2, b"\x88"),
            frame(1, 5, 7, b"\x88"),
            frame(0, 1, 7, b"x"),
            settings((2, 1)),
            frame(PRIORITY_UPDATE, 0, 0, word(1) + b"u=1"),
        ):
            connection = ClientConnection(Watcher(), Limits(), lambda: 1.0, HTTP2Counts())
            sent = connection.take()
            self.assertTrue(sent.startswith(PREFACE))
            connection.receive(settings())
            connection.receive(piece)
            assert connection.fault is not None
            self.assertEqual(connection.fault.code, PROTOCOL_ERROR)
            self.assertEqual(read_frames(connection.take())[-1].kind, GOAWAY)

    def test_small_table(self) -> None:
        """An endpoint whose table is smaller is told that ours is empty."""
        self.endpoint.update_settings({h2.settings.SettingCodes.HEADER_TABLE_SIZE: 0})
        self.exchange()
        self.open()
        self.open()
        self.exchange()
        received = [x for x in self.came if isinstance(x, h2.events.RequestReceived)]
        self.assertEqual(len(received), 2)
