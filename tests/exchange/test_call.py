"""Tests of `ingress.exchange.call`: a request to an Upstream, without a client."""

from __future__ import annotations

from dataclasses import replace

from twisted.trial.unittest import SynchronousTestCase

from ingress.answer import Answer
from ingress.believed_client import BelievedClient
from ingress.config import Config
from ingress.endpoint import Endpoint, Upstream
from ingress.errors import Outcome
from ingress.exchange.call import Call
from ingress.exchange.call_receiver import CallReceiver
from ingress.exchange.call_state import CallState
from ingress.http1.body import Trailers
from ingress.message import Response
from ingress.policy.call_settings import CallSettings
from ingress.policy.proxy_settings import ProxySettings, RetryCondition
from ingress.upstream.health import FIRST_EJECTION, MAX_FAILURES
from tests.support.streams import as_sent_upstream
from tests.support.wire import (
    ENDPOINT,
    GET,
    OK,
    OTHER_ENDPOINT,
    UPSTREAM,
    Wire,
    post,
    request,
    response,
)

SETTINGS = CallSettings()
CLIENT = BelievedClient(b"192.0.2.1", b"a.example", b"", is_secure=False, is_trusted=False)


class Listener(CallReceiver):
    """Remembers the calls of a CallReceiver's methods."""

    def __init__(self) -> None:
        self.events: list[str] = []
        self.body = b""
        self.answer: Answer | None = None
        self.is_paused = False

    def call_interim(self, response: Response) -> None:
        self.events.append(f"interim {response.status}")

    def call_started(self, response: Response) -> None:
        self.events.append(f"started {response.status}")

    def call_body(self, data: bytes) -> None:
        self.body += data

    def call_ended(self, trailers: Trailers) -> None:
        self.events.append("ended")

    def call_failed(self, answer: Answer) -> None:
        self.events.append(f"failed {answer.status}")
        self.answer = answer

    def pause_request(self) -> None:
        self.is_paused = True

    def resume_request(self) -> None:
        self.is_paused = False


class CallCase(SynchronousTestCase):
    def setUp(self) -> None:
        self.wire = Wire(ENDPOINT)
        self.listener = Listener()

    def start(
        self,
        head: bytes = GET,
        *endpoints: Endpoint,
        settings: CallSettings = SETTINGS,
        is_unresolved: bool = False,
    ) -> Call:
        self.listener = Listener()
        call = Call(
            self.wire.plane.calls,
            Upstream(UPSTREAM, endpoints or (ENDPOINT,), is_unresolved=is_unresolved),
            settings,
            as_sent_upstream(head),
            CLIENT,
            self.listener,
            Config(),
        )
        call.start()
        return call

    def check_nothing_in_flight(self) -> None:
        budget = self.wire.plane.calls.retry_budget
        self.assertEqual((budget.in_flight, budget.retries), (0, 0))


