"""
Tests for `ingress.foreign_log`.
"""

from __future__ import annotations

from collections.abc import Mapping

from twisted.internet.task import Clock
from twisted.logger import capturedLogs, formatEvent
from twisted.trial.unittest import SynchronousTestCase

from ingress.config import IngressClassFilter
from ingress.foreign_log import LINE_DELAY, ForeignLog


class ForeignLogTests(SynchronousTestCase):
    """A line says how many Ingresses are left to other controllers."""

    def setUp(self) -> None:
        self.clock = Clock()
        self.foreign = ForeignLog(self.clock)

    def lines(
        self, *counts: Mapping[str, int], ours: IngressClassFilter | None = None
    ) -> list[str]:
        """What is logged of these numbers, one after the other."""
        with capturedLogs() as events:
            for each in counts:
                self.foreign.take(each, ours or IngressClassFilter())
            self.clock.advance(LINE_DELAY)
        return [formatEvent(event) for event in events]

    def test_named(self) -> None:
        """Classes are named with what is served instead, and what serves those without one."""
        self.assertEqual(
            self.lines({"nginx": 3, "": 1}),
            [
                "Ingresses of other classes are not served: nginx 3, (none) 1; served are those"
                " of class twisted, of IngressClasses with the controller txingress.dev/ingress;"
                " an Ingress without a class needs spec.ingressClassName: twisted, or"
                " class.without-class: true in the configuration, which serves all of them"
            ],
        )

    def test_all_named(self) -> None:
        """Where each Ingress names its class, nothing is said about those that do not."""
        (line,) = self.lines({"nginx": 3})
        self.assertTrue(line.endswith("the controller txingress.dev/ingress"), line)

    def test_changes(self) -> None:
        """Changes within a second are one line; numbers that are as before are none."""
        self.assertEqual(self.lines({}), [])
        self.assertEqual(len(self.lines({"nginx": 1}, {"nginx": 2})), 1)
        self.assertEqual(self.lines({"nginx": 3}, {"nginx": 2}), [])
        self.assertEqual(self.lines({}), ["No Ingress of another class is left"])
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_without_class(self) -> None:
        """Where Ingresses without a class are served, the line says that."""
        (line,) = self.lines({"nginx": 1}, ours=IngressClassFilter(without_class=True))
        self.assertTrue(line.endswith(", and those without a class"), line)
