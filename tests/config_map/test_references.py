"""
Tests for `ingress.config_map.references`.
"""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from ingress.config_map.references import referenced_config_maps


class ReferenceTests(SynchronousTestCase):
    """What the ConfigMap names."""

    def test_named(self) -> None:
        """Both keys name a ConfigMap; what is no name is none."""
        data = {"add-headers": " nginx/added ", "proxy-set-headers": "sent", "hide-headers": "a/b"}
        self.assertEqual(referenced_config_maps(data), {("nginx", "added")})
        self.assertEqual(referenced_config_maps({}), frozenset())
