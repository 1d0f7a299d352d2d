"""Tests of `ingress.http2.server`, beside those of `tests.http2.test_conformance`."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

import h2.config
import h2.connection
import h2.events
import hpack
from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from ingress.config import Limits
from ingress.http2.fault import (
    ENHANCE_YOUR_CALM,
    FLOW_CONTROL_ERROR,
    NO_ERROR,
    PROTOCOL_ERROR,
    REFUSED_STREAM,
)
from ingress.http2.frame import (
    DATA,
    FRAME_SIZE,
    GOAWAY,
    HEADERS,
    PING,
    PREFACE,
    RST_STREAM,
    SETTINGS,
    WINDOW_UPDATE,
)
from ingress.http2.hpack_encoder import encode_fields, encode_status
from tests.support.http2_client import (
    GET,
    POST,
    Client,
    Received,
    answer,
    frame,
    window_update,
    word,
)
from tests.support.http2_client import settings as settings_frame

LENGTH = b"content-length"


def status_of(client: Client, stream_id: int) -> int:
    """The status of the first head that came on a stream."""
    block = client.of(HEADERS, stream_id)[0].payload
    return int(dict(client.decoder.decode(block, raw=True))[b":status"])


class RequestTests(SynchronousTestCase):
    """Requests have the form that those of HTTP/1.1 have."""

    def received(self, *frames: bytes, client: Client) -> Received:
        client.send(*frames)
        return client.site.received[-1]

    def test_plain(self) -> None:
        """A request without a body is whole with its head."""
        client = Client().handshake()
        fields = [*GET, (b"accept", b"*/*"), (b"x-one", b"1"), (b"x-one", b"2")]
        request = self.received(client.head(1, fields), client=client).request
        assert request is not None
        self.assertEqual(request.method, b"GET")
        self.assertEqual((request.target, request.path), (b"/", b"/"))
        self.assertEqual((request.authority, request.host), (b"a.example", b"a.example"))
        self.assertEqual(
            [(name, value) for _, name, value in request.fields],
            [(b"accept", b"*/*"), (b"x-one", b"1"), (b"x-one", b"2")],
        )
        self.assertEqual(request.body_length, 0)
        self.assertTrue(request.is_http_2)
        self.assertFalse(request.is_http_10)

    def test_body(self) -> None:
        """The length of a body is that of its Content-Length, or unknown."""
        for fields, length in ((POST, None), ((*POST, (LENGTH, b"4")), 4)):
            client = Client().handshake()
            received = self.received(
                client.head(1, fields, end=False), client.data(1, b"body"), client=client
            )
            assert received.request is not None
            self.assertEqual(received.request.body_length, length)
            self.assertEqual(received.body, b"body")
            self.assertEqual(received.trailers, ())

    def test_trailers(self) -> None:
        """Trailers end a body."""
        client = Client().handshake()
        received = self.received(
            client.head(1, POST, end=False),
            client.data(1, b"body", end=False),
            client.head(1, [(b"x-sum", b"4")]),
            client=client,
        )
        self.assertEqual(received.trailers, [(b"x-sum", b"4")])

    def test_empty_body(self) -> None:
        """With a Content-Length of 0 the request is passed on when END_STREAM has come."""
        client = Client().handshake()
        client.send(client.head(1, [*POST, (LENGTH, b"0")], end=False))
        self.assertEqual(client.site.received, [])
        received = self.received(client.data(1, b""), client=client)
        assert received.request is not None
        self.assertEqual(received.request.body_length, 0)
        client.send(client.head(3, [*POST, (LENGTH, b"0")], end=False), client.data(3, b"x"))
        self.assertEqual(status_of(client, 3), 400)
        self.assertEqual(client.reset(3), PROTOCOL_ERROR)

    def test_cookies(self) -> None:
        """The crumbs of a cookie are joined (RFC 9113 section 8.2.3)."""
        client = Client().handshake()
        fields = [*GET, (b"cookie", b"a=1"), (b"x", b"y"), (b"cookie", b"b=2")]
        request = self.received(client.head(1, fields), client=client).request
        assert request is not None
        self.assertEqual(request.field(b"cookie"), b"a=1; b=2")

    def test_host(self) -> None:
        """Host may take the place of :authority, and may not differ from it."""
        client = Client().handshake()
        for number, (fields, authority) in enumerate(
            (
                ([*GET[:3], (b"host", b"b.example:80")], b"b.example:80"),
                ([*GET, (b"host", b"A.example")], b"a.example"),
                ([*GET, (b"host", b"b.example")], None),
                ([*GET[:3], (b"host", b"a.example"), (b"host", b"a.example")], None),
                (GET[:3], None),
                ([*GET[:3], (b":authority", b"user@a.example")], None),
            )
        ):
            received = self.received(client.head(2 * number + 1, fields), client=client)
            if authority is None:
                self.assertIsNotNone(received.refusal, fields)
            else:
                assert received.request is not None
                self.assertEqual(received.request.authority, authority)

    def test_websocket(self) -> None:
        """The CONNECT of RFC 8441 is the request for a WebSocket of HTTP/1.1."""
        client = Client(None).handshake()
        fields = [(b":method", b"CONNECT"), (b":protocol", b"websocket"), *GET[1:]]
        received = self.received(client.head(1, fields, end=False), client=client)
        request = received.request
        assert request is not None
        self.assertTrue(request.wants_websocket)
        self.assertEqual((request.method, request.body_length), (b"GET", 0))
        client.send(client.data(1, b"raw", end=False))
        self.assertEqual(received.body, b"raw")

    def test_refused(self) -> None:
        """A malformed request is answered with 400 and reset, and the connection lives."""
        for fields in (
            [*GET, (b"transfer-encoding", b"chunked")],
            [*GET, (b"upgrade", b"websocket")],
            [*GET, (b"te", b"gzip")],
            [*GET, (b"x", b"a\r\nb: c")],
            [*GET, (b"x", b"a\0")],
            [*GET, (b"x", b" a")],
            [*GET, (b"x\r\ny", b"a")],
            [*GET, (b"", b"a")],
            [*GET, (LENGTH, b"1"), (LENGTH, b"1")],
            [*POST, (LENGTH, b"+1")],
            [*POST, (LENGTH, b"4")],
            [(b":method", b"CONNECT"), GET[3]],
            [(b":method", b"CONNECT"), *GET[1:]],
            [(b":method", b"G T"), *GET[1:]],
            [(b":method", b"GET\r\n"), *GET[1:]],
            [*GET[:2], (b":path", b"/a b"), GET[3]],
            [*GET[:2], (b":path", b"a"), GET[3]],
            [*GET[:2], (b":path", b"*"), GET[3]],
            [*GET[:2], (b":path", b"/\r\nX: y"), GET[3]],
            [*GET[:2], (b":path", b"/#a"), GET[3]],
            [*GET[:2], (b":path", b"http://a.example/"), GET[3]],
            [GET[0], (b":scheme", b"ftp"), *GET[2:]],
            [*GET, (b":protocol", b"websocket")],
        ):
            client = Client().handshake()
            client.send(client.head(1, fields))
            self.assertEqual(status_of(client, 1), 400, fields)
            self.assertEqual(client.reset(1), PROTOCOL_ERROR, fields)
            client.send(client.head(3))
            self.assertEqual(status_of(client, 3), 200, fields)

    def test_too_large(self) -> None:
        """A head that is too large in bytes or in fields is answered with 431."""
        for fields in (
            [(b"x", b"y" * 4000)] * 17,
            [(b"x%d" % number, b"") for number in range(253)],
        ):
            client = Client().handshake()
            block = client.encoder.encode([*GET, *fields])
            client.send(client.block(1, block))
            self.assertEqual(status_of(client, 1), 431)
            client.send(client.head(3))
            self.assertEqual(status_of(client, 3), 200)

    def test_target_too_long(self) -> None:
        """The other sizes have the statuses that they have in HTTP/1.1."""
        client = Client(limits=Limits(target_size=256)).handshake()
        client.send(client.head(1, [*GET[:2], (b":path", b"/" + b"a" * 256), GET[3]]))
        self.assertEqual(status_of(client, 1), 414)


class KeptBlockTests(SynchronousTestCase):
    """Parts of blocks are looked up by their bytes, as long as they mean the same."""

    def test_same_block(self) -> None:
        """Equal blocks share what was made of them."""
        client = Client().handshake()
        fields = [*GET, (b"user-agent", b"x"), (b"accept", b"*/*")]
        client.send(*(client.head(number, fields) for number in (1, 3, 5)))
        first, second, third = (each.request for each in client.site.received)
        assert first is not None
        assert second is not None
        assert third is not None
        self.assertIs(second.fields, third.fields)
        self.assertEqual(first.fields, third.fields)

    def test_changed_table(self) -> None:
        """Equal bytes after a change of the dynamic table are other fields."""
        client = Client().handshake()
        begin = b"\x82\x86\x84\x41\x09a.example"
        # Each request after the first refers to the newest entry of the table.
        client.send(client.block(1, begin + b"\x40\x01x\x01a"))
        begin = b"\x82\x86\x84\xbf"
        client.send(client.block(3, begin + b"\xbe"))
        client.send(client.block(5, begin + b"\xbe"))
        client.send(client.block(7, b"\x82\x86\x84\xbf\x40\x01x\x01b"))
        client.send(client.block(9, b"\x82\x86\x84\xc0\xbe"))
        client.send(client.block(11, b"\x82\x86\x84\xc0\xbe"))
        values = [each.request and each.request.field(b"x") for each in client.site.received]
        self.assertEqual(values, [b"a", b"a", b"a", b"b", b"b", b"b"])

    def test_changed_limits(self) -> None:
        """A kept part is measured anew."""
        client = Client().handshake()
        fields = [*GET, (b"x", b"y" * 500)]
        client.send(client.head(1, fields), client.head(3, fields))
        client.connection.limits = Limits(head_size=300)
        client.send(client.head(5, fields))
        self.assertEqual([status_of(client, each) for each in (1, 3, 5)], [200, 200, 431])

    @given(
        st.lists(
            st.lists(
                st.tuples(
                    st.sampled_from([b"a", b"b", b"cookie", b"accept"]),
                    st.sampled_from([b"", b"1", b"2", b"3" * 900]),
                ),
                max_size=5,
            ),
            max_size=12,
        ),
        st.sampled_from([0, 100, 4096]),
    )
    def test_reference(self, requests: Sequence[Sequence[tuple[bytes, bytes]]], table: int) -> None:
        """Whatever clients repeat, each request has the fields that the reference decodes."""
        client = Client().handshake()
        client.encoder.header_table_size = table
        reference = hpack.Decoder()
        for number, fields in enumerate(requests):
            head = client.head(2 * number + 1, [*GET, *fields])
            client.send(head)
            expected = [tuple(each) for each in reference.decode(head[9:], raw=True)][4:]
            request = client.site.received[-1].request
            assert request is not None
            crumbs = [value for name, value in expected if name == b"cookie"]
            joined = b"; ".join(crumbs).rstrip(b" ") if crumbs else None
            self.assertEqual(request.field(b"cookie"), joined)
            self.assertEqual(
                [(name, value) for _, name, value in request.fields if name != b"cookie"],
                [each for each in expected if each[0] != b"cookie"],
            )


class FlowTests(SynchronousTestCase):
    """Neither side sends more than the other takes."""

    def test_response(self) -> None:
        """A response waits for the windows of its stream and of the connection."""
        client = Client(b"x" * 200_000).handshake()
        client.send(client.head(1))
        self.assertEqual(len(client.body(1)), 65_535)
        client.send(window_update(1, 100_000))
        self.assertEqual(len(client.body(1)), 65_535)
        client.send(window_update(0, 10))
        self.assertEqual(len(client.body(1)), 65_545)
        client.send(window_update(0, 1 << 20))
        self.assertEqual(len(client.body(1)), 165_535)
        client.send(window_update(1, 1 << 20))
        self.assertEqual(len(client.body(1)), 200_000)
        self.assertLessEqual(max(len(each.payload) for each in client.of(DATA)), FRAME_SIZE)

    def test_drained(self) -> None:
        """The user of a stream hears when all that it has queued is sent."""
        client = Client(None).handshake()
        client.send(client.head(1))
        received = client.site.received[0]
        received.stream.send_head(encode_status(200), is_end=False)
        self.assertTrue(received.stream.send_data(b"x" * 1000))
        client.read()
        self.assertEqual(received.drained, 0)
        self.assertFalse(received.stream.send_data(b"x" * 65_536))
        client.read()
        self.assertEqual(received.drained, 0)
        client.send(window_update(0, 1 << 20), window_update(1, 1 << 20))
        self.assertEqual(received.drained, 1)

    def test_slow_stream(self) -> None:
        """A stream without a window holds up no other one."""
        client = Client(b"x" * 1000).handshake((4, 0))
        client.send(client.head(1), client.head(3), window_update(3, 5000))
        self.assertEqual((len(client.body(1)), len(client.body(3))), (0, 1000))

    def test_upload(self) -> None:
        """What is read of a body is given back to the client, and what is not read is not."""
        client = Client(None).handshake()
        client.send(client.head(1, POST, end=False))
        stream = client.site.received[0].stream
        client.send(*(client.data(1, bytes(16_000), end=False) for _ in range(4)))
        self.assertEqual(len(client.of(WINDOW_UPDATE, 1)), 1)
        stream.pause_input()
        client.frames.clear()
        sent = 0
        while not client.goaway() and client.reset(1) is None:
            client.send(client.data(1, bytes(10_000), end=False))
            sent += 10_000
        # The window had doubled once.
        self.assertEqual(client.reset(1), FLOW_CONTROL_ERROR)
        self.assertLess(sent, 3 * 65_535)

    def test_growing_window(self) -> None:
        """The window of a stream that is read at once grows, up to 1 MiB, and shrinks again."""
        client = Client(None).handshake()
        client.send(client.head(1, POST, end=False))
        stream = client.site.received[0].stream
        for _ in range(200):
            client.send(client.data(1, bytes(16_000), end=False))
        self.assertGreater(stream.window.left, 400_000)
        self.assertLessEqual(stream.window.left, 1 << 20)
        stream.pause_input()
        for _ in range(10):
            client.send(client.data(1, bytes(16_000), end=False))
        stream.resume_input()
        for _ in range(200):
            if stream.window.left < 16_000:
                break
            stream.window.stall()
            client.send(client.data(1, bytes(16_000), end=False))
        self.assertIsNone(client.goaway())
        self.assertLessEqual(stream.window.left, 2 * 65_535)

    def test_held(self) -> None:
        """What comes while input is paused is held, in order, and passed on later."""
        client = Client(None).handshake()
        client.send(client.head(1, POST, end=False))
        received = client.site.received[0]
        received.stream.pause_input()
        client.send(client.data(1, b"a", end=False), client.data(1, b"b"))
        self.assertEqual((received.body, received.trailers), (b"", None))
        received.stream.resume_input()
        self.assertEqual((received.body, received.trailers), (b"ab", ()))

    def test_connection_window(self) -> None:
        """What streams that are over have held is given back to the connection."""
        client = Client(None).handshake()
        for number in range(1, 161, 2):
            client.send(client.head(number, POST, end=False))
            client.site.received[-1].stream.pause_input()
            client.send(*(client.data(number, bytes(16_000), end=False) for _ in range(4)))
            client.site.received[-1].stream.reset(NO_ERROR)
        self.assertIsNone(client.goaway())
        self.assertTrue(client.of(WINDOW_UPDATE, 0))


class PriorityTests(SynchronousTestCase):
    """RFC 9218."""

    def order(self, client: Client) -> list[int]:
        """The streams of DATA frames in their order."""
        return [each.stream_id for each in client.of(DATA)]

    def begin(self, *priorities: bytes | None) -> Client:
        """Requests whose responses wait for the connection's window."""
        client = Client(b"x" * 2 * FRAME_SIZE).handshake((4, 1 << 20))
        client.connection.output.window = 0
        for index, priority in enumerate(priorities):
            fields = GET if priority is None else [*GET, (b"priority", priority)]
            client.send(client.head(2 * index + 1, fields))
        return client

    def test_turns(self) -> None:
        """Without priorities streams take turns."""
        client = self.begin(None, None, None)
        client.send(window_update(0, 1 << 20))
        self.assertEqual(self.order(client), [1, 3, 5, 1, 3, 5])

    def test_urgency(self) -> None:
        """The more urgent response comes first, and whole unless it is incremental."""
        client = self.begin(b"u=5", b"u=1", b"u=1", None)
        client.send(window_update(0, 1 << 20))
        self.assertEqual(self.order(client), [3, 3, 5, 5, 7, 7, 1, 1])

    def test_update(self) -> None:
        """PRIORITY_UPDATE changes the priority of an open stream."""
        client = self.begin(None, None)
        client.send(frame(0x10, 0, 0, b"\0\0\0\3u=0"), window_update(0, 1 << 20))
        self.assertEqual(self.order(client), [3, 3, 1, 1])

    def test_smaller_windows(self) -> None:
        """A stream that is to send waits when SETTINGS take its window away, and goes on later."""
        for window in (0, 1):
            client = Client(None).handshake((4, 100))
            for stream_id in (1, 3):
                client.send(client.head(stream_id))
            for received in client.site.received:
                received.stream.send_head(encode_status(200), is_end=False)
                received.stream.send_data(b"a" * 50)
            self.assertEqual(len(client.read()), 4)
            for received in client.site.received:
                received.stream.send_data(b"b" * 20)
            client.connection.receive(settings_frame((4, window)))
            client.read()
            self.assertEqual([len(each.payload) for each in client.of(DATA)], [50, 50])
            waiting = client.connection.stalled(client.now + 1)
            self.assertEqual([each.stream_id for each in waiting], [1, 3])
            client.send(settings_frame((4, 100)))
            self.assertEqual(client.body(1), b"a" * 50 + b"b" * 20)
            self.assertEqual(client.connection.stalled(client.now + 1), [])

    def test_update_of_push(self) -> None:
        """PRIORITY_UPDATE for no stream, or for a push, which there is none of, is a fault."""
        for stream_id in (0, 2):
            client = self.begin(None)
            client.send(frame(0x10, 0, 0, word(stream_id) + b"u=0"))
            self.assertEqual(client.goaway(), PROTOCOL_ERROR)

    def test_announced(self) -> None:
        """Clients are told that the priorities of RFC 7540 are not used; PRIORITY means nothing."""
        client = Client(b"x" * 2 * FRAME_SIZE)
        client.send(PREFACE, settings_frame((4, 1 << 20)))
        (announced, *_) = client.of(SETTINGS)
        entries = [announced.payload[at : at + 6] for at in range(0, len(announced.payload), 6)]
        self.assertIn(b"\0\x09\0\0\0\1", entries)
        client.frames.clear()
        client.connection.output.window = 0
        client.send(client.head(1), frame(2, 0, 1, b"\0\0\0\3\0"))
        client.send(client.head(3), frame(2, 0, 3, b"\x80\0\0\0\xff"))
        client.send(window_update(0, 1 << 20))
        self.assertEqual(self.order(client), [1, 3, 1, 3])

    def test_update_again(self) -> None:
        """The last PRIORITY_UPDATE counts, over what the request said; others mean nothing."""
        client = self.begin(b"u=1", b"u=2")
        client.send(
            frame(0x10, 0, 0, b"\0\0\0\1u=6"),
            frame(0x10, 0, 0, b"\0\0\0\1u=5"),
            frame(0x10, 0, 0, b"\0\0\0\x77u=0"),
            frame(0x10, 0, 0, b"\0\0\0\3, u=99;;"),
            window_update(0, 1 << 20),
        )
        self.assertEqual(self.order(client), [3, 3, 1, 1])
        self.assertIsNone(client.goaway())

    def test_starvation_over_time(self) -> None:
        """
        Beside a response that always has something more urgent to send, each other one gets a frame
        a second, on a connection that has room for ten.
        """
        client = Client(None).handshake((4, 1 << 30))
        client.connection.output.window = 0
        for stream_id, priority in ((1, b"u=7"), (3, b"u=0"), (5, b"u=6, i"), (7, b"u=7")):
            client.send(client.head(stream_id, [*GET, (b"priority", priority)]))
        at: dict[int, list[float]] = {1: [], 3: [], 5: [], 7: []}
        for each in client.site.received:
            each.stream.send_head(encode_status(200), is_end=False)
            each.stream.send_data(b"x" * 12 * FRAME_SIZE)
        urgent = client.site.received[1].stream
        for _ in range(100):
            client.now += 0.1
            client.frames.clear()
            # Not through the guard: this client opens a window for each frame.
            client.connection.output.window = FRAME_SIZE
            if urgent.queued < 5 * FRAME_SIZE:
                urgent.send_data(b"x" * FRAME_SIZE)
            client.read()
            for stream_id in self.order(client):
                at[stream_id].append(client.now)
        for stream_id in (1, 5, 7):
            times = at[stream_id]
            self.assertGreaterEqual(len(times), 7, stream_id)
            longest = max(later - sooner for sooner, later in pairwise(times))
            self.assertLess(longest, 1.5, stream_id)
        self.assertGreater(len(at[3]), 60)

    def test_starvation(self) -> None:
        """A stream that has waited for more than a second gets a frame."""
        client = self.begin(b"u=7", b"u=0")
        client.now += 1.5
        client.site.received[1].stream.waits_since = client.now
        client.send(window_update(0, 1 << 20))
        self.assertEqual(self.order(client), [1, 3, 3, 1])


