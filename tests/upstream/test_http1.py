"""Tests of `ingress.upstream.http1`: connections to endpoints, as the endpoint sees them."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from ingress.config import Limits
from ingress.errors import PeerError, StaleConnection
from ingress.http1.body import Trailers
from ingress.message import Response, UpstreamRequest
from ingress.policy.proxy_settings import ProxySettings
from ingress.upstream.http1 import MAX_INTERIM, HTTP1Upstream
from ingress.upstream.stream import EndpointStream, StreamReceiver
from tests.support.corpus import BAD_CHUNKED_BODIES, BAD_RESPONSES
from tests.support.memory_socket import CAPACITY
from tests.support.streams import as_sent_upstream, take_idle
from tests.support.wire import (
    CHUNKED_OK,
    ENDPOINT,
    GET,
    LIMITS,
    OK,
    Peer,
    Wire,
    feed_three_ways,
    response,
)

POST = b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n"
MUCH = b"x" * (4 * CAPACITY)


SENT_POST = (
    b"POST / HTTP/1.1\r\nHost: a\r\nCDN-Loop: txingress\r\nTransfer-Encoding: chunked\r\n"
    b"X-Request-ID: id\r\n\r\n"
)
"""The same as the endpoint gets it."""


def get(method: bytes = b"GET") -> UpstreamRequest:
    return as_sent_upstream(GET.replace(b"GET", method, 1))


class Receiver(StreamReceiver):
    """Remembers the calls of a StreamReceiver's methods."""

    def __init__(self) -> None:
        self.connection: HTTP1Upstream | None = None
        self.error: PeerError | None = None
        self.interim: list[int] = []
        self.status = 0
        self.body = b""
        self.flushes = 0
        self.end = ""
        """The end of the response: ``whole``, or the error's status."""

        self.is_paused = False

    def stream_acquired(self, stream: EndpointStream) -> None:
        assert isinstance(stream, HTTP1Upstream)
        self.connection = stream

    def stream_refused(self, error: PeerError) -> None:
        raise AssertionError("no dial fails here")

    def response_interim(self, response: Response) -> None:
        self.interim.append(response.status)

    def response_started(self, response: Response) -> None:
        self.status = response.status

    def response_body(self, data: bytes) -> None:
        self.body += data

    def response_flush(self) -> None:
        self.flushes += 1

    def response_ended(self, trailers: Trailers) -> None:
        self.end = "whole"
        self.trailers = trailers

    def switched(self, response: Response) -> Receiver:
        self.status = response.status
        return self

    def tunnel_received(self, data: bytes) -> None:
        self.body += data

    def endpoint_finished(self) -> None:
        self.end = "half"

    def stream_failed(self, error: PeerError) -> None:
        self.error = error
        self.end = str(error.status)

    def pause_request(self) -> None:
        self.is_paused = True

    def resume_request(self) -> None:
        self.is_paused = False


class UpstreamCase(SynchronousTestCase):
    def setUp(self) -> None:
        self.wire = Wire(ENDPOINT)
        self.pool = self.wire.registry.pool(ENDPOINT)

    def connect(self) -> tuple[HTTP1Upstream, Peer]:
        user = Receiver()
        self.pool.acquire(user, is_new=True)
        endpoint = self.wire.accept()
        assert user.connection is not None
        return user.connection, endpoint

    def ask(self, method: bytes = b"GET") -> tuple[Receiver, HTTP1Upstream, Peer]:
        """Send a request without body on a new connection; the endpoint has read it."""
        connection, endpoint = self.connect()
        receiver = Receiver()
        connection.send_head(receiver, get(method), ProxySettings())
        endpoint.read()
        return receiver, connection, endpoint

    def upload(self) -> tuple[Receiver, HTTP1Upstream, Peer]:
        """Send the head of a request whose body is still to come."""
        connection, endpoint = self.connect()
        receiver = Receiver()
        connection.send_head(receiver, as_sent_upstream(POST), ProxySettings())
        return receiver, connection, endpoint

    def is_kept(self, connection: HTTP1Upstream) -> bool:
        self.wire.network.settle()
        return take_idle(self.pool) is connection


