"""
Tests for `ingress.kube.cluster.probe`.
"""

from __future__ import annotations

from random import Random

from twisted.trial.unittest import SynchronousTestCase

from ingress.kube.cluster.probe import PERIOD, RETRY, TIMEOUT, Probe
from ingress.kube.cluster.reflector import Access
from ingress.kube.cluster.resource import INGRESS_CLASSES, Target
from ingress.kube.slices import Slices
from tests.support.hand_api import Asked, HandAPI
from tests.support.turn_clock import TurnClock


class ProbeTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.clock = TurnClock()
        self.api = HandAPI()
        slices = Slices(self.clock, lambda: None)
        self.access = Access(self.api, self.clock, Random(1), slices)
        self.changes = 0
        self.returns: list[float] = []
        self.probe = Probe(self.access, Target(INGRESS_CLASSES), self.change, self.returns.append)
        self.probe.start()
        self.addCleanup(self.assert_stops)

    def change(self) -> None:
        self.changes += 1

    def assert_stops(self) -> None:
        self.probe.stop()
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def asked(self) -> Asked:
        """The question that is under way."""
        return self.api.only()

    def test_silence(self) -> None:
        """A server that is silent is asked for a single object."""
        self.clock.advance(PERIOD - 1)
        self.assertEqual(self.api.pending(), [])
        self.clock.advance(1)
        self.assertEqual(self.asked().query, {"limit": "1"})
        self.asked().page([])
        self.assertEqual(self.access.liveness.heard_at, PERIOD)
        self.clock.advance(PERIOD)
        self.asked().page([])
        self.assertEqual((self.changes, self.returns), (0, []))

    def test_heard(self) -> None:
        """A server that speaks is not asked."""
        for _ in range(10):
            self.clock.advance(PERIOD - 1)
            self.access.liveness.heard(self.clock.seconds())
        self.assertEqual(self.api.asked, [])

    def test_answers(self) -> None:
        """Every answer shows that the server is alive, but one that it cannot do its work."""
        for code in (400, 401, 403, 404, 410, 429):
            self.clock.advance(PERIOD)
            self.asked().refuse(code)
            self.assertIsNone(self.access.liveness.error, code)
        for code in (500, 503, 504):
            self.clock.advance(PERIOD)
            self.asked().refuse(code)
            self.assertIsNotNone(self.access.liveness.error, code)
            self.clock.advance(RETRY)
            self.asked().page([])

    def test_hangs(self) -> None:
        """A server that does not answer is asked again and again, and its return is reported."""
        self.access.liveness.heard(self.clock.seconds())
        self.clock.advance(PERIOD)
        for count in range(1, 4):
            self.assertEqual(len(self.api.pending()), 1)
            self.clock.advance(TIMEOUT)
            self.assertEqual(self.changes, count)
            self.assertIn("no answer within 5 s", str(self.access.liveness.error))
            self.clock.advance(RETRY)
        self.assertEqual(self.returns, [])
        self.asked().page([])
        self.assertEqual((self.returns, self.changes), ([0.0], 4))

    def test_speaks_again(self) -> None:
        """A server that is heard of in another way has come back as well."""
        self.access.liveness.heard(self.clock.seconds())
        self.clock.advance(PERIOD)
        self.clock.advance(TIMEOUT)
        self.access.liveness.heard(self.clock.seconds())
        self.clock.advance(RETRY)
        for asked in self.api.pending():
            asked.page([])
        self.assertEqual(self.returns, [0.0])

    def test_speaks_meanwhile(self) -> None:
        """A question without an answer counts for nothing if the server speaks meanwhile."""
        self.clock.advance(PERIOD)
        self.access.liveness.heard(self.clock.seconds())
        self.clock.advance(TIMEOUT)
        self.assertIsNone(self.access.liveness.error)
