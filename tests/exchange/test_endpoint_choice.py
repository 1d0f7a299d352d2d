"""Tests of `ingress.exchange.endpoint_choice`."""

from __future__ import annotations

from dataclasses import replace

from twisted.trial.unittest import SynchronousTestCase

from ingress.believed_client import BelievedClient
from ingress.encoded_fields import EncodedFields
from ingress.endpoint import Endpoint, Upstream
from ingress.exchange.attempt import Attempt
from ingress.exchange.endpoint_choice import EndpointChoice
from ingress.http1.request_head import parse_request_head
from ingress.message import Request, UpstreamRequest
from ingress.policy.backend_tls import BackendTLS
from ingress.policy.cookie_affinity import CookieAffinity
from ingress.policy.hash_key import parse_hash_key
from ingress.policy.load_balance import LoadBalance
from ingress.policy.proxy_settings import ProxySettings
from ingress.routing.route import Route
from ingress.upstream.health import FIRST_EJECTION, MAX_FAILURES
from ingress.upstream.retry_budget import MIN_RETRIES
from tests.support.wire import (
    UPSTREAM,
    Wire,
    request,
)

ENDPOINTS = tuple(Endpoint("10.1.0.1", port) for port in range(1, 6))
ROUTE = Route(ingress=("default", "web"), upstream=UPSTREAM)
STICKY = replace(ROUTE, affinity=CookieAffinity(name="S"))
MOVING = replace(ROUTE, affinity=CookieAffinity(name="S", changes_on_failure=True))


def plain_head(made: Request) -> UpstreamRequest:
    """Make the head of a request that goes on as it came."""
    return UpstreamRequest(made, made.target, made.authority, EncodedFields([]), b"id-1", b"")


class ChoiceCase(SynchronousTestCase):
    def setUp(self) -> None:
        self.wire = Wire()
        self.plane = self.wire.plane
        self.health = self.plane.calls.balancer.health

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
        return EndpointChoice(self.plane.calls, upstream, route, plain_head(made), client)

    def session(self) -> tuple[Endpoint, bytes]:
        """Begin a session; return its endpoint and the Cookie field that brings it back."""
        choice = self.choose(STICKY)
        endpoint = choice.first()
        assert endpoint is not None
        assert choice.cookie is not None
        return endpoint, b"Cookie: a=b; " + choice.cookie.partition(b";")[0]

    def eject(self, *endpoints: Endpoint) -> None:
        """Eject an endpoint by requests that fail."""
        for endpoint in endpoints:
            for _ in range(MAX_FAILURES):
                Attempt(self.plane.calls, UPSTREAM, ROUTE, endpoint, is_retry=False).ended(False)


