"""
Tests for `ingress.admin.streaming`.
"""

from __future__ import annotations

import gzip

from twisted.trial.unittest import SynchronousTestCase

from ingress.admin.streaming import compressed, takes_gzip


class GzipTests(SynchronousTestCase):
    def test_takes_gzip(self) -> None:
        """Only who names it, and not as what it will not have."""
        for field in (b"gzip", b"deflate, gzip", b"GZIP;q=1", b"br, gzip ; q=0.5, x"):
            self.assertTrue(takes_gzip(field), field)
        for absent in (None, b"", b"identity", b"gzip;q=0", b"gzip; q=0.000", b"gzipped", b"*"):
            self.assertFalse(takes_gzip(absent), absent)

    def test_compressed(self) -> None:
        """The pieces are one stream, an empty one, too."""
        self.assertEqual(gzip.decompress(b"".join(compressed(iter([b"a", b"", b"b"])))), b"ab")
        self.assertEqual(gzip.decompress(b"".join(compressed(iter([])))), b"")
