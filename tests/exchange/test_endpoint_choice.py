"""Tests of `ingress.exchange.endpoint_choice`."""

from __future__ import annotations

from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from ingress.believed_client import BelievedClient
from ingress.config import Config, Limits
from ingress.endpoint import Endpoint, Upstream
from ingress.exchange.endpoint_choice import EndpointChoice
from ingress.http1.request_head import parse_request_head
from ingress.message import IDEMPOTENT_METHODS
from ingress.policy.backend_tls import BackendTLS
from ingress.policy.cookie_affinity import CookieAffinity
from ingress.policy.hash_key import parse_hash_key
from ingress.policy.load_balance import Algorithm, LoadBalance
from ingress.policy.proxy_settings import ProxySettings, RetryCondition
from ingress.routing.route import Route
from ingress.upstream.health import FIRST_EJECTION, MAX_FAILURES
from ingress.upstream.retry_budget import MIN_RETRIES
from tests.support.wire import (
    ENDPOINT,
    GET,
    OK,
    OTHER_ENDPOINT,
    UPSTREAM,
    Wire,
    post,
    request,
    snapshot_of,
)

ENDPOINTS = tuple(Endpoint("10.1.0.1", port) for port in range(1, 6))
ROUTE = Route(ingress=("default", "web"), upstream=UPSTREAM)
STICKY = replace(ROUTE, affinity=CookieAffinity(name="S"))
MOVING = replace(ROUTE, affinity=CookieAffinity(name="S", changes_on_failure=True))


class ChoiceCase(SynchronousTestCase):
    def setUp(self) -> None:
        self.wire = Wire()
        self.plane = self.wire.plane
        self.health = self.plane.balancer.health

    def choose(
        self,
        route: Route = ROUTE,
        upstream: Upstream | None = None,
        *fields: bytes,
        method: bytes = b"GET",
        is_secure: bool = False,
        client_address: bytes = b"",
    ) -> EndpointChoice:
        made, _ = parse_request_head(request(method, *fields))
        upstream = upstream or Upstream(UPSTREAM, ENDPOINTS)
        client = BelievedClient(
            client_address, b"a.example", b"", is_secure=is_secure, is_trusted=False
        )
        return EndpointChoice(self.plane, upstream, route, made, client)

    def session(self) -> tuple[Endpoint, bytes]:
        """A new session: its endpoint and the Cookie field by which it comes back."""
        choice = self.choose(STICKY)
        endpoint = choice.first()
        assert endpoint is not None
        assert choice.cookie is not None
        return endpoint, b"Cookie: a=b; " + choice.cookie.partition(b";")[0]

    def begin(self, route: Route = ROUTE, upstream: Upstream | None = None) -> EndpointChoice:
        """The first try of a request."""
        choice = self.choose(route, upstream)
        self.begun = choice.first()
        assert self.begun is not None
        choice.try_began(self.begun)
        return choice

    def eject(self, *endpoints: Endpoint) -> None:
        """By requests that fail."""
        for endpoint in endpoints:
            for _ in range(MAX_FAILURES):
                choice = self.choose()
                choice.try_began(endpoint)
                choice.try_ended(False)


