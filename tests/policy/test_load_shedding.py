"""Tests of load shedding: which requests count, and how long."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from ingress.config import Config, Limits
from ingress.policy.gradient import FIRST, Gradient
from ingress.policy.limiter import LimitLabels
from ingress.policy.load_shedding import LoadShedding
from ingress.routing.route import Route
from ingress.testing import read_annotations, rule_scope
from tests.support.wire import GET, OK, UPSTREAM, Wire

ON = Config(limits=Limits(concurrency="auto"))


class LoadSheddingTests(SynchronousTestCase):
    def setUp(self) -> None:
        feature = read_annotations(LoadShedding, {}, config=ON).feature
        assert isinstance(feature, LoadShedding)
        policy = feature.at(rule_scope())
        assert policy is not None
        route = Route(ingress=("default", "web"), upstream=UPSTREAM, policies=(policy,))
        self.wire = Wire(route=route)

    @property
    def gradient(self) -> Gradient:
        states = self.wire.plane.exchanges.policy_states
        return states.of_process("load-shedding/default-web-80", Gradient)

    def test_off(self) -> None:
        """Without the setting, and for rules without a Service, there is none."""
        self.assertIsNone(read_annotations(LoadShedding, {}).feature)
        self.assertIsNone(LoadShedding().at(rule_scope()._replace(upstream=None)))

    def test_counts(self) -> None:
        """A request counts until the head of its response has come, or it has ended."""
        client = self.wire.connect()
        client.send(GET)
        self.assertEqual(self.gradient.in_progress, 1)
        endpoint = self.wire.accept()
        endpoint.send(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n")
        self.assertEqual(self.gradient.in_progress, 0)
        endpoint.send(b"ok")
        self.assertEqual(client.receive().status, 200)
        for end in ("client", "endpoint"):
            client = self.wire.connect()
            client.send(GET)
            self.assertEqual(self.gradient.in_progress, 1)
            client.reset() if end == "client" else endpoint.close()
            if end == "endpoint":
                self.wire.accept().close()
            self.assertEqual(self.gradient.in_progress, 0, end)
            if end == "client":
                client = self.wire.connect()
                client.send(GET)
                endpoint = self.wire.accept()
                endpoint.send(OK)

    def test_shed(self) -> None:
        """What is beyond the bound gets 503, asks no endpoint and is counted."""
        self.gradient.in_progress = int(FIRST)
        client = self.wire.connect()
        client.send(GET)
        answer = client.receive()
        self.assertEqual((answer.status, answer.values(b"Retry-After")), (503, [b"1"]))
        self.assertEqual(self.wire.dials, [])
        refused = self.wire.plane.exchanges.policy_states.limiter.refused
        self.assertEqual(refused, {LimitLabels("default", "web", "concurrency"): 1})
