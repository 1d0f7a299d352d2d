"""
Tests for `ingress.config_map.table` and the modules with its lines.
"""

from __future__ import annotations

from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from ingress.config import Config
from ingress.config.section import NotAccepted
from ingress.config_map.access_keys import ACCESS_KEYS
from ingress.config_map.key import Key, Verdict
from ingress.config_map.server_keys import SERVER_KEYS
from ingress.config_map.table import FORMER_KEYS, KEYS
from ingress.config_map.telemetry_keys import TELEMETRY_KEYS
from ingress.config_map.traffic_keys import TRAFFIC_KEYS

SPECIAL = {
    "disable-access-log",
    "disable-http-access-log",
    "disable-stream-access-log",
    "enable-access-log-for-default-backend",
    "enable-real-ip",
    "enable-underscores-in-headers",
    "hsts",
    "hsts-include-subdomains",
    "hsts-max-age",
    "hsts-preload",
    "ignore-invalid-headers",
    "log-format-escape-json",
    "log-format-escape-none",
    "log-format-upstream",
    "otlp-collector-host",
    "proxy-real-ip-cidr",
    "use-forwarded-headers",
    "use-http2",
}
"""The keys that `ingress.config_map.settings` reads by their names."""

DOCUMENTED = """
add-headers allow-backend-server-header allow-cross-namespace-resources allow-snippet-annotations
annotation-value-word-blocklist annotations-risk-level hide-headers access-log-params
access-log-path http-access-log-path stream-access-log-path enable-access-log-for-default-backend
error-log-path enable-modsecurity modsecurity-snippet enable-owasp-modsecurity-crs
client-header-buffer-size client-header-timeout client-body-buffer-size client-body-timeout
disable-access-log disable-ipv6 disable-ipv6-dns enable-underscores-in-headers enable-ocsp
ignore-invalid-headers retry-non-idempotent error-log-level http2-max-field-size
http2-max-header-size http2-max-requests http2-max-concurrent-streams hsts hsts-include-subdomains
hsts-max-age hsts-preload keep-alive keep-alive-requests large-client-header-buffers
log-format-escape-none log-format-escape-json log-format-upstream log-format-stream
enable-multi-accept max-worker-connections max-worker-open-files map-hash-bucket-size
nginx-status-ipv4-whitelist nginx-status-ipv6-whitelist proxy-real-ip-cidr proxy-set-headers
server-name-hash-max-size server-name-hash-bucket-size proxy-headers-hash-max-size
proxy-headers-hash-bucket-size plugins reuse-port server-tokens ssl-ciphers ssl-ecdh-curve
ssl-dh-param ssl-protocols ssl-session-cache ssl-session-cache-size ssl-session-tickets
ssl-session-ticket-key ssl-session-timeout ssl-buffer-size use-proxy-protocol
proxy-protocol-header-timeout enable-aio-write use-gzip use-geoip use-geoip2
geoip2-autoreload-in-minutes enable-brotli brotli-level brotli-min-length brotli-types use-http2
gzip-disable gzip-level gzip-min-length gzip-types worker-processes worker-cpu-affinity
worker-shutdown-timeout enable-serial-reloads load-balance variables-hash-bucket-size
variables-hash-max-size upstream-keepalive-connections upstream-keepalive-time
upstream-keepalive-timeout upstream-keepalive-requests limit-conn-zone-variable
proxy-stream-timeout proxy-stream-next-upstream proxy-stream-next-upstream-timeout
proxy-stream-next-upstream-tries proxy-stream-responses bind-address use-forwarded-headers
enable-real-ip forwarded-for-header compute-full-forwarded-for proxy-add-original-uri-header
generate-request-id enable-opentelemetry opentelemetry-config opentelemetry-operation-name
opentelemetry-trust-incoming-span otlp-collector-host otlp-collector-port otel-max-queuesize
otel-schedule-delay-millis otel-max-export-batch-size otel-service-name otel-sampler
otel-sampler-parent-based otel-sampler-ratio main-snippet http-snippet server-snippet
stream-snippet location-snippet custom-http-errors proxy-body-size proxy-connect-timeout
proxy-read-timeout proxy-send-timeout proxy-buffers-number proxy-buffer-size proxy-cookie-path
proxy-cookie-domain proxy-next-upstream proxy-next-upstream-timeout proxy-next-upstream-tries
proxy-redirect-from proxy-redirect-to proxy-request-buffering proxy-buffering ssl-redirect
force-ssl-redirect denylist-source-range whitelist-source-range skip-access-log-urls limit-rate
limit-rate-after lua-shared-dicts http-redirect-code limit-req-status-code limit-conn-status-code
enable-syslog syslog-host syslog-port no-tls-redirect-locations global-auth-url
global-auth-method global-auth-signin global-auth-signin-redirect-param
global-auth-response-headers global-auth-request-redirect global-auth-snippet
global-auth-cache-key global-auth-cache-duration global-auth-always-set-cookie no-auth-locations
block-cidrs block-user-agents block-referers proxy-ssl-location-only default-type
global-allowed-response-headers service-upstream ssl-reject-handshake ssl-early-data
debug-connections strict-validate-path-type grpc-buffer-size-kb relative-redirects
use-port-in-redirects preserve-trailing-slash disable-proxy-intercept-errors proxy-http-version
enable-auth-access-log app-root disable-http-access-log disable-stream-access-log
forwarded-for-proxy-protocol-header forwarded-host-header upstream-hash-by
upstream-hash-by-subset upstream-hash-by-subset-size
"""
"""The names in the documentation and in the ``config.go`` of version 1.15.1."""


