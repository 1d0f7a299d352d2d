"""
Tests for `ingress.config_map.otlp_value`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

from twisted.trial.unittest import SynchronousTestCase

from ingress.config import otlp
from ingress.config.section import NotAccepted
from ingress.config_map.otlp_value import collector_host, milliseconds, ratio, sampler, span_name


class ValueTests(SynchronousTestCase):
    def check(self, accept: Callable[[str], object], good: Mapping[str, object], *bad: str) -> None:
        for written, value in good.items():
            self.assertEqual(accept(written), value, written)
        for written in bad:
            self.assertRaises(NotAccepted, accept, written)

    def test_host(self) -> None:
        """Names and addresses, and nothing that would make another URL."""
        self.check(
            collector_host,
            {
                "otel-coll-collector.otel.svc": "otel-coll-collector.otel.svc",
                "127.0.0.1": "127.0.0.1",
                "fd00::1": "[fd00::1]",
                "[fd00::1]": "[fd00::1]",
            },
            "collector:4317",
            "http://collector",
            "a/b",
            "a@b",
            "a b",
            "-a",
            "[a",
            ":::::",
            "a\r\nb",
            "a" * 102_400,
        )

    def test_packages(self) -> None:
        """A host without the packages is refused, with the extra."""
        self.patch(otlp, "_MODULES", ("missing.too",))
        error = self.assertRaises(NotAccepted, collector_host, "collector")
        self.assertIn("txingress[otel]", str(error))

    def test_name(self) -> None:
        """Names have no variables."""
        self.check(span_name, {"nginx": "nginx", "a b/c.d": "a b/c.d"}, "$uri", "a\nb", "a" * 129)

    def test_sampler(self) -> None:
        """The samplers of nginx's module."""
        self.check(
            sampler,
            {"AlwaysOn": "always-on", "AlwaysOff": "always-off", "TraceIdRatioBased": "ratio"},
            "always-on",
            "Jaeger",
        )

    def test_ratio(self) -> None:
        """Shares."""
        good = {"0.01": 0.01, "0": 0.0, "1": 1.0, "1.0": 1.0, ".5": 0.5}
        self.check(ratio, good, "1.1", "2", "-0", "nan", "1e-2", "0." + "1" * 102_400)

    def test_milliseconds(self) -> None:
        """Times."""
        self.check(milliseconds, {"5000": 5.0, "100": 0.1}, "0", "5s", "99", "9999999", "-1")
