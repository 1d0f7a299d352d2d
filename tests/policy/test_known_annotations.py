"""
Tests for `ingress.policy.known_annotations`.
"""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from ingress.policy.access import closing_of
from ingress.policy.annotation import PREFIX, Annotations
from ingress.policy.known_annotations import (
    _CONSEQUENCES,
    FORMER_NAMES,
    NAMES,
    is_harmless,
    why_ignored,
)
from ingress.policy.registry import REGISTRY

DOCUMENTED = """
    affinity affinity-canary-behavior affinity-mode allowlist-source-range app-root
    auth-always-set-cookie auth-cache-duration auth-cache-key auth-keepalive
    auth-keepalive-requests auth-keepalive-share-vars auth-keepalive-timeout auth-method
    auth-proxy-set-headers auth-realm auth-request-redirect auth-response-headers auth-secret
    auth-secret-type auth-signin auth-signin-redirect-param auth-snippet auth-tls-error-page
    auth-tls-match-cn auth-tls-pass-certificate-to-upstream auth-tls-secret
    auth-tls-verify-client auth-tls-verify-depth auth-type auth-url backend-protocol canary
    canary-by-cookie canary-by-header canary-by-header-pattern canary-by-header-value
    canary-weight canary-weight-total client-body-buffer-size configuration-snippet
    connection-proxy-header cors-allow-credentials cors-allow-headers cors-allow-methods
    cors-allow-origin cors-expose-headers cors-max-age custom-headers custom-http-errors
    default-backend denylist-source-range disable-proxy-intercept-errors enable-access-log
    enable-cors enable-global-auth enable-modsecurity enable-opentelemetry
    enable-owasp-core-rules enable-rewrite-log fastcgi-index fastcgi-params-configmap
    force-ssl-redirect from-to-www-redirect http2-push-preload limit-allowlist
    limit-burst-multiplier limit-connections limit-rate limit-rate-after limit-rpm limit-rps
    load-balance mirror-host mirror-request-body mirror-target modsecurity-snippet
    modsecurity-transaction-id opentelemetry-operation-name opentelemetry-trust-incoming-span
    permanent-redirect permanent-redirect-code preserve-trailing-slash proxy-body-size
    proxy-buffer-size proxy-buffering proxy-buffers-number proxy-busy-buffers-size
    proxy-connect-timeout proxy-cookie-domain proxy-cookie-path proxy-http-version
    proxy-max-temp-file-size proxy-next-upstream proxy-next-upstream-timeout
    proxy-next-upstream-tries proxy-read-timeout proxy-redirect-from proxy-redirect-to
    proxy-request-buffering proxy-send-timeout proxy-ssl-ciphers proxy-ssl-name
    proxy-ssl-protocols proxy-ssl-secret proxy-ssl-server-name proxy-ssl-verify
    proxy-ssl-verify-depth relative-redirects rewrite-target satisfy server-alias
    server-snippet service-upstream session-cookie-change-on-failure
    session-cookie-conditional-samesite-none session-cookie-domain session-cookie-expires
    session-cookie-max-age session-cookie-name session-cookie-partitioned session-cookie-path
    session-cookie-samesite session-cookie-secure ssl-ciphers ssl-passthrough
    ssl-prefer-server-ciphers ssl-redirect stream-snippet temporal-redirect
    temporal-redirect-code upstream-hash-by upstream-hash-by-subset
    upstream-hash-by-subset-size upstream-vhost use-port-in-redirects use-regex
    x-forwarded-prefix
"""
"""The names in the tables of ingress-nginx's documentation, version 1.15."""


class WhyIgnoredTests(SynchronousTestCase):
    """Annotations that are ignored are told apart."""

    def test_known(self) -> None:
        """An annotation of ingress-nginx is not implemented here, with what follows from that."""
        self.assertEqual(
            why_ignored("enable-rewrite-log"),
            "not implemented; rewrites are not logged",
        )
        self.assertEqual(
            why_ignored("proxy-busy-buffers-size"), "not implemented; the annotation is ignored"
        )

    def test_former(self) -> None:
        """An annotation that ingress-nginx has removed has no effect there either."""
        self.assertEqual(
            why_ignored("secure-backends"),
            "ingress-nginx 1.15 has this annotation no more; the annotation is ignored",
        )

    def test_mistyped(self) -> None:
        """A name that ingress-nginx never had is told as such, with the one that may be meant."""
        self.assertEqual(
            why_ignored("proxy-body-sise"),
            "ingress-nginx never had this annotation; the annotation is ignored;"
            " did you mean proxy-body-size?",
        )
        self.assertEqual(
            why_ignored("max-speed"),
            "ingress-nginx never had this annotation; the annotation is ignored",
        )

    def test_harmless(self) -> None:
        """A value that asks for what is done anyway is no fault."""
        self.assertTrue(is_harmless("enable-modsecurity", " false "))
        self.assertFalse(is_harmless("enable-modsecurity", "true"))
        annotations = Annotations(
            {f"{PREFIX}enable-rewrite-log": "false", f"{PREFIX}http2-push-preload": "true"}
        )
        annotations.fault_unknown(())
        self.assertEqual(
            [each.name for each in annotations.faults], [f"{PREFIX}http2-push-preload"]
        )

    def test_complete(self) -> None:
        """No annotation of the documentation is missing, and each is read, closes, or is told."""
        self.assertEqual(set(DOCUMENTED.split()) - NAMES, set())
        untold = [
            name
            for name in NAMES - REGISTRY.known_annotations
            if closing_of(name) is None and name not in _CONSEQUENCES
        ]
        self.assertEqual(untold, [])

    def test_consequences(self) -> None:
        """Consequences are those of annotations that ingress-nginx has and no feature reads."""
        self.assertLessEqual(set(_CONSEQUENCES), NAMES - REGISTRY.known_annotations)

    def test_sets(self) -> None:
        """No name is both current and former."""
        self.assertEqual(NAMES & FORMER_NAMES, frozenset())
