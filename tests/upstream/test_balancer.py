"""Tests of `ingress.upstream.balancer`."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from ingress.routing.snapshot import Endpoint, Upstream
from ingress.upstream.balancer import RoundRobin
from tests.support.wire import UPSTREAM, snapshot_of

A, B, C = (Endpoint("10.1.0.1", port) for port in (1, 2, 3))


class RoundRobinTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.balancer = RoundRobin()

    def pick(self, *endpoints: Endpoint, tried: tuple[Endpoint, ...] = ()) -> Endpoint | None:
        return self.balancer.pick(Upstream(UPSTREAM, endpoints), tried)

    def test_in_turn(self) -> None:
        """Endpoints serve one after the other."""
        picked = [self.pick(A, B, C) for _ in range(7)]
        self.assertEqual(picked, [A, B, C, A, B, C, A])

    def test_each_upstream_has_its_turn(self) -> None:
        """The turn of one Upstream does not move another's."""
        other = Upstream(UPSTREAM._replace(service="other"), (A, B))
        self.pick(A, B)
        self.assertEqual(self.balancer.pick(other), A)
        self.assertEqual(self.pick(A, B), B)

    def test_tried(self) -> None:
        """What was tried is passed over; where all were, there is none."""
        self.assertEqual(self.pick(A, B, C, tried=(A,)), B)
        self.assertEqual(self.pick(A, B, C, tried=(C,)), A)
        self.assertIsNone(self.pick(A, B, C, tried=(A, B, C)))

    def test_none(self) -> None:
        """An Upstream without endpoints has none to pick."""
        self.assertIsNone(self.pick())

    def test_scaled(self) -> None:
        """Fewer or more endpoints than before serve in turn as well."""
        for _ in range(2):
            self.pick(A, B, C)
        self.assertEqual(self.pick(A), A)
        self.assertEqual([self.pick(A, B) for _ in range(4)].count(A), 2)

    def test_published(self) -> None:
        """The turn outlives a Snapshot that has the Upstream, and no other."""
        self.pick(A, B)
        self.balancer.published(snapshot_of(A, B))
        self.assertEqual(repr(self.balancer), "<RoundRobin of 1 upstreams>")
        self.assertEqual(self.pick(A, B), B)
        snapshot = snapshot_of(A)
        object.__setattr__(snapshot, "upstreams", {})
        self.balancer.published(snapshot)
        self.assertEqual(repr(self.balancer), "<RoundRobin of 0 upstreams>")
