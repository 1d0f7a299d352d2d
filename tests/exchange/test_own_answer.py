"""Tests of `ingress.exchange.own_answer`."""

from __future__ import annotations

from dataclasses import replace

from twisted.trial.unittest import SynchronousTestCase

from ingress.answer import Answer
from ingress.believed_client import BelievedClient
from ingress.errors import Outcome, RequestError, RequestTimeout
from ingress.exchange.client import Client
from ingress.exchange.own_answer import TOO_LARGE, is_too_large, own_answer, refuse_client
from ingress.http1.decoder import RequestDecoder
from ingress.http1.request_head import parse_request_head
from ingress.policy.context import PolicyContext
from ingress.policy.policy import Policy
from ingress.policy.proxy_settings import ProxySettings
from ingress.routing.route import Route
from ingress.telemetry.record import ExchangeRecord
from tests.support.wire import GET, LIMITS, UPSTREAM, Wire, post

ROUTE = Route(ingress=("default", "web"), upstream=UPSTREAM, proxy=ProxySettings(body_size=10))
CLIENT = BelievedClient(b"192.0.2.1", b"a.example", b"", is_secure=True, is_trusted=False)
NO = Answer(503, Outcome.ACCESS_REFUSED, "No.")


class Scripted(Policy):
    """Answers what it is given, and remembers whether each request was secure."""

    def __init__(self, answer: Answer | None) -> None:
        self.said = answer
        self.asked: list[bool] = []

    def access(self, context: PolicyContext) -> Answer | None:
        self.asked.append(context.client.is_secure)
        return self.said


class OwnAnswerTests(SynchronousTestCase):
    def answer(self, route: Route | None, head: bytes = GET) -> Answer | None:
        request, _ = parse_request_head(head)
        return own_answer(Wire().plane, route, request, CLIENT)

    def test_none(self) -> None:
        """Where a rule leads to a Service, an endpoint is asked."""
        self.assertIsNone(self.answer(ROUTE))

    def test_no_rule(self) -> None:
        """Without a rule it is 404."""
        answer = self.answer(None)
        assert answer is not None
        self.assertEqual((answer.status, answer.outcome), (404, Outcome.NO_ROUTE))

    def test_no_service(self) -> None:
        """A rule without a Service is 404, too, for another reason."""
        answer, other = self.answer(replace(ROUTE, upstream=None)), self.answer(None)
        assert answer is not None
        assert other is not None
        self.assertEqual((answer.status, answer.outcome), (404, Outcome.NO_ROUTE))
        self.assertNotEqual(answer.detail, other.detail)

    def test_policies(self) -> None:
        """The first policy that has an answer gives it; those behind are not asked."""
        passing, refusing, behind = Scripted(None), Scripted(NO), Scripted(None)
        route = replace(ROUTE, upstream=None, policies=(passing, refusing, behind))
        self.assertIs(self.answer(route, post(11)), NO)
        self.assertEqual((passing.asked, refusing.asked, behind.asked), ([True], [True], []))

    def test_too_large(self) -> None:
        """A body whose length tells that it is too large is refused."""
        self.assertIs(self.answer(ROUTE, post(11)), TOO_LARGE)
        self.assertIsNone(self.answer(ROUTE, post(10)))

    def test_limit(self) -> None:
        """A route may have no limit."""
        self.assertTrue(is_too_large(ROUTE, 11))
        unlimited = replace(ROUTE, proxy=ProxySettings(body_size=None))
        self.assertFalse(is_too_large(unlimited, 1 << 40))


class RefuseClientTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.plane = Wire().plane
        self.records: list[ExchangeRecord] = []
        self.plane.record = self.records.append
        self.decoder = RequestDecoder()
        self.decoder.waiting = b"nonsense\r\nAuthorization: secret\r\n\r\n"

    def test_recorded(self) -> None:
        """What is answered is recorded, with the beginning of what came."""
        client = Client("2001:db8::1", is_secure=False)
        error = RequestError("That is no request.")
        answer, fields, body = refuse_client(self.plane, client, error, self.decoder)
        (record,) = self.records
        self.assertEqual((answer.status, record.status), (400, 400))
        self.assertEqual(record.detail, "That is no request.")
        self.assertEqual((record.line, record.request_size), (b"nonsense", 35))
        self.assertEqual(record.client_address, b"2001:db8::1")
        self.assertEqual((record.body_size, record.duration), (len(body), 0))
        self.assertIn((b"X-Request-ID", record.request_id), fields)
        self.assertNotIn(b"Strict-Transport-Security", dict(fields))

    def test_secure(self) -> None:
        """Over TLS it has our HSTS, like every answer."""
        client = Client("192.0.2.1", is_secure=True)
        error = RequestError("That is no request.")
        _, fields, _ = refuse_client(self.plane, client, error, self.decoder)
        self.assertIn(b"Strict-Transport-Security", dict(fields))

    def test_too_slow(self) -> None:
        """A head that came too slowly had all the time that there is."""
        error = RequestTimeout("Too slow.")
        refuse_client(self.plane, Client("192.0.2.1", is_secure=False), error, self.decoder)
        (record,) = self.records
        self.assertEqual((record.status, record.duration), (408, LIMITS.head_timeout))
