"""Tests of `ingress.exchange.exchange`: one request and its response, without a client's codec."""

from __future__ import annotations

import gc
from collections.abc import Callable
from dataclasses import replace
from ipaddress import ip_network

from twisted.trial.unittest import SynchronousTestCase

from ingress.answer import Answer
from ingress.config import Config
from ingress.endpoint import Endpoint, UpstreamKey
from ingress.errors import Outcome, RequestError
from ingress.exchange.client import Client
from ingress.exchange.exchange import Exchange
from ingress.exchange.exchange_state import ExchangeState
from ingress.exchange.replayable_body import REPLAY_SIZE
from ingress.http1.request_head import parse_request_head
from ingress.message import Response
from ingress.policy.context import PolicyContext
from ingress.policy.cookie_affinity import CookieAffinity
from ingress.policy.policy import Policy
from ingress.policy.proxy_settings import ProxySettings, RetryCondition
from ingress.routing.route import Route
from ingress.routing.snapshot import Snapshot
from ingress.telemetry.record import ExchangeRecord
from tests.support.kept_records import KeptRecords
from tests.support.memory_socket import CAPACITY
from tests.support.recording_writer import RecordingWriter
from tests.support.wire import (
    CHUNKED_OK,
    ENDPOINT,
    LIMITS,
    OK,
    OTHER_ENDPOINT,
    SWITCHING,
    UPGRADE,
    UPSTREAM,
    Peer,
    Wire,
    post,
    request,
    response,
    snapshot_of,
)

MUCH = b"x" * (4 * CAPACITY)


class ExchangeCase(SynchronousTestCase):
    """Each exchange that ends makes one record with its outcome; one that does not end makes none."""

    def setUp(self) -> None:
        self.wire = Wire(ENDPOINT)
        self.writer = RecordingWriter()
        self.outcomes: list[Callable[[], Outcome | None]] = []
        self.records: list[ExchangeRecord] = []
        self.wire.plane.exchanges.recorder = KeptRecords(self.records)

    def tearDown(self) -> None:
        outcomes = [outcome for ask in self.outcomes if (outcome := ask()) is not None]
        self.assertEqual(sorted(outcomes), sorted(record.outcome for record in self.records))

    def publish(self, snapshot: Snapshot) -> None:
        self.wire.plane.publish(snapshot)

    def forget(self) -> None:
        """Forget the exchanges so far."""
        self.outcomes.clear()
        self.records.clear()

    def begin(self, head: bytes = b"", *, client: Client | None = None) -> Exchange:
        """Begin an exchange, whose writer is `self.writer`."""
        self.writer = RecordingWriter()
        made, _ = parse_request_head(head or request(b"GET"))
        client = client or Client("192.0.2.1", is_secure=False)
        exchange = Exchange(self.wire.plane.exchanges, self.writer, client, made)
        self.outcomes.append(lambda: exchange.outcome)
        exchange.begin()
        return exchange

    def warm(self) -> Peer:
        """Make an idle connection to an endpoint, which has answered on it."""
        self.begin()
        endpoint = self.wire.accept()
        endpoint.read()
        endpoint.send(OK)
        self.assertEqual(self.writer.events, ["head", "end"])
        return endpoint

    def check(self, exchange: Exchange, status: int, outcome: Outcome) -> None:
        """Check that the exchange ended with this whole answer."""
        self.assertEqual(self.writer.events, ["head", "end"])
        self.assertEqual(self.writer.status, status)
        self.assertIs(exchange.outcome, outcome)
        self.assertIs(exchange.state, ExchangeState.ENDED)


class Refusing(Policy):
    """A policy that answers everything."""

    def access(self, context: PolicyContext) -> Answer | None:
        is_secure = context.client.is_secure
        return Answer(503, Outcome.ACCESS_REFUSED, f"secure: {is_secure}")


class Passing(Policy):
    """A policy that answers nothing."""

    def access(self, context: PolicyContext) -> Answer | None:
        return None


ROUTE = Route(ingress=("default", "web"), upstream=UPSTREAM)
RETRYING = ProxySettings(
    retry_on=frozenset({RetryCondition.ERROR, RetryCondition.TIMEOUT, RetryCondition.HTTP_503})
)


