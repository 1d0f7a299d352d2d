"""Tests of `ingress.upstream.registry`."""

from __future__ import annotations

from dataclasses import replace
from typing import cast

from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from ingress.config import Limits
from ingress.deadline import Deadlines
from ingress.endpoint import Endpoint, Upstream
from ingress.policy.backend_tls import BackendTLS
from ingress.upstream.dialer import Dialer
from ingress.upstream.registry import EndpointRegistry
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

    def test_by_tls(self) -> None:
        """Different settings of TLS have connections of their own."""
        plain, secure = self.registry.pool(ENDPOINT), self.registry.pool(ENDPOINT, BackendTLS())
        self.assertIsNot(plain, secure)
        self.assertIs(self.registry.pool(ENDPOINT, BackendTLS()), secure)
        self.assertEqual(secure.tls, BackendTLS())

    def test_dialers(self) -> None:
        """Each pool over TLS has a dialer of its own; all in the clear have one."""
        asked: list[tuple[Endpoint, BackendTLS]] = []

        def tls_dialer(endpoint: Endpoint, tls: BackendTLS) -> Dialer:
            asked.append((endpoint, tls))
            return cast(Dialer, None)

        registry = EndpointRegistry(cast(Dialer, None), tls_dialer, Deadlines(Clock()))
        registry.pool(ENDPOINT)
        for tls in BackendTLS(name="a"), BackendTLS(name="b"), BackendTLS(name="a"):
            registry.pool(ENDPOINT, tls)
        self.assertEqual(
            asked, [(ENDPOINT, BackendTLS(name="a")), (ENDPOINT, BackendTLS(name="b"))]
        )

    def test_tls_that_is_out_of_use(self) -> None:
        """Unused settings of TLS are forgotten, because each new certificate makes other ones."""
        used, unused = BackendTLS(name="a"), BackendTLS(name="b")
        plain = self.registry.pool(ENDPOINT)
        busy, old = self.registry.pool(ENDPOINT, used), self.registry.pool(ENDPOINT, unused)
        busy.load.in_flight = 1
        self.registry.published(snapshot_of(ENDPOINT))
        self.assertEqual([pool.is_retired for pool in (plain, busy, old)], [False, False, True])

    def test_load(self) -> None:
        """The load is that of the pool; an endpoint that was never asked has none."""
        self.assertEqual(self.registry.load(ENDPOINT).in_flight, 0)
        self.assertEqual(repr(self.registry), "<EndpointRegistry of 0 pools>")
        self.registry.pool(ENDPOINT).load.in_flight = 3
        self.assertEqual(self.registry.load(ENDPOINT).in_flight, 3)
        self.assertEqual(self.registry.load(ENDPOINT, BackendTLS()).in_flight, 0)

    def test_limits(self) -> None:
        """The limit of idle connections follows the configuration, in existing pools as well."""
        pool = self.registry.pool(ENDPOINT)
        self.registry.apply(Limits(idle_upstream_timeout=7.0))
        self.assertEqual(pool.idle_timeout, 7.0)
        self.assertEqual(self.registry.pool(OTHER_ENDPOINT).idle_timeout, 7.0)

    def test_close(self) -> None:
        """Closing the registry retires every pool."""
        pool = self.registry.pool(ENDPOINT)
        self.registry.close()
        self.assertTrue(pool.is_retired)
        self.assertEqual(repr(self.registry), "<EndpointRegistry of 0 pools>")
