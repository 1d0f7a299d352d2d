"""Tests of `ingress.telemetry.histogram`."""

from __future__ import annotations

from array import array

from twisted.trial.unittest import SynchronousTestCase

from ingress.telemetry.histogram import HISTOGRAMS, ROW_SIZE, Histogram


class HistogramTests(SynchronousTestCase):
    def test_buckets(self) -> None:
        """A histogram has a bucket for each bound and one above all bounds, then the sum."""
        histogram = Histogram("durations", "", (0.5, 1.0), start=1)
        row = array("d", [0.0, 2.0, 3.0, 1.0, 9.25, 0.0])
        self.assertEqual(histogram.buckets(row), array("d", [2.0, 3.0, 1.0]))
        self.assertEqual(row[histogram.sum_index], 9.25)

    def test_side_by_side(self) -> None:
        """No two histograms of a row share a number, and none is left over."""
        taken = [index for each in HISTOGRAMS for index in range(each.start, each.sum_index + 1)]
        self.assertEqual(taken, list(range(ROW_SIZE)))
