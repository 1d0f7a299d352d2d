"""Tests of `ingress.telemetry.endpoint_state`."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from ingress.endpoint import Endpoint
from ingress.telemetry.endpoint_state import EndpointState, together

ONE, OTHER = Endpoint("10.0.0.1", 80), Endpoint("10.0.0.2", 80)


class TogetherTests(SynchronousTestCase):
    def test_added(self) -> None:
        """What several processes ask of an endpoint is added up."""
        states = [{ONE: EndpointState(1, 1)}, {ONE: EndpointState(2, 0), OTHER: EndpointState(3)}]
        self.assertEqual(together(states), {ONE: EndpointState(3, 1), OTHER: EndpointState(3, 0)})
        self.assertEqual(together([]), {})
