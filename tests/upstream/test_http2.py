"""
Tests for `ingress.upstream.http2` and its streams, with an endpoint of another implementation.
"""

from __future__ import annotations

from collections.abc import Callable

import h2.events
from twisted.trial.unittest import SynchronousTestCase

from ingress.config import Config, Limits
from ingress.http2.frame import DATA, END_STREAM, GOAWAY, RST_STREAM, WINDOW_UPDATE
from ingress.policy.backend_version import BackendVersion
from ingress.policy.proxy_settings import ProxySettings
from ingress.routing.route import Route
from tests.support.h2_endpoint import H2Endpoint
from tests.support.http2_client import frame, word
from tests.support.http2_wire import POST, HTTP2Client
from tests.support.wire import ENDPOINT, GET, OTHER_ENDPOINT, UPSTREAM, Peer, Wire, post, request

REFUSED_STREAM = 7
CANCEL = 8


def route(**settings: object) -> Route:
    return Route(
        ingress=("default", "web"),
        upstream=UPSTREAM,
        version=BackendVersion(True),
        proxy=ProxySettings(**settings),  # type: ignore[arg-type]
    )


class HTTP2UpstreamTestCase(SynchronousTestCase):
    def setUp(self) -> None:
        self.wire = Wire(route=route())

    def accept(self, streams: int = 100) -> H2Endpoint:
        return H2Endpoint(self.wire.accept(), streams)

    def ask(self, data: bytes = GET) -> Peer:
        client = self.wire.connect()
        client.send(data)
        self.wire.advance(0)
        return client


class RequestTests(HTTP2UpstreamTestCase):
    """Requests and responses go over streams."""

    def test_get(self) -> None:
        """The head of a request is a field block with pseudo-fields, and the response comes back."""
        client = self.ask(request(b"GET", b"X-A: 1", b"Connection: x-b", b"X-B: 2", target=b"/x?y"))
        endpoint = self.accept()
        (asked,) = endpoint.look()
        self.assertEqual(
            asked.fields[:4],
            [(b":method", b"GET"), (b":scheme", b"http"), (b":authority", b"a.example"), (b":path", b"/x?y")],
        )  # fmt: skip
        self.assertEqual((asked.field(b"x-a"), asked.field(b"x-b")), (b"1", None))
        self.assertEqual(asked.field(b"x-forwarded-for"), b"192.0.2.1")
        self.assertTrue(asked.is_whole)
        endpoint.answer(asked, 201, b"hello", (("x-c", "3"), ("content-length", "5")))
        answer = client.receive()
        self.assertEqual((answer.status, answer.rest), (201, b"hello"))
        self.assertEqual(answer.values(b"x-c"), [b"3"])

    def test_body_and_trailers(self) -> None:
        """A body in chunks and its trailers go up, those of the response come back to who takes them."""
        client = self.ask(
            request(b"POST", b"Transfer-Encoding: chunked", b"TE: trailers", b"Connection: TE")
        )
        endpoint = self.accept()
        client.send(b"3\r\nabc\r\n0\r\nX-T: 1\r\n\r\n")
        self.wire.advance(0)
        (asked,) = endpoint.look()
        self.assertEqual((asked.body, asked.is_whole), (b"abc", True))
        self.assertEqual(asked.field(b"te"), b"trailers")
        self.assertEqual(asked.trailers, [(b"x-t", b"1")])
        endpoint.answer(asked, 200, b"body", trailers=(("x-u", "2"),))
        self.assertIn(b"0\r\nx-u: 2\r\n\r\n", client.read())

    def test_forged_trailers(self) -> None:
        """No trailer passes that an endpoint could take for a field of the proxy or of the head."""
        client = self.ask(
            request(b"POST", b"Transfer-Encoding: chunked", b"TE: trailers", b"X-In-Head: 1")
        )
        endpoint = self.accept()
        forged = (
            *(b"X-Real-IP", b"x_real_ip", b"X-Forwarded-For", b"X-Original-URL", b"Forwarded"),
            *(b"ssl-client-verify", b"SSL_Client_Verify", b"Authorization", b"Cookie", b"Proxy"),
            *(b"X-In-Head", b"x_in_head", b"X-Request-ID", b"CDN-Loop", b"X.Odd"),
        )
        lines = b"".join(b"%b: forged\r\n" % name for name in forged)
        client.send(b"3\r\nabc\r\n0\r\n%bX-T: 1\r\n\r\n" % lines)
        self.wire.advance(0)
        (asked,) = endpoint.look()
        self.assertEqual(asked.trailers, [(b"x-t", b"1")])

    def test_shared(self) -> None:
        """Many requests share one connection, and their responses come in any order."""
        clients = [self.ask(request(b"GET", target=b"/%d" % number)) for number in range(8)]
        endpoint = self.accept()
        asked = endpoint.look()
        clients += [self.ask(request(b"GET", target=b"/%d" % number)) for number in range(8, 20)]
        asked = endpoint.look()
        self.assertEqual(len(asked), 20)
        self.assertEqual(self.wire.dials, [])
        for each in reversed(asked):
            endpoint.answer(each, 200, each.field(b":path") or b"")
        for number, client in enumerate(clients):
            self.assertTrue(client.read().endswith(b"/%d\r\n0\r\n\r\n" % number), number)

    def test_full(self) -> None:
        """A connection that takes no more streams is joined by another one."""
        first = self.ask()
        endpoint = self.accept(streams=1)
        endpoint.look()
        second = self.ask()
        other = self.accept(streams=1)
        for client, each in ((first, endpoint), (second, other)):
            (asked,) = each.look()
            each.answer(asked, 204)
            self.assertEqual(client.receive().status, 204)
        third = self.ask()
        self.assertEqual(self.wire.dials, [])
        endpoint.answer(endpoint.look()[-1], 204)
        self.assertEqual(third.receive().status, 204)

    def test_head(self) -> None:
        """The response to HEAD has no body whatever its length says."""
        client = self.ask(request(b"HEAD"))
        endpoint = self.accept()
        endpoint.answer(endpoint.look()[0], 200, b"", (("content-length", "100"),))
        self.assertIn(b"ontent-", client.read())


