"""Tests of `ingress.telemetry.histogram`."""

from __future__ import annotations

from array import array

from twisted.trial.unittest import SynchronousTestCase

from ingress.telemetry.histogram import HISTOGRAMS, ROW_SIZE, Histogram

HISTOGRAM = Histogram("durations", "", (0.5, 1.0), start=1)


class HistogramTests(SynchronousTestCase):
    def test_bounds(self) -> None:
        """A value that equals a bound is within it, and there is a bucket above all bounds."""
        row = [0.0] * 6
        HISTOGRAM.observe([row] * 5, [0.0, 0.5, 0.75, 1.0, 7.0])
        self.assertEqual(row, [0.0, 2.0, 2.0, 1.0, 9.25, 0.0])
        self.assertEqual(HISTOGRAM.buckets(array("d", row)), array("d", [2.0, 2.0, 1.0]))

    def test_rows(self) -> None:
        """Each value goes to the row beside it."""
        one, other = [0.0] * 5, [0.0] * 5
        HISTOGRAM.observe([one, other, one], [0.25, 0.75, 0.25])
        self.assertEqual(one, [0.0, 2.0, 0.0, 0.0, 0.5])
        self.assertEqual(other, [0.0, 0.0, 1.0, 0.0, 0.75])

    def test_none(self) -> None:
        """None is no observation, and moves none to another row."""
        one, other = [0.0] * 5, [0.0] * 5
        HISTOGRAM.observe([one, other], [None, 0.25])
        self.assertEqual(one, [0.0] * 5)
        self.assertEqual(other, [0.0, 1.0, 0.0, 0.0, 0.25])

    def test_all(self) -> None:
        """Values of one row are counted the same way together as one by one."""
        values = [7.0, None, 0.5, 0.0, 1.0, 0.75, None, 0.5]
        one, other = [0.0] * 6, [0.0] * 6
        HISTOGRAM.observe_all(one, values)
        HISTOGRAM.observe([other] * len(values), values)
        self.assertEqual(one, other)
        HISTOGRAM.observe_all(one, [None])
        self.assertEqual(one, other)

    def test_side_by_side(self) -> None:
        """No two histograms of a row share a number, and none is left over."""
        row = [0.0] * ROW_SIZE
        for histogram in HISTOGRAMS:
            histogram.observe([row] * 2, [histogram.bounds[0], histogram.bounds[-1] + 1])
        for histogram in HISTOGRAMS:
            inner = [0.0] * (len(histogram.bounds) - 1)
            self.assertEqual(histogram.buckets(array("d", row)).tolist(), [1.0, *inner, 1.0])
            expected = histogram.bounds[0] + histogram.bounds[-1] + 1
            self.assertEqual(row[histogram.sum_index], expected)
        self.assertEqual(sum(len(each.bounds) + 2 for each in HISTOGRAMS), ROW_SIZE)
