"""
Tests for `ingress.config_map.references`.
"""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from ingress.config_map.references import MAX_FIELDS, fields_of, referenced_config_maps


class ReferenceTests(SynchronousTestCase):
    """What the ConfigMap names."""

    def test_named(self) -> None:
        """Both keys name a ConfigMap; what is no name is none."""
        data = {"add-headers": " nginx/added ", "proxy-set-headers": "sent", "hide-headers": "a/b"}
        self.assertEqual(referenced_config_maps(data), {("nginx", "added")})
        self.assertEqual(referenced_config_maps({}), frozenset())


class FieldsTests(SynchronousTestCase):
    """Fields of heads from a ConfigMap."""

    def test_fields(self) -> None:
        """Keys are names, and values are stripped."""
        self.assertEqual(fields_of({"X-A": " 1 ", "X-B": ""}), ((("X-A", "1"), ("X-B", "")), ()))

    def test_refused(self) -> None:
        """What would end a head is refused."""
        data = {"X-A": "1\r\nX-B: 2", "X B": "1", "X-C": "a\x00", "X-D": "ok"}
        self.assertEqual(fields_of(data), ((("X-D", "ok"),), ("X-A", "X B", "X-C")))

    def test_bound(self) -> None:
        """There are only so many."""
        fields, refused = fields_of({f"X-{number}": "1" for number in range(MAX_FIELDS + 1)})
        self.assertEqual((len(fields), refused), (MAX_FIELDS, (f"X-{MAX_FIELDS}",)))
