"""
Tests for `ingress.policy.call_settings`.
"""

from __future__ import annotations

from dataclasses import replace

from twisted.trial.unittest import SynchronousTestCase

from ingress.believed_client import BelievedClient
from ingress.endpoint import Upstream, UpstreamKey
from ingress.policy.backend_tls import BackendTLS, Use
from ingress.policy.backend_version import BackendVersion
from ingress.policy.call_settings import CallSettings
from ingress.policy.cookie_affinity import CookieAffinity
from ingress.policy.proxy_settings import ProxySettings

KEY = UpstreamKey("shop", "web", "80")
PLAIN = Upstream(KEY)
SECURE = Upstream(KEY, speaks_tls=True)


def client(is_secure: bool) -> BelievedClient:
    return BelievedClient(b"", b"a", b"", is_secure=is_secure, is_trusted=False)


class TowardsTests(SynchronousTestCase):
    """Whether a call goes over TLS."""

    def is_over_tls(self, settings: CallSettings) -> list[bool]:
        """To a plain port and to a secure one, each for a client without TLS and with it."""
        return [
            settings.towards(upstream, client(is_secure)).tls is not None
            for upstream in (PLAIN, SECURE)
            for is_secure in (False, True)
        ]

    def test_use(self) -> None:
        """The use of the settings says for which calls they are."""
        for use, expected in (
            (Use.ALWAYS, [True] * 4),
            (Use.FOR_SECURE_CLIENTS, [False, True, False, True]),
            (Use.FOR_SECURE_PORTS, [False, False, True, True]),
        ):
            self.assertEqual(self.is_over_tls(CallSettings(tls=BackendTLS(use=use))), expected)

    def test_port_alone(self) -> None:
        """A port that speaks TLS is known by the name of its Service, unless annotations decide."""
        found = CallSettings().towards(SECURE, client(False))
        self.assertEqual(found.tls, BackendTLS("web.shop.svc", use=Use.FOR_SECURE_PORTS))
        for is_http2 in (False, True):
            settings = CallSettings(version=BackendVersion(is_http2))
            self.assertIsNone(settings.towards(SECURE, client(False)).tls)

    def test_all_else(self) -> None:
        """Nothing else changes."""
        settings = CallSettings(
            affinity=CookieAffinity(),
            proxy=ProxySettings(tries=7),
            tls=BackendTLS(use=Use.FOR_SECURE_CLIENTS),
            version=BackendVersion(False),
        )
        self.assertEqual(settings.towards(PLAIN, client(False)), replace(settings, tls=None))
