"""Tests of the annotation that makes regular expressions of paths."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from ingress.policy.path_regex import PathRegex
from ingress.testing import read_annotations


class PathRegexTests(SynchronousTestCase):
    def test_read(self) -> None:
        """``true`` asks for it, and makes regular expressions of all paths."""
        reading = read_annotations(PathRegex, {"use-regex": "true"})
        self.assertEqual(reading.feature, PathRegex())
        self.assertTrue(PathRegex().makes_patterns("/a"))
        for value in ("false", ""):
            self.assertIsNone(read_annotations(PathRegex, {"use-regex": value}).feature)

    def test_wrong_value(self) -> None:
        """Any other value is a fault, and does not ask for it."""
        reading = read_annotations(PathRegex, {"use-regex": "yes"})
        self.assertIsNone(reading.feature)
        self.assertEqual(list(reading.faults), ["use-regex"])