class FailureTests(HTTP2UpstreamTestCase):
    """What goes wrong with a stream is the affair of its request."""

    def test_refused(self) -> None:
        """A refused stream is repeated, even that of a POST, because nobody has looked at it."""
        client = self.ask(post(3) + b"abc")
        endpoint = self.accept()
        (asked,) = endpoint.look()
        endpoint.reset(asked, REFUSED_STREAM)
        self.wire.advance(0)
        again = endpoint.look()[-1]
        self.assertEqual((again.stream_id, again.body), (3, b"abc"))
        endpoint.answer(again, 204)
        self.assertEqual(client.receive().status, 204)

    def test_reset(self) -> None:
        """A stream that is reset is 502 for a POST; other streams go on."""
        client, other = self.ask(post(3) + b"abc"), self.ask()
        endpoint = self.accept()
        first, second = endpoint.look()
        endpoint.reset(first, 2)
        self.assertEqual(client.receive().status, 502)
        endpoint.answer(second, 204)
        self.assertEqual(other.receive().status, 204)

    def test_reset_in_response(self) -> None:
        """
        A client of HTTP/2 learns why a response that has begun ends, if that is about its request:
        for gRPC these are other statuses. All else is an error within the proxy for it.
        """
        codes = {0: 2, 1: 2, 2: 2, 3: 2, REFUSED_STREAM: 2, CANCEL: CANCEL, 11: 11, 12: 2, 13: 2}
        client = HTTP2Client(self.wire)
        endpoint: H2Endpoint | None = None
        for code, expected in codes.items():
            stream_id = client.request()
            endpoint = endpoint or self.accept()
            asked = endpoint.look()[-1]
            endpoint.answer(asked, 200, b"some", is_end=False)
            client.settle()
            endpoint.reset(asked, code)
            client.settle()
            answer = client.answers[stream_id]
            self.assertEqual((answer.body, answer.reset), (b"some", expected), code)
        old = self.ask()
        assert endpoint is not None
        asked = endpoint.look()[-1]
        endpoint.answer(asked, 200, b"some", is_end=False)
        endpoint.reset(asked, CANCEL)
        self.assertTrue(old.read().endswith(b"some\r\n"))
        self.assertFalse(old.is_open)

    def test_data_first(self) -> None:
        """DATA before the head of a response reaches no client, and is 502 for the request."""
        for flags in (0, END_STREAM):
            self.wire = Wire(route=route())
            client = self.ask(post(0))
            endpoint = self.accept()
            endpoint.look()
            endpoint.peer.send(frame(DATA, flags, 1, b"HTTP/1.1 200 OK\r\n\r\n"))
            self.assertEqual(client.receive().status, 502)

    def test_refused_beyond_what_is_kept(self) -> None:
        """
        A request that cannot be sent again is refused in the same way to clients of HTTP/2, so that
        they send it again; others get 502.
        """
        client = HTTP2Client(self.wire)
        stream_id = client.request(POST, b"x" * 60_000, end=False)
        endpoint = self.accept()
        (asked,) = endpoint.look()
        client.settle()
        client.upload(stream_id, b"x" * 20_000)
        endpoint.reset(endpoint.look()[0], REFUSED_STREAM)
        client.settle()
        self.assertEqual(client.answers[stream_id].reset, REFUSED_STREAM)
        self.assertEqual(client.answers[stream_id].fields, {})
        old = self.ask(post(100_000) + b"x" * 80_000)
        endpoint.reset(endpoint.look()[-1], REFUSED_STREAM)
        self.assertEqual(old.receive().status, 502)
        self.assertEqual(self.wire.dials, [])
        self.assertTrue(client.peer.is_open)
        self.assertFalse(asked.is_whole)

    def test_another_endpoint(self) -> None:
        """A GET whose stream is reset goes to another endpoint."""
        self.wire = Wire(ENDPOINT, OTHER_ENDPOINT, route=route())
        client = self.ask()
        endpoint = self.accept()
        endpoint.reset(endpoint.look()[0], 2)
        self.wire.advance(0)
        other = self.accept()
        other.answer(other.look()[0], 204)
        self.assertEqual(client.receive().status, 204)

    def test_client_gone(self) -> None:
        """A client that leaves cancels its stream, and not the connection."""
        client = self.ask()
        endpoint = self.accept()
        (asked,) = endpoint.look()
        client.reset()
        self.wire.advance(0)
        endpoint.look()
        self.assertEqual(asked.reset_code, CANCEL)
        other = self.ask()
        endpoint.answer(endpoint.look()[-1], 204)
        self.assertEqual(other.receive().status, 204)

    def test_connection_lost(self) -> None:
        """With the connection all of its requests fail, and the next one makes a new one."""
        client = self.ask(post(1) + b"x")
        endpoint = self.accept()
        endpoint.look()
        endpoint.peer.close()
        self.assertEqual(client.receive().status, 502)
        other = self.ask()
        endpoint = self.accept()
        endpoint.answer(endpoint.look()[0], 204)
        self.assertEqual(other.receive().status, 204)

    def test_going_away(self) -> None:
        """After GOAWAY streams end in peace, those that were not looked at are repeated elsewhere."""
        client = self.ask()
        endpoint = self.accept()
        (asked,) = endpoint.look()
        late = self.ask(post(1) + b"x")
        endpoint.h2.close_connection(last_stream_id=asked.stream_id)
        data = endpoint.h2.data_to_send()
        endpoint.peer.send(data)
        self.wire.advance(0)
        other = self.accept()
        other.answer(other.look()[0], 204)
        self.assertEqual(late.receive().status, 204)
        self.assertEqual(client.read(), b"")

    def test_slow(self) -> None:
        """A response that does not come in time is 504, and other streams go on."""
        self.wire = Wire(route=route(read_timeout=5.0, retry_on=frozenset()))
        client = self.ask()
        endpoint = self.accept()
        endpoint.look()
        self.wire.advance(4)
        other = self.ask()
        self.wire.advance(3)
        self.assertEqual(client.receive().status, 504)
        endpoint.answer(endpoint.look()[-1], 204)
        self.assertEqual(other.receive().status, 204)

    def test_slow_beside_others(self) -> None:
        """What goes on on other streams does not prolong the time for a response."""
        self.wire = Wire(route=route(read_timeout=5.0, retry_on=frozenset()))
        client = self.ask()
        endpoint = self.accept()
        for _ in range(20):
            other = self.ask()
            endpoint.answer(endpoint.look()[-1], 204)
            self.assertEqual(other.receive().status, 204)
            self.wire.network.advance(0.4)
        self.assertEqual(client.receive().status, 504)

    def test_slow_after_a_body(self) -> None:
        """Once a body is sent the time for the response counts, be it shorter or longer."""
        for read_timeout, waits in ((5.0, 8), (200.0, 150)):
            self.wire = Wire(route=route(read_timeout=read_timeout, retry_on=frozenset()))
            client = self.ask(post(5) + b"hello")
            endpoint = self.accept()
            for _ in range(waits):
                self.wire.advance(1)
                endpoint.look()
            if read_timeout > waits:
                endpoint.answer(endpoint.look()[0], 204)
                self.assertEqual(client.receive().status, 204)
            else:
                self.assertEqual(client.receive().status, 504)

    def test_broken_protocol(self) -> None:
        """An endpoint that does not speak HTTP/2 is 502."""
        client = self.ask()
        peer = self.wire.accept()
        peer.read()
        peer.send(b"HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n")
        self.assertEqual(client.receive().status, 502)

    def test_silent(self) -> None:
        """An endpoint that answers no PING while requests wait is given up."""
        self.wire = Wire(route=route(read_timeout=600.0))
        client = self.ask(post(1) + b"x")
        peer = self.wire.accept()
        H2Endpoint(peer)
        self.wire.advance(50)
        self.assertEqual(client.receive().status, 504)

    def test_long_call(self) -> None:
        """
        An endpoint that is silent in a long call gets one PING and then one in five minutes; with
        further requests two more at most until it says something. Servers of gRPC take no more.
        """
        self.wire = Wire(route=route(read_timeout=6000.0))
        client = HTTP2Client(self.wire)
        client.request()
        endpoint = self.accept()

        def pings(seconds: int) -> int:
            """:return: how many come in the next seconds, all of which are answered."""
            count = 0
            for _ in range(seconds):
                self.wire.advance(1)
                while data := endpoint.peer.read():
                    events = endpoint.h2.receive_data(data)
                    count += sum(isinstance(each, h2.events.PingReceived) for each in events)
                    endpoint.flush()
            return count

        self.assertEqual([pings(40), pings(250), pings(50), pings(300)], [1, 0, 1, 1])
        for expected in (1, 0, 0):
            client.request()
            self.assertEqual(pings(100), expected)

    def test_silent_for_less(self) -> None:
        """How long that takes is configured."""
        limits = Limits(http2_ping_interval=3, http2_ping_timeout=2)
        self.wire = Wire(config=Config(limits=limits), route=route(read_timeout=600.0))
        client = self.ask(post(1) + b"x")
        H2Endpoint(self.wire.accept())
        self.wire.advance(8)
        self.assertEqual(client.receive().status, 504)

    def test_idle(self) -> None:
        """A connection without requests is closed after a while."""
        client = self.ask()
        endpoint = self.accept()
        endpoint.answer(endpoint.look()[0], 204)
        client.read()
        self.wire.advance(Config().limits.idle_upstream_timeout + 5)
        endpoint.look()
        self.assertTrue(endpoint.is_terminated)
        self.assertTrue(endpoint.peer.saw_end)