class EndingTests(SynchronousTestCase):
    """Streams and connections end in an orderly way."""

    def test_reset(self) -> None:
        """A reset reaches the user of the stream, and nothing else does after it."""
        client = Client(None).handshake()
        client.send(client.head(1), client.rst(3 - 2))
        self.assertEqual(client.site.received, [])
        client.send(client.head(3))
        client.send(client.rst(3))
        self.assertEqual(client.site.received[0].reset, 8)
        self.assertFalse(client.connection.streams)

    def test_early_answer(self) -> None:
        """An answer before the end of the body is followed by a reset without an error."""
        client = Client(None).handshake()
        client.send(client.head(1, POST, end=False))
        stream = client.site.received[0].stream
        stream.send_head(encode_status(200), is_end=False)
        stream.end(reset_after=NO_ERROR)
        client.read()
        self.assertEqual(client.reset(1), NO_ERROR)
        client.send(client.data(1, b"late"), client.ping())
        self.assertIsNone(client.goaway())

    def test_leaving(self) -> None:
        """GOAWAY comes twice; streams between the two are served, later ones are ignored."""
        client = Client().handshake()
        client.send(client.head(1))
        client.connection.leave()
        client.read()
        self.assertEqual(client.of(GOAWAY)[0].payload, b"\x7f\xff\xff\xff\0\0\0\0")
        client.send(client.head(3))
        ping = client.of(PING)[0]
        client.send(client.ping(ping.payload, ack=True), client.head(5))
        self.assertEqual(client.of(GOAWAY)[1].payload, b"\0\0\0\3\0\0\0\0")
        self.assertEqual(len(client.site.received), 2)
        self.assertFalse(client.connection.is_over)

    def test_refused_streams(self) -> None:
        """A stream too many is refused, and its fields change the table all the same."""
        client = Client(None, max_streams=2).handshake()
        client.send(client.head(1), client.head(3), client.head(5, [*GET, (b"x", b"y")]))
        self.assertEqual(client.reset(5), REFUSED_STREAM)
        answer(client.site.received[0].stream, b"ok")
        client.read()
        client.send(client.head(7, [*GET, (b"x", b"y")]))
        request = client.site.received[-1].request
        assert request is not None
        self.assertEqual(request.field(b"x"), b"y")


