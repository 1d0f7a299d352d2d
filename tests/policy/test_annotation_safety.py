"""
Tests for `ingress.policy.annotation_safety`.
"""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from ingress.config import Config
from ingress.config import nginx_settings as settings
from ingress.policy.annotation import Closing, Extent, Subject
from ingress.policy.annotation_safety import RISKS, AnnotationSafety
from ingress.policy.known_annotations import NAMES
from ingress.testing import Reading, read_annotations

CLOSED = Closing(Extent.RULES, Subject.ACCESS)


def read(safety: settings.AnnotationSafety, **values: str) -> Reading:
    named = {name.replace("_", "-"): value for name, value in values.items()}
    named["txingress.dev/policies"] = "location"
    config = Config(nginx=settings.NginxSettings(annotations=safety))
    return read_annotations(AnnotationSafety, named, config=config)


class RiskTests(SynchronousTestCase):
    """``annotations-risk-level``"""

    def test_levels(self) -> None:
        """Annotations above the level close; those at it and below do not."""
        for level, closing in (("Low", CLOSED), ("Medium", CLOSED), ("High", None)):
            annotations = read(settings.AnnotationSafety(risk_level=level), auth_url="http://x")
            self.assertEqual(annotations.closing, closing, level)
        low = settings.AnnotationSafety(risk_level="Low")
        self.assertIsNone(read(low, ssl_redirect="true").closing)
        self.assertEqual(read(low, app_root="/x").closing, CLOSED)

    def test_default(self) -> None:
        """Without the key every annotation is let in."""
        self.assertEqual(read(settings.AnnotationSafety(), server_snippet="x").closing, None)

    def test_known(self) -> None:
        """The table has names of annotations alone."""
        self.assertEqual(set(RISKS) - NAMES, set())


class WordTests(SynchronousTestCase):
    """``annotation-value-word-blocklist``"""

    def test_words(self) -> None:
        """A value with a word closes; our own annotations are not looked at."""
        safety = settings.AnnotationSafety(blocked_words=("location", "{"))
        self.assertEqual(read(safety, auth_url="http://x/location?hunter2").closing, CLOSED)
        self.assertIsNone(read(safety, auth_url="http://x/").closing)
