"""Tests of `ingress.downstream.http2`: connections, as their clients see them."""

from __future__ import annotations

from dataclasses import replace
from typing import Any, cast

from twisted.trial.unittest import SynchronousTestCase

from ingress.config import Config, Limits
from ingress.downstream.http2 import HTTP2Downstream
from ingress.downstream.http2_state import FOLLOWING, HTTP2State
from ingress.downstream.opening import ClientAddress
from ingress.errors import Outcome
from ingress.http2.fault import (
    ENHANCE_YOUR_CALM,
    INTERNAL_ERROR,
    NO_ERROR,
    PROTOCOL_ERROR,
    REFUSED_STREAM,
)
from ingress.http2.frame import PREFACE
from ingress.policy.proxy_settings import ProxySettings
from ingress.proxy_protocol import addresses_of
from ingress.routing.route import Route
from ingress.telemetry.record import ExchangeRecord
from tests.support.http2_client import Client, settings
from tests.support.http2_wire import GET, POST, HTTP2Client
from tests.support.kept_records import KeptRecords
from tests.support.memory_socket import CAPACITY
from tests.support.wire import (
    CHUNKED_OK,
    ENDPOINT,
    LIMITS,
    OK,
    OTHER_ENDPOINT,
    SWITCHING,
    UPSTREAM,
    Peer,
    Wire,
    response,
)

LENGTH = b"content-length"


class HTTP2TestCase(SynchronousTestCase):
    """A client and an endpoint that speaks HTTP/1.1."""

    def setUp(self) -> None:
        self.wire = Wire()
        self.client = HTTP2Client(self.wire)

    def serve(self, limits: Limits | None = None, **settings: object) -> None:
        """Begin anew with other limits, or with other settings of the route."""
        proxy = ProxySettings(**settings)  # type: ignore[arg-type]
        route = Route(ingress=("default", "web"), upstream=UPSTREAM, proxy=proxy)
        self.wire = Wire(config=Config(limits=limits or LIMITS), route=route)
        self.client = HTTP2Client(self.wire)

    def answer(self, endpoint: Peer, data: bytes = OK) -> None:
        endpoint.send(data)
        self.client.settle()

    @property
    def connection(self) -> HTTP2Downstream:
        (connection,) = self.wire.plane.clients.connections
        assert isinstance(connection, HTTP2Downstream)
        return connection


