"""
Tests for `ingress.kube.api.refusals`.
"""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from ingress.kube.api.errors import APIError, APIUnreachable
from ingress.kube.api.refusals import PASSING_REFUSAL, Refusals, is_refusal


class RefusalsTests(SynchronousTestCase):
    def test_lasting(self) -> None:
        """Refusals last if the first and the last of a row are far enough apart."""
        refusals = Refusals()
        self.assertFalse(refusals.are_lasting)
        for now, are_lasting in ((10.0, False), (14.9, False), (15.0, True), (60.0, True)):
            refusals.add(now)
            self.assertEqual(refusals.are_lasting, are_lasting, now)

    def test_ended(self) -> None:
        """A row that has ended does not count for the next one."""
        refusals = Refusals()
        refusals.add(0.0)
        refusals.end()
        refusals.add(2 * PASSING_REFUSAL)
        self.assertFalse(refusals.are_lasting)

    def test_is_refusal(self) -> None:
        """A 403 is a refusal, and nothing else is."""
        self.assertTrue(is_refusal(APIError(403, "Forbidden", "no")))
        for other in (None, APIError(401), APIError(404), APIUnreachable("gone")):
            self.assertFalse(is_refusal(other), other)