class EndpointChoiceTests(ChoiceCase):
    def test_in_turn(self) -> None:
        """Without affinity endpoints serve in turn, and no cookie is set."""
        choices = [self.choose() for _ in ENDPOINTS]
        self.assertEqual([choice.first() for choice in choices], list(ENDPOINTS))
        self.assertEqual([choice.cookie for choice in choices], [None] * len(ENDPOINTS))

    def test_none(self) -> None:
        """Without endpoints there is none, with affinity or without."""
        for route in (ROUTE, STICKY):
            choice = self.choose(route, Upstream(UPSTREAM))
            self.assertIsNone(choice.first())
            self.assertIsNone(choice.cookie)

    def test_next(self) -> None:
        """Another endpoint is one that was not tried, until enough were."""
        choice = self.choose()
        tried = [choice.first()]
        while tried[-1] is not None:
            tried.append(choice.next(tried[-1]))
        self.assertEqual(len(tried), ROUTE.proxy.tries + 1)
        self.assertEqual(len(set(tried)), ROUTE.proxy.tries + 1)

    def test_none_left(self) -> None:
        """Where all were tried there is no other."""
        choice = self.choose(ROUTE, Upstream(UPSTREAM, ENDPOINTS[:1]))
        self.assertEqual(choice.first(), ENDPOINTS[0])
        self.assertIsNone(choice.next(ENDPOINTS[0]))

    def test_session_stays(self) -> None:
        """A session stays on its endpoint, and is not made again."""
        endpoint, cookie = self.session()
        for _ in range(5):
            choice = self.choose(STICKY, None, cookie)
            self.assertEqual(choice.first(), endpoint)
            self.assertIsNone(choice.cookie)

    def test_session_on_a_gone_endpoint(self) -> None:
        """A session whose endpoint is gone begins anew elsewhere."""
        _, cookie = self.session()
        moved = Upstream(UPSTREAM, (Endpoint("10.1.0.9", 1),))
        choice = self.choose(replace(STICKY, affinity=CookieAffinity("S", True)), moved, cookie)
        self.assertEqual(choice.first(), moved.endpoints[0])
        self.assertIsNotNone(choice.cookie)

    def test_session_fails(self) -> None:
        """A session keeps its cookie where its endpoint fails once, unless it is to move."""
        endpoint, cookie = self.session()
        for route, moves in ((STICKY, False), (MOVING, True)):
            choice = self.choose(route, None, cookie)
            self.assertEqual(choice.first(), endpoint)
            other = choice.next(endpoint)
            self.assertNotIn(other, (None, endpoint))
            self.assertEqual(choice.cookie is not None, moves)

    def test_new_session_fails(self) -> None:
        """A session that was just made moves with its first endpoint's failure."""
        choice = self.choose(STICKY)
        first = choice.first()
        assert first is not None
        other = choice.next(first)
        assert choice.cookie is not None
        again = self.choose(STICKY, None, b"Cookie: " + choice.cookie.partition(b";")[0])
        self.assertEqual(again.first(), other)

    def test_cookie_over_https(self) -> None:
        """The cookie of a client that came over https says so."""
        choice = self.choose(STICKY, is_secure=True)
        choice.first()
        assert choice.cookie is not None
        self.assertIn(b"; Secure", choice.cookie)


class EjectedTests(ChoiceCase):
    """Where endpoints are left out."""

    def test_first(self) -> None:
        """A first try goes elsewhere until the time of the ejection has passed."""
        self.eject(ENDPOINTS[0])
        self.assertNotIn(ENDPOINTS[0], [self.choose().first() for _ in range(10)])
        self.wire.advance(FIRST_EJECTION)
        self.assertIn(ENDPOINTS[0], [self.choose().first() for _ in range(10)])

    def test_session_comes_back(self) -> None:
        """A session goes to one other endpoint meanwhile, and back, with the same cookie."""
        endpoint, cookie = self.session()
        self.eject(endpoint)
        choices = [self.choose(STICKY, None, cookie) for _ in range(10)]
        meanwhile = {choice.first() for choice in choices}
        self.assertEqual(len(meanwhile), 1)
        self.assertNotIn(endpoint, meanwhile)
        self.assertEqual({choice.cookie for choice in choices}, {None})
        self.wire.advance(FIRST_EJECTION)
        self.assertEqual(self.choose(STICKY, None, cookie).first(), endpoint)

    def test_session_moves(self) -> None:
        """A session that is to move on failure moves for good."""
        endpoint, cookie = self.session()
        self.eject(endpoint)
        choice = self.choose(MOVING, None, cookie)
        other = choice.first()
        assert choice.cookie is not None
        self.wire.advance(FIRST_EJECTION)
        again = self.choose(MOVING, None, b"Cookie: " + choice.cookie.partition(b";")[0])
        self.assertEqual(again.first(), other)
        self.assertNotEqual(other, endpoint)

    def test_new_session(self) -> None:
        """No session begins on an endpoint that is left out."""
        self.eject(*ENDPOINTS[:2])
        started = {self.choose(STICKY).first() for _ in range(60)}
        self.assertEqual(started, set(ENDPOINTS[2:]))

    def test_most(self) -> None:
        """Where most are ejected, sessions stay, and all endpoints serve."""
        endpoint, cookie = self.session()
        self.eject(*ENDPOINTS[:3], endpoint)
        self.assertEqual(self.choose(STICKY, None, cookie).first(), endpoint)
        self.assertEqual({self.choose().first() for _ in range(10)}, set(ENDPOINTS))

    def test_one_trial(self) -> None:
        """One request tries it, and the next ones go elsewhere until that is answered."""
        self.eject(ENDPOINTS[0])
        self.wire.advance(FIRST_EJECTION)
        trial = self.choose()
        trial.try_began(ENDPOINTS[0])
        self.assertNotIn(ENDPOINTS[0], [self.choose().first() for _ in range(10)])
        trial.try_answered(200)
        self.assertIn(ENDPOINTS[0], [self.choose().first() for _ in range(10)])

    def test_by_tls(self) -> None:
        """What fails in the clear may serve over TLS."""
        self.eject(ENDPOINTS[0])
        secure = replace(ROUTE, tls=BackendTLS())
        self.assertIn(ENDPOINTS[0], [self.choose(secure).first() for _ in range(10)])