class ResponseTests(UpstreamCase):
    def answers(self, data: bytes, method: bytes = b"GET") -> list[object]:
        """Check the result of a response, fed in three ways."""

        def feed(pieces: object) -> tuple[list[int], int, bytes, str, bool]:
            receiver, connection, endpoint = self.ask(method)
            for piece in pieces:  # type: ignore[attr-defined]
                endpoint.send_some(piece)
            kept = self.is_kept(connection)
            return receiver.interim, receiver.status, receiver.body, receiver.end, kept

        return feed_three_ways(feed, data)

    def test_known_length(self) -> None:
        """A response ends with its length, and its connection is kept unless more comes."""
        whole, bytewise, trailing = self.answers(OK)
        self.assertEqual(whole, ([], 200, b"ok", "whole", True))
        self.assertEqual(bytewise, whole)
        self.assertEqual(trailing, ([], 200, b"ok", "whole", False))

    def test_chunked(self) -> None:
        """A response in chunks ends with the last one, and its connection is kept."""
        whole, bytewise, trailing = self.answers(
            CHUNKED_OK + b"2\r\nok\r\n0\r\nX-Trailer: 1\r\n\r\n"
        )
        self.assertEqual(whole, ([], 200, b"ok", "whole", True))
        self.assertEqual(bytewise, whole)
        self.assertEqual(trailing, ([], 200, b"ok", "whole", False))

    def test_without_body(self) -> None:
        """A response without body leaves its connection usable, unless it announces a body."""
        for data, method, is_kept in (
            (response(204), b"GET", True),
            (response(304), b"GET", True),
            (response(304, b"Content-Length: 5"), b"GET", False),
            (response(200, b"Content-Length: 0"), b"HEAD", True),
            (response(200, b"Content-Length: 5"), b"HEAD", False),
            (response(200, b"Transfer-Encoding: chunked"), b"HEAD", False),
            (response(200), b"HEAD", False),
        ):
            whole, bytewise, trailing = self.answers(data, method)
            self.assertEqual(whole[2:], (b"", "whole", is_kept))  # type: ignore[index]
            self.assertEqual(bytewise, whole)
            self.assertEqual(trailing[2:], (b"", "whole", False))  # type: ignore[index]

    def test_reset_after_head(self) -> None:
        """A connection that a body may follow is reset, so that its port can be used again."""
        _, _, endpoint = self.ask(b"HEAD")
        endpoint.send(response(200, b"Content-Length: 5"))
        self.assertTrue(endpoint.saw_reset)

    def test_interim(self) -> None:
        """Interim responses come first."""
        whole, bytewise, _ = self.answers(response(100) + response(103) + OK)
        self.assertEqual(whole, ([100, 103], 200, b"ok", "whole", True))
        self.assertEqual(bytewise, whole)

    def test_most_interim(self) -> None:
        """Too many interim responses to one request end the connection."""
        many = response(102) * MAX_INTERIM
        receiver, connection, endpoint = self.ask()
        endpoint.send(many + OK)
        self.assertEqual((receiver.status, len(receiver.interim)), (200, MAX_INTERIM))
        self.assertTrue(self.is_kept(connection))
        receiver, _, endpoint = self.ask()
        endpoint.send(many + response(102))
        self.assertEqual(receiver.end, "502")

    def test_head_limits(self) -> None:
        """The head of a response is bounded by the configuration in force."""
        self.wire.registry.apply(Limits(head_size=1024, head_fields=3))
        for head in (b"X: " + b"x" * 1024, b"\r\n".join([b"X: a"] * 4)):
            receiver, _, endpoint = self.ask()
            endpoint.send(b"HTTP/1.1 200 OK\r\n" + head + b"\r\n\r\n")
            self.assertEqual(receiver.end, "502")

    def test_until_close(self) -> None:
        """A body without length ends with the connection."""
        receiver, connection, endpoint = self.ask()
        endpoint.send(response(200) + b"o")
        endpoint.send(b"k")
        self.assertEqual((receiver.body, receiver.end), (b"ok", ""))
        endpoint.close()
        self.assertEqual(receiver.end, "whole")
        self.assertFalse(self.is_kept(connection))

    def test_until_reset(self) -> None:
        """A reset does not end a body without length."""
        receiver, _, endpoint = self.ask()
        endpoint.send(response(200) + b"ok")
        endpoint.reset()
        self.assertEqual(receiver.end, "502")

    def test_close(self) -> None:
        """A connection that is to be closed is closed in an orderly way."""
        for data in (
            response(200, b"Content-Length: 0", b"Connection: close"),
            b"HTTP/1.0 200 OK\r\nContent-Length: 0\r\n\r\n",
        ):
            receiver, connection, endpoint = self.ask()
            endpoint.send(data)
            self.assertEqual(receiver.end, "whole")
            self.assertTrue(endpoint.saw_end)
            self.assertFalse(self.is_kept(connection))

    def test_asked_to_close(self) -> None:
        """An endpoint that is asked to close the connection gets no further request on it."""
        for connection_field, is_kept in ((b"close", False), (b"keep-alive", True)):
            connection, endpoint = self.connect()
            receiver, head = Receiver(), get()
            head.connection = connection_field
            connection.send_head(receiver, head, ProxySettings())
            self.assertIn(b"\r\nConnection: " + connection_field + b"\r\n", endpoint.read())
            endpoint.send(OK)
            self.assertEqual(receiver.end, "whole")
            self.assertEqual(self.is_kept(connection), is_kept)

    def test_http_10_keep_alive(self) -> None:
        """An endpoint of HTTP/1.0 that keeps its connection is asked again on it."""
        _, connection, endpoint = self.ask()
        endpoint.send(b"HTTP/1.0 200 OK\r\nContent-Length: 0\r\nConnection: keep-alive\r\n\r\n")
        self.assertTrue(self.is_kept(connection))

    def test_refused(self) -> None:
        """An endpoint whose head breaks the rules is a 502 at once, and its connection is cut."""
        wrong = {}
        for name, data in BAD_RESPONSES.items():
            for pieces in (
                [data],
                [data[i : i + 1] for i in range(min(len(data), 500))] + [data[500:]],
            ):
                receiver, connection, endpoint = self.ask()
                for piece in pieces:
                    endpoint.send_some(piece)
                if (receiver.status, receiver.end, endpoint.saw_reset) != (0, "502", True):
                    wrong[name] = (receiver.status, receiver.end)
                if self.is_kept(connection):
                    wrong[name] = (0, "kept")
        self.assertEqual(wrong, {})

    def test_bad_chunks(self) -> None:
        """An endpoint whose body breaks the rules is a 502, and its connection is cut."""
        for name, data in BAD_CHUNKED_BODIES.items():
            receiver, connection, endpoint = self.ask()
            endpoint.send_some(CHUNKED_OK + data)
            self.assertEqual(receiver.end, "502", name)
            self.assertTrue(endpoint.saw_reset)
            self.assertFalse(self.is_kept(connection))

    def test_cut_short(self) -> None:
        """A connection that ends within a response is a 502."""
        for data in (
            b"",
            b"HTTP/1.1 200",
            response(103),
            response(200, b"Content-Length: 5") + b"ok",
            CHUNKED_OK + b"2\r\nok\r\n0\r\n",
        ):
            receiver, _, endpoint = self.ask()
            endpoint.send_some(data)
            endpoint.close()
            self.assertEqual(receiver.end, "502")

    def test_flushed_once_a_read(self) -> None:
        """The parts of one read are flushed once."""
        receiver, _, endpoint = self.ask()
        endpoint.send(CHUNKED_OK + b"1\r\na\r\n" * 5)
        self.assertEqual(receiver.flushes, 1)


