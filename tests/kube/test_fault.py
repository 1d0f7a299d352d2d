"""
Tests for `ingress.kube.fault`.
"""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from ingress.kube.fault import read_field, show_value, spell_field, value_at


class SpellTests(SynchronousTestCase):
    """Paths are written as kubectl writes them."""

    def test_fields(self) -> None:
        """Indexes, and keys that the author chose, are in brackets."""
        self.assertEqual(spell_field(("spec", "rules", 0, "host")), "spec.rules[0].host")
        self.assertEqual(
            spell_field(("metadata", "annotations", "a.b/c")), "metadata.annotations[a.b/c]"
        )
        self.assertEqual(spell_field(("metadata", "labels", "app")), "metadata.labels[app]")
        self.assertEqual(spell_field(("data", "tls.crt")), "data[tls.crt]")

    def test_read(self) -> None:
        """What was spelled can be read again, whatever keys an author chose."""
        for path in (
            ("spec", "rules", 0, "http", "paths", 12, "path"),
            ("metadata", "annotations", "nginx.ingress.kubernetes.io/auth-url"),
            ("metadata", "labels", "1"),
            ("spec",),
        ):
            self.assertEqual(read_field(spell_field(path)), path)
        self.assertEqual(spell_field(()), "")


class ValueTests(SynchronousTestCase):
    """Values are found, and shown in one short line."""

    def test_value_at(self) -> None:
        """The value at a path; None where there is none."""
        value = {"a": [{"b": 1}]}
        self.assertEqual(value_at(value, ("a", 0, "b")), 1)
        for path in (("a", 1), ("a", "b"), ("b",), ("a", 0, "b", "c"), (0,)):
            self.assertIsNone(value_at(value, path))

    def test_show(self) -> None:
        """Scalars are shown as in YAML; collections are not."""
        shown = [show_value(value) for value in (True, 5, "a", "", None, [1], {"a": 1})]
        self.assertEqual(shown, ["true", "5", '"a"', '""', "", "", ""])

    def test_long(self) -> None:
        """A long value is cut."""
        self.assertLess(len(show_value("x" * 10_000)), 100)