class NextTests(ChoiceCase):
    """What bounds the tries of one request."""

    def tries(self, proxy: ProxySettings, count: int = 5) -> int:
        """How many endpoints are asked before there is no other."""
        upstream = Upstream(UPSTREAM, ENDPOINTS[:count])
        choice = self.begin(replace(ROUTE, proxy=proxy), upstream)
        tried = [self.begun]
        while (endpoint := tried[-1]) is not None:
            choice.try_ended(False)
            tried.append(choice.next(endpoint))
            if tried[-1] is not None:
                choice.try_began(tried[-1])
        self.assertEqual(len(set(tried)), len(tried))
        return len(tried) - 1

    def test_tries(self) -> None:
        """As many endpoints are asked as the Route says, or all of them."""
        for tries, asked in ((1, 1), (2, 2), (4, 4), (9, 5), (0, 5)):
            self.assertEqual(self.tries(ProxySettings(tries=tries)), asked)
        self.assertEqual(self.tries(ProxySettings(tries=0), count=1), 1)

    def test_time(self) -> None:
        """After the time for retries there is no other try."""
        route = replace(ROUTE, proxy=ProxySettings(retry_timeout=10.0))
        for seconds, is_asked in ((9, True), (10, False)):
            choice = self.begin(route)
            self.wire.advance(seconds)
            choice.try_ended(False)
            assert self.begun is not None
            self.assertEqual(choice.next(self.begun) is not None, is_asked, seconds)

    def test_budget(self) -> None:
        """With as many retries under way as may be, a request that fails has failed."""
        retries = []
        for _ in range(MIN_RETRIES):
            choice = self.begin()
            assert self.begun is not None
            choice.try_ended(False)
            other = choice.next(self.begun)
            assert other is not None
            choice.try_began(other)
            retries.append(choice)
        one_more = self.begin()
        assert self.begun is not None
        one_more.try_ended(False)
        self.assertIsNone(one_more.next(self.begun))
        retries[0].try_ended(None)
        late = self.begin()
        late.try_ended(False)
        self.assertIsNotNone(late.next(self.begun))

    def test_budget_is_configured(self) -> None:
        """The share of retries is that of the configuration in force."""
        self.plane.publish(snapshot_of(*ENDPOINTS, config=Config(limits=Limits(retry_budget=1.0))))
        self.plane.retry_budget.in_flight = 100
        self.plane.retry_budget.retries = 50
        choice = self.begin()
        assert self.begun is not None
        choice.try_ended(False)
        self.assertIsNotNone(choice.next(self.begun))

    def test_hash(self) -> None:
        """A request whose endpoint by hash fails goes to the one that its key prefers next."""
        balance = LoadBalance(hash_key=parse_hash_key("$remote_addr"))
        route = replace(ROUTE, load_balance=balance)
        found = set()
        for _ in range(5):
            choice = self.choose(route, client_address=b"192.0.2.1")
            first = choice.first()
            assert first is not None
            found.add((first, choice.next(first)))
        self.assertEqual(len(found), 1)

    def test_hash_by_address(self) -> None:
        """Clients of different addresses have different endpoints."""
        balance = LoadBalance(hash_key=parse_hash_key("$remote_addr"))
        route = replace(ROUTE, load_balance=balance)
        addresses = [b"192.0.2.%d" % number for number in range(50)]
        firsts = {self.choose(route, client_address=address).first() for address in addresses}
        self.assertEqual(firsts, set(ENDPOINTS))


