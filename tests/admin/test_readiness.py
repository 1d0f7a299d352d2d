"""
Tests for `ingress.admin.readiness`.
"""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from ingress.admin.readiness import Readiness


class ReadinessTests(SynchronousTestCase):
    """Readiness is the absence of reasons against it."""

    def test_reasons(self) -> None:
        """The process is ready when each reason is cleared, in whatever order."""
        readiness = Readiness(snapshot="no routes yet", listeners="not listening yet")
        self.assertEqual(readiness.reasons, ("no routes yet", "not listening yet"))
        readiness.clear("listeners")
        self.assertEqual(readiness.reasons, ("no routes yet",))
        readiness.clear("snapshot")
        self.assertEqual(readiness.reasons, ())

    def test_add(self) -> None:
        """A reason may come later, be replaced, and be cleared more often than added."""
        readiness = Readiness()
        readiness.add("api", "unreachable")
        readiness.add("api", "forbidden")
        self.assertEqual(readiness.reasons, ("forbidden",))
        readiness.clear("api")
        readiness.clear("api")
        self.assertEqual(readiness.reasons, ())

    def test_notes(self) -> None:
        """Notes are asked for each time, and are no reasons."""
        readiness = Readiness()
        lines: list[str] = []
        readiness.add_notes(lambda: lines)
        self.assertEqual(readiness.notes, ())
        lines.append("Service: last heard of 30 s ago")
        self.assertEqual(readiness.notes, ("Service: last heard of 30 s ago",))
        self.assertEqual(readiness.reasons, ())