class AttackTests(SynchronousTestCase):
    """The bounds of `ingress.http2.guard`, each with the work that it leaves."""

    def assert_calmed(self, client: Client) -> None:
        self.assertEqual(client.goaway(), ENHANCE_YOUR_CALM)
        self.assertTrue(client.connection.is_over)

    def test_rapid_reset(self) -> None:
        """Streams reset in the read that opens them reach nobody; a hundred of them are enough."""
        client = Client(None).handshake()
        pairs = [client.head(n) + client.rst(n) for n in range(1, 2001, 2)]
        client.send(*pairs)
        self.assertEqual(client.site.received, [])
        self.assert_calmed(client)
        self.assertLess(client.connection.last_id, 210)

    def test_slow_reset(self) -> None:
        """Resets after their read count the same; some 33 a second are allowed."""
        client = Client(None).handshake()
        stream_id = 1
        while client.goaway() is None:
            client.send(client.head(stream_id))
            client.send(client.rst(stream_id))
            stream_id += 2
        self.assertEqual(len(client.site.received), 101)
        patient = Client(None).handshake()
        for number in range(1000):
            patient.now += 1 / 32
            patient.send(patient.head(2 * number + 1))
            patient.send(patient.rst(2 * number + 1))
        self.assertIsNone(patient.goaway())

    def test_answered_streams(self) -> None:
        """A client that takes its answers may cancel as many requests as it takes."""
        client = Client().handshake((4, 1 << 20))
        client.connection.output.window = 1 << 30
        for number in range(0, 1000, 2):
            client.send(client.head(2 * number + 1))
            client.site.body = None
            client.send(client.head(2 * number + 3))
            client.send(client.rst(2 * number + 3))
            client.site.body = b"hello"
        self.assertIsNone(client.goaway())

    def test_made_you_reset(self) -> None:
        """Resets that the client provokes count like its own (CVE-2025-8671)."""
        for provoke in (
            lambda client, n: window_update(n, 0),
            lambda client, n: client.data(n, b"x") + client.data(n, b"x"),
            lambda client, n: frame(2, 0, n, bytes(4)),
            lambda client, n: client.head(n, [(b":method", b"X")]),
        ):
            client = Client(None).handshake()
            for number in range(1, 401, 2):
                client.send(client.head(number, POST, end=False))
                client.send(provoke(client, number))
            self.assert_calmed(client)
            self.assertLess(client.connection.last_id, 250)

    def test_continuation(self) -> None:
        """A block has eight CONTINUATION frames at most, none of them empty."""
        client = Client(limits=Limits(head_size=1 << 20)).handshake()
        client.send(client.head(1, flags=0), *[client.continuation(1, b"\x82", end=False)] * 8)
        self.assertIsNone(client.goaway())
        client.send(client.continuation(1, b"\x82"))
        self.assert_calmed(client)
        client = Client().handshake()
        client.send(client.head(1, flags=0), client.continuation(1, b"", end=False))
        self.assert_calmed(client)
        client = Client().handshake()
        large = client.continuation(1, bytes(16_000), end=False)
        client.send(client.head(1, flags=0), *[large] * 9)
        self.assert_calmed(client)

    def test_hpack_bomb(self) -> None:
        """A block that refers to a large entry again and again becomes no list of that size."""
        client = Client().handshake()
        client.send(client.block(1, b"\x82\x86\x84\x41\x01a\x40\x01x\x7f\x81\x1e" + b"y" * 3968))
        self.assertEqual(status_of(client, 1), 200)
        client.send(client.block(3, b"\x82\x86\x84\x01\x01a" + b"\xbe" * 16_000))
        self.assertEqual(status_of(client, 3), 431)
        self.assertEqual(len(client.site.received), 2)

    def test_control_frames(self) -> None:
        """A thousand PING or SETTINGS frames are answered, then 33 a second."""
        for ping in (True, False):
            client = Client().handshake()
            piece = client.ping() if ping else settings_frame()
            client.send(*[piece] * 998)
            self.assertIsNone(client.goaway())
            client.send(*[piece] * 5)
            self.assert_calmed(client)

    def test_pings_of_grpc(self) -> None:
        """A PING after each frame that we sent is free."""
        client = Client(b"x").handshake()
        for number in range(3000):
            client.send(client.head(2 * number + 1), client.ping())
        self.assertIsNone(client.goaway())

    def test_many_settings(self) -> None:
        """A SETTINGS frame has 32 entries at most."""
        client = Client().handshake()
        client.send(settings_frame(*[(0x77, 1)] * 33))
        self.assert_calmed(client)

    def test_unsent(self) -> None:
        """A client that does not read gets no more than a thousand answers made."""
        client = Client().handshake()
        client.connection.output.is_blocked = True
        for _ in range(1100):
            client.now += 1
            client.connection.receive(client.ping())
        self.assertTrue(client.connection.is_over)
        self.assertLess(len(client.connection.take()), 20_000)

    def test_unread_responses(self) -> None:
        """A client that does not read has no further request begun."""
        client = Client(b"x").handshake()
        client.connection.output.is_blocked = True
        client.connection.receive(b"".join(client.head(n) for n in range(1, 101, 2)))
        client.connection.begin()
        self.assertEqual(client.site.received, [])
        client.connection.output.is_blocked = False
        client.connection.begin()
        self.assertEqual(len(client.site.received), 50)

    def test_empty_data(self) -> None:
        """The second empty DATA frame in a row is one too many."""
        client = Client(None).handshake()
        empty = client.data(1, b"", end=False)
        client.send(client.head(1, POST, end=False), empty, client.data(1, b"x", end=False), empty)
        self.assertIsNone(client.goaway())
        client.send(empty)
        self.assert_calmed(client)

    def test_priorities(self) -> None:
        """There are a hundred priorities for each stream, and a hundred more."""
        for piece in (frame(2, 0, 1, bytes(5)), frame(0x10, 0, 0, b"\0\0\0\1u=1")):
            client = Client().handshake()
            client.send(client.head(1), *[piece] * 200)
            self.assertIsNone(client.goaway())
            client.send(piece)
            self.assert_calmed(client)

    def test_window_updates(self) -> None:
        """WINDOW_UPDATE frames are as many as streams and DATA frames explain."""
        client = Client(None).handshake()
        client.send(*[window_update(0, 1)] * 5)
        self.assertIsNone(client.goaway())
        client.send(window_update(0, 1))
        self.assert_calmed(client)

    def test_glitches(self) -> None:
        """A thousand odd frames are ignored, and counted by kind."""
        client = Client().handshake()
        client.send(*[frame(0x77, 0, 0)] * 1000)
        self.assertIsNone(client.goaway())
        client.send(frame(0x77, 0, 0))
        self.assert_calmed(client)
        self.assertEqual(client.glitches["unknown_frame"], 1001)

    def test_stalled(self) -> None:
        """Streams whose client takes nothing are found."""
        client = Client(b"x" * 100).handshake((4, 10))
        client.send(client.head(1), client.head(3), window_update(3, 1000))
        client.now += 60
        self.assertEqual([each.stream_id for each in client.connection.stalled(client.now)], [1])
        client.send(window_update(1, 10))
        self.assertEqual(client.connection.stalled(client.now), [])


