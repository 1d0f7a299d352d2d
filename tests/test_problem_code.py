"""
Tests for `ingress.problem_code`.
"""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from ingress.problem_code import KINDS, Code


class CodeTests(SynchronousTestCase):
    def test_kinds(self) -> None:
        """Each code has the form of codes, a severity and a title that goes on after "that"."""
        self.assertEqual(set(KINDS), set(Code))
        for code, kind in KINDS.items():
            self.assertRegex(code, r"\A[A-Z]{3}[0-9]{3}\Z")
            self.assertRegex(kind.title, r"\A[a-zA-Z].*[^.]\Z")
