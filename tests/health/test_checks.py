"""Tests of `ingress.health.checks`."""

from __future__ import annotations

from dataclasses import replace
from random import Random

from twisted.internet.defer import Deferred
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from ingress.config import Config
from ingress.endpoint import Endpoint, Upstream, UpstreamKey
from ingress.health.checks import MAX_AT_ONCE, HealthChecks
from ingress.policy.health_check import HealthCheck
from ingress.routing.snapshot import Snapshot
from ingress.upstream_check import UpstreamCheck

KEY = UpstreamKey("default", "web", "80")
OTHER = UpstreamKey("default", "other", "80")
A, B, C = (Endpoint(f"10.0.0.{number}", 80) for number in (1, 2, 3))
TARGET = UpstreamCheck(HealthCheck("/h"), None)
SNAPSHOT = Snapshot(
    Config(),
    upstreams={KEY: Upstream(KEY, (A, B, C)), OTHER: Upstream(OTHER, (A,))},
    health_checks={KEY: TARGET},
)


class HealthChecksTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.clock = Clock()
        self.bad: set[Endpoint] = set()
        self.waiting: list[Deferred[str]] = []
        self.waits = False
        self.asked: list[Endpoint] = []
        self.published: list[Snapshot] = []
        self.checks = HealthChecks(self.clock, Random(0), self.ask, self.published.append)

    def ask(self, endpoint: Endpoint, target: UpstreamCheck) -> Deferred[str]:
        self.asked.append(endpoint)
        asking: Deferred[str] = Deferred()
        if self.waits:
            self.waiting.append(asking)
        else:
            asking.callback("it is down" if endpoint in self.bad else "")
        return asking

    def publish(self, snapshot: Snapshot = SNAPSHOT) -> None:
        self.checks.publish(snapshot)

    def pass_time(self, seconds: int) -> None:
        for _ in range(seconds):
            self.clock.advance(1)

    @property
    def endpoints(self) -> tuple[Endpoint, ...]:
        """Those that get requests now."""
        return self.published[-1].upstreams[KEY].endpoints

    def test_healthy(self) -> None:
        """Endpoints get requests before they are checked, and each is checked in each interval."""
        self.publish()
        self.assertIs(self.published[-1], SNAPSHOT)
        self.pass_time(100)
        self.assertEqual(len(self.published), 1)
        for endpoint in (A, B, C):
            self.assertTrue(9 <= self.asked.count(endpoint) <= 12)
        self.assertEqual(self.checks.results["success"], len(self.asked))

    def test_unhealthy(self) -> None:
        """An endpoint that fails three times in a row gets no requests until it succeeds twice."""
        self.publish()
        self.bad = {B}
        self.pass_time(20)
        self.assertEqual(self.endpoints, (A, B, C))
        self.pass_time(20)
        self.assertEqual(self.endpoints, (A, C))
        self.assertEqual(self.checks.unhealthy, {(KEY, B)})
        self.assertIs(self.published[-1].upstreams[OTHER], SNAPSHOT.upstreams[OTHER])
        self.bad = set()
        self.pass_time(40)
        self.assertEqual(self.endpoints, (A, B, C))
        self.assertIs(self.published[-1].upstreams[KEY], SNAPSHOT.upstreams[KEY])

    def test_flapping(self) -> None:
        """Failures that are not in a row do not count."""
        self.publish()
        for _ in range(10):
            self.bad = {B}
            self.pass_time(14)
            self.bad = set()
            self.pass_time(11)
        self.assertEqual(self.checks.unhealthy, frozenset())

    def test_all_fail(self) -> None:
        """Where all fail, all get requests."""
        self.publish()
        self.bad = {A, B, C}
        self.pass_time(100)
        self.assertEqual(self.endpoints, (A, B, C))
        self.assertEqual(len(self.checks.unhealthy), 3)

    def test_other_snapshots(self) -> None:
        """The results outlive Snapshots, and unchanged Upstreams stay the same objects."""
        self.publish()
        self.bad = {B}
        self.pass_time(40)
        before = self.published[-1].upstreams
        self.publish(replace(SNAPSHOT, config=Config(ssl_redirect=False)))
        self.assertIs(self.published[-1].upstreams, before)
        changed = {**SNAPSHOT.upstreams, OTHER: Upstream(OTHER, (B,))}
        self.publish(replace(SNAPSHOT, upstreams=changed))
        self.assertIs(self.published[-1].upstreams[KEY], before[KEY])
        self.assertEqual(self.published[-1].upstreams[OTHER].endpoints, (B,))

    def test_gone(self) -> None:
        """What is no longer there, or no longer wanted, is checked no more."""
        self.publish()
        self.bad = {B}
        self.pass_time(40)
        self.publish(replace(SNAPSHOT, upstreams={KEY: Upstream(KEY, (A,))}))
        self.asked.clear()
        self.pass_time(30)
        self.assertEqual(set(self.asked), {A})
        self.publish(replace(SNAPSHOT, health_checks={}))
        self.assertEqual(self.endpoints, (A, B, C))
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_in_flight(self) -> None:
        """Checks that wait are bounded in number; those of endpoints that are gone are given up."""
        many = tuple(Endpoint("10.0.1.1", port) for port in range(1, 200))
        self.waits = True
        self.publish(replace(SNAPSHOT, upstreams={KEY: Upstream(KEY, many)}))
        self.pass_time(60)
        self.assertEqual(len(self.waiting), MAX_AT_ONCE)
        self.publish(replace(SNAPSHOT, upstreams={}))
        self.assertEqual(self.clock.getDelayedCalls(), [])
        self.waits = False
        self.publish()
        self.pass_time(11)
        self.assertTrue({A, B, C} <= set(self.asked))

    def test_stops(self) -> None:
        """Nothing is left after the end, not even a check under way."""
        self.waits = True
        self.publish()
        self.pass_time(11)
        self.assertEqual(len(self.waiting), 3)
        self.checks.stopService()
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_broken(self) -> None:
        """A check that fails for a fault of ours counts as a failure, and is logged."""
        self.waits = True
        self.publish(replace(SNAPSHOT, upstreams={KEY: Upstream(KEY, (A, B))}))
        self.pass_time(11)
        self.waiting[0].errback(ValueError("broken"))
        self.assertEqual(self.checks.results["failure"], 1)
        self.assertEqual(len(self.flushLoggedErrors(ValueError)), 1)
        self.checks.stopService()
