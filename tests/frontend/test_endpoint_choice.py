"""Tests of `ingress.frontend.endpoint_choice`."""

from __future__ import annotations

from dataclasses import replace

from twisted.trial.unittest import SynchronousTestCase

from ingress.frontend.endpoint_choice import EndpointChoice
from ingress.http1.head import parse_request_head
from ingress.policy.cookie_affinity import CookieAffinity
from ingress.routing.route import Route
from ingress.routing.snapshot import Endpoint, Upstream
from tests.support.wire import UPSTREAM, Wire, request

ENDPOINTS = tuple(Endpoint("10.1.0.1", port) for port in range(1, 6))
ROUTE = Route(ingress=("default", "web"), upstream=UPSTREAM)
STICKY = replace(ROUTE, affinity=CookieAffinity(name="S"))
MOVING = replace(ROUTE, affinity=CookieAffinity(name="S", changes_on_failure=True))


class EndpointChoiceTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.plane = Wire().plane

    def choose(
        self,
        route: Route = ROUTE,
        upstream: Upstream | None = None,
        *fields: bytes,
        is_secure: bool = False,
    ) -> EndpointChoice:
        made, _ = parse_request_head(request(b"GET", *fields))
        upstream = upstream or Upstream(UPSTREAM, ENDPOINTS)
        return EndpointChoice(self.plane, upstream, route, made, is_secure=is_secure)

    def session(self) -> tuple[Endpoint, bytes]:
        """A new session: its endpoint and the Cookie field by which it comes back."""
        choice = self.choose(STICKY)
        endpoint = choice.first()
        assert endpoint is not None
        assert choice.cookie is not None
        return endpoint, b"Cookie: a=b; " + choice.cookie.partition(b";")[0]

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