class TableTests(SynchronousTestCase):
    """The table is complete, and each line agrees with the configuration."""

    def test_complete(self) -> None:
        """No key of ingress-nginx is missing."""
        self.assertEqual(set(DOCUMENTED.split()) - set(KEYS), set())

    def test_once(self) -> None:
        """No key stands in the table twice, nor among the former ones."""
        listed = (*ACCESS_KEYS, *TRAFFIC_KEYS, *SERVER_KEYS, *TELEMETRY_KEYS)
        self.assertEqual(len(listed), len(KEYS))
        self.assertEqual(FORMER_KEYS.intersection(KEYS), set())

    def test_targets(self) -> None:
        """Each key that works has a setting, which exists; no setting has two keys."""
        targets = [key.target for key in KEYS.values() if key.target]
        self.assertEqual(len(targets), len(set(targets)))
        for target in targets:
            part: Any = Config()
            for name in target.split("."):
                part = getattr(part, name)
        without = {
            key.name for key in KEYS.values() if key.verdict is Verdict.WORKS and not key.target
        }
        self.assertEqual(without - SPECIAL, set())
        self.assertLessEqual(SPECIAL, set(KEYS))

    def test_defaults(self) -> None:
        """The default of ingress-nginx is accepted by each key that has a setting."""
        for key in KEYS.values():
            if key.default and (key.target or key.verdict is Verdict.WORKS):
                _check_default(key)

    def test_effects(self) -> None:
        """Each key says what it does, or what follows, without a dot at the end."""
        for key in KEYS.values():
            self.assertTrue(key.effect, key.name)
            self.assertFalse(key.effect.endswith("."), key.name)

    def test_access(self) -> None:
        """What decides access is marked as such, whatever else becomes of it."""
        deciding = {key.name for key in KEYS.values() if key.decides_access}
        named = {
            name
            for name in KEYS
            if name.startswith(("global-auth-", "block-")) or name.endswith("list-source-range")
        }
        self.assertEqual(deciding, named)


def _check_default(key: Key) -> None:
    try:
        key.accept(key.default)
    except NotAccepted as error:  # pragma: no cover (a fault of the table)
        raise AssertionError(f"{key.name}: {error}") from error