class MayTryAgainTests(ChoiceCase):
    """Which failures another endpoint is asked after."""

    def may(
        self,
        condition: RetryCondition = RetryCondition.ERROR,
        *,
        method: bytes = b"GET",
        retry_on: tuple[RetryCondition, ...] = (RetryCondition.ERROR, RetryCondition.TIMEOUT),
        sent: bool = True,
        replayable: bool = True,
        started: bool = False,
    ) -> bool:
        route = replace(ROUTE, proxy=ProxySettings(retry_on=frozenset(retry_on)))
        return self.choose(route, method=method).may_try_again(
            condition,
            is_request_sent=sent,
            is_body_replayable=replayable,
            is_response_started=started,
        )

    def test_not_sent(self) -> None:
        """A request of which nothing was sent goes elsewhere, whatever it is."""
        for method in (b"GET", b"POST", b"PATCH", b"LOCK"):
            self.assertTrue(self.may(method=method, sent=False))
            self.assertTrue(self.may(RetryCondition.TIMEOUT, method=method, sent=False))

    def test_sent(self) -> None:
        """One that was sent goes elsewhere if doing it twice is as good as once."""
        for method in IDEMPOTENT_METHODS:
            self.assertTrue(self.may(method=method))
        for method in (b"POST", b"PATCH", b"LOCK"):
            self.assertFalse(self.may(method=method))

    def test_non_idempotent(self) -> None:
        """Any other does if the Ingress says so."""
        retry_on = (RetryCondition.ERROR, RetryCondition.NON_IDEMPOTENT)
        self.assertTrue(self.may(method=b"POST", retry_on=retry_on))

    def test_body_gone(self) -> None:
        """One whose body is gone cannot be sent again."""
        self.assertFalse(self.may(method=b"PUT", replayable=False))

    def test_started(self) -> None:
        """After something of the response, the client gets no other."""
        self.assertFalse(self.may(started=True))

    def test_condition(self) -> None:
        """Only what the Ingress names is tried again, a missing connection included."""
        for condition in RetryCondition:
            if condition is not RetryCondition.NON_IDEMPOTENT:
                self.assertTrue(self.may(condition, retry_on=(condition,)))
                self.assertFalse(self.may(condition, retry_on=(), sent=False))
        self.assertFalse(self.may(RetryCondition.HTTP_502))
        self.assertFalse(self.may(RetryCondition.INVALID_HEADER))

    @given(
        st.sampled_from(sorted(RetryCondition)),
        st.sets(st.sampled_from(sorted(RetryCondition))),
        st.sampled_from([*sorted(IDEMPOTENT_METHODS), b"POST", b"PATCH", b"LOCK"]),
        st.booleans(),
        st.booleans(),
        st.booleans(),
    )
    def test_never_twice(
        self,
        condition: RetryCondition,
        retry_on: set[RetryCondition],
        method: bytes,
        sent: bool,
        replayable: bool,
        started: bool,
    ) -> None:
        """Whatever happens, nothing is done twice that may not be, and no answer is given twice."""
        may = self.may(
            condition,
            method=method,
            retry_on=tuple(retry_on),
            sent=sent,
            replayable=replayable,
            started=started,
        )
        if may:
            self.assertFalse(started)
            self.assertIn(condition, retry_on)
            is_harmless = method in IDEMPOTENT_METHODS or RetryCondition.NON_IDEMPOTENT in retry_on
            self.assertTrue(not sent or (replayable and is_harmless))


