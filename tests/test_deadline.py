"""Tests of `ingress.deadline`."""

from __future__ import annotations

from collections.abc import Callable

from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from ingress.deadline import NEVER, SWEEP_INTERVAL, Deadlines


class Patient:
    """Something whose patience ends."""

    def __init__(self, deadline: float, then: Callable[[], None] = lambda: None) -> None:
        self.deadline = deadline
        self.calls = 0
        self._then = then

    def deadline_passed(self) -> None:
        self.calls += 1
        self._then()


class DeadlinesTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.clock = Clock()
        self.deadlines = Deadlines(self.clock)
        self.deadlines.start()

    def watch(self, patient: Patient) -> Patient:
        self.deadlines.watch(patient)
        return patient

    def advance(self, seconds: int) -> None:
        self.clock.pump([SWEEP_INTERVAL] * seconds)

    def test_passed(self) -> None:
        """Who waits too long is told within a sweep, and not before."""
        patient = self.watch(Patient(10))
        self.advance(9)
        self.assertEqual(patient.calls, 0)
        self.advance(1)
        self.assertEqual(patient.calls, 1)

    def test_until_it_changes(self) -> None:
        """Who does nothing about it is told again, who does is not."""
        patient = self.watch(Patient(2))
        self.advance(4)
        self.assertEqual(patient.calls, 3)
        patient.deadline = NEVER
        self.advance(4)
        self.assertEqual(patient.calls, 3)

    def test_forgotten(self) -> None:
        """Who is forgotten is not told; to forget a stranger does no harm."""
        patient = self.watch(Patient(2))
        self.deadlines.forget(patient)
        self.deadlines.forget(patient)
        self.advance(4)
        self.assertEqual(patient.calls, 0)

    def test_ended_by_another(self) -> None:
        """Who is forgotten, or gets more time, because another's patience ended is not told."""

        def end() -> None:
            self.deadlines.forget(forgotten)
            prolonged.deadline = NEVER
            self.deadlines.forget(first)

        first = self.watch(Patient(2, end))
        forgotten = self.watch(Patient(2))
        prolonged = self.watch(Patient(2))
        self.advance(3)
        self.assertEqual((first.calls, forgotten.calls, prolonged.calls), (1, 0, 0))

    def test_watched_meanwhile(self) -> None:
        """Who comes during a sweep is looked at from the next one on."""
        late = Patient(0)
        self.watch(Patient(2, lambda: self.deadlines.watch(late)))
        self.advance(2)
        self.assertEqual(late.calls, 0)
        self.advance(1)
        self.assertEqual(late.calls, 1)

    def test_failure(self) -> None:
        """One that fails is logged, and the others are told all the same."""

        def fail() -> None:
            raise ZeroDivisionError

        self.watch(Patient(1, fail))
        patient = self.watch(Patient(1))
        self.advance(2)
        self.assertEqual(patient.calls, 2)
        self.assertEqual(len(self.flushLoggedErrors(ZeroDivisionError)), 2)

    def test_stopped(self) -> None:
        """After the end nobody is told anything; to stop twice does no harm."""
        patient = self.watch(Patient(1))
        self.deadlines.stop()
        self.deadlines.stop()
        self.advance(2)
        self.assertEqual(patient.calls, 0)
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_now(self) -> None:
        """Deadlines are set on the clock that was given."""
        self.clock.advance(5)
        self.assertEqual(self.deadlines.now(), 5)

    def test_repr(self) -> None:
        """How many are watched shows."""
        self.watch(Patient(1))
        self.assertEqual(repr(self.deadlines), "<Deadlines of 1>")
