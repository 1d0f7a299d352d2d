"""Tests of `ingress.upstream.health_checks`."""

from __future__ import annotations

from dataclasses import replace

from twisted.trial.unittest import SynchronousTestCase

from ingress.config import Config
from ingress.endpoint import Endpoint
from ingress.policy.health_check import HealthCheck
from ingress.routing.snapshot import Snapshot
from ingress.upstream.health_checks import MAX_BODY, HealthChecks
from ingress.upstream_check import UpstreamCheck
from tests.support.wire import (
    ENDPOINT,
    GET,
    LIMITS,
    OK,
    OTHER_ENDPOINT,
    SWITCHING,
    UPSTREAM,
    Peer,
    Wire,
    response,
    snapshot_of,
)

CHECK = HealthCheck("/healthz", interval=10, timeout=5, healthy_threshold=2, unhealthy_threshold=2)
BAD = response(500, b"Content-Length: 0")


class HealthChecksTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.wire = Wire(ENDPOINT, OTHER_ENDPOINT)
        self.publish()

    def publish(self, *endpoints: Endpoint, check: HealthCheck | None = CHECK) -> Snapshot:
        snapshot = snapshot_of(
            *(endpoints or (ENDPOINT, OTHER_ENDPOINT)), config=Config(limits=LIMITS)
        )
        if check is not None:
            snapshot = replace(snapshot, health_checks={UPSTREAM: UpstreamCheck(check)})
        self.wire.plane.publish(snapshot)
        return snapshot

    @property
    def checks(self) -> HealthChecks:
        return self.wire.plane.health_checks

    def unhealthy(self) -> set[Endpoint]:
        return {endpoint for _, endpoint, _ in self.wire.plane.calls.balancer.health.unhealthy}

    def due(self) -> dict[Endpoint, Peer]:
        """Let the first checks begin; return the endpoints."""
        self.wire.advance(2)
        self.peers = {}
        for _ in tuple(self.wire.dials):
            dial = self.wire.next_dial()
            self.peers[dial.endpoint] = dial.accept()
        return self.peers

    def answer(self, *answers: bytes) -> None:
        """One endpoint answers so one check after the other; the other one is always well."""
        for answer in answers:
            for endpoint, peer in self.peers.items():
                self.assertIn(b"GET /healthz HTTP/1.1", peer.read())
                peer.send(answer if endpoint == ENDPOINT else OK)
            self.wire.advance(CHECK.interval + 1)

    def test_request(self) -> None:
        """Each endpoint is asked for the path, soon after it is published, and again and again."""
        peers = self.due()
        self.assertEqual(set(peers), {ENDPOINT, OTHER_ENDPOINT})
        request = peers[ENDPOINT].receive()
        self.assertEqual(request.first_line, b"GET /healthz HTTP/1.1")
        self.assertEqual(request.values(b"Host"), [str(ENDPOINT).encode()])
        self.assertEqual(request.values(b"User-Agent"), [b"txingress-health-check"])
        peers[ENDPOINT].send(OK)
        self.assertEqual(peers[ENDPOINT].read(), b"")
        self.wire.advance(CHECK.interval + 1)
        self.assertIn(b"GET /healthz", peers[ENDPOINT].read())

    def test_unhealthy(self) -> None:
        """An endpoint that fails so often gets no requests, until it succeeds so often."""
        self.due()
        self.answer(BAD)
        self.assertEqual(self.unhealthy(), set())
        self.answer(BAD)
        self.assertEqual(self.unhealthy(), {ENDPOINT})
        for _ in range(4):
            client = self.wire.connect()
            client.send(GET)
            self.wire.network.settle()
            self.assertEqual([dial.endpoint for dial in self.wire.dials], [OTHER_ENDPOINT])
            client.reset()
        self.answer(OK, BAD, OK)
        self.assertEqual(self.unhealthy(), {ENDPOINT})
        self.answer(OK)
        self.assertEqual(self.unhealthy(), set())

    def test_statuses(self) -> None:
        """200 to 399 are good, as for a probe of Kubernetes."""
        for status, is_good in ((200, True), (302, True), (399, True), (400, False), (503, False)):
            self.setUp()
            self.due()
            answer = response(status, b"Content-Length: 0")
            self.answer(answer, answer)
            self.assertEqual(self.unhealthy() == set(), is_good, status)

    def test_ways_to_fail(self) -> None:
        """No connection, no answer in time, and an answer that is none are failures as well."""

        def refuse() -> None:
            for dial in tuple(self.wire.dials):
                self.wire.dials.remove(dial)
                dial.refuse()

        def be_silent() -> None:
            self.due()
            self.wire.advance(CHECK.timeout + 1)

        def break_off() -> None:
            for peer in self.due().values():
                peer.send(response(200, b"Content-Length: 9") + b"x")
                peer.close()

        def switch() -> None:
            for peer in self.due().values():
                peer.read()
                peer.send(SWITCHING)

        for fail in (refuse, be_silent, break_off, switch):
            self.setUp()
            for _ in range(2):
                self.wire.advance(2)
                fail()
                self.wire.advance(CHECK.interval)
            self.assertEqual(self.unhealthy(), {ENDPOINT, OTHER_ENDPOINT}, fail)
            self.publish(check=None)
            self.assertEqual(list(self.wire.registry.in_flight()), [], fail)

    def test_all_unhealthy(self) -> None:
        """Where all are unhealthy they serve nevertheless: nobody else could."""
        for _ in range(2):
            self.wire.advance(2)
            for dial in tuple(self.wire.dials):
                self.wire.dials.remove(dial)
                dial.refuse()
            self.wire.advance(CHECK.interval)
        self.assertEqual(self.unhealthy(), {ENDPOINT, OTHER_ENDPOINT})
        before = len(self.wire.dials)
        self.wire.connect().send(GET)
        self.wire.network.settle()
        self.assertEqual(len(self.wire.dials), before + 1)

    def test_long_answer(self) -> None:
        """Of a long answer the status counts, and its end is not waited for."""
        peer = self.due()[ENDPOINT]
        peer.read()
        peer.send(response(200, b"Content-Length: %d" % (10 * MAX_BODY)))
        self.assertLess(peer.send_some(b"x" * (2 * MAX_BODY)), 2 * MAX_BODY)
        self.assertEqual((self.unhealthy(), peer.is_open), (set(), False))

    def test_stale_connection(self) -> None:
        """A kept connection that has ended meanwhile is no failure."""
        peer = self.due()[ENDPOINT]
        self.answer(OK)
        peer.read()
        peer.close()
        self.wire.network.settle()
        (dial,) = [dial for dial in self.wire.dials if dial.endpoint == ENDPOINT]
        again = dial.accept()
        self.assertIn(b"GET /healthz", again.read())

    def test_stopped(self) -> None:
        """What is not wanted any more is not checked, and serves as ever."""
        self.due()
        self.answer(BAD, BAD)
        self.assertEqual(self.unhealthy(), {ENDPOINT})
        self.publish(check=None)
        self.assertEqual(repr(self.checks), "<HealthChecks of 0 endpoints>")
        self.assertEqual(self.unhealthy(), set())
        self.wire.advance(2 * CHECK.interval)
        self.assertEqual(self.wire.dials, [])

    def test_stopped_under_way(self) -> None:
        """A check under way ends with its endpoint."""
        self.wire.advance(2)
        self.publish(ENDPOINT)
        self.assertEqual([dial.endpoint for dial in self.wire.dials], [ENDPOINT])
        peer = self.wire.accept()
        self.publish(OTHER_ENDPOINT)
        self.assertFalse(peer.is_open)

    def test_changed(self) -> None:
        """A change of the settings begins anew; another publication changes nothing."""
        self.due()
        self.answer(BAD, BAD)
        self.publish()
        self.assertEqual(self.unhealthy(), {ENDPOINT})
        self.publish(check=replace(CHECK, path="/other"))
        self.assertEqual(self.unhealthy(), set())
