"""Tests of `ingress.upstream.slow_start`, and of the balancer with it."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from random import Random

from ingress.endpoint import Endpoint, Upstream
from ingress.policy.cookie_affinity import CookieAffinity
from ingress.policy.load_balance import MAX_SLOW_START, Algorithm, LoadBalance
from ingress.routing.route import Route
from ingress.upstream.slow_start import SlowStart
from tests.exchange.test_endpoint_choice import ChoiceCase
from tests.support.wire import UPSTREAM, Wire, snapshot_of
from tests.upstream.test_balancer import HOME, BalancerCase

OLD, OTHER, NEW = (Endpoint(f"10.1.0.{number}", 80) for number in range(3))
SLOW = LoadBalance(slow_start=100.0)


class SlowStartTests(BalancerCase):
    def setUp(self) -> None:
        super().setUp()
        self.slow = self.balancer.slow_start
        self.publish(OLD, OTHER)

    def publish(self, *endpoints: Endpoint) -> None:
        self.balancer.published(snapshot_of(*endpoints))
        self.upstream = Upstream(UPSTREAM, endpoints)

    def share(self, by: LoadBalance = SLOW, of: Endpoint = NEW) -> float:
        """The share of requests that an endpoint gets now."""
        picked = Counter(self.balancer.pick(self.upstream, by, HOME) for _ in range(3000))
        return picked[of] / 3000

    def test_grows(self) -> None:
        """An endpoint that joins others comes to its share little by little."""
        self.publish(OLD, OTHER, NEW)
        for passed, share in ((0, 0.1), (50, 0.5), (25, 0.75), (25, 1.0)):
            self.clock.advance(passed)
            self.assertApproximates(self.share(), share / 3, 0.05)

    def test_others_share_the_rest(self) -> None:
        """What it does not get is shared by the others evenly."""
        self.publish(OLD, OTHER, NEW)
        self.assertApproximates(self.share(of=OLD), self.share(of=OTHER), 0.05)

    def test_any_algorithm(self) -> None:
        """The way of balancing does not matter."""
        self.publish(OLD, OTHER, NEW)
        for algorithm in Algorithm:
            self.assertLess(self.share(replace(SLOW, algorithm=algorithm)), 0.12)

    def test_not_asked_for(self) -> None:
        """Without slow start it has its share at once."""
        self.publish(OLD, OTHER, NEW)
        self.assertApproximates(self.share(LoadBalance()), 1 / 3, 0.01)

    def test_all_new(self) -> None:
        """Where all are new, they share as ever: at the start, and after an outage."""
        self.assertApproximates(self.share(of=OLD), 1 / 2, 0.01)
        self.publish()
        self.publish(OLD, NEW)
        self.assertApproximates(self.share(), 1 / 2, 0.01)
        self.publish(NEW)
        self.assertEqual(self.share(), 1.0)

    def test_alone(self) -> None:
        """One that is new serves if it is the only one that may."""
        self.publish(OLD, NEW)
        self.eject(OLD)
        self.publish(NEW)
        self.assertEqual(self.share(), 1.0)
        self.assertEqual(self.balancer.pick(self.upstream, SLOW, HOME, (NEW,)), None)

    def test_ready_again(self) -> None:
        """One that was not ready for a while starts anew."""
        self.publish(OLD, OTHER, NEW)
        self.clock.advance(100)
        self.publish(OLD, OTHER)
        self.assertEqual(repr(self.slow), "<SlowStart of 0 upstreams>")
        self.publish(OLD, OTHER, NEW)
        self.assertLess(self.share(), 0.1)

    def test_forgotten(self) -> None:
        """Nothing is kept for longer than any slow start lasts, or of Upstreams that are gone."""
        self.publish(OLD, OTHER, NEW)
        self.clock.advance(MAX_SLOW_START)
        self.publish(OLD, NEW)
        self.assertEqual(self.slow.fresh, {})
        self.publish(OLD, NEW, OTHER)
        self.slow.published({})
        self.assertEqual(self.slow.fresh, {})

    def test_unchanged(self) -> None:
        """Another publication changes nothing about an endpoint that is warming up."""
        self.publish(OLD, OTHER, NEW)
        self.clock.advance(60)
        self.publish(OLD, OTHER, NEW)
        self.assertApproximates(self.share(), 0.6 / 3, 0.05)

    def test_clock_back(self) -> None:
        """A clock that goes back costs nobody anything."""
        slow = SlowStart(iter((0.0, 50.0, 10.0)).__next__, Random(0))
        slow.published({UPSTREAM: Upstream(UPSTREAM, (OLD,))})
        slow.published({UPSTREAM: Upstream(UPSTREAM, (OLD, NEW))})
        self.assertIn(OLD, slow.admitted(UPSTREAM, (OLD, NEW), 30.0))


class SessionTests(ChoiceCase):
    def test_new_sessions(self) -> None:
        """New sessions seldom begin on an endpoint that starts slowly; others stay where they are."""
        route = Route(
            ("default", "web"), UPSTREAM, affinity=CookieAffinity(name="S"), load_balance=SLOW
        )
        self.wire = Wire(OLD, OTHER, route=route)
        self.plane = self.wire.plane
        self.plane.publish(snapshot_of(OLD, OTHER, NEW, route=route))
        upstream = Upstream(UPSTREAM, (OLD, OTHER, NEW))
        first = Counter(self.choose(route, upstream).first() for _ in range(300))
        self.assertLess(first[NEW], 30)
        choice = self.choose(route, upstream)
        endpoint = choice.first()
        assert choice.cookie is not None
        cookie = b"Cookie: " + choice.cookie.partition(b";")[0]
        for _ in range(20):
            self.assertEqual(self.choose(route, upstream, cookie).first(), endpoint)
