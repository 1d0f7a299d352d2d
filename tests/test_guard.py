"""
Tests for benchmarks/guard.py: what it lets pass.
"""

from __future__ import annotations

from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

from benchmarks.guard import (
    FIGURES,
    compare,
    compare_on_top,
    expand,
    read_settings,
    show_misses,
)
from benchmarks.guard_scenario import POLICIES, SCENARIOS, STANDARD


class CompareTests(SynchronousTestCase):
    """An exchange may not grow by more than is allowed, unless there is a reason."""

    def test_unsupported(self) -> None:
        """An exchange that one of both versions cannot do is not compared."""
        lines, is_well = compare({"h2": None}, {"h2": 1030.0}, ["h2"], 0.02, {})
        self.assertEqual(lines[-1].split(), ["h2", "-", "1,030"])
        self.assertTrue(is_well)

    def compare(self, now: float, **reasons: str) -> tuple[list[str], bool]:
        return compare({"get": 1000.0}, {"get": now}, ["get"], 0.02, reasons)

    def test_within(self) -> None:
        """A growth up to the limit passes, and so does what became cheaper."""
        for now in (900, 1000, 1019):
            lines, is_well = self.compare(now)
            self.assertTrue(is_well, lines)

    def test_too_much(self) -> None:
        """A larger growth fails, and the table says which exchange it is."""
        lines, is_well = self.compare(1030)
        self.assertFalse(is_well)
        self.assertRegex(lines[-1], r"^get +1,000 +1,030 +\+3\.0%  TOO MUCH$")

    def test_reason(self) -> None:
        """A larger growth passes if there is a reason, which is printed."""
        lines, is_well = self.compare(1030, get="it does more")
        self.assertTrue(is_well)
        self.assertIn("it does more", lines[-1])

    def test_reason_of_another(self) -> None:
        """The reason of one exchange does not count for another."""
        _, is_well = self.compare(1030, put="it does more")
        self.assertFalse(is_well)


class OnTopTests(SynchronousTestCase):
    """What a policy adds to a small GET has a limit."""

    def compare(self, now: float, **reasons: str) -> tuple[list[str], bool]:
        figures = {"small-get": 1000.0, "cors": now}
        before = {"small-get": 1000.0, "cors": 1200.0}
        return compare_on_top(before, figures, {"cors": 0.10, "canary": 0.10}, reasons)

    def test_within(self) -> None:
        """What adds less than its limit passes; what is not measured is left out."""
        lines, is_well = self.compare(1090)
        self.assertTrue(is_well)
        self.assertEqual(len(lines), 2)
        self.assertRegex(lines[-1], r"^cors +\+20\.0% +\+9\.0% +10%$")

    def test_too_much(self) -> None:
        """What adds more fails."""
        lines, is_well = self.compare(1110)
        self.assertFalse(is_well)
        self.assertTrue(lines[-1].endswith("TOO MUCH"))

    def test_reason(self) -> None:
        """What adds more passes if there is a reason, which is printed."""
        lines, is_well = self.compare(1110, cors="it does more")
        self.assertTrue(is_well)
        self.assertIn("it does more", lines[-1])


class ExpandTests(SynchronousTestCase):
    """The exchanges that are counted."""

    def test_default(self) -> None:
        """Without a name the standard ones are counted, and no policies."""
        self.assertEqual(expand([], ["cors"]), list(STANDARD))

    def test_group(self) -> None:
        """The name of the group stands for its members beside a small GET, each once."""
        self.assertEqual(
            expand(["cors", "policies"], ["canary", "cors"]), ["cors", "small-get", "canary"]
        )


class MissesTests(SynchronousTestCase):
    """The table of misses of the processor's caches."""

    def test_table(self) -> None:
        """Each exchange has a line, and each cache a column."""
        lines = show_misses({"get": 9.0, "get D1": 120.4, "get L2": 7.6, "h2": None}, ["get", "h2"])
        self.assertEqual(lines[0].split()[-2:], ["D1", "L2"])
        self.assertEqual(
            [line.split() for line in lines[1:]], [["get", "120", "8"], ["h2", "-", "-"]]
        )


class SettingsTests(SynchronousTestCase):
    """guard.toml is what the guard reads."""

    def test_committed(self) -> None:
        """Reasons are those of standard exchanges, and the limit is 2 %."""
        settings = read_settings(FIGURES)
        self.assertEqual(settings["allowed"], 0.02)
        self.assertLessEqual(set(settings["reasons"]), set(SCENARIOS))
        self.assertEqual(set(settings["on-top"]), {*POLICIES, "canary"})

    def test_unknown(self) -> None:
        """A reason for an exchange that there is not is refused."""
        file = Path(self.mktemp())
        file.write_text('base = "a"\nallowed = 0.02\n[reasons]\nsmal-get = "typing"\n')
        error = self.assertRaises(ValueError, read_settings, file)
        self.assertIn("smal-get", str(error))