class ExchangeTests(HTTP2TestCase):
    """A stream is an exchange."""

    def test_get(self) -> None:
        """A request reaches its endpoint in HTTP/1.1, and the response comes back."""
        stream = self.client.request([*GET, (b"user-agent", b"x"), (b"cookie", b"a=1")])
        endpoint = self.wire.accept()
        head = endpoint.receive()
        self.assertEqual(head.first_line, b"GET / HTTP/1.1")
        self.assertEqual(head.values(b"host"), [b"a.example"])
        self.assertEqual(head.values(b"user-agent"), [b"x"])
        self.assertEqual(head.values(b"x-forwarded-proto"), [b"http"])
        self.assertEqual(head.values(b"te") + head.values(b"transfer-encoding"), [])
        self.answer(endpoint, b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nX-One: 1\r\n\r\nok")
        answer = self.client.answers[stream]
        self.assertEqual((answer.status, answer.body, answer.is_whole), (200, b"ok", True))
        self.assertEqual(answer.fields[b"x-one"], b"1")
        self.assertNotIn(b"connection", answer.fields)
        self.assertIsNone(answer.reset)

    def test_many(self) -> None:
        """Streams have endpoints of their own, and are answered in any order."""
        streams = [self.client.request() for _ in range(5)]
        endpoints = [self.wire.accept() for _ in streams]
        for stream, endpoint in reversed(list(zip(streams, endpoints, strict=True))):
            self.answer(endpoint, response(200, b"Content-Length: 1") + b"%d" % (stream % 10))
        for stream in streams:
            self.assertEqual(self.client.answers[stream].body, b"%d" % (stream % 10))
        self.client.request()
        self.assertEqual(self.wire.dials, [])

    def test_bodies(self) -> None:
        """A body has the length that its Content-Length says, or comes in chunks."""
        for fields, framed in (
            ([*POST, (LENGTH, b"5")], b"hello"),
            (POST, b"5\r\nhello\r\n0\r\n\r\n"),
        ):
            self.setUp()
            stream = self.client.request(fields, b"hello")
            endpoint = self.wire.accept()
            self.assertEqual(endpoint.receive().rest, framed)
            self.answer(endpoint)
            self.assertTrue(self.client.answers[stream].is_whole)

    def test_slow_body(self) -> None:
        """A body that comes in pieces is passed on piece by piece."""
        stream = self.client.request(POST, b"one", end=False)
        endpoint = self.wire.accept()
        self.assertEqual(endpoint.receive().rest, b"3\r\none\r\n")
        self.client.send(stream, b"two", end=True)
        self.assertEqual(endpoint.read(), b"3\r\ntwo\r\n0\r\n\r\n")

    def test_head(self) -> None:
        """A response without a body ends with its head."""
        for method, head, status in (
            (b"HEAD", response(200, b"Content-Length: 5"), 200),
            (b"GET", response(204), 204),
            (b"GET", response(304), 304),
            (b"GET", response(200, b"Content-Length: 0"), 200),
        ):
            stream = self.client.request([(b":method", method), *GET[1:]])
            self.wire.network.settle()
            endpoint = self.wire.accept()
            self.answer(endpoint, head)
            answer = self.client.answers[stream]
            self.assertEqual((answer.status, answer.body), (status, b""))
            self.assertTrue(answer.is_whole)
            endpoint.close()

    def test_trailers(self) -> None:
        """Trailers of an endpoint always reach the client."""
        stream = self.client.request()
        trailers = b"2\r\nok\r\n0\r\nX-Sum: 1\r\nContent-Length: 5\r\n\r\n"
        self.answer(self.wire.accept(), CHUNKED_OK + trailers)
        answer = self.client.answers[stream]
        self.assertEqual((answer.body, answer.trailers), (b"ok", [(b"x-sum", b"1")]))

    def test_expect(self) -> None:
        """An interim response reaches the client before its body is sent."""
        fields = [*POST, (LENGTH, b"2"), (b"expect", b"100-continue")]
        stream = self.client.request(fields, end=False)
        endpoint = self.wire.accept()
        self.answer(endpoint, b"HTTP/1.1 100 Continue\r\n\r\n")
        self.assertEqual(self.client.answers[stream].interim, [100])
        self.client.send(stream, b"ok", end=True)
        self.assertEqual(endpoint.read()[-2:], b"ok")
        self.answer(endpoint)
        self.assertEqual(self.client.answers[stream].status, 200)

    def test_own_answers(self) -> None:
        """Answers of the proxy's own have the statuses that they have in HTTP/1.1."""
        stream = self.client.request()
        self.wire.next_dial().refuse()
        self.client.settle()
        self.assertEqual(self.client.answers[stream].status, 502)
        bad = self.client.request([*GET, (b"connection", b"close")])
        self.assertEqual(self.client.answers[bad].status, 400)
        self.assertEqual(self.client.answers[bad].reset, PROTOCOL_ERROR)
        long = self.client.request([*GET, *[(b"x", b"y" * 1000)] * 70])
        self.assertEqual(self.client.answers[long].status, 431)
        self.client.request()
        self.assertEqual(len(self.wire.dials), 1)

    def test_refusal_in_the_log(self) -> None:
        """The record of a refused request has its method and path."""
        records: list[ExchangeRecord] = []
        self.wire.plane.exchanges.recorder = KeptRecords(records)
        path = (b":path", b"/a\r\nb" + b"c" * 300)
        for fields, line in (
            ([*GET, (b"connection", b"close")], b"GET / HTTP/2.0"),
            ([*GET[:2], path, GET[3]], b"GET /a\r\nb" + b"c" * 248),
            (GET[1:], b"- / HTTP/2.0"),
        ):
            self.client.request(fields)
            record = records.pop()
            self.assertEqual((record.status, record.line[:256]), (400, line[:256]))
            self.assertEqual(record.outcome, Outcome.BAD_REQUEST)

    def test_too_large(self) -> None:
        """A body that is too large is answered with 413, by its length or once it is."""
        self.serve(body_size=10)
        stream = self.client.request([*POST, (LENGTH, b"11")], b"x", end=False)
        answer = self.client.answers[stream]
        self.assertEqual((answer.status, answer.reset), (413, NO_ERROR))
        stream = self.client.request(POST, b"x" * 11, end=False)
        self.wire.accept()
        self.client.settle()
        answer = self.client.answers[stream]
        self.assertEqual((answer.status, answer.reset), (413, NO_ERROR))
        self.assertEqual(self.client.goaways, [])

    def test_early_answer(self) -> None:
        """An endpoint may answer before the body is whole; the rest is not wanted then."""
        stream = self.client.request(POST, b"x", end=False)
        self.answer(self.wire.accept())
        answer = self.client.answers[stream]
        self.assertEqual((answer.body, answer.is_whole, answer.reset), (b"ok", True, NO_ERROR))

    def test_malformed_body(self) -> None:
        """A body that is not as long as promised ends the request at its endpoint, too."""
        stream = self.client.request([*POST, (LENGTH, b"5")], b"abc", end=False)
        endpoint = self.wire.accept()
        self.client.h2.streams[stream].max_outbound_frame_size = 1
        self.client.peer.send(b"\0\0\0\0\1" + stream.to_bytes(4, "big"))
        self.client.settle()
        answer = self.client.answers[stream]
        self.assertEqual((answer.status, answer.reset), (400, PROTOCOL_ERROR))
        self.assertTrue(endpoint.saw_reset)

    def test_endpoint_breaks(self) -> None:
        """A response that breaks off is a stream error; the connection lives."""
        stream = self.client.request()
        endpoint = self.wire.accept()
        self.answer(endpoint, response(200, b"Content-Length: 5") + b"he")
        endpoint.reset()
        self.client.settle()
        answer = self.client.answers[stream]
        self.assertEqual((answer.body, answer.reset), (b"he", INTERNAL_ERROR))
        stream = self.client.request()
        self.answer(self.wire.accept())
        self.assertEqual(self.client.answers[stream].status, 200)

    def test_retries(self) -> None:
        """Another endpoint is asked after one has failed."""
        self.wire = Wire(ENDPOINT, OTHER_ENDPOINT)
        self.client = HTTP2Client(self.wire)
        stream = self.client.request()
        self.wire.next_dial().refuse()
        self.answer(self.wire.accept())
        self.assertEqual(self.client.answers[stream].status, 200)

    def test_cancelled(self) -> None:
        """A client that resets a stream cancels the request at its endpoint."""
        stream = self.client.request()
        other = self.client.request()
        endpoint, left = self.wire.accept(), self.wire.accept()
        self.client.reset(stream)
        self.assertTrue(endpoint.saw_reset)
        self.answer(left)
        self.assertEqual(self.client.answers[other].status, 200)

    def test_lost(self) -> None:
        """A connection that ends cancels all its requests."""
        self.client.request()
        self.client.request(POST, b"x", end=False)
        endpoints = [self.wire.accept(), self.wire.accept()]
        self.client.peer.reset()
        self.assertTrue(all(each.saw_reset for each in endpoints))
        self.assertEqual(len(self.wire.plane.clients.connections), 0)

    def test_in_flight(self) -> None:
        """The connection knows its requests."""
        self.assertEqual(self.connection.activity, "waiting")
        self.client.request()
        self.client.request()
        self.assertEqual(self.connection.activity, "writing")
        self.assertEqual(len(self.connection.in_flight()), 2)
        self.assertIn("HTTP2Downstream 192.0.2.1 OPEN", repr(self.connection))


class PaceTests(HTTP2TestCase):
    """Each side goes at the pace of the other, stream by stream."""

    def test_slow_reader(self) -> None:
        """A stream that is not read stops its own endpoint, and no other one."""
        self.client = HTTP2Client(self.wire, reads=False)
        stream = self.client.request()
        endpoint = self.wire.accept()
        size = 1 << 20
        sent = endpoint.send_some(response(200, b"Content-Length: %d" % size) + b"x" * size)
        self.client.settle()
        self.assertLess(sent, 65_535 + 3 * 65_536 + 2 * CAPACITY)
        self.assertLessEqual(len(self.client.answers[stream].body), 65_535)
        # What the other stream needs is left in the connection's window by other clients.
        self.client.h2.increment_flow_control_window(1 << 20)
        self.client.settle()
        other = self.client.request()
        self.answer(self.wire.accept())
        self.assertEqual(self.client.answers[other].body, b"ok")
        self.client.h2.increment_flow_control_window(1 << 20, stream)
        self.client.settle()
        rest = response(200, b"Content-Length: %d" % size) + b"x" * size
        while sent < len(rest):
            sent += endpoint.send_some(rest[sent : sent + CAPACITY])
            self.client.settle()
        self.assertEqual(len(self.client.answers[stream].body), size)

    def test_slow_endpoint(self) -> None:
        """An upload to an endpoint that does not read is held within bounds, others go on."""
        self.serve(body_size=None)
        stream = self.client.request([*POST, (LENGTH, b"5000000")], end=False)
        endpoint = self.wire.accept()
        sent = self.client.upload(stream, b"x" * 5_000_000)
        self.assertLess(sent, 1_100_000)
        other = self.client.request(POST, b"hello")
        answering = self.wire.accept()
        self.assertEqual(answering.receive().rest, b"5\r\nhello\r\n0\r\n\r\n")
        self.answer(answering)
        self.assertEqual(self.client.answers[other].status, 200)
        received = len(endpoint.receive().rest)
        self.client.settle()
        for _ in range(1000):
            if received >= 5_000_000:
                break
            sent += self.client.upload(stream, b"x" * (5_000_000 - sent))
            received += len(endpoint.read())
            self.client.settle()
        self.assertEqual(received, 5_000_000)

    def test_upload_before_dial(self) -> None:
        """A body that comes while the endpoint is dialled is held, and sent in order."""
        body = bytes(range(256)) * 200
        stream = self.client.request([*POST, (LENGTH, b"%d" % len(body))], body)
        endpoint = self.wire.accept()
        self.assertEqual(endpoint.receive().rest, body)
        self.answer(endpoint)
        self.assertEqual(self.client.answers[stream].status, 200)

    def test_client_that_does_not_read(self) -> None:
        """A connection whose client does not read at all is cut after a while."""
        self.client = HTTP2Client(self.wire, window=1 << 30)
        self.client.h2.increment_flow_control_window(1 << 30)
        self.client.settle()
        self.client.h2.send_headers(1, GET, end_stream=True)
        self.client.peer.send(self.client.h2.data_to_send())
        endpoint = self.wire.accept()
        endpoint.send_some(response(200, b"Content-Length: 10000000") + b"x" * 10_000_000)
        self.wire.advance(LIMITS.send_timeout + 2)
        self.assertTrue(self.client.peer.saw_reset)
        self.assertTrue(endpoint.saw_reset)

    def test_stream_without_window(self) -> None:
        """A stream whose window stays closed is reset after a while, the connection is not."""
        self.client = HTTP2Client(self.wire, window=10, reads=False)
        stream = self.client.request()
        self.answer(self.wire.accept(), response(200, b"Content-Length: 100") + b"x" * 100)
        self.wire.advance(LIMITS.send_timeout + 2)
        self.client.settle()
        self.assertIsNotNone(self.client.answers[stream].reset)
        self.assertTrue(self.client.peer.is_open)

    def test_slow_upload(self) -> None:
        """A body that stops coming is answered with 408."""
        stream = self.client.request([*POST, (LENGTH, b"5")], b"x", end=False)
        endpoint = self.wire.accept()
        self.wire.advance(LIMITS.body_timeout + 2)
        self.client.settle()
        answer = self.client.answers[stream]
        self.assertEqual((answer.status, answer.reset), (408, NO_ERROR))
        self.assertTrue(endpoint.saw_reset)
        self.assertTrue(self.client.peer.is_open)

    def advance_beside_others(self, seconds: float) -> None:
        """Let time pass, in which something comes on the connection all the time."""
        for _ in range(int(seconds / 0.4)):
            self.client.h2.ping(b"12345678")
            self.client.settle()
            self.wire.network.advance(0.4)

    def test_slow_upload_beside_others(self) -> None:
        """What else goes on on the connection does not prolong the time of a body."""
        stream = self.client.request([*POST, (LENGTH, b"5")], b"x", end=False)
        self.wire.accept()
        self.advance_beside_others(LIMITS.body_timeout + 3)
        self.assertEqual(self.client.answers[stream].status, 408)

    def test_stream_without_window_beside_others(self) -> None:
        """Nor that of a stream whose window stays closed."""
        self.client = HTTP2Client(self.wire, window=10, reads=False)
        stream = self.client.request()
        self.answer(self.wire.accept(), response(200, b"Content-Length: 100") + b"x" * 100)
        self.advance_beside_others(LIMITS.send_timeout + 3)
        self.assertIsNotNone(self.client.answers[stream].reset)

    def test_upload_that_waits(self) -> None:
        """A body may pause for as long as pieces of the response come."""
        stream = self.client.request([*POST, (LENGTH, b"5")], b"x", end=False)
        endpoint = self.wire.accept()
        endpoint.send(CHUNKED_OK)
        for _ in range(5):
            self.answer(endpoint, b"1\r\nx\r\n")
            self.wire.advance(LIMITS.body_timeout - 5)
        self.client.send(stream, b"four", end=True)
        self.answer(endpoint, b"0\r\n\r\n")
        answer = self.client.answers[stream]
        self.assertEqual((answer.body, answer.is_whole, answer.reset), (b"xxxxx", True, None))
        self.assertTrue(endpoint.read().endswith(b"xfour"))


class EndingTests(HTTP2TestCase):
    """Connections end in an orderly way."""

    def test_time_to_leave(self) -> None:
        """A client that does not answer the PING of the first step has a time that is configured."""
        wire = Wire(config=Config(limits=Limits(http2_goaway_time=5)))
        client = HTTP2Client(wire)
        client.request()
        wire.accept()
        wire.plane.clients.is_draining = True
        wire.plane.clients.connections.drain()
        for seconds in (4, 2):
            wire.advance(seconds)
            self.assertEqual(client.peer.read().count(b"\x07\0\0\0\0\0"), 1, seconds)

    def test_drain(self) -> None:
        """GOAWAY comes in two steps, requests under way are served, and then it ends."""
        stream = self.client.request()
        endpoint = self.wire.accept()
        self.wire.plane.clients.is_draining = True
        drained = self.wire.plane.clients.connections.drain()
        self.client.settle()
        # The client has acknowledged the PING between the two.
        self.assertEqual(self.client.goaways, [(2**31 - 1, NO_ERROR), (1, NO_ERROR)])
        self.answer(endpoint)
        self.assertEqual(self.client.answers[stream].body, b"ok")
        self.assertTrue(self.client.peer.saw_end)
        self.client.peer.close()
        self.successResultOf(drained)

    def test_drain_without_answer(self) -> None:
        """The second GOAWAY comes after a second at the latest."""
        client = Client()
        peer = self.wire.connect()
        peer.send(PREFACE + settings() + client.head(1))
        endpoint = self.wire.accept()
        self.wire.plane.clients.connections.drain()
        first = peer.read()
        self.assertIn(b"\x7f\xff\xff\xff\0\0\0\0", first)
        self.wire.advance(2)
        self.assertIn(b"\0\0\x08\x07\0\0\0\0\0\0\0\0\1\0\0\0\0", peer.read())
        endpoint.send(OK)
        self.assertIn(b"ok", peer.read())
        self.assertTrue(peer.saw_end)

    def test_last_request(self) -> None:
        """A connection takes as many requests as it may, and those that come meanwhile."""
        self.serve(replace(LIMITS, keep_alive_requests=2))
        for _ in range(2):
            stream = self.client.request()
            endpoint = self.wire.accept()
            self.answer(endpoint)
            endpoint.close()
            self.assertEqual(self.client.answers[stream].body, b"ok")
        self.assertEqual(self.client.goaways[-1], (3, NO_ERROR))
        self.assertTrue(self.client.peer.saw_end)

    def test_idle(self) -> None:
        """An idle connection ends after a while, whatever PINGs come."""
        self.client.request()
        self.answer(self.wire.accept())
        for _ in range(9):
            self.client.h2.ping(b"12345678")
            self.client.settle()
            self.wire.advance(LIMITS.keep_alive_timeout // 9)
        self.wire.advance(5)
        self.client.settle()
        self.assertEqual(self.client.pongs, 9)
        self.assertEqual(self.client.goaways, [(1, NO_ERROR)])
        self.assertTrue(self.client.peer.saw_end)

    def test_never_used(self) -> None:
        """A connection without any request ends as soon as one of HTTP/1.1 would."""
        self.wire.advance(LIMITS.head_timeout + 2)
        self.client.settle()
        self.assertTrue(self.client.peer.saw_end)

    def test_short_idle(self) -> None:
        """The time of an idle connection may be shorter than that of a head."""
        self.serve(replace(LIMITS, keep_alive_timeout=5))
        self.client.request()
        self.answer(self.wire.accept())
        self.wire.advance(7)
        self.assertTrue(self.client.peer.saw_end)

    def test_slow_head(self) -> None:
        """A head that stops coming ends the connection, whatever else is under way."""
        self.client.request()
        endpoint = self.wire.accept()
        self.client.peer.send(Client().head(3, flags=0))
        self.wire.advance(LIMITS.head_timeout / 2)
        self.assertTrue(self.client.peer.is_open)
        self.wire.advance(LIMITS.head_timeout / 2 + 2)
        self.client.settle()
        self.assertEqual(self.client.goaways[-1][1], ENHANCE_YOUR_CALM)
        self.assertTrue(endpoint.saw_reset)

    def test_fault(self) -> None:
        """A fault of the client ends the connection with GOAWAY, and its requests."""
        self.client.request()
        endpoint = self.wire.accept()
        self.client.peer.send(b"\0\0\0\0\0\0\0\0\0")
        self.client.settle()
        self.assertEqual(self.client.goaways, [(1, PROTOCOL_ERROR)])
        self.assertTrue(endpoint.saw_reset)
        self.assertTrue(self.client.peer.saw_end)
        self.wire.advance(LIMITS.linger_timeout + 2)
        self.assertEqual(len(self.wire.plane.clients.connections), 0)

    def test_half_closed_without_window(self) -> None:
        """A client that sends no more opens no window: what waits for one is over at once."""
        for is_early in (True, False):
            self.wire = Wire()
            client = HTTP2Client(self.wire, reads=False)
            stream = client.request()
            endpoint = self.wire.accept()
            endpoint.read()
            head = b"HTTP/1.1 200 OK\r\nContent-Length: 200000\r\n\r\n"
            if is_early:
                client.peer.end()
            endpoint.send_some(head + bytes(200_000))
            self.wire.advance(0)
            if not is_early:
                client.peer.end()
            client.settle()
            self.assertEqual(len(client.answers[stream].body), 65_535)
            self.assertFalse(endpoint.is_open)
            self.assertTrue(client.peer.saw_end)

    def test_half_closed(self) -> None:
        """A client that sends no more still gets the answers to requests that are whole."""
        stream = self.client.request()
        self.client.request(POST, b"x", end=False)
        whole, cut = self.wire.accept(), self.wire.accept()
        self.client.peer.end()
        self.assertTrue(cut.saw_reset)
        whole.send(OK)
        self.client.take(self.client.peer.read())
        self.assertEqual(self.client.answers[stream].body, b"ok")
        self.assertTrue(self.client.peer.saw_end)

    def test_states(self) -> None:
        """Each state has those that may follow it, and all end."""
        self.assertEqual(set(FOLLOWING), set(HTTP2State))
        for followers in FOLLOWING.values():
            self.assertTrue(not followers or HTTP2State.LOST in followers)


class AttackTests(HTTP2TestCase):
    """What `tests.http2.test_server` shows of the codec, and the dials to endpoints."""

    def test_rapid_reset(self) -> None:
        """Requests that are reset in the read that brings them cost no dial."""
        client = Client()
        peer = self.wire.connect()
        peer.send(PREFACE + settings())
        peer.send_some(b"".join(client.head(n) + client.rst(n) for n in range(1, 2001, 2)))
        self.assertEqual(self.wire.dials, [])
        self.assertTrue(peer.saw_end)

    def test_slow_reset(self) -> None:
        """Requests that are reset later cost a hundred dials, which are all given up."""
        client = Client()
        peer = self.wire.connect()
        peer.send(PREFACE + settings())
        dials = []
        for number in range(1, 2001, 2):
            if not peer.is_open:
                break
            peer.send(client.head(number))
            dials += self.wire.dials
            peer.send_some(client.rst(number))
        self.assertLessEqual(len(dials), 101)
        self.assertTrue(all(each.is_cancelled for each in dials))

    def test_concurrency(self) -> None:
        """Requests beyond the bound cost no dial."""
        self.serve(replace(LIMITS, http2_streams=5))
        client = Client()
        peer = self.wire.connect()
        peer.send(PREFACE + settings() + b"".join(client.head(n) for n in range(1, 101, 2)))
        self.assertEqual(len(self.wire.dials), 5)
        self.assertIn(b"\0\0\0\x0b\0\0\0" + bytes((REFUSED_STREAM,)), peer.read())


class PriorKnowledgeTests(SynchronousTestCase):
    """A client in the clear may speak HTTP/2 from the first byte on."""

    def test_every_split(self) -> None:
        """However the preface is cut, the connection is one of HTTP/2."""
        data = PREFACE + settings() + Client().head(1)
        for end in range(1, len(PREFACE) + 3):
            wire = Wire()
            peer = wire.connect()
            peer.send(data[:end])
            peer.send(data[end:])
            wire.accept().send(OK)
            self.assertIn(b"ok", peer.read())
            self.assertEqual(len(wire.plane.clients.connections), 1)

    def test_off(self) -> None:
        """With a bound of 0 streams the preface is no request."""
        wire = Wire(config=Config(limits=replace(LIMITS, http2_streams=0)))
        peer = wire.connect()
        peer.send(PREFACE + settings())
        self.assertEqual(peer.receive().status, 400)
        self.assertTrue(peer.saw_end)

    def test_over_tls(self) -> None:
        """Over TLS the client has to ask by ALPN."""
        wire = Wire(is_secure=True)
        peer = wire.connect()
        peer.send(PREFACE)
        self.assertEqual(peer.receive().status, 400)

    def test_tls_that_a_proxy_has_ended(self) -> None:
        """What a load balancer has taken out of TLS comes in the clear, for a client over https."""
        wire = Wire()
        named = addresses_of("192.0.2.1", 50000, "192.0.2.2", 443)
        assert named is not None
        peer = wire.connect(cast(Any, ClientAddress(named, is_secure=True)))
        peer.send(PREFACE + settings() + Client().head(1))
        endpoint = wire.accept()
        self.assertEqual(endpoint.receive().values(b"x-forwarded-proto"), [b"https"])
        endpoint.send(OK)
        self.assertIn(b"ok", peer.read())

    def test_later(self) -> None:
        """A connection that has begun with HTTP/1.1 stays so."""
        wire = Wire()
        peer = wire.connect()
        peer.send(b"GET / HTTP/1.1\r\nHost: a.example\r\n\r\n")
        wire.accept().send(OK)
        peer.read()
        peer.send(PREFACE)
        self.assertEqual(peer.receive().status, 400)


class TunnelTests(HTTP2TestCase):
    """WebSockets over HTTP/2 (RFC 8441)."""

    CONNECT = (
        (b":method", b"CONNECT"),
        (b":protocol", b"websocket"),
        *GET[1:],
        (b"sec-websocket-version", b"13"),
    )

    def test_tunnel(self) -> None:
        """Both sides send through it, and either may end its half."""
        stream = self.client.request(self.CONNECT, b"early", end=False)
        endpoint = self.wire.accept()
        head = endpoint.receive()
        self.assertEqual(head.first_line, b"GET / HTTP/1.1")
        self.assertEqual(head.values(b"upgrade"), [b"websocket"])
        self.assertEqual(len(head.values(b"sec-websocket-key")[0]), 24)
        self.assertEqual(head.rest, b"")
        self.answer(endpoint, SWITCHING + b"hello")
        answer = self.client.answers[stream]
        self.assertEqual((answer.status, answer.body), (200, b"hello"))
        self.assertNotIn(b"sec-websocket-accept", answer.fields)
        self.assertEqual(endpoint.read(), b"early")
        self.client.send(stream, b"more", end=True)
        self.assertEqual(endpoint.read(), b"more")
        self.assertTrue(endpoint.saw_end)
        endpoint.send(b"bye")
        endpoint.close()
        self.client.settle()
        self.assertEqual((answer.body, answer.is_whole), (b"hellobye", True))
        self.assertIsNone(answer.reset)

    def test_refused(self) -> None:
        """An endpoint may refuse."""
        stream = self.client.request(self.CONNECT, end=False)
        self.answer(self.wire.accept(), response(403, b"Content-Length: 0"))
        answer = self.client.answers[stream]
        self.assertEqual((answer.status, answer.is_whole, answer.reset), (403, True, NO_ERROR))

    def test_reset(self) -> None:
        """A reset of the stream ends the tunnel."""
        stream = self.client.request(self.CONNECT, end=False)
        endpoint = self.wire.accept()
        self.answer(endpoint, SWITCHING)
        self.client.reset(stream)
        self.assertTrue(endpoint.saw_reset)

    def test_pace(self) -> None:
        """A client that does not read stops the endpoint."""
        self.client = HTTP2Client(self.wire, reads=False)
        self.client.request(self.CONNECT, end=False)
        endpoint = self.wire.accept()
        self.answer(endpoint, SWITCHING)
        sent = endpoint.send_some(b"x" * 2_000_000)
        self.assertLess(sent, 65_535 + 3 * 65_536 + 2 * CAPACITY)
