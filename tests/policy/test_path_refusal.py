"""Tests of the refusal of paths that cannot be compared in time."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from ingress.answer import Answer
from ingress.policy.path_refusal import PathRefusal
from ingress.testing import policy_context, verdict_of


class PathRefusalTests(SynchronousTestCase):
    def test_refused(self) -> None:
        """Every request gets 414, and the policy counts as one that decides access."""
        answer = verdict_of(PathRefusal().access(policy_context()))
        assert isinstance(answer, Answer)
        self.assertEqual(answer.status, 414)
        self.assertTrue(PathRefusal().guards)