class KeptConnectionTests(UpstreamCase):
    def kept(self) -> tuple[HTTP1Upstream, Peer]:
        _, connection, endpoint = self.ask()
        endpoint.send(OK)
        return connection, endpoint

    def test_unasked_bytes(self) -> None:
        """An endpoint that sends something without a request has its connection cut."""
        connection, endpoint = self.kept()
        endpoint.send_some(OK)
        self.assertTrue(endpoint.saw_reset)
        self.assertFalse(self.is_kept(connection))

    def test_unasked_bytes_in_the_same_moment(self) -> None:
        """A connection that was cut is not taken before its end either."""
        connection, _ = self.kept()
        connection.dataReceived(b"x")
        self.assertIsNone(take_idle(self.pool))

    def test_idle_time(self) -> None:
        """An idle connection is closed after a while."""
        connection, endpoint = self.kept()
        self.wire.advance(LIMITS.idle_upstream_timeout - 2)
        self.assertTrue(endpoint.is_open)
        self.wire.advance(4)
        self.assertTrue(endpoint.saw_end)
        self.assertFalse(self.is_kept(connection))

    def test_next_request(self) -> None:
        """The next response belongs to the next request."""
        connection, endpoint = self.kept()
        receiver = Receiver()
        connection.send_head(receiver, get(b"HEAD"), ProxySettings())
        endpoint.send(response(200, b"Content-Length: 5"))
        self.assertEqual(receiver.end, "whole")

    def test_stale(self) -> None:
        """A kept connection that ends before any of the next response was stale."""
        for answer, is_stale in ((b"", True), (b"HTTP/1.1 2", False)):
            connection, endpoint = self.kept()
            receiver = Receiver()
            connection.send_head(receiver, get(), ProxySettings())
            endpoint.send(answer)
            endpoint.close()
            self.assertEqual(isinstance(receiver.error, StaleConnection), is_stale)

    def test_a_new_connection_is_never_stale(self) -> None:
        """A connection that has not served before is never stale."""
        receiver, _, endpoint = self.ask()
        endpoint.close()
        self.assertNotIsInstance(receiver.error, StaleConnection)

    def test_repr(self) -> None:
        """A connection shows its endpoint and its state."""
        connection, _ = self.kept()
        self.assertEqual(repr(connection), "<HTTP1Upstream 10.1.0.1:8080 IDLE>")
        connection.send_head(Receiver(), get(), ProxySettings())
        self.assertEqual(repr(connection), "<HTTP1Upstream 10.1.0.1:8080 WAITING>")


