"""
Tests for `ingress.kube.writing.micro_time`.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone

from twisted.trial.unittest import SynchronousTestCase

from ingress.kube.writing.micro_time import micro_time, read_micro_time


class MicroTimeTests(SynchronousTestCase):
    """Moments are written as the API writes them."""

    def test_six_digits(self) -> None:
        """There are always six digits, also where all are zero."""
        moment = datetime(2026, 1, 31, 12, tzinfo=UTC)
        self.assertEqual(micro_time(moment), "2026-01-31T12:00:00.000000Z")
        self.assertEqual(micro_time(moment.replace(microsecond=70)), "2026-01-31T12:00:00.000070Z")

    def test_zone(self) -> None:
        """A moment of another zone is written in UTC."""
        zone = timezone(timedelta(hours=2))
        moment = datetime(2026, 1, 1, 1, tzinfo=zone)
        self.assertEqual(micro_time(moment), "2025-12-31T23:00:00.000000Z")

    def test_read(self) -> None:
        """Written times can be read; any other text is no time."""
        moment = datetime(2026, 1, 31, 12, 0, 0, 250, tzinfo=UTC)
        self.assertEqual(read_micro_time(micro_time(moment)), moment)
        for text in (None, "", "then", "2026-01-31T12:00:00"):
            self.assertIsNone(read_micro_time(text), text)
