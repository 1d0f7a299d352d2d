"""
Tests for `ingress.byte_size`.
"""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from ingress.byte_size import BYTE_SIZE, byte_size


class ByteSizeTests(SynchronousTestCase):
    """Sizes have a unit or are bytes."""

    def test_units(self) -> None:
        """k, m and g are powers of 1024, in either case; without a unit it is bytes."""
        for text, size in (
            *(("0", 0), ("8192", 8192), ("8k", 8192), ("8K", 8192), ("010k", 10240)),
            *(("1m", 1048576), ("1M", 1048576), ("2g", 2147483648), ("0G", 0)),
        ):
            self.assertIsNotNone(BYTE_SIZE.fullmatch(text), text)
            self.assertEqual(byte_size(text), size, text)

    def test_none(self) -> None:
        """No sign, fraction, blank, other unit or other digit is part of a size."""
        for text in ("", "k", "-1", "+1", "1.5m", "1 m", "1mb", "1b", "1t", "٣k", "1k\n", "9" * 13):
            self.assertIsNone(BYTE_SIZE.fullmatch(text), text)