class PressureTests(HTTP2UpstreamTestCase):
    """A slow side holds up its own stream, and nobody else's."""

    def test_slow_endpoint(self) -> None:
        """An endpoint that opens no window stops the upload after what both windows hold."""
        self.wire = Wire(route=route(body_size=None))
        client = self.ask(post(10_000_000))
        endpoint = self.accept()
        endpoint.acknowledges = False
        sent = 0
        for _ in range(40):
            some = client.send_some(b"x" * 100_000)
            sent += some
            self.wire.advance(0)
            endpoint.look()
            if not some:
                break
        self.assertLess(sent, 1_000_000)
        other = self.ask()
        endpoint.answer(endpoint.look()[-1], 204)
        self.assertEqual(other.receive().status, 204)

    def test_endpoint_that_reads_now_and_then(self) -> None:
        """The time for one that does not read begins anew when it has read; then it is over."""
        limits = Limits(upstream_send_timeout=5.0, http2_ping_interval=3, http2_ping_timeout=2)
        self.wire = Wire(config=Config(limits=limits), route=route(body_size=None))
        client = self.ask(post(10_000_000))
        endpoint = self.accept()
        endpoint.look()
        for stream_id in (0, 1):
            endpoint.peer.send(frame(WINDOW_UPDATE, 0, stream_id, word(10_000_000)))
        while client.send_some(b"x" * 100_000):
            self.wire.advance(0)
        for _ in range(6):
            self.wire.advance(4)
            self.assertEqual(len(endpoint.peer.read_some(1000)), 1000)
            self.assertTrue(endpoint.peer.is_open)
        self.wire.advance(6)
        self.assertTrue(endpoint.peer.saw_reset)
        self.assertEqual(client.receive().status, 504)

    def test_slow_client(self) -> None:
        """A client that does not read stops its own stream; another one gets its response."""
        client = self.ask()
        endpoint = self.accept()
        (asked,) = endpoint.look()
        endpoint.h2.send_headers(asked.stream_id, [(":status", "200")])
        sent = 0
        for _ in range(300):
            room = min(endpoint.h2.local_flow_control_window(asked.stream_id), 16_384)
            if not room:
                break
            endpoint.h2.send_data(asked.stream_id, b"x" * room)
            sent += room
            endpoint.flush()
            self.wire.network.settle()
            for event in endpoint.h2.receive_data(endpoint.peer.read()):
                endpoint._take(event)
        self.assertLess(sent, 3_000_000)
        other = self.ask()
        endpoint.answer(endpoint.look()[-1], 204)
        self.assertEqual(other.receive().status, 204)
        received = len(client.read())
        self.wire.advance(0)
        self.assertGreater(received + len(client.read()), 0)

    def test_whole_before_read(self) -> None:
        """
        A client that reads slowly gets all of a response that its endpoint has ended, whatever
        becomes of the connection then.
        """
        body = bytes(range(256)) * 700
        endings: dict[str, Callable[[H2Endpoint], object]] = {
            "nothing": lambda endpoint: None,
            "reset": lambda endpoint: endpoint.peer.send(frame(RST_STREAM, 0, 1, word(0))),
            "goaway": lambda endpoint: endpoint.peer.send(frame(GOAWAY, 0, 0, word(1) + word(0))),
            "end": lambda endpoint: endpoint.peer.end(),
            "cut": lambda endpoint: endpoint.peer.reset(),
        }
        for name, end in endings.items():
            self.wire = Wire(route=route())
            client = self.ask()
            endpoint = self.accept()
            endpoint.look()
            endpoint.h2.send_headers(1, [(":status", "200"), ("content-length", "179200")])
            sent = 0
            while sent < len(body):
                room = min(endpoint.h2.local_flow_control_window(1), 16_384)
                self.assertGreater(room, 0)
                piece = body[sent : sent + room]
                sent += len(piece)
                endpoint.h2.send_data(1, piece, end_stream=sent == len(body))
                endpoint.flush()
                endpoint.look()
            end(endpoint)
            received = b""
            while some := client.read():
                received += some
                self.wire.advance(0)
            self.assertEqual(received.partition(b"\r\n\r\n")[2], body, name)
            self.assertTrue(client.is_open)
