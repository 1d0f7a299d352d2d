"""
Tests for `ingress.config_map.settings`.
"""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from ingress.config import HSTS, AccessLog, Config, Limits, OtlpSettings, PublicPorts
from ingress.config_map.reading import read_data
from ingress.config_map.settings import apply
from ingress.log_template import DEFAULT_TEMPLATE


def applied(config: Config | None = None, **data: str) -> Config:
    """The configuration with the values of these keys, written with _ for -."""
    named = {name.replace("_", "-"): value for name, value in data.items()}
    return apply(config or Config(), read_data(named, {}))


class ApplyTests(SynchronousTestCase):
    """Keys take precedence over the file."""

    def test_none(self) -> None:
        """Without keys the configuration stays as it is."""
        self.assertEqual(applied(), Config())

    def test_configuration_keys(self) -> None:
        """A key for which the configuration has a key replaces its value."""
        config = Config(ssl_redirect=True, limits=Limits(read_timeout=7, body_size=5))
        found = applied(config, ssl_redirect="false", proxy_body_size="0", keep_alive="30")
        self.assertEqual(found.ssl_redirect, False)
        self.assertEqual(
            found.limits, Limits(read_timeout=7, body_size=None, keep_alive_timeout=30)
        )

    def test_nginx_settings(self) -> None:
        """Every other key is one of `Config.nginx`."""
        found = applied(custom_http_errors="404,503", hide_headers="X-Powered-By, server")
        self.assertEqual(found.nginx.errors.statuses, frozenset({404, 503}))
        self.assertEqual(found.nginx.headers.removed, ("X-Powered-By", "server"))

    def test_closed(self) -> None:
        """The keys that close everything are named."""
        self.assertEqual(
            applied(denylist_source_range="x").nginx.closed_by, ("denylist-source-range",)
        )

    def test_hsts(self) -> None:
        """The field is switched off and on, and keeps what the file says of the rest."""
        config = Config(hsts=HSTS(max_age=5, preload=True))
        self.assertIsNone(applied(config, hsts="false").hsts)
        found = applied(config, hsts_include_subdomains="false").hsts
        self.assertEqual(found, HSTS(5, include_subdomains=False, preload=True))
        self.assertEqual(applied(Config(hsts=None), hsts="true", hsts_max_age="9").hsts, HSTS(9))
        self.assertIsNone(applied(Config(hsts=None), hsts_max_age="9").hsts)

    def test_field_names(self) -> None:
        """Underscores, and all other names, pass where the keys say so."""
        self.assertEqual(applied(enable_underscores_in_headers="true").field_names, "underscores")
        self.assertEqual(applied(ignore_invalid_headers="false").field_names, "any")
        self.assertEqual(applied(ignore_invalid_headers="true").field_names, "plain")

    def test_collector(self) -> None:
        """The host of the collector is asked over HTTP, unless the file names a place."""
        found = applied(
            otlp_collector_host="fd00::1", otel_sampler="AlwaysOff", otel_max_queuesize="9"
        )
        expected = OtlpSettings("http://[fd00::1]:4318/v1/traces", sampler="always-off", queue=9)
        self.assertEqual(found.otlp, expected)
        config = Config(otlp=OtlpSettings("http://file:1/"))
        found = applied(config, otlp_collector_host="other", enable_opentelemetry="true")
        self.assertEqual(found.otlp, OtlpSettings("http://file:1/", for_all=True))

    def test_http2(self) -> None:
        """HTTP/2 has a bound of streams, and is switched off by itself."""
        self.assertEqual(applied(http2_max_concurrent_streams="7").limits.http2_streams, 7)
        self.assertEqual(applied(use_http2="true").limits.http2_streams, 100)
        off = applied(use_http2="false", http2_max_concurrent_streams="7")
        self.assertEqual(off.limits.http2_streams, 0)

    def test_access_log(self) -> None:
        """The access log is switched off."""
        self.assertIsNone(applied(disable_access_log="true").access_log)
        self.assertEqual(applied(disable_access_log="false").access_log, AccessLog())

    def test_log_format(self) -> None:
        """A format of lines is compiled from the keys for it; the default is a built-in one."""
        config = Config(public_ports=PublicPorts(8080, 8443))
        default = "$remote_addr - $remote_user [$time_local] ..."
        log = applied(config, log_format_upstream=default).access_log
        assert log is not None
        assert log.custom is not None
        self.assertEqual((log.custom.escape, log.custom.https_port), ("default", 8443))
        for keys, escape in (
            ({"log_format_escape_json": "true"}, "json"),
            ({"log_format_escape_json": "true", "log_format_escape_none": "true"}, "none"),
        ):
            log = applied(None, **keys).access_log
            assert log is not None
            assert log.custom is not None
            self.assertEqual((log.custom.escape, log.custom.template), (escape, DEFAULT_TEMPLATE))

    def test_log_parts(self) -> None:
        """Lines of requests, of relays, and of what no rule matches are switched off."""
        self.assertEqual(
            applied(disable_http_access_log="true").access_log, AccessLog(has_exchanges=False)
        )
        self.assertEqual(
            applied(disable_stream_access_log="true").access_log, AccessLog(has_relays=False)
        )
        self.assertEqual(
            applied(enable_access_log_for_default_backend="false").access_log,
            AccessLog(has_unmatched=False),
        )

    def test_head_size(self) -> None:
        """A head may be as large as all buffers together."""
        self.assertEqual(applied(large_client_header_buffers="8 16k").limits.head_size, 131072)
