"""Tests of `ingress.telemetry.ingress_checks`."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from ingress.problem import Problem
from ingress.telemetry.ingress_checks import IngressChecks

A, B = ("default", "a"), ("default", "b")


class IngressChecksTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.checks = IngressChecks()
        self.problems: list[Problem] = []
        self.checks.problems = self.problems

    def test_versions(self) -> None:
        """Each new version of an Ingress counts, and the same one does not count again."""
        first, second, other = object(), object(), object()
        self.checks.take({A: first, B: other})
        self.checks.take({A: second, B: other})
        self.assertEqual(dict(self.checks), {A: 2, B: 1})

    def test_problems(self) -> None:
        """A version with a Problem does not count; a Problem of another object is no fault."""
        self.problems += [
            Problem("wrong", "Ingress", *A),
            Problem("wrong", "Service", *B),
        ]
        self.checks.take({A: object(), B: object()})
        self.assertEqual(dict(self.checks), {B: 1})
        self.problems.clear()
        self.checks.take({A: object(), B: object()})
        self.assertEqual(dict(self.checks), {A: 1, B: 2})

    def test_gone(self) -> None:
        """An Ingress that is gone is forgotten."""
        self.checks.take({A: object(), B: object()})
        self.checks.take({B: object()})
        self.assertEqual(dict(self.checks), {B: 2})
