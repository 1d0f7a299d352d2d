"""Tests of `ingress.telemetry.endpoint_state`."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from ingress.endpoint import Endpoint, UpstreamKey
from ingress.telemetry.endpoint_state import EndpointState, together

ONE, OTHER = Endpoint("10.0.0.1", 80), Endpoint("10.0.0.2", 80)


class TogetherTests(SynchronousTestCase):
    def test_added(self) -> None:
        """Requests of several processes are added up, and the Upstreams of each are kept."""
        web, shop = (frozenset({UpstreamKey("default", name, "80")}) for name in ("web", "shop"))
        states = [
            {ONE: EndpointState(1, web)},
            {ONE: EndpointState(2, shop), OTHER: EndpointState(3)},
        ]
        self.assertEqual(
            together(states), {ONE: EndpointState(3, web | shop), OTHER: EndpointState(3)}
        )
        self.assertEqual(together([]), {})

    def test_http2(self) -> None:
        """So are the connections that requests share, and their streams."""
        state = EndpointState(http2_connections=1, http2_streams=2)
        self.assertEqual(
            together([{ONE: state}, {ONE: state}]),
            {ONE: EndpointState(http2_connections=2, http2_streams=4)},
        )
