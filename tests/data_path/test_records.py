"""Tests of what is recorded of each request, from the client's bytes on."""

from __future__ import annotations

from collections.abc import Callable

from twisted.internet.address import UNIXAddress
from twisted.trial.unittest import SynchronousTestCase

from ingress.errors import Outcome
from ingress.exchange.loop_marker import MAX_PASSES
from ingress.telemetry.record import ExchangeRecord
from tests.support.kept_records import KeptRecords
from tests.support.wire import (
    CHUNKED_OK,
    GET,
    LIMITS,
    OK,
    Message,
    Peer,
    Wire,
    post,
    request,
    response,
)

HELLO = b"\x16\x03\x01\x00\xc8\x01\x00\x00\xc4\x03\x03" + bytes(200)
"""The beginning of a TLS handshake."""


class RecordCase(SynchronousTestCase):
    def setUp(self) -> None:
        self.wire = Wire()
        self.records: list[ExchangeRecord] = []
        self.wire.plane.exchanges.recorder = KeptRecords(self.records)
        self.client = self.wire.connect()

    @property
    def record(self) -> ExchangeRecord:
        """The only record."""
        (record,) = self.records
        return record


class BadResponseTests(RecordCase):
    """Records of input that was no response."""

    def test_reason(self) -> None:
        """Client and log learn which rule was broken, and nothing that the endpoint sent."""
        self.client.send(GET)
        self.wire.accept().send_some(b"HTTP/1.1 200 OK\r\nX: a\r\nX-Secret : 4711\r\n\r\n4711")
        answer = self.client.receive()
        detail = "The response is malformed: line 3 has a blank before its colon."
        self.assertEqual((answer.status, self.record.status), (502, 502))
        self.assertEqual((self.record.outcome, self.record.detail), ("endpoint_broke", detail))
        self.assertIn(detail.encode(), answer.rest)
        self.assertNotIn(b"4711", answer.rest)

    def check_ending(self, sent: bytes, detail: str, end: Callable[[Peer], object]) -> None:
        """Check the reason in the record after an endpoint's bytes and its end."""
        self.records.clear()
        client = self.wire.connect()
        client.send(GET)
        endpoint = self.wire.accept()
        endpoint.read()
        endpoint.send_some(sent)
        end(endpoint)
        client.read()
        self.assertEqual(self.record.detail, detail)

    def test_ended(self) -> None:
        """The reason says whether the endpoint closed the connection or it broke, and when."""
        for sent, where in (
            (b"", "before its response"),
            (response(103), "before its response"),
            (OK[:20], "within the head of its response"),
            (CHUNKED_OK + b"5\r\nhel", "within the body of its response"),
        ):
            self.check_ending(sent, f"The endpoint closed the connection {where}.", Peer.close)
            self.check_ending(sent, f"The connection to the endpoint broke {where}.", Peer.reset)

    def test_too_slow(self) -> None:
        """The reason says which step of the endpoint took too long."""

        def wait(endpoint: Peer) -> None:
            self.wire.advance(LIMITS.read_timeout + 2)

        for sent, what in (
            (b"", "respond"),
            (OK[:20], "respond"),
            (CHUNKED_OK + b"5\r\nhel", "continue its response"),
        ):
            self.check_ending(sent, f"The endpoint took too long to {what}.", wait)

    def test_broken_body(self) -> None:
        """The log says why a response was cut."""
        self.client.send(GET)
        self.wire.accept().send_some(CHUNKED_OK + b"3\r\nabcd\r\n")
        self.assertEqual(self.client.receive().status, 200)
        detail = "The chunked body of the response has a chunk that is longer than its size."
        self.assertEqual((self.record.outcome, self.record.detail), ("endpoint_broke", detail))


class LoopTests(RecordCase):
    """Requests that have passed through here before."""

    FIELD = b"CDN-Loop: " + b", ".join([b"txingress"] * MAX_PASSES)

    def test_refused(self) -> None:
        """No endpoint is asked, client and log learn why, and the connection serves on."""
        self.client.send(request(b"GET", self.FIELD))
        answer = self.client.receive()
        self.assertEqual((answer.status, self.record.status), (508, 508))
        self.assertEqual(self.record.outcome, Outcome.LOOP_DETECTED)
        self.assertIn(self.record.detail.encode(), answer.rest)
        self.assertFalse(self.record.tries)
        self.assertEqual(self.wire.dials, [])
        self.client.send(GET)
        self.wire.accept().send(OK)
        self.assertEqual(self.client.receive().status, 200)

    def test_again(self) -> None:
        """A head that was seen before is refused as the first one was."""
        for _ in range(3):
            self.client.send(request(b"GET", self.FIELD))
            self.assertEqual(self.client.receive().status, 508)
        fewer = self.FIELD.rpartition(b", ")[0]
        self.client.send(request(b"GET", fewer))
        endpoint = self.wire.accept()
        for _ in range(3):
            self.assertEqual(Message.parse(endpoint.read()).values(b"CDN-Loop"), [self.FIELD[10:]])
            endpoint.send(OK)
            self.assertEqual(self.client.receive().status, 200)
            self.client.send(request(b"GET", fewer))


