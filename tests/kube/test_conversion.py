"""
Tests for `ingress.kube.conversion`; most of it is tested with `ingress.kube.manifest`.
"""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from ingress.kube.conversion import conversion_faults, decode_base64, drop_nulls
from ingress.kube.fault import Fault


class DropNullsTests(SynchronousTestCase):
    """null means absent."""

    def test_everywhere(self) -> None:
        """Keys with null go, at every depth; items of lists stay, as their places count."""
        value = {"a": None, "b": [None, {"c": None, "d": 0}], "e": {"f": None}, "g": ""}
        drop_nulls(value)
        self.assertEqual(value, {"b": [None, {"d": 0}], "e": {}, "g": ""})


class FaultTests(SynchronousTestCase):
    """Messages of msgspec become faults."""

    def test_unknown_message(self) -> None:
        """A message of a kind that we do not know still gives a fault with its path."""
        self.assertEqual(
            conversion_faults("Something new - at `$.a[3].b`", {}),
            [Fault(("a", 3, "b"), "does not have the shape that the API asks for")],
        )
        self.assertEqual(
            conversion_faults("", {}), [Fault((), "does not have the shape that the API asks for")]
        )


class Base64Tests(SynchronousTestCase):
    """Base64 as Go has it."""

    def test_decode(self) -> None:
        """Newlines are ignored, padding is needed."""
        self.assertEqual(decode_base64("YQ=\n="), b"a")
        self.assertRaises(ValueError, decode_base64, "YQ")
        self.assertRaises(ValueError, decode_base64, "YQ==YQ==")
