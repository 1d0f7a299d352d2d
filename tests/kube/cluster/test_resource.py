"""
Tests for `ingress.kube.cluster.resource`.
"""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from ingress.kube.cluster.resource import (
    CONFIG_MAPS,
    ENDPOINT_SLICES,
    INGRESS_CLASSES,
    SECRETS,
    Target,
)


class ResourceTests(SynchronousTestCase):
    """Paths of the API."""

    def test_path(self) -> None:
        """The core group has a path of its own; namespaces and names come after the version."""
        self.assertEqual(SECRETS.path(), "/api/v1/secrets")
        self.assertEqual(SECRETS.path("a", "b"), "/api/v1/namespaces/a/secrets/b")
        self.assertEqual(
            ENDPOINT_SLICES.path("a"), "/apis/discovery.k8s.io/v1/namespaces/a/endpointslices"
        )
        self.assertEqual(INGRESS_CLASSES.path(), "/apis/networking.k8s.io/v1/ingressclasses")

    def test_named(self) -> None:
        """It is named as a rule of RBAC names it."""
        self.assertEqual(str(ENDPOINT_SLICES), "endpointslices.discovery.k8s.io")
        self.assertEqual(str(SECRETS), "secrets")
        self.assertEqual(str(Target(SECRETS, "a")), "secrets in namespace a")
        self.assertEqual(str(Target(SECRETS, "a", "b")), "Secret a/b")
        self.assertEqual(
            str(Target(CONFIG_MAPS, "a", label="b=c")),
            "configmaps in namespace a with the label b=c",
        )

    def test_helm(self) -> None:
        """The releases of Helm are left out of a list of Secrets."""
        self.assertEqual(Target(SECRETS).query, {"fieldSelector": "type!=helm.sh/release.v1"})

    def test_selected(self) -> None:
        """One object is selected by its name, in the list and in the watch."""
        self.assertEqual(Target(ENDPOINT_SLICES, "a").query, {})
        self.assertEqual(Target(SECRETS, "a", "b").query, {"fieldSelector": "metadata.name=b"})
        self.assertEqual(Target(SECRETS, "a", "b").path, "/api/v1/namespaces/a/secrets")

    def test_labelled(self) -> None:
        """Objects are selected by a label, in one namespace or in all."""
        self.assertEqual(Target(CONFIG_MAPS, label="a=b").query, {"labelSelector": "a=b"})
        self.assertEqual(Target(CONFIG_MAPS, label="a=b").path, "/api/v1/configmaps")