class UploadTests(UpstreamCase):
    def test_chunks(self) -> None:
        """A body of unknown length goes out in chunks."""
        _, connection, endpoint = self.upload()
        connection.send_body(b"hello")
        connection.end_body(())
        self.assertEqual(endpoint.read(), SENT_POST + b"5\r\nhello\r\n0\r\n\r\n")

    def test_back_pressure(self) -> None:
        """The client pauses while the endpoint does not read, and goes on when it does."""
        receiver, connection, endpoint = self.upload()
        connection.send_body(MUCH)
        self.assertTrue(receiver.is_paused)
        endpoint.read()
        self.assertFalse(receiver.is_paused)

    def test_does_not_read(self) -> None:
        """An endpoint that reads nothing of the body is a 504."""
        receiver, connection, endpoint = self.upload()
        connection.send_body(MUCH)
        self.wire.advance(LIMITS.upstream_send_timeout + 2)
        self.assertEqual(receiver.end, "504")
        self.assertTrue(endpoint.saw_reset)

    def test_reads_slowly(self) -> None:
        """An endpoint that reads some of the body now and then is waited for."""
        receiver, connection, endpoint = self.upload()
        connection.send_body(MUCH)
        for _ in range(5):
            self.wire.advance(LIMITS.upstream_send_timeout - 2)
            endpoint.read_some(1000)
        self.assertEqual(receiver.end, "")
        self.wire.advance(2 * LIMITS.upstream_send_timeout)
        self.assertEqual(receiver.end, "504")

    def test_early_response(self) -> None:
        """A connection that was answered before its request was whole is not kept."""
        receiver, connection, endpoint = self.upload()
        endpoint.send(OK)
        self.assertEqual(receiver.end, "whole")
        self.assertTrue(endpoint.saw_reset)
        self.assertFalse(self.is_kept(connection))

    def test_answered_in_place_of_a_body_that_was_offered(self) -> None:
        """
        Nor one whose endpoint was to say whether it wants the body, and answered at once:
        it may take the body, which came all the same, for its next request.
        """
        for value in (b"100-continue", b"100-Continue", b"x, 100-continue", b""):
            for interim, is_kept in ((b"", False), (response(103), False), (response(100), True)):
                head = b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 41\r\nExpect: %b\r\n\r\n"
                connection, endpoint = self.connect()
                receiver = Receiver()
                connection.send_head(receiver, as_sent_upstream(head % value), ProxySettings())
                endpoint.send(interim)
                connection.send_body(b"GET /smuggled HTTP/1.1\r\nHost: a.example\r\n")
                connection.end_body(())
                endpoint.send(OK)
                self.assertEqual(receiver.end, "whole")
                self.assertIs(self.is_kept(connection), is_kept, (value, interim))

    def test_expectation_without_a_body(self) -> None:
        """A connection is kept after an early response to a request without body."""
        data = b"GET / HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\n\r\n"
        connection, endpoint = self.connect()
        connection.send_head(Receiver(), as_sent_upstream(data), ProxySettings())
        endpoint.send(OK)
        self.assertTrue(self.is_kept(connection))

    def test_answered_before_it_was_read(self) -> None:
        """A connection is not kept if the endpoint has not read the whole request."""
        receiver, connection, endpoint = self.upload()
        connection.send_body(MUCH)
        connection.end_body(())
        endpoint.send(OK)
        self.assertEqual(receiver.end, "whole")
        self.assertFalse(self.is_kept(connection))

    def test_closes_without_reading(self) -> None:
        """A connection that closes does not wait for ever for an endpoint that does not read."""
        _, connection, endpoint = self.upload()
        # What the socket does not take, but less than would pause the client.
        connection.send_body(b"x" * (CAPACITY + 1000))
        connection.end_body(())
        endpoint.send(response(200, b"Content-Length: 0", b"Connection: close"))
        self.assertTrue(endpoint.is_open)
        self.wire.advance(LIMITS.upstream_send_timeout + 2)
        self.assertTrue(endpoint.saw_reset)

    def test_abandoned(self) -> None:
        """A stream that is abandoned is cut, and its receiver gets no call."""
        receiver, connection, endpoint = self.upload()
        connection.abandon()
        self.assertTrue(endpoint.saw_reset)
        self.assertEqual(receiver.end, "")


class DeadlineTests(UpstreamCase):
    def test_no_answer(self) -> None:
        """An endpoint that does not answer is a 504."""
        receiver, _, endpoint = self.ask()
        self.wire.advance(LIMITS.read_timeout + 2)
        self.assertEqual(receiver.end, "504")
        self.assertTrue(endpoint.saw_reset)

    def test_between_two_reads(self) -> None:
        """Each read gives the endpoint its whole time again."""
        receiver, _, endpoint = self.ask()
        for data in (response(103), CHUNKED_OK, b"2\r\n", b"ok\r\n0\r\n", b"\r\n"):
            self.wire.advance(LIMITS.read_timeout - 2)
            self.assertEqual(receiver.end, "")
            endpoint.send(data)
        self.assertEqual(receiver.end, "whole")

    def test_paused(self) -> None:
        """The time of the endpoint does not run while the client is waited for."""
        receiver, connection, endpoint = self.ask()
        endpoint.send(CHUNKED_OK)
        connection.pause_response()
        self.wire.advance(LIMITS.read_timeout * 2)
        connection.resume_response()
        self.wire.advance(LIMITS.read_timeout - 2)
        self.assertEqual(receiver.end, "")
        self.wire.advance(4)
        self.assertEqual(receiver.end, "504")
