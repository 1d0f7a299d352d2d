"""
Tests for `ingress.kube.api.retry_after`.
"""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase
from twisted.web.http_headers import Headers

from ingress.kube.api.retry_after import MAX_RETRY_AFTER, parse_retry_after

NOON = 1_795_176_000.0
"""Fri, 20 Nov 2026 12:00:00 GMT."""


class RetryAfterTests(SynchronousTestCase):
    """Seconds, or a moment."""

    def parse(self, value: str | None, date: str | None = None) -> float | None:
        headers = Headers()
        if value is not None:
            headers.addRawHeader("Retry-After", value)
        if date is not None:
            headers.addRawHeader("Date", date)
        return parse_retry_after(headers, lambda: NOON)

    def test_seconds(self) -> None:
        """Seconds are seconds, but not more than we would wait."""
        self.assertEqual(self.parse("1"), 1.0)
        self.assertEqual(self.parse("0"), 0.0)
        self.assertEqual(self.parse("999999"), MAX_RETRY_AFTER)

    def test_moment(self) -> None:
        """A date is relative to the server's clock, or to ours if the server sends no Date."""
        later = "Fri, 20 Nov 2026 12:00:05 GMT"
        self.assertEqual(self.parse(later), 5.0)
        self.assertEqual(self.parse(later, "Fri, 20 Nov 2026 12:00:02 GMT"), 3.0)
        self.assertEqual(self.parse(later, "nonsense"), 5.0)
        self.assertEqual(self.parse("Fri, 20 Nov 2026 11:00:00 GMT"), 0.0)
        self.assertEqual(self.parse("Fri, 20 Nov 2099 12:00:00 GMT"), MAX_RETRY_AFTER)

    def test_nonsense(self) -> None:
        """All else is as if it were not there."""
        for value in (
            None,
            "",
            "-1",
            "1.5",
            "soon",
            "٣",
            "9" * 400,
            "Fri, 99 Nov 2026 99:00:00 GMT",
        ):
            self.assertIsNone(self.parse(value))
