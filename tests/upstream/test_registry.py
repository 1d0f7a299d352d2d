"""Tests of `ingress.upstream.registry`."""

from __future__ import annotations

from dataclasses import replace

from twisted.trial.unittest import SynchronousTestCase

from ingress.routing.snapshot import Upstream
from tests.support.wire import ENDPOINT, OTHER_ENDPOINT, UPSTREAM, Wire, snapshot_of


class EndpointRegistryTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.registry = Wire().registry

    def test_one_pool_an_endpoint(self) -> None:
        """An endpoint has one pool, whichever Upstream asks."""
        pool = self.registry.pool(ENDPOINT)
        self.assertIs(self.registry.pool(ENDPOINT), pool)
        self.assertIsNot(self.registry.pool(OTHER_ENDPOINT), pool)
        self.assertEqual(repr(self.registry), "<EndpointRegistry of 2 pools>")

    def test_published(self) -> None:
        """The pools of endpoints that no Upstream has any more are retired, no others."""
        stays, goes = self.registry.pool(ENDPOINT), self.registry.pool(OTHER_ENDPOINT)
        self.registry.published(snapshot_of(ENDPOINT))
        self.assertFalse(stays.is_retired)
        self.assertTrue(goes.is_retired)
        self.assertIs(self.registry.pool(ENDPOINT), stays)
        self.assertIsNot(self.registry.pool(OTHER_ENDPOINT), goes)

    def test_lingering(self) -> None:
        """Endpoints that only old sessions are on keep their pools."""
        pool = self.registry.pool(OTHER_ENDPOINT)
        upstream = Upstream(UPSTREAM, (ENDPOINT,), lingering=(OTHER_ENDPOINT,))
        self.registry.published(replace(snapshot_of(), upstreams={UPSTREAM: upstream}))
        self.assertFalse(pool.is_retired)

    def test_close(self) -> None:
        """At the end every pool is retired."""
        pool = self.registry.pool(ENDPOINT)
        self.registry.close()
        self.assertTrue(pool.is_retired)
        self.assertEqual(repr(self.registry), "<EndpointRegistry of 0 pools>")