class TryTests(ChoiceCase):
    """What becomes of a try is known where the next endpoint is picked."""

    def in_flight(self, endpoint: Endpoint) -> tuple[int, int]:
        """Requests in flight: of the endpoint, and of all."""
        return self.plane.registry.load(endpoint).in_flight, self.plane.retry_budget.in_flight

    def test_in_flight(self) -> None:
        """A request is in flight from its begin to its end, however that is."""
        for succeeded in (True, False, None):
            choice = self.begin()
            assert self.begun is not None
            self.assertEqual(self.in_flight(self.begun), (1, 1))
            choice.try_answered(200)
            self.assertEqual(self.in_flight(self.begun), (1, 1))
            choice.try_ended(succeeded)
            self.assertEqual(self.in_flight(self.begun), (0, 0))

    def test_ended_once(self) -> None:
        """The first end counts, what comes later is ignored."""
        for _ in range(MAX_FAILURES * 2):
            choice = self.begin(upstream=Upstream(UPSTREAM, ENDPOINTS[:1]))
            choice.try_ended(None)
            choice.try_ended(False)
            choice.try_answered(200)
        self.assertEqual(self.in_flight(ENDPOINTS[0]), (0, 0))
        self.assertFalse(self.health.is_ejected((ENDPOINTS[0], None)))

    def test_nothing_began(self) -> None:
        """An exchange that asked no endpoint ends without effect."""
        choice = self.choose()
        choice.try_answered(200)
        choice.try_ended(False)
        self.assertEqual(self.plane.retry_budget.in_flight, 0)

    def test_retries(self) -> None:
        """All tries but the first are retries, while they last."""
        choice = self.begin()
        self.assertEqual(self.plane.retry_budget.retries, 0)
        for _ in range(2):
            choice.try_ended(False)
            assert self.begun is not None
            self.begun = choice.next(self.begun)
            assert self.begun is not None
            choice.try_began(self.begun)
            self.assertEqual(self.plane.retry_budget.retries, 1)
        choice.try_ended(True)
        self.assertEqual(self.plane.retry_budget.retries, 0)

    def test_latency(self) -> None:
        """Where it counts, the latency is the time from the begin to the head of the response."""
        choice = self.begin(replace(ROUTE, load_balance=LoadBalance(Algorithm.EWMA)))
        assert self.begun is not None
        self.wire.advance(2)
        choice.try_answered(200)
        now = self.plane.deadlines.now()
        self.wire.advance(5)
        choice.try_ended(True)
        self.assertEqual(self.plane.registry.load(self.begun).cost(now), 2.0)

    def test_repr(self) -> None:
        """A choice shows what it has asked."""
        choice = self.begin()
        self.assertIn(f" asked={self.begun} tried=0>", repr(choice))
        choice.try_ended(True)
        self.assertIn(" asked=None tried=0>", repr(choice))


class ExchangeTests(SynchronousTestCase):
    """What clients see of it all: one endpoint is down, the other is not."""

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
        """No client notices, and after so many attempts nobody dials it in vain."""
        dialled = [self.ask(data) for _ in range(20) for data in (GET, post(2) + b"ok")]
        self.assertEqual(sum(each.count(ENDPOINT) for each in dialled), MAX_FAILURES)

    def test_up_again(self) -> None:
        """One request a time tries it, and when it answers it has its turn again."""
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
        self.assertFalse(self.wire.plane.balancer.health.is_ejected((ENDPOINT, None)))

    def test_server_errors(self) -> None:
        """An endpoint that answers, whatever it answers, is not left out."""
        for _ in range(4 * MAX_FAILURES):
            client = self.wire.connect()
            client.send(GET)
            endpoint = self.wire.accept()
            endpoint.read()
            endpoint.send(b"HTTP/1.1 500 X\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")
            self.assertEqual(client.receive().status, 500)
        self.assertEqual(repr(self.wire.plane.balancer.health), "<Health failing=0 ejected=0>")
