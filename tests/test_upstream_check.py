"""
Tests for `ingress.upstream_check`.
"""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from ingress.endpoint import Upstream, UpstreamKey
from ingress.policy.backend_tls import BackendTLS, Use
from ingress.policy.health_check import HealthCheck
from ingress.upstream_check import UpstreamCheck

KEY = UpstreamKey("shop", "web", "80")


class UpstreamCheckTests(SynchronousTestCase):
    def test_of(self) -> None:
        """Ports that speak TLS are checked over it; where clients decide, in the clear."""
        for use, plain, secure in (
            (Use.ALWAYS, True, True),
            (Use.FOR_SECURE_PORTS, False, True),
            (Use.FOR_SECURE_CLIENTS, False, False),
        ):
            check = UpstreamCheck(HealthCheck("/h"), BackendTLS(use=use))
            found = [
                check.of(Upstream(KEY, speaks_tls=speaks_tls)).tls is not None
                for speaks_tls in (False, True)
            ]
            self.assertEqual(found, [plain, secure], use)
        check = UpstreamCheck(HealthCheck("/h"))
        self.assertIs(check.of(Upstream(KEY)), check)
