"""
Tests for `ingress.kube.obsolete`; its words are tested with `ingress.kube.manifest`.
"""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from ingress.kube.obsolete import OBSOLETE


class ObsoleteTests(SynchronousTestCase):
    """Manifests of any shape are looked at."""

    def test_shapes(self) -> None:
        """What is missing or has another shape is passed over."""
        find = OBSOLETE["Ingress", "networking.k8s.io/v1beta1"]
        shapes: list[object] = [{}, {"spec": None}, {"spec": {"rules": {}}}, None]
        shapes.append({"spec": {"rules": [None, {"http": {"paths": 1}}]}})
        shapes.append({"spec": {"rules": [{"http": {"paths": [None]}}]}})
        for raw in shapes:
            self.assertEqual(find(raw), "")