class RefusalTests(RecordCase):
    """Records of input that was no request."""

    def check(self, data: bytes, status: int, outcome: Outcome, line: bytes) -> ExchangeRecord:
        """Check that the input is refused with this status, and recorded once."""
        self.client.send_some(data)
        answer = Message.parse(self.client.read())
        record = self.record
        self.assertEqual((answer.status, record.status), (status, status))
        self.assertIs(record.outcome, outcome)
        self.assertNotEqual(record.detail, "")
        self.assertIn(record.detail.encode(), answer.rest)
        self.assertEqual(answer.values(b"X-Request-ID"), [record.request_id])
        self.assertEqual(record.body_size, len(answer.rest))
        self.assertEqual(record.client_address, b"192.0.2.1")
        self.assertIsNone(record.request)
        self.assertEqual(record.line, line)
        return record

    def test_bad_request(self) -> None:
        """A head that breaks the rules is recorded with its first line."""
        data = b"GET / HTTP/1.1\r\n\r\n"
        record = self.check(data, 400, Outcome.BAD_REQUEST, b"GET / HTTP/1.1")
        self.assertEqual((record.request_size, record.duration), (len(data), 0))

    def test_tls_on_the_plain_port(self) -> None:
        """TLS where plain text is expected."""
        self.check(HELLO, 400, Outcome.BAD_REQUEST, HELLO)

    def test_other_line_ends(self) -> None:
        """The fields of a head never get into the log, whatever ends its lines."""
        for end in (b"\n", b"\r"):
            data = end.join([b"GET / HTTP/1.1", b"Authorization: Basic c2VjcmV0", b"", b""])
            self.check(data, 400, Outcome.BAD_REQUEST, b"GET / HTTP/1.1")
            self.records.clear()
            self.client = self.wire.connect()

    def test_long_target(self) -> None:
        """A target that is too long is recorded with its beginning."""
        data = b"GET /" + b"x" * LIMITS.target_size + b" HTTP/1.1\r\n\r\n"
        record = self.check(data, 414, Outcome.TARGET_TOO_LONG, data[:256])
        self.assertEqual(record.request_size, len(data))

    def test_large_head(self) -> None:
        """A head with too many fields."""
        data = request(b"GET", *(b"A: b" for _ in range(LIMITS.head_fields)))
        self.check(data, 431, Outcome.HEAD_TOO_LARGE, b"GET / HTTP/1.1")

    def test_unknown_method(self) -> None:
        """A method that the parser does not know."""
        self.check(request(b"BREW"), 501, Outcome.METHOD_UNKNOWN, b"BREW / HTTP/1.1")

    def test_slow_head(self) -> None:
        """The record of a head that took too long has the time of a head."""
        self.client.send(b"GET / HTTP/1.1\r\nHo")
        self.wire.advance(LIMITS.head_timeout + 2)
        record = self.check(b"", 408, Outcome.CLIENT_TIMEOUT, b"GET / HTTP/1.1")
        self.assertEqual((record.request_size, record.duration), (18, LIMITS.head_timeout))

    def test_behind_a_request(self) -> None:
        """Garbage after a request is recorded apart from the request."""
        self.client.send(GET + b"\x00\r\n\r\n")
        self.wire.accept().send(OK)
        self.client.read()
        first, second = self.records
        self.assertIs(first.outcome, Outcome.OK)
        self.assertEqual((second.outcome, second.line), (Outcome.BAD_REQUEST, b"\x00"))

    def test_nothing_sent(self) -> None:
        """A client that sends nothing is not recorded."""
        self.client.close()
        self.wire.connect()
        self.wire.advance(LIMITS.keep_alive_timeout + 2)
        self.assertEqual(self.records, [])


class ExchangeTests(RecordCase):
    def test_each(self) -> None:
        """Each request of a connection is recorded, when its response is over."""
        self.client.send(GET)
        endpoint = self.wire.accept()
        self.assertEqual(self.records, [])
        endpoint.send(OK)
        self.client.send(request(b"GET", target=b"/second"))
        endpoint.send(OK)
        first, second = self.records
        assert first.request is not None
        assert second.request is not None
        self.assertEqual((first.request.target, second.request.target), (b"/", b"/second"))
        self.assertNotEqual(first.request_id, second.request_id)

    def test_unix_client(self) -> None:
        """A client of a UNIX socket has no address in the record."""
        self.client = self.wire.connect(UNIXAddress(b""))
        self.client.send(GET)
        self.wire.accept().send(OK)
        self.assertEqual(self.record.client_address, b"")

    def test_half_a_body(self) -> None:
        """A client that ends within its body is recorded as gone."""
        self.client.send(post(10) + b"hello")
        self.wire.accept()
        self.client.end()
        record = self.record
        self.assertEqual((record.status, record.outcome), (499, Outcome.CLIENT_LOST))
        self.assertEqual(record.request_size, len(post(10)) + 5)

    def test_slow_body(self) -> None:
        """A body that comes too slowly is recorded with its request."""
        self.client.send(post(10) + b"hello")
        self.wire.accept()
        self.wire.advance(LIMITS.body_timeout + 2)
        record = self.record
        self.assertEqual((record.status, record.outcome), (408, Outcome.CLIENT_TIMEOUT))
        self.assertIsNotNone(record.request)

    def test_cut_at_the_end(self) -> None:
        """The exchange under way is recorded when the last connection is gone."""
        self.client.send(GET)
        self.wire.accept()
        recorded: list[int] = []
        drained = self.wire.plane.clients.connections.drain()
        drained.addCallback(lambda _: recorded.append(len(self.records)))
        self.wire.plane.clients.connections.cut()
        self.wire.network.settle()
        self.successResultOf(drained)
        self.assertEqual(recorded, [1])
        self.assertIs(self.record.outcome, Outcome.CLIENT_LOST)
