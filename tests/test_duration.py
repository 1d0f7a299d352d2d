"""
Tests for `ingress.duration`.
"""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from ingress.duration import parse_duration


class ParseDurationTests(SynchronousTestCase):
    def test_units(self) -> None:
        """Numbers have the units of nginx, and are seconds without one."""
        for written, seconds in (
            ("0", 0),
            ("30", 30),
            ("30s", 30),
            ("500ms", 0.5),
            ("2m", 120),
            ("1h", 3600),
            ("1d", 86_400),
            ("1w", 604_800),
            ("1M", 2_592_000),
            ("1y", 31_536_000),
            ("1m30s", 90),
            ("1h 30m", 5400),
        ):
            with self.subTest(written):
                self.assertEqual(parse_duration(written), seconds)

    def test_refused(self) -> None:
        """What is no duration is None."""
        for written in (
            "",
            "s",
            "-1",
            "1.5s",
            "1 x",
            "1s\n",
            "30 30",
            "9" * 10,
            "1S",
            "1_0",
            "\u0663s",
        ):
            with self.subTest(written):
                self.assertIsNone(parse_duration(written))
