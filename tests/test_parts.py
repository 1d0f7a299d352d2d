"""
Tests for tests/support/parts.py: which tests run, and what is counted.
"""

from __future__ import annotations

from pathlib import Path
from unittest import TestResult

from twisted.trial.runner import TestLoader
from twisted.trial.unittest import SynchronousTestCase

from tests.support.parts import (
    LONG,
    USES_SOCKETS,
    Choice,
    NextGroup,
    Part,
    Tally,
    Turns,
    group_by_class,
)


class ChoiceTests(SynchronousTestCase):
    """Names of packages, modules, classes and tests choose."""

    def test_all(self) -> None:
        """Without a name every test runs."""
        self.assertTrue(Choice().has("tests.e2e.test_tls.ATests.test_b"))

    def test_names(self) -> None:
        """A name chooses what is below it, and not what merely begins alike."""
        choice = Choice(("tests.kube", "tests.test_steps.StepsTests"))
        self.assertTrue(choice.has("tests.kube.test_watch.ATests.test_b"))
        self.assertTrue(choice.has("tests.test_steps.StepsTests.test_b"))
        self.assertFalse(choice.has("tests.test_steps.OtherTests.test_b"))
        self.assertFalse(choice.has("tests.kubernetes.ATests.test_b"))

    def test_unit(self) -> None:
        """Tests that use sockets are left out of the unit tests, even by name."""
        choice = Choice(("tests.e2e",), is_unit=True)
        self.assertFalse(choice.has("tests.e2e.test_tls.ATests.test_b"))

    def test_listed(self) -> None:
        """Everything that is listed as using sockets, or as long, is there."""
        for name in (*USES_SOCKETS, *LONG):
            self.assertGreater(
                TestLoader().loadByName(name, recurse=True).countTestCases(), 0, name
            )


class PartTests(SynchronousTestCase):
    """Parts add up."""

    def test_read(self) -> None:
        """A result is read as it was written; a process that wrote none has none."""
        part = Part(Tally(3, 2, 1), ((0.5, "tests.test_a.ATests.test_b"),))
        file = Path(self.mktemp())
        self.assertIsNone(Part.read(file))
        part.write(file)
        self.assertEqual(Part.read(file), part)

    def test_sum(self) -> None:
        """Counts are added one by one, and printed as the closing line."""
        self.assertEqual(str(Tally(3, 2, 1) + Tally(1, 1, 1)), "4 passed, 3 failed, 2 skipped")

    def test_classes(self) -> None:
        """Tests of one class stay together, in their order."""
        groups = group_by_class([self, PartTests("test_read"), ChoiceTests("test_all")])
        names = [[test.id().split(".")[-1] for test in group] for group in groups]
        self.assertEqual(names, [["test_all"], ["test_classes", "test_read"]])


class TurnsTests(SynchronousTestCase):
    """Processes share the tests."""

    def test_once(self) -> None:
        """Each number is taken once, whoever takes it."""
        file = Path(self.mktemp())
        one, other = Turns(file), Turns(file)
        self.addCleanup(one.close)
        self.addCleanup(other.close)
        taken = [turns.take() for _ in range(6) for turns in (one, other)]
        self.assertEqual(taken, list(range(12)))

    def test_groups(self) -> None:
        """Whoever is next runs the next group, until none is left."""
        turns = Turns(Path(self.mktemp()))
        self.addCleanup(turns.close)
        groups = [[PartTests("test_sum")], [PartTests("test_read"), PartTests("test_sum")]]
        counts = []
        for _ in range(3):
            result = TestResult()
            NextGroup(groups, turns).run(result)
            self.assertTrue(result.wasSuccessful())
            counts.append(result.testsRun)
        self.assertEqual(counts, [1, 2, 0])