class RoutingTests(ExchangeCase):
    def test_no_rule(self) -> None:
        """A request for a host that no rule names is answered with 404."""
        self.publish(replace(snapshot_of(ENDPOINT), any_host=None))
        self.check(self.begin(), 404, Outcome.NO_ROUTE)

    def test_resource_backend(self) -> None:
        """A request for a rule without Service is answered with 404."""
        self.publish(snapshot_of(ENDPOINT, route=replace(ROUTE, upstream=None)))
        self.check(self.begin(), 404, Outcome.NO_ROUTE)

    def test_no_service(self) -> None:
        """A request for a Service that does not exist is answered with 503."""
        missing = UpstreamKey("default", "missing", "80")
        self.publish(snapshot_of(ENDPOINT, route=replace(ROUTE, upstream=missing)))
        self.check(self.begin(), 503, Outcome.NO_ENDPOINT)

    def test_no_endpoint(self) -> None:
        """A Service without endpoints answers with 503, and serves as soon as it has one."""
        self.publish(snapshot_of())
        self.check(self.begin(), 503, Outcome.NO_ENDPOINT)
        self.publish(snapshot_of(ENDPOINT))
        self.begin()
        self.wire.accept().send(OK)
        self.assertEqual(self.writer.status, 200)

    def test_policy_answers(self) -> None:
        """The first policy that answers ends the exchange; no endpoint is asked."""
        route = replace(ROUTE, policies=(Passing(), Refusing()))
        self.publish(snapshot_of(ENDPOINT, route=route))
        self.check(self.begin(), 503, Outcome.ACCESS_REFUSED)
        self.assertEqual(self.wire.dials, [])
        self.assertIn(b"secure: False", self.writer.body)

    def test_policy_is_told_what_a_trusted_proxy_says(self) -> None:
        """A trusted proxy, but no other client, can say that its client came over https."""
        config = Config(trusted_proxies=(ip_network("10.0.0.0/8"),))
        route = replace(ROUTE, policies=(Refusing(),))
        self.publish(snapshot_of(ENDPOINT, config=config, route=route))
        head = request(b"GET", b"X-Forwarded-Proto: https")
        self.begin(head, client=Client("10.0.0.1", is_secure=False))
        self.assertIn(b"secure: True", self.writer.body)
        self.assertIn(b"Strict-Transport-Security", self.writer.fields)
        self.begin(head, client=Client("192.0.2.1", is_secure=False))
        self.assertIn(b"secure: False", self.writer.body)
        self.assertNotIn(b"Strict-Transport-Security", self.writer.fields)

    def test_policies_pass(self) -> None:
        """An endpoint is asked if no policy answers."""
        self.publish(snapshot_of(ENDPOINT, route=replace(ROUTE, policies=(Passing(),))))
        self.begin()
        self.assertEqual(len(self.wire.dials), 1)

    def test_snapshot_is_kept(self) -> None:
        """A Snapshot that is published meanwhile does not change an exchange that has begun."""
        exchange = self.begin()
        self.publish(snapshot_of())
        self.wire.accept().send(OK)
        self.check(exchange, 200, Outcome.OK)

    def test_own_answers(self) -> None:
        """An answer of our own has the request's id, and the form that the client accepts."""
        self.publish(snapshot_of())
        self.begin(request(b"GET", b"X-Request-ID: abc", b"Accept: application/json"))
        self.assertEqual(self.writer.fields[b"X-Request-ID"], b"abc")
        self.assertEqual(self.writer.fields[b"Content-Type"], b"application/json")
        self.assertIn(b'"request-id": "abc"', self.writer.body)

    def test_nothing_is_echoed(self) -> None:
        """An answer of our own has nothing that the client sent, except an id that is a token."""
        self.publish(snapshot_of())
        evil = b"evil<script>"
        self.begin(
            request(
                b"GET", b"X-Request-ID: " + evil, b"Accept: text/html, " + evil, target=b"/evil"
            )
        )
        self.assertNotIn(b"evil", self.writer.body)
        self.assertNotIn(b"evil", b"".join(self.writer.fields.values()))


