"""
Tests for `ingress.migration.flag_value`.
"""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from ingress.migration.flag_value import FlagKind, FlagValue


class FlagKindTests(SynchronousTestCase):
    def test_accepted(self) -> None:
        """Values are read as Go reads them."""
        cases: tuple[tuple[FlagKind, str, FlagValue], ...] = (
            (FlagKind.TEXT, "", ""),
            (FlagKind.BOOLEAN, "T", True),
            (FlagKind.BOOLEAN, "0", False),
            (FlagKind.INTEGER, "-5", -5),
            (FlagKind.NUMBER, "1e-3", 0.001),
            (FlagKind.NUMBER, ".3", 0.3),
            (FlagKind.DURATION, "1m30s", 90.0),
            (FlagKind.DURATION, "1.5h", 5400.0),
            (FlagKind.DURATION, "-100ms", -0.1),
            (FlagKind.DURATION, "0", 0.0),
            (FlagKind.NUMBERS, "1,2.5", ("1", "2.5")),
            (FlagKind.WORDS, "a, b,", ("a", "b")),
            (FlagKind.ADDRESS, "::1", "::1"),
        )
        for kind, text, value in cases:
            self.assertEqual(kind.read(text), value, (kind, text))

    def test_refused(self) -> None:
        """Anything else is refused, with what is accepted."""
        for kind, texts in (
            (FlagKind.BOOLEAN, ("", "yes", "tRUE", " true")),
            (FlagKind.INTEGER, ("", "1.0", "x", "9" * 100, "1 ", "0" * 9)),
            (FlagKind.NUMBER, ("", "nan", "inf", "1,5", "1" * 200)),
            (FlagKind.DURATION, ("", "30", "s", ".s", "1d", "1m 30s", "-", "1" * 99 + "s")),
            (FlagKind.NUMBERS, ("", "1,,2", "a")),
            (FlagKind.ADDRESS, ("", "localhost", "1.2.3")),
        ):
            for text in texts:
                error = self.assertRaises(ValueError, kind.read, text)
                self.assertIn("accepted", str(error), (kind, text))
