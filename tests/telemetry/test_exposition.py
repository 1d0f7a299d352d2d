"""Tests of `ingress.telemetry.exposition`."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st
from prometheus_client.parser import text_string_to_metric_families
from twisted.trial.unittest import SynchronousTestCase

from ingress.telemetry.exposition import (
    Family,
    by_label,
    counter,
    gauge,
    label_text,
    line,
    number,
    pieces,
)


def text(*families: Family) -> str:
    return b"".join(pieces(families)).decode()


class ExpositionTests(SynchronousTestCase):
    def test_text(self) -> None:
        """Each metric has its help, its kind and its samples."""
        states = by_label(
            Family("b_total", "counter", "Of b"), "state", {"y": 2, "x": 1}, {"a": ""}
        )
        self.assertEqual(
            text(gauge("a", "Of a", 0.5), states, counter("c", "Of c", 3, label_text({"l": "v"}))),
            "# HELP a Of a\n"
            "# TYPE a gauge\n"
            "a 0.5\n"
            "# HELP b_total Of b\n"
            "# TYPE b_total counter\n"
            'b_total{a="",state="x"} 1\n'
            'b_total{a="",state="y"} 2\n'
            "# HELP c Of c\n"
            "# TYPE c counter\n"
            'c{l="v"} 3\n',
        )

    def test_nothing(self) -> None:
        """A metric without samples is not told of, nor is work that comes to nothing."""
        self.assertEqual(text(Family("a", "gauge", "Of a", []), Family("b", "gauge", "", [""])), "")

    def test_pieces(self) -> None:
        """Many lines are many pieces, none of which is large, and the head comes once."""
        made = list(
            pieces([Family("a", "gauge", "Of a", (line("a", "", n) for n in range(10000)))])
        )
        self.assertGreater(len(made), 3)
        self.assertLess(max(map(len, made)), 32 * 1024)
        self.assertEqual(b"".join(made).count(b"# TYPE"), 1)
        self.assertEqual(b"".join(made).count(b"\n"), 10002)

    def test_turns(self) -> None:
        """Work that comes to nothing is a piece of its own, so that others have their turn."""
        self.assertEqual(
            list(pieces([Family("a", "gauge", "", ["", "a 1\n", ""])]))[:2], [b"", b""]
        )

    def test_numbers(self) -> None:
        """Whole numbers have no point, as Go writes them, however large they are."""
        values = (1.0, 0.0, 0.005, 2.5, 1e7, True)
        expected = ["1", "0", "0.005", "2.5", "10000000", "1"]
        self.assertEqual(list(map(number, values)), expected)

    def test_half_a_character(self) -> None:
        """What has no encoding is replaced."""
        self.assertEqual(
            b"".join(pieces([gauge("a", "", 1, label_text({"path": "/\ud800"}))])).splitlines()[-1],
            b'a{path="/?"} 1',
        )

    @given(st.text(st.characters(exclude_categories=["Cs"])), st.floats(-1e15, 1e15))
    def test_parsed(self, value: str, sample: float) -> None:
        """Whatever a label holds, Prometheus's own client reads it back."""
        written = text(gauge("a", "Of a", sample, label_text({"path": value, "zone": "x"})))
        (family,) = text_string_to_metric_families(written)
        (read,) = family.samples
        self.assertEqual((read.name, read.value), ("a", sample))
        self.assertEqual(read.labels, {"path": value, "zone": "x"})