class DialTests(ExchangeCase):
    def test_another_endpoint(self) -> None:
        """Another endpoint is asked if one cannot be reached."""
        self.publish(snapshot_of(ENDPOINT, OTHER_ENDPOINT))
        exchange = self.begin()
        first = self.wire.next_dial()
        self.assertEqual(first.endpoint, ENDPOINT)
        first.refuse()
        self.assertEqual(self.wire.dials[0].endpoint, OTHER_ENDPOINT)
        self.wire.accept().send(OK)
        self.check(exchange, 200, Outcome.OK)

    def test_none_left(self) -> None:
        """The answer is 502 if no endpoint can be reached."""
        self.publish(snapshot_of(ENDPOINT, OTHER_ENDPOINT))
        exchange = self.begin()
        self.wire.next_dial().time_out()
        self.wire.next_dial().refuse()
        self.check(exchange, 502, Outcome.DIAL_FAILED)
        self.assertEqual(self.wire.dials, [])

    def test_timed_out(self) -> None:
        """The answer is 504 if the last endpoint did not answer in time."""
        exchange = self.begin()
        dial = self.wire.next_dial()
        self.assertEqual(dial.timeout, 5.0)
        dial.time_out()
        self.check(exchange, 504, Outcome.DIAL_FAILED)

    def test_tries_are_bounded(self) -> None:
        """No fourth endpoint is tried after three that cannot be reached."""
        endpoints = [ENDPOINT._replace(port=port) for port in range(5)]
        self.publish(snapshot_of(*endpoints))
        exchange = self.begin()
        for _ in range(3):
            self.wire.next_dial().refuse()
        self.check(exchange, 502, Outcome.DIAL_FAILED)
        self.assertEqual(self.wire.dials, [])

    def test_another_endpoint_that_is_connected(self) -> None:
        """A body that waited is sent on an idle connection of the next endpoint."""
        self.publish(snapshot_of(ENDPOINT, OTHER_ENDPOINT))
        self.begin()
        self.wire.next_dial().refuse()
        other = self.wire.accept()
        other.read()
        other.send(OK)
        exchange = self.begin(post(10))
        self.assertTrue(self.writer.is_paused)
        exchange.body_received(b"hello")
        self.wire.next_dial().refuse()
        self.assertTrue(other.read().endswith(b"\r\n\r\nhello"))
        self.assertFalse(self.writer.is_paused)
        exchange.body_received(b"world")
        exchange.body_ended(())
        self.assertEqual(other.read(), b"world")

    def test_body_waits(self) -> None:
        """The client's body is paused while an endpoint is dialled."""
        exchange = self.begin(post(10))
        self.assertTrue(self.writer.is_paused)
        exchange.body_received(b"hello")
        endpoint = self.wire.accept()
        self.assertFalse(self.writer.is_paused)
        self.assertTrue(endpoint.read().endswith(b"\r\n\r\nhello"))

    def test_body_that_waited_fills_the_connection(self) -> None:
        """The body stays paused if the endpoint does not take all that has come of it."""
        exchange = self.begin(request(b"POST", b"Content-Length: 300000"))
        exchange.body_received(b"x" * 200000)
        endpoint = self.wire.accept()
        self.assertTrue(self.writer.is_paused)
        self.assertEqual(endpoint.read().count(b"x" * 1000), 200)
        self.assertFalse(self.writer.is_paused)

    def test_whole_body_waits(self) -> None:
        """A body that is whole before the endpoint is connected is sent whole."""
        exchange = self.begin(post(10))
        exchange.body_received(b"hello")
        exchange.body_received(b"world")
        exchange.body_ended(())
        endpoint = self.wire.accept()
        self.assertFalse(self.writer.is_paused)
        self.assertTrue(endpoint.read().endswith(b"\r\n\r\nhelloworld"))
        endpoint.send(OK)
        self.check(exchange, 200, Outcome.OK)

    def test_client_lost(self) -> None:
        """A client that goes away while an endpoint is dialled ends the dial."""
        exchange = self.begin()
        dial = self.wire.next_dial()
        exchange.client_lost()
        self.assertTrue(dial.is_cancelled)
        self.assertIs(exchange.outcome, Outcome.CLIENT_LOST)
        self.assertEqual(self.writer.events, [])

    def test_bad_body(self) -> None:
        """A body that turns bad while an endpoint is dialled ends the dial."""
        exchange = self.begin(post(10))
        dial = self.wire.next_dial()
        exchange.refuse(RequestError("Bad."))
        self.assertTrue(dial.is_cancelled)
        self.check(exchange, 400, Outcome.BAD_REQUEST)

    def test_late_failure(self) -> None:
        """The result of a dial that was given up is ignored."""
        exchange = self.begin()
        dial = self.wire.next_dial()
        exchange.client_lost()
        dial.refuse()
        self.assertEqual(self.writer.events, [])


