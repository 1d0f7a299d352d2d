"""
Tests for `ingress.config.otlp`.
"""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from ingress.config.otlp import OtlpSettings, has_packages, is_collector_url


class OtlpTests(SynchronousTestCase):
    def test_urls(self) -> None:
        """A collector has an http or https URL; credentials do not belong into it."""
        for text in (
            "http://collector:4318/v1/traces",
            "https://collector.observability.svc.cluster.local/v1/traces",
            "http://[::1]:4318/v1/traces",
            "http://127.0.0.1:1",
        ):
            self.assertTrue(is_collector_url(text), text)
        for text in (
            "",
            "collector:4318",
            "grpc://collector:4317",
            "http://",
            "http://:4318",
            "http://a:b@collector",
            "http://collector:0/",
            "http://collector:99999/",
            "http://collector:x/",
            "http://[::1/",
            "http://collector/#x",
            "http://collector/ x",
            "http://collector/\r\nA: b",
            "http://collector/\x00",
            "http://c\xf6llector/",
            "http://" + "a" * 102_400,
        ):
            self.assertFalse(is_collector_url(text), text[:80])

    def test_export(self) -> None:
        """What concerns rules alone makes no new connection to the collector."""
        settings = OtlpSettings("http://a/", "b", queue=5, batch=4, delay=3.0)
        other = OtlpSettings(
            "http://a/", "b", True, False, "x", "ratio", 0.5, False, queue=5, batch=4, delay=3.0
        )
        self.assertEqual(settings.export, other.export)
        self.assertEqual(settings.export, settings)

    def test_packages(self) -> None:
        """The packages that the tests need are found."""
        self.assertTrue(has_packages())