class CallTests(CallCase):
    def test_response(self) -> None:
        """A call asks an endpoint, and its receiver gets the response and nothing after it."""
        call = self.start()
        endpoint = self.wire.accept()
        self.assertTrue(endpoint.read().startswith(b"GET / HTTP/1.1\r\nHost: a.example\r\n"))
        endpoint.send(response(103) + OK)
        self.assertEqual(self.listener.events, ["interim 103", "started 200", "ended"])
        self.assertEqual(self.listener.body, b"ok")
        self.assertIs(call.state, CallState.ENDED)
        endpoint.close()
        self.assertEqual(len(self.listener.events), 3)
        self.check_nothing_in_flight()

    def test_no_endpoint(self) -> None:
        """A call without an endpoint fails, with another status if a name has no address."""
        calls, upstream = self.wire.plane.calls, Upstream(UPSTREAM)
        for is_unresolved, status in ((False, 503), (True, 502)):
            listener = Listener()
            none = replace(upstream, is_unresolved=is_unresolved)
            head = as_sent_upstream(GET)
            Call(calls, none, SETTINGS, head, CLIENT, listener, Config()).start()
            self.assertEqual(listener.events, [f"failed {status}"])
        self.assertEqual(self.wire.dials, [])

    def test_body(self) -> None:
        """The body waits for the connection, and is sent again on another one if need be."""
        call = self.start(post(5), ENDPOINT, OTHER_ENDPOINT)
        self.assertTrue(self.listener.is_paused)
        call.send_body(b"hello")
        call.end_body(())
        self.wire.next_dial().refuse()
        other = self.wire.accept()
        self.assertTrue(other.read().endswith(b"\r\n\r\nhello"))
        self.assertFalse(self.listener.is_paused)
        self.assertEqual([one.status for one in call.tries], [502, 0])
        other.send(OK)
        self.assertEqual(self.listener.events, ["started 200", "ended"])
        self.check_nothing_in_flight()

    def test_cancelled(self) -> None:
        """A call that is cancelled ends its connection in every state, and calls no receiver."""
        for prepare in (
            lambda: None,
            lambda: self.wire.accept(),
            lambda: self.wire.accept().send(b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nx"),
        ):
            call = self.start()
            prepare()
            before = list(self.listener.events)
            call.cancel()
            self.assertIs(call.state, CallState.ENDED)
            self.assertEqual((self.listener.events, self.wire.dials), (before, []))
            self.check_nothing_in_flight()

    def test_another_endpoint_for_a_status(self) -> None:
        """A status that the settings retry on leads to another endpoint; the last one is passed on."""
        proxy = ProxySettings(retry_on=frozenset({RetryCondition.HTTP_503}))
        settings = replace(SETTINGS, proxy=proxy)
        self.start(GET, ENDPOINT, OTHER_ENDPOINT, settings=settings)
        for _ in range(2):
            endpoint = self.wire.accept()
            endpoint.read()
            endpoint.send(response(503, b"Content-Length: 0"))
        self.assertEqual(self.listener.events, ["started 503", "ended"])
        self.check_nothing_in_flight()

    def test_broken_response(self) -> None:
        """A response that breaks off is a failure, and no other endpoint is asked."""
        self.start(GET, ENDPOINT, OTHER_ENDPOINT)
        endpoint = self.wire.accept()
        endpoint.read()
        endpoint.send(b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nx")
        endpoint.close()
        self.assertEqual(self.listener.events, ["started 200", "failed 502"])
        self.assertEqual(self.wire.dials, [])
        self.check_nothing_in_flight()

    def test_says_why(self) -> None:
        """The answer of a call that failed says why there was no connection."""
        self.start()
        self.wire.next_dial().refuse()
        assert self.listener.answer is not None
        self.assertIs(self.listener.answer.outcome, Outcome.DIAL_FAILED)
        self.assertIn("refused", self.listener.answer.detail)


class StaleConnectionTests(CallCase):
    """Kept connections that endpoints close at the moment at which they are used."""

    def test_once_more(self) -> None:
        """The same endpoint is asked again over a new connection, as one attempt."""
        call = self.start_over_stale()
        endpoint = self.wire.accept()
        endpoint.read()
        endpoint.send(OK)
        self.assertEqual(self.listener.events, ["started 200", "ended"])
        self.assertEqual(len(call.tries), 1)

    def test_no_more_than_once(self) -> None:
        """After a stale connection a call uses no kept one, of any endpoint."""
        call = self.start_over_stale()
        self.start_kept(OTHER_ENDPOINT)
        self.wire.next_dial().refuse()
        dial = self.wire.next_dial()
        self.assertEqual(dial.endpoint, OTHER_ENDPOINT)
        self.assertEqual(len(call.tries), 2)

    def start_kept(self, endpoint: Endpoint) -> None:
        """Make an idle connection to an endpoint, for another call."""
        listener, self.listener = self.listener, Listener()
        self.start(GET, endpoint)
        dial = self.wire.dials.pop()
        peer = dial.accept()
        peer.read()
        peer.send(OK)
        self.listener = listener

    def start_over_stale(self) -> Call:
        self.start(GET)
        peer = self.wire.accept()
        peer.read()
        peer.send(OK)
        call = self.start(GET, OTHER_ENDPOINT, ENDPOINT)  # The second one's turn.
        self.assertEqual(self.wire.dials, [])
        peer.close()
        return call

    def test_not_what_cannot_be_repeated(self) -> None:
        """A request that is not idempotent is not sent again."""
        self.start(GET)
        peer = self.wire.accept()
        peer.read()
        peer.send(OK)
        self.start(request(b"POST"))
        peer.close()
        self.assertEqual(self.listener.events, ["failed 502"])


class ClientViewTests(SynchronousTestCase):
    """The view of clients while one of two endpoints is down."""

    def setUp(self) -> None:
        self.wire = Wire(ENDPOINT, OTHER_ENDPOINT)

    def ask(self, data: bytes = GET) -> list[Endpoint]:
        """:return: the endpoints that were dialled until the client was answered."""
        client = self.wire.connect()
        client.send(data)
        dialled = []
        while True:
            dial = self.wire.next_dial()
            dialled.append(dial.endpoint)
            if dial.endpoint == OTHER_ENDPOINT:
                break
            dial.refuse()
        endpoint = dial.accept()
        endpoint.read()
        endpoint.send(OK)
        endpoint.close()
        self.assertEqual(client.receive().status, 200)
        client.close()
        return dialled

    def test_down(self) -> None:
        """No client notices, and after so many failures the endpoint is not dialled any more."""
        dialled = [self.ask(data) for _ in range(20) for data in (GET, post(2) + b"ok")]
        self.assertEqual(sum(each.count(ENDPOINT) for each in dialled), MAX_FAILURES)

    def test_up_again(self) -> None:
        """One request at a time tries the endpoint, which serves again once it answers."""
        for _ in range(20):
            self.ask()
        self.wire.advance(FIRST_EJECTION)
        client, other_client = self.wire.connect(), self.wire.connect()
        client.send(GET)
        other_client.send(GET)
        trial, beside = self.wire.next_dial(), self.wire.next_dial()
        self.assertEqual({trial.endpoint, beside.endpoint}, {ENDPOINT, OTHER_ENDPOINT})
        if trial.endpoint != ENDPOINT:
            trial = beside
        endpoint = trial.accept()
        endpoint.read()
        endpoint.send(OK)
        self.assertFalse(
            self.wire.plane.calls.balancer.health.is_ejected((UPSTREAM, ENDPOINT, None))
        )

    def test_no_descriptors(self) -> None:
        """A lack of descriptors ejects nobody, and the client learns that there was no connection."""
        for _ in range(2 * MAX_FAILURES):
            client = self.wire.connect()
            client.send(GET)
            while self.wire.dials:
                self.wire.next_dial().lack()
            self.assertEqual(client.receive().status, 502)
        self.assertEqual(
            repr(self.wire.plane.calls.balancer.health), "<Health failing=0 ejected=0>"
        )

    def test_server_errors(self) -> None:
        """An endpoint that answers is not ejected, whatever the status."""
        for _ in range(4 * MAX_FAILURES):
            client = self.wire.connect()
            client.send(GET)
            endpoint = self.wire.accept()
            endpoint.read()
            endpoint.send(b"HTTP/1.1 500 X\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")
            self.assertEqual(client.receive().status, 500)
        self.assertEqual(
            repr(self.wire.plane.calls.balancer.health), "<Health failing=0 ejected=0>"
        )