class KeptConnectionTests(ExchangeCase):
    """Connections that answered before may be dead without a sign of it."""

    def test_closed_while_idle(self) -> None:
        """A connection that was closed while idle is not used."""
        self.warm().close()
        self.begin()
        self.assertEqual(len(self.wire.dials), 1)

    def test_closed_when_asked(self) -> None:
        """A request on a connection that dies without a byte of answer is asked again."""
        endpoint = self.warm()
        exchange = self.begin()
        endpoint.read()
        endpoint.close()
        again = self.wire.accept()
        self.assertIn(b"GET / HTTP/1.1", again.read())
        again.send(OK)
        self.check(exchange, 200, Outcome.OK)

    def test_closed_by_an_endpoint_that_is_gone(self) -> None:
        """A repeated request to an endpoint that no Service has any more leaves no pool behind."""
        endpoint = self.warm()
        self.begin()
        endpoint.read()
        self.publish(snapshot_of(OTHER_ENDPOINT))
        endpoint.close()
        again = self.wire.accept()
        again.send(OK)
        self.assertEqual(self.writer.events, ["head", "end"])
        self.assertTrue(again.saw_end)

    def test_reset_when_asked(self) -> None:
        """A request on a connection that is reset without a byte of answer is asked again."""
        endpoint = self.warm()
        self.begin()
        endpoint.reset()
        self.wire.accept().send(OK)
        self.assertEqual(self.writer.status, 200)

    def test_asked_again_once(self) -> None:
        """The answer is 502 if the new connection dies as well."""
        endpoint = self.warm()
        exchange = self.begin()
        endpoint.close()
        self.wire.accept().close()
        self.check(exchange, 502, Outcome.ENDPOINT_BROKE)
        self.assertEqual(self.wire.dials, [])

    def test_not_asked_again_where_it_may_do_harm(self) -> None:
        """A POST is not sent twice, because it may have been carried out."""
        endpoint = self.warm()
        exchange = self.begin(request(b"POST"))
        endpoint.close()
        self.check(exchange, 502, Outcome.ENDPOINT_BROKE)
        self.assertEqual(self.wire.dials, [])

    def test_not_asked_again_after_an_answer_began(self) -> None:
        """A request that was answered in part is not sent twice."""
        endpoint = self.warm()
        exchange = self.begin()
        endpoint.read()
        endpoint.send(b"HTTP/1.1 2")
        endpoint.close()
        self.check(exchange, 502, Outcome.ENDPOINT_BROKE)

    def test_not_asked_again_after_a_body(self) -> None:
        """A request whose body is too large to be kept is not sent twice."""
        endpoint = self.warm()
        exchange = self.begin(request(b"PUT", b"Content-Length: %d" % (REPLAY_SIZE + 2)))
        exchange.body_received(b"x" * (REPLAY_SIZE + 1))
        endpoint.close()
        self.check(exchange, 502, Outcome.ENDPOINT_BROKE)

    def test_asked_again_with_a_small_body(self) -> None:
        """The beginning of a small body is sent again, and the rest follows."""
        endpoint = self.warm()
        exchange = self.begin(request(b"PUT", b"Content-Length: 10"))
        exchange.body_received(b"hello")
        endpoint.read()
        endpoint.close()
        again = self.wire.accept()
        self.assertTrue(again.read().endswith(b"\r\n\r\nhello"))
        exchange.body_received(b"world")
        exchange.body_ended(())
        self.assertEqual(again.read(), b"world")

    def test_asked_again_before_the_body(self) -> None:
        """A request whose body has not come yet is asked again, and the body waits."""
        endpoint = self.warm()
        exchange = self.begin(request(b"PUT", b"Content-Length: 5"))
        endpoint.read()
        endpoint.close()
        self.assertTrue(self.writer.is_paused)
        exchange.body_received(b"hello")
        exchange.body_ended(())
        again = self.wire.accept()
        self.assertTrue(again.read().endswith(b"\r\n\r\nhello"))
        self.assertFalse(self.writer.is_paused)

    def test_slow_is_not_dead(self) -> None:
        """An endpoint that takes too long is not asked again on another connection."""
        endpoint = self.warm()
        exchange = self.begin()
        self.wire.advance(LIMITS.read_timeout + 2)
        self.check(exchange, 504, Outcome.ENDPOINT_TIMEOUT)
        self.assertTrue(endpoint.saw_reset)
        self.assertEqual(self.wire.dials, [])

    def test_not_taken_while_it_closes(self) -> None:
        """A connection whose idle time is over is not used while it closes."""
        self.warm()
        for _ in range(int(LIMITS.idle_upstream_timeout) + 1):
            self.wire.network.advance(1)
        self.begin(request(b"POST"))
        self.assertEqual(len(self.wire.dials), 1)


