"""Tests of `ingress.counted_noun`."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from ingress.counted_noun import counted


class CountedTests(SynchronousTestCase):
    def test_counted(self) -> None:
        """One is told by the singular, all else by the plural."""
        told = [counted(number, "line") for number in (0, 1, 2, 1_000_000)]
        self.assertEqual(told, ["0 lines", "1 line", "2 lines", "1,000,000 lines"])
        self.assertEqual(
            [counted(each, "Ingress") for each in (1, 2)], ["1 Ingress", "2 Ingresses"]
        )
