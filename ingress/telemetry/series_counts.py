"""
The numbers of one series, as one process counts them: all histograms of `telemetry.histogram`.

Every request is counted here when it ends, so each number is a field of a native object, and the
bucket of a value is found by comparisons alone, of which most values need one or two. A test holds
the bounds to those of `telemetry.histogram`.
"""

from __future__ import annotations

from array import array

from mypy_extensions import i64

from ingress.telemetry.histogram import Row


class DurationCounts:
    """How many durations lie within which of `histogram.DURATIONS`, and their sum in seconds."""

    __slots__ = (
        "_beyond",
        "_to_1_s",
        "_to_2_s_500",
        "_to_5_ms",
        "_to_5_s",
        "_to_10_ms",
        "_to_10_s",
        "_to_25_ms",
        "_to_50_ms",
        "_to_100_ms",
        "_to_250_ms",
        "_to_500_ms",
        "_total",
    )

    def __init__(self) -> None:
        # Beside the numbers of what is quick and small, as nearly all is.
        self._total = 0.0
        self._to_5_ms: i64 = 0
        self._to_10_ms: i64 = 0
        self._to_25_ms: i64 = 0
        self._to_50_ms: i64 = 0
        self._to_100_ms: i64 = 0
        self._to_250_ms: i64 = 0
        self._to_500_ms: i64 = 0
        self._to_1_s: i64 = 0
        self._to_2_s_500: i64 = 0
        self._to_5_s: i64 = 0
        self._to_10_s: i64 = 0
        self._beyond: i64 = 0

    def observe(self, seconds: float) -> None:
        """Count one duration."""
        self._total += seconds
        if seconds <= 0.005:
            self._to_5_ms += 1
        elif seconds <= 0.01:
            self._to_10_ms += 1
        elif seconds <= 0.025:
            self._to_25_ms += 1
        elif seconds <= 0.05:
            self._to_50_ms += 1
        elif seconds <= 0.1:
            self._to_100_ms += 1
        elif seconds <= 0.25:
            self._to_250_ms += 1
        elif seconds <= 0.5:
            self._to_500_ms += 1
        elif seconds <= 1.0:
            self._to_1_s += 1
        elif seconds <= 2.5:
            self._to_2_s_500 += 1
        elif seconds <= 5.0:
            self._to_5_s += 1
        elif seconds <= 10.0:
            self._to_10_s += 1
        else:
            self._beyond += 1

    def numbers(self) -> list[float]:
        """:return: the part of a row that a histogram of durations takes."""
        return [
            float(self._to_5_ms),
            float(self._to_10_ms),
            float(self._to_25_ms),
            float(self._to_50_ms),
            float(self._to_100_ms),
            float(self._to_250_ms),
            float(self._to_500_ms),
            float(self._to_1_s),
            float(self._to_2_s_500),
            float(self._to_5_s),
            float(self._to_10_s),
            float(self._beyond),
            self._total,
        ]


class SizeCounts:
    """How many sizes lie within which of `histogram.SIZES`, and their sum in bytes."""

    __slots__ = (
        "_beyond",
        "_to_1_kb",
        "_to_1_mb",
        "_to_10_b",
        "_to_10_kb",
        "_to_10_mb",
        "_to_100_b",
        "_to_100_kb",
        "_total",
    )

    def __init__(self) -> None:
        self._total = 0.0
        self._to_10_b: i64 = 0
        self._to_100_b: i64 = 0
        self._to_1_kb: i64 = 0
        self._to_10_kb: i64 = 0
        self._to_100_kb: i64 = 0
        self._to_1_mb: i64 = 0
        self._to_10_mb: i64 = 0
        self._beyond: i64 = 0

    def observe(self, size: float) -> None:
        """Count one size."""
        self._total += size
        if size <= 10.0:
            self._to_10_b += 1
        elif size <= 100.0:
            self._to_100_b += 1
        elif size <= 1e3:
            self._to_1_kb += 1
        elif size <= 1e4:
            self._to_10_kb += 1
        elif size <= 1e5:
            self._to_100_kb += 1
        elif size <= 1e6:
            self._to_1_mb += 1
        elif size <= 1e7:
            self._to_10_mb += 1
        else:
            self._beyond += 1

    def numbers(self) -> list[float]:
        """:return: the part of a row that a histogram of sizes takes."""
        return [
            float(self._to_10_b),
            float(self._to_100_b),
            float(self._to_1_kb),
            float(self._to_10_kb),
            float(self._to_100_kb),
            float(self._to_1_mb),
            float(self._to_10_mb),
            float(self._beyond),
            self._total,
        ]


class SeriesCounts:
    """The histograms of one series, in the order of `histogram.HISTOGRAMS`."""

    __slots__ = ("connect_time", "header_time", "request", "response", "response_time", "time")

    def __init__(self) -> None:
        self.time = DurationCounts()
        self.response_time = DurationCounts()
        self.header_time = DurationCounts()
        self.connect_time = DurationCounts()
        self.request = SizeCounts()
        self.response = SizeCounts()

    def row(self) -> Row:
        """:return: the numbers of all histograms."""
        numbers = self.time.numbers()
        numbers += self.response_time.numbers()
        numbers += self.header_time.numbers()
        numbers += self.connect_time.numbers()
        numbers += self.request.numbers()
        numbers += self.response.numbers()
        return array("d", numbers)