class FailureTests(ExchangeCase):
    """Endpoints that fail a request."""

    def test_closes_without_answer(self) -> None:
        """The answer is 502 if the endpoint closes without a response."""
        exchange = self.begin()
        self.wire.accept().close()
        self.check(exchange, 502, Outcome.ENDPOINT_BROKE)

    def test_closes_in_the_head(self) -> None:
        """The answer is 502 if the endpoint closes within the head of its response."""
        exchange = self.begin()
        endpoint = self.wire.accept()
        endpoint.read()
        endpoint.send(b"HTTP/1.1 200 OK\r\nContent-")
        endpoint.close()
        self.check(exchange, 502, Outcome.ENDPOINT_BROKE)

    def test_closes_after_interim(self) -> None:
        """The answer is 502 if the endpoint closes after an interim response."""
        exchange = self.begin()
        endpoint = self.wire.accept()
        endpoint.read()
        endpoint.send(response(103, b"Link: </a>"))
        endpoint.close()
        self.check(exchange, 502, Outcome.ENDPOINT_BROKE)
        self.assertEqual(self.writer.interim, [103])

    def test_closes_in_the_body(self) -> None:
        """A response that breaks off reaches the client without its end."""
        exchange = self.begin()
        endpoint = self.wire.accept()
        endpoint.read()
        endpoint.send(CHUNKED_OK + b"5\r\nhello\r\n")
        endpoint.close()
        self.assertEqual(self.writer.events, ["head", "abort"])
        self.assertEqual(self.writer.body, b"hello")
        self.assertIs(exchange.outcome, Outcome.ENDPOINT_BROKE)

    def test_too_slow(self) -> None:
        """The answer is 504 if the endpoint does not begin to answer."""
        exchange = self.begin()
        endpoint = self.wire.accept()
        self.wire.advance(LIMITS.read_timeout - 2)
        self.assertEqual(self.writer.events, [])
        self.wire.advance(4)
        self.check(exchange, 504, Outcome.ENDPOINT_TIMEOUT)
        self.assertTrue(endpoint.saw_reset)

    def test_too_slow_in_the_body(self) -> None:
        """A response whose body stops is cut off, so that the client sees it."""
        exchange = self.begin()
        endpoint = self.wire.accept()
        endpoint.send(CHUNKED_OK)
        for _ in range(3):
            self.wire.advance(LIMITS.read_timeout - 2)
            endpoint.send(b"1\r\nx\r\n")
        self.wire.advance(LIMITS.read_timeout + 2)
        self.assertEqual(self.writer.events, ["head", "abort"])
        self.assertIs(exchange.outcome, Outcome.ENDPOINT_TIMEOUT)

    def test_time_of_the_upload_is_the_clients(self) -> None:
        """The time of the endpoint does not run while the client still sends."""
        exchange = self.begin(post(10))
        endpoint = self.wire.accept()
        self.wire.advance(LIMITS.read_timeout * 3)
        exchange.pause_response()
        exchange.resume_response()
        self.wire.advance(LIMITS.read_timeout * 3)
        self.assertEqual(self.writer.events, [])
        exchange.body_received(b"helloworld")
        exchange.body_ended(())
        self.wire.advance(LIMITS.read_timeout + 2)
        self.check(exchange, 504, Outcome.ENDPOINT_TIMEOUT)
        self.assertTrue(endpoint.saw_reset)

    def test_does_not_read(self) -> None:
        """The answer is 504 if the endpoint does not read the body."""
        exchange = self.begin(post(len(MUCH)))
        endpoint = self.wire.accept()
        exchange.body_received(MUCH)
        self.assertTrue(self.writer.is_paused)
        self.wire.advance(LIMITS.upstream_send_timeout + 2)
        self.check(exchange, 504, Outcome.ENDPOINT_TIMEOUT)
        self.assertTrue(endpoint.saw_reset)

    def test_reads_in_the_end(self) -> None:
        """An endpoint that reads after all gets the rest, and its whole time to answer."""
        exchange = self.begin(post(len(MUCH)))
        endpoint = self.wire.accept()
        exchange.body_received(MUCH)
        exchange.body_ended(())
        self.wire.advance(LIMITS.upstream_send_timeout - 2)
        self.assertIn(MUCH, endpoint.read())
        self.assertFalse(self.writer.is_paused)
        self.wire.advance(LIMITS.read_timeout - 2)
        endpoint.send(OK)
        self.check(exchange, 200, Outcome.OK)

    def test_bad_body(self) -> None:
        """A body that turns out to be bad is answered with 400, and the endpoint sees it cut."""
        exchange = self.begin(post(10))
        endpoint = self.wire.accept()
        exchange.body_received(b"hello")
        exchange.refuse(RequestError("Bad."))
        self.check(exchange, 400, Outcome.BAD_REQUEST)
        self.assertTrue(endpoint.saw_reset)

    def test_bad_body_after_the_response_began(self) -> None:
        """A response that has begun is cut if the body turns out to be bad."""
        exchange = self.begin(post(10))
        endpoint = self.wire.accept()
        endpoint.send(CHUNKED_OK)
        exchange.refuse(RequestError("Bad."))
        self.assertEqual(self.writer.events, ["head", "abort"])
        self.assertTrue(endpoint.saw_reset)

    def test_after_the_end(self) -> None:
        """Calls of the codec after the end of an exchange change nothing."""
        exchange = self.begin(post(10))
        endpoint = self.wire.accept()
        endpoint.send(OK)
        exchange.body_received(b"hello")
        exchange.body_ended(())
        exchange.pause_response()
        exchange.resume_response()
        exchange.refuse(RequestError("Bad."))
        exchange.client_lost()
        self.check(exchange, 200, Outcome.OK)