class EndpointChoiceTests(ChoiceCase):
    def test_in_turn(self) -> None:
        """Endpoints serve in turn without affinity, and no cookie is set."""
        choices = [self.choose() for _ in ENDPOINTS]
        self.assertEqual([choice.first() for choice in choices], list(ENDPOINTS))
        self.assertEqual([choice.cookie for choice in choices], [None] * len(ENDPOINTS))

    def test_none(self) -> None:
        """No endpoint is chosen if the Upstream has none, with affinity or without."""
        for route in (ROUTE, STICKY):
            choice = self.choose(route, Upstream(UPSTREAM))
            self.assertIsNone(choice.first())
            self.assertIsNone(choice.cookie)

    def test_next(self) -> None:
        """The next endpoint is one that was not tried, until enough were tried."""
        choice = self.choose()
        tried = [choice.first()]
        while tried[-1] is not None:
            tried.append(choice.next(tried[-1]))
        self.assertEqual(len(tried), ROUTE.proxy.tries + 1)
        self.assertEqual(len(set(tried)), ROUTE.proxy.tries + 1)

    def test_none_left(self) -> None:
        """No endpoint is chosen if all were tried."""
        choice = self.choose(ROUTE, Upstream(UPSTREAM, ENDPOINTS[:1]))
        self.assertEqual(choice.first(), ENDPOINTS[0])
        self.assertIsNone(choice.next(ENDPOINTS[0]))

    def test_tries(self) -> None:
        """As many endpoints are asked as the settings say, or all of them."""
        for tries, count, asked in (
            (1, 5, 1),
            (2, 5, 2),
            (4, 5, 4),
            (9, 5, 5),
            (0, 5, 5),
            (0, 1, 1),
        ):
            route = replace(ROUTE, proxy=ProxySettings(tries=tries))
            choice = self.choose(route, Upstream(UPSTREAM, ENDPOINTS[:count]))
            tried = [choice.first()]
            while (endpoint := tried[-1]) is not None:
                tried.append(choice.next(endpoint))
            self.assertEqual(len(tried) - 1, asked)
            self.assertEqual(len(set(tried)), len(tried))

    def test_time(self) -> None:
        """No further endpoint is chosen after the time for retries."""
        route = replace(ROUTE, proxy=ProxySettings(retry_timeout=10.0))
        for waited, is_asked in ((9.9, True), (10.0, False)):
            choice = self.choose(route)
            first = choice.first()
            assert first is not None
            self.assertEqual(choice.next(first, waited=waited) is not None, is_asked)

    def test_budget(self) -> None:
        """No further endpoint is chosen while the retry budget is used up."""
        budget = self.plane.calls.retry_budget
        for retries, in_flight, share, is_asked in (
            (MIN_RETRIES - 1, 0, 0.2, True),
            (MIN_RETRIES, 0, 0.2, False),
            (MIN_RETRIES, 100, 0.2, True),
            (50, 100, 0.2, False),
            (50, 100, 1.0, True),
        ):
            budget.retries, budget.in_flight = retries, in_flight
            choice = self.choose()
            first = choice.first()
            assert first is not None
            other = choice.next(first, retry_share=share)
            self.assertEqual(other is not None, is_asked, (retries, in_flight, share))

    def test_session_stays(self) -> None:
        """A session stays on its endpoint, and gets no new cookie."""
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
        """A session keeps its cookie if its endpoint fails once, unless it is to move."""
        endpoint, cookie = self.session()
        for route, moves in ((STICKY, False), (MOVING, True)):
            choice = self.choose(route, None, cookie)
            self.assertEqual(choice.first(), endpoint)
            other = choice.next(endpoint)
            self.assertNotIn(other, (None, endpoint))
            self.assertEqual(choice.cookie is not None, moves)

    def test_new_session_fails(self) -> None:
        """A session that was just made moves if its first endpoint fails."""
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
    """The choice while endpoints are ejected."""

    def test_first(self) -> None:
        """An ejected endpoint is not chosen until the time of the ejection has passed."""
        self.eject(ENDPOINTS[0])
        self.assertNotIn(ENDPOINTS[0], [self.choose().first() for _ in range(10)])
        self.wire.advance(FIRST_EJECTION)
        self.assertIn(ENDPOINTS[0], [self.choose().first() for _ in range(10)])

    def test_session_comes_back(self) -> None:
        """A session moves to one other endpoint during the ejection and back, with its cookie."""
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
        """No session begins on an ejected endpoint."""
        self.eject(*ENDPOINTS[:2])
        started = {self.choose(STICKY).first() for _ in range(60)}
        self.assertEqual(started, set(ENDPOINTS[2:]))

    def test_most(self) -> None:
        """Sessions stay, and all endpoints serve, if most are ejected."""
        endpoint, cookie = self.session()
        self.eject(*ENDPOINTS[:3], endpoint)
        self.assertEqual(self.choose(STICKY, None, cookie).first(), endpoint)
        self.assertEqual({self.choose().first() for _ in range(10)}, set(ENDPOINTS))

    def test_one_trial(self) -> None:
        """One request is the trial, and the next ones go elsewhere until it is answered."""
        self.eject(ENDPOINTS[0])
        self.wire.advance(FIRST_EJECTION)
        trial = Attempt(self.plane.calls, UPSTREAM, ROUTE, ENDPOINTS[0], is_retry=False)
        self.assertNotIn(ENDPOINTS[0], [self.choose().first() for _ in range(10)])
        trial.answered(200)
        self.assertIn(ENDPOINTS[0], [self.choose().first() for _ in range(10)])

    def test_by_tls(self) -> None:
        """An endpoint that fails in the clear may serve over TLS."""
        self.eject(ENDPOINTS[0])
        secure = replace(ROUTE, tls=BackendTLS())
        self.assertIn(ENDPOINTS[0], [self.choose(secure).first() for _ in range(10)])


class HashTests(ChoiceCase):
    def test_hash(self) -> None:
        """A request whose hashed endpoint fails goes to the one that its key prefers next."""
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
