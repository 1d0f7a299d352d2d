"""Tests of `ingress.frontend.data_plane`."""

from __future__ import annotations

from dataclasses import replace

from twisted.trial.unittest import SynchronousTestCase

from ingress.config import Config
from tests.support.wire import ENDPOINT, GET, OK, OTHER_ENDPOINT, Wire, snapshot_of


class DataPlaneTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.wire = Wire(ENDPOINT)
        self.client = self.wire.connect()

    def test_published(self) -> None:
        """Requests that come after a publication are served by the new Snapshot."""
        self.wire.plane.publish(snapshot_of(OTHER_ENDPOINT))
        self.client.send(GET)
        self.assertEqual(self.wire.dials[0].endpoint, OTHER_ENDPOINT)

    def test_gone_endpoint(self) -> None:
        """Idle connections to an endpoint that is gone are closed, busy ones when they are idle."""
        self.client.send(GET)
        busy = self.wire.accept()
        busy.read()
        other_client = self.wire.connect()
        other_client.send(GET)
        idle = self.wire.accept()
        idle.read()
        idle.send(OK)
        self.assertTrue(idle.is_open)
        self.wire.plane.publish(snapshot_of(OTHER_ENDPOINT))
        self.assertTrue(idle.saw_end)
        self.assertTrue(busy.is_open)
        busy.send(OK)
        self.assertEqual(self.client.receive().rest, b"ok")
        self.assertTrue(busy.saw_end)

    def test_same_upstreams(self) -> None:
        """A Snapshot that changes no Upstream closes no connection."""
        self.client.send(GET)
        endpoint = self.wire.accept()
        endpoint.read()
        endpoint.send(OK)
        snapshot = self.wire.plane.snapshot
        assert snapshot is not None
        self.wire.plane.publish(replace(snapshot, config=Config()))
        self.assertTrue(endpoint.is_open)

    def test_request_ids(self) -> None:
        """Request ids are 32 hexadecimal digits and differ."""
        one, other = self.wire.plane.make_request_id(), self.wire.plane.make_request_id()
        self.assertRegex(one, r"^[0-9a-f]{32}$")
        self.assertNotEqual(one, other)