class ResponseTests(ExchangeCase):
    def test_interim(self) -> None:
        """Interim responses come before the final one."""
        exchange = self.begin()
        self.wire.accept().send(response(100) + response(103, b"Link: </a>") + OK)
        self.assertEqual(self.writer.interim, [100, 103])
        self.check(exchange, 200, Outcome.OK)

    def test_early(self) -> None:
        """A response that comes before the body is whole ends the exchange and its connection."""
        exchange = self.begin(post(10))
        endpoint = self.wire.accept()
        exchange.body_received(b"hello")
        endpoint.send(response(413, b"Content-Length: 0"))
        self.check(exchange, 413, Outcome.OK)
        self.assertTrue(endpoint.saw_reset)

    def test_early_while_the_body_is_on_its_way(self) -> None:
        """The connection ends as well if the endpoint has not read the whole body."""
        exchange = self.begin(post(len(MUCH)))
        endpoint = self.wire.accept()
        exchange.body_received(MUCH)
        exchange.body_ended(())
        endpoint.send(response(413, b"Content-Length: 0"))
        self.check(exchange, 413, Outcome.OK)
        self.assertTrue(endpoint.saw_reset)

    def test_paused(self) -> None:
        """A client that reads slowly pauses the endpoint, whose time does not run meanwhile."""
        exchange = self.begin()
        endpoint = self.wire.accept()
        endpoint.read()
        endpoint.send(CHUNKED_OK)
        exchange.pause_response()
        chunk = b"%x\r\n" % len(MUCH) + MUCH
        sent = endpoint.send_some(chunk)
        self.assertEqual((sent, self.writer.body), (CAPACITY, b""))
        self.wire.advance(LIMITS.read_timeout * 2)
        exchange.resume_response()
        endpoint.send(chunk[sent:])
        self.assertEqual(self.writer.body, MUCH)

    def test_reset_while_paused(self) -> None:
        """An endpoint that dies while its response is paused is noticed when it goes on."""
        exchange = self.begin()
        endpoint = self.wire.accept()
        endpoint.send(CHUNKED_OK)
        exchange.pause_response()
        endpoint.reset()
        exchange.resume_response()
        self.wire.network.settle()
        self.assertEqual(self.writer.events, ["head", "abort"])

    def test_paused_by_an_interim_response(self) -> None:
        """A pause that came with an interim response does not outlive the exchange."""
        exchange = self.begin()
        endpoint = self.wire.accept()
        endpoint.read()

        def send_interim(response: Response) -> None:
            exchange.pause_response()

        self.writer.send_interim = send_interim  # type: ignore[method-assign]
        endpoint.send(response(103) + OK)
        self.check(exchange, 200, Outcome.OK)
        exchange = self.begin()
        endpoint.send(OK)
        self.check(exchange, 200, Outcome.OK)

    def test_over_https(self) -> None:
        """A response over https has our HSTS field, and no other."""
        self.begin(client=Client("192.0.2.1", is_secure=True))
        self.wire.accept().send(
            response(200, b"strict-transport-security: max-age=0", b"Content-Length: 0")
        )
        self.assertEqual(
            self.writer.fields[b"Strict-Transport-Security"], b"max-age=31536000; includeSubDomains"
        )
        self.assertNotIn(b"strict-transport-security", self.writer.fields)

    def test_session(self) -> None:
        """A route with affinity gives the client a cookie, and finds its endpoint by it."""
        self.publish(
            snapshot_of(
                ENDPOINT, OTHER_ENDPOINT, route=replace(ROUTE, affinity=CookieAffinity(name="S"))
            )
        )
        self.begin()
        endpoint = self.wire.dials[0].endpoint
        self.wire.accept().send(response(200, b"Content-Length: 0", b"Connection: close"))
        cookie = self.writer.fields[b"Set-Cookie"].partition(b";")[0]
        for _ in range(3):
            self.begin(request(b"GET", b"Cookie: " + cookie))
            self.assertEqual(self.wire.dials[0].endpoint, endpoint)
            self.wire.accept().send(response(200, b"Content-Length: 0", b"Connection: close"))
            self.assertNotIn(b"Set-Cookie", self.writer.fields)


def exchanges_in_memory() -> int:
    """Count exchanges this way, because compiled ones have no weak references."""
    gc.collect()
    return sum(isinstance(each, Exchange) for each in gc.get_objects())


class MemoryTests(ExchangeCase):
    def test_nothing_is_kept(self) -> None:
        """When an exchange has ended, neither pool nor connection remembers it."""
        before = exchanges_in_memory()

        def one(answer: bytes) -> None:
            exchange = self.begin(post(10))
            exchange.body_received(b"helloworld")
            exchange.body_ended(())
            if self.wire.dials:
                self.endpoint = self.wire.accept()
            self.endpoint.read()
            self.endpoint.send(answer)
            self.check(exchange, 200, Outcome.OK)

        one(OK)
        one(OK)
        self.forget()
        self.assertEqual(exchanges_in_memory(), before)
        self.assertTrue(self.endpoint.is_open)

    def test_repr(self) -> None:
        """An exchange shows its state, its endpoint and its outcome, for the log."""
        exchange = self.begin()
        self.assertEqual(
            repr(exchange),
            "<Exchange CALLING <Call ACQUIRING <UpstreamRequest b'GET' b'/' of b'a.example'> "
            "of default-web-80 <Attempt at 10.1.0.1:8080>> outcome=None>",
        )