class ReferenceTests(SynchronousTestCase):
    """A conversation with `h2`, cut at any byte."""

    @settings(max_examples=60)
    @given(
        st.lists(st.binary(max_size=40_000) | st.none(), min_size=1, max_size=4),
        st.integers(0, 60_000),
        st.integers(1, 3000),
        st.booleans(),
    )
    def test_conversation(
        self, bodies: Sequence[bytes | None], size: int, split: int, has_trailers: bool
    ) -> None:
        """Requests and responses of any size arrive whole, with their trailers."""
        peer = h2.connection.H2Connection(h2.config.H2Configuration(header_encoding=None))
        peer.initiate_connection()
        client = Client(None, split=split)
        response = {2 * index + 1: bytearray() for index in range(len(bodies))}
        trailers: dict[int, list[tuple[bytes, bytes]]] = {}
        waiting = dict(enumerate(bodies))
        for index, body in enumerate(bodies):
            fields = GET if body is None else (*POST, (LENGTH, b"%d" % len(body)))
            peer.send_headers(2 * index + 1, fields, end_stream=body is None)
        for _ in range(40):
            for index, body in list(waiting.items()):
                stream_id = 2 * index + 1
                if body is None:
                    del waiting[index]
                    continue
                room = min(peer.local_flow_control_window(stream_id), FRAME_SIZE, len(body))
                peer.send_data(stream_id, body[:room], end_stream=room == len(body))
                waiting[index] = body[room:]
                if room == len(body):
                    del waiting[index]
            self.exchange(peer, client, response, trailers, size, has_trailers)
        self.assertEqual({bytes(each) for each in response.values()}, {b"x" * size})
        self.assertEqual(len(trailers), len(bodies) if has_trailers else 0)
        for received in client.site.received:
            index = received.stream.stream_id // 2
            self.assertEqual(received.body, bodies[index] or b"")
        self.assertEqual(client.connection.streams, {})

    def exchange(
        self,
        peer: h2.connection.H2Connection,
        client: Client,
        response: dict[int, bytearray],
        trailers: dict[int, list[tuple[bytes, bytes]]],
        size: int,
        has_trailers: bool,
    ) -> None:
        """Pass bytes both ways, and answer the requests that are whole."""
        connection = client.connection
        data = peer.data_to_send()
        for start in range(0, len(data), 1000):
            connection.receive(data[start : start + 1000])
            connection.begin()
        for received in client.site.received:
            stream = received.stream
            whole = stream.was_told or (received.request and received.request.body_length == 0)
            if whole and not stream.is_head_sent:
                stream.send_head(encode_status(200), is_end=False)
                if size:
                    stream.send_data(b"x" * size)
                stream.end(encode_fields([(b"x-end", b"1")]) if has_trailers else b"")
        self.assertIsNone(connection.fault)
        while data := connection.take():
            for event in peer.receive_data(data):
                if isinstance(event, h2.events.DataReceived):
                    response[event.stream_id] += event.data
                    peer.acknowledge_received_data(event.flow_controlled_length, event.stream_id)
                elif isinstance(event, h2.events.TrailersReceived):
                    trailers[event.stream_id] = list(event.headers)
                self.assertNotIsInstance(event, h2.events.ConnectionTerminated)


class SplitTests(SynchronousTestCase):
    def test_every_split(self) -> None:
        """However the bytes are cut in two, the same comes of them."""

        def conversation(client: Client) -> bytes:
            return b"".join(
                (
                    client.head(1, [*GET, (b"x", b"y")], flags=0),
                    client.continuation(1, b"\x00\x01a\x01b"),
                    client.head(3, [*POST, (LENGTH, b"4")], end=False),
                    client.data(3, b"bo", end=False),
                    client.ping(),
                    client.data(3, b"dy", end=False),
                    client.head(3, [(b"t", b"u")]),
                )
            )

        def outcome(client: Client) -> object:
            return [
                (each.request and each.request.fields, each.body, each.trailers)
                for each in client.site.received
            ]

        whole = Client().handshake()
        data = conversation(whole)
        whole.send(data)
        for end in range(1, len(data)):
            client = Client().handshake()
            client.send(data[:end])
            client.send(data[end:])
            self.assertEqual(outcome(client), outcome(whole))
            self.assertEqual(len(client.of(RST_STREAM)), 0)
