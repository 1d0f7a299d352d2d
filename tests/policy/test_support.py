"""
Tests for `ingress.policy.support`.
"""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from ingress.policy.annotation import OWN_PREFIX
from ingress.policy.known_annotations import FORMER_NAMES, NAMES
from ingress.policy.registry import REGISTRY
from ingress.policy.support import Verdict, support_of_all
from tests.support.permanent_redirect import PermanentRedirect


class SupportTests(SynchronousTestCase):
    def test_complete(self) -> None:
        """Each annotation of ingress-nginx, and each that a feature reads, has one verdict."""
        names = [support.name for support in support_of_all()]
        self.assertEqual(len(names), len(set(names)))
        own = {name for name in REGISTRY.known_annotations if name.startswith(OWN_PREFIX)}
        self.assertEqual(set(names) - FORMER_NAMES, NAMES | own - FORMER_NAMES)

    def test_verdicts(self) -> None:
        """A feature's annotation is supported, unread access is refused, the rest is ignored."""
        found = {each.name: each for each in support_of_all([PermanentRedirect])}
        self.assertIs(found["permanent-redirect"].verdict, Verdict.SUPPORTED)
        self.assertIs(found["auth-snippet"].verdict, Verdict.REFUSED)
        self.assertEqual(found["auth-snippet"].text, "the paths answer 503")
        self.assertIs(found["limit-rate"].verdict, Verdict.IGNORED)

    def test_differences(self) -> None:
        """Differences are of annotations that the feature reads, and end without a full stop."""
        for entry in REGISTRY.entries:
            self.assertLessEqual(set(entry.differences), set(entry.annotations), entry)
            for text in entry.differences.values():
                self.assertRegex(text, r"\A[^\n|]+[^.\s|]\Z")