class RecordTests(ExchangeCase):
    """The record of an exchange that is over."""

    def setUp(self) -> None:
        super().setUp()
        self.publish(snapshot_of(ENDPOINT, OTHER_ENDPOINT, route=replace(ROUTE, proxy=RETRYING)))

    @property
    def record(self) -> ExchangeRecord:
        """The record of the only exchange."""
        (record,) = self.records
        return record

    def check_tries(self, *tries: tuple[Endpoint, int]) -> None:
        """Check the endpoints that were asked, and the status of each."""
        found = [(one.endpoint, one.status) for one in self.record.tries]
        self.assertEqual(found, list(tries))
        self.assertTrue(all(one.response_time is not None for one in self.record.tries))

    def test_answered(self) -> None:
        """The record has the client, the request, the endpoint, the sizes and the times."""
        self.wire.advance(10)
        head = post(10, b"X-Request-ID: from-the-client")
        exchange = self.begin(head)
        exchange.body_received(b"helloworld")
        exchange.body_ended(())
        self.wire.advance(1)
        endpoint = self.wire.accept()
        self.wire.advance(2)
        endpoint.send(CHUNKED_OK + b"5\r\nhello\r\n")
        self.wire.advance(3)
        endpoint.send(b"3\r\nabc\r\n0\r\n\r\n")
        record = self.record
        self.assertIs(record.request, exchange.request)
        self.assertEqual(record.client_address, b"192.0.2.1")
        self.assertEqual(record.request_id, b"from-the-client")
        self.assertEqual((record.status, record.outcome, record.detail), (200, Outcome.OK, ""))
        self.assertEqual(record.request_size, len(head) + 10)
        self.assertEqual(record.body_size, 8)
        self.assertEqual(record.duration, 6)
        self.check_tries((ENDPOINT, 200))
        (only,) = record.tries
        self.assertEqual((only.connect_time, only.header_time, only.response_time), (1, 3, 6))

    def test_believed_address(self) -> None:
        """The client in the record is the one that a trusted proxy names."""
        config = Config(trusted_proxies=(ip_network("192.0.2.0/24"),))
        self.publish(snapshot_of(config=config))
        self.begin(request(b"GET", b"X-Forwarded-For: 2001:db8::7"))
        self.assertEqual(self.record.client_address, b"2001:db8::7")

    def test_kept_connection(self) -> None:
        """A connection that was kept has no connect time."""
        self.publish(snapshot_of(ENDPOINT))
        endpoint = self.warm()
        self.forget()
        self.begin()
        endpoint.send(OK)
        (only,) = self.record.tries
        self.assertIsNone(only.connect_time)

    def test_dead_connection(self) -> None:
        """A request that is repeated because a kept connection was dead is one try."""
        self.publish(snapshot_of(ENDPOINT))
        endpoint = self.warm()
        self.forget()
        self.begin()
        endpoint.close()
        self.wire.accept().send(OK)
        self.check_tries((ENDPOINT, 200))

    def test_own_answer(self) -> None:
        """An answer of the proxy's own has a reason in the record, and no tries."""
        self.publish(snapshot_of())
        self.begin()
        record = self.record
        self.assertEqual((record.status, record.outcome), (503, Outcome.NO_ENDPOINT))
        self.assertEqual(record.detail, "The Service has no endpoint.")
        self.assertEqual(record.body_size, len(self.writer.body))
        self.assertEqual(list(record.tries), [])
        assert record.route is not None
        self.assertEqual(record.route.upstream, UPSTREAM)

    def test_no_rule(self) -> None:
        """The record has no route if no rule matches."""
        self.publish(replace(snapshot_of(ENDPOINT), any_host=None))
        self.begin()
        self.assertIsNone(self.record.route)
        self.assertEqual(self.record.detail, "No rule matches this host and path.")

    def test_head(self) -> None:
        """The record of a HEAD has no body, whether an endpoint or the proxy answers."""
        self.begin(request(b"HEAD"))
        self.wire.accept().send(response(200, b"Content-Length: 5000"))
        self.assertEqual(self.record.body_size, 0)
        self.forget()
        self.publish(snapshot_of())
        self.begin(request(b"HEAD"))
        self.assertEqual(self.record.body_size, 0)

    def test_retries(self) -> None:
        """The record has each endpoint that was asked, with its status."""
        self.begin()
        self.wire.next_dial().refuse()
        self.wire.accept().send(OK)
        self.assertEqual((self.record.status, self.record.outcome), (200, Outcome.OK))
        self.check_tries((ENDPOINT, 502), (OTHER_ENDPOINT, 200))

    def test_left_for_its_status(self) -> None:
        """The record has the status of an endpoint whose response was not used."""
        self.begin()
        self.wire.accept().send(response(503, b"Content-Length: 3") + b"no!")
        self.wire.accept().send(OK)
        self.assertEqual((self.record.status, self.record.body_size), (200, 2))
        self.check_tries((ENDPOINT, 503), (OTHER_ENDPOINT, 200))

    def test_none_answered(self) -> None:
        """Endpoints that cannot be reached have the status that the client gets."""
        self.begin()
        self.wire.next_dial().time_out()
        self.wire.next_dial().refuse()
        self.assertEqual((self.record.status, self.record.outcome), (502, Outcome.DIAL_FAILED))
        self.check_tries((ENDPOINT, 504), (OTHER_ENDPOINT, 502))

    def test_half_a_response(self) -> None:
        """The record of a response that breaks off has its size and the reason."""
        self.begin()
        endpoint = self.wire.accept()
        endpoint.send(CHUNKED_OK + b"5\r\nhello\r\n")
        endpoint.close()
        record = self.record
        self.assertEqual((record.status, record.body_size), (200, 5))
        self.assertIs(record.outcome, Outcome.ENDPOINT_BROKE)
        detail = "The connection to the endpoint broke within the body of its response."
        self.assertEqual(record.detail, detail)
        self.check_tries((ENDPOINT, 200))

    def test_client_lost(self) -> None:
        """The record of a client that leaves before the response has nginx's status for that."""
        exchange = self.begin()
        self.wire.accept()
        exchange.client_lost()
        record = self.record
        self.assertEqual((record.status, record.outcome), (499, Outcome.CLIENT_LOST))
        self.assertEqual(record.detail, "The connection to the client has ended.")
        self.check_tries((ENDPOINT, 0))

    def test_client_lost_after_an_answer_that_was_not_taken(self) -> None:
        """The status of an endpoint whose response was not used is not that of the client."""
        exchange = self.begin()
        self.wire.accept().send(response(503, b"Content-Length: 0"))
        self.wire.accept()
        exchange.client_lost()
        self.assertEqual(self.record.status, 499)
        self.check_tries((ENDPOINT, 503), (OTHER_ENDPOINT, 0))

    def test_client_lost_within_the_response(self) -> None:
        """The record of a client that leaves within the response has the status of the response."""
        exchange = self.begin()
        self.wire.accept().send(CHUNKED_OK + b"5\r\nhello\r\n")
        exchange.client_lost()
        record = self.record
        self.assertEqual((record.status, record.body_size), (200, 5))
        self.assertIs(record.outcome, Outcome.CLIENT_LOST)

    def test_bad_body(self) -> None:
        """The record of a request that turned out to be bad has the reason and the size."""
        head = post(10)
        exchange = self.begin(head)
        self.wire.accept()
        exchange.body_received(b"hello")
        exchange.refuse(RequestError("Bad."))
        record = self.record
        self.assertEqual((record.status, record.outcome), (400, Outcome.BAD_REQUEST))
        self.assertEqual(record.detail, "Bad.")
        self.assertEqual(record.request_size, len(head) + 5)
        self.check_tries((ENDPOINT, 0))

    def open_tunnel(self) -> tuple[Exchange, Peer]:
        exchange = self.begin(UPGRADE)
        endpoint = self.wire.accept()
        endpoint.send(SWITCHING + b"hi")
        return exchange, endpoint

    def test_tunnel(self) -> None:
        """The record of a tunnel has the bytes that went through it."""
        _, endpoint = self.open_tunnel()
        self.assertEqual(self.records, [])
        tunnel = self.writer.tunnel
        assert tunnel is not None
        tunnel.tunnel_sent(b"hello")
        self.wire.advance(5)
        endpoint.read()
        endpoint.close()
        tunnel.client_finished()
        record = self.record
        self.assertEqual((record.status, record.outcome, record.detail), (101, Outcome.OK, ""))
        self.assertEqual((record.request_size, record.body_size), (len(UPGRADE) + 5, 2))
        self.assertEqual(record.duration, 5)
        self.check_tries((ENDPOINT, 101))

    def test_tunnel_that_is_cut(self) -> None:
        """The record of a tunnel that breaks has the reason."""
        self.open_tunnel()
        self.wire.advance(LIMITS.read_timeout + 2)
        record = self.record
        self.assertEqual((record.status, record.outcome), (101, Outcome.ENDPOINT_TIMEOUT))
        self.assertEqual(record.detail, "The tunnel was idle for too long.")

    def test_tunnel_whose_client_is_lost(self) -> None:
        """The record of a tunnel whose client is gone has the reason."""
        self.open_tunnel()
        assert self.writer.tunnel is not None
        self.writer.tunnel.client_lost()
        record = self.record
        self.assertEqual((record.status, record.outcome), (101, Outcome.CLIENT_LOST))
        self.assertEqual(record.detail, "The connection to the client has ended.")
