"""Tests of `ingress.telemetry.series_counts`."""

from __future__ import annotations

from bisect import bisect_left
from math import inf, nextafter

from twisted.trial.unittest import SynchronousTestCase

from ingress.telemetry.histogram import DURATIONS, HISTOGRAMS, SIZES
from ingress.telemetry.series_counts import DurationCounts, SeriesCounts, SizeCounts


def values(bounds: tuple[float, ...]) -> list[float]:
    """At each bound, and as near to it as can be."""
    beside = [
        each for bound in bounds for each in (nextafter(bound, 0.0), bound, nextafter(bound, inf))
    ]
    return [0.0, *beside, bounds[-1] * 1000]


class SeriesCountsTests(SynchronousTestCase):
    def check(self, counts: DurationCounts | SizeCounts, bounds: tuple[float, ...]) -> None:
        expected = [0.0] * (len(bounds) + 2)
        for value in values(bounds):
            counts.observe(value)
            expected[bisect_left(bounds, value)] += 1
            expected[-1] += value
            self.assertEqual(counts.numbers(), expected)

    def test_durations(self) -> None:
        """A duration that equals a bound is within it, and there is a bucket above all bounds."""
        self.check(DurationCounts(), DURATIONS)

    def test_sizes(self) -> None:
        """A size that equals a bound is within it, and there is a bucket above all bounds."""
        self.check(SizeCounts(), SIZES)

    def test_row(self) -> None:
        """The numbers of each histogram are in its place of the row."""
        counts = SeriesCounts()
        parts: tuple[DurationCounts | SizeCounts, ...] = (
            counts.time,
            counts.response_time,
            counts.header_time,
            counts.connect_time,
            counts.request,
            counts.response,
        )
        for number, part in enumerate(parts):
            for _ in range(number + 1):
                part.observe(20.0)
        row = counts.row()
        self.assertEqual([sum(each.buckets(row)) for each in HISTOGRAMS], [1, 2, 3, 4, 5, 6])
        self.assertEqual([row[each.sum_index] for each in HISTOGRAMS], [20, 40, 60, 80, 100, 120])
