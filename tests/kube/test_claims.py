"""
Tests for `ingress.kube.claims`.
"""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from ingress.kube.claims import Claims
from ingress.kube.manifest_file import ManifestFile
from ingress.kube.objects import ConfigMap, Ingress, IngressSpec, KubeObject, Metadata, ObjectKey
from ingress.kube.store import key_of
from ingress.problem import Origin
from ingress.steps import finish


def config_map(name: str, file: str) -> ConfigMap:
    return ConfigMap(metadata=Metadata(name=name), origin=Origin(file, 1))


def manifest(*items: KubeObject) -> ManifestFile:
    return ManifestFile(
        objects={key_of(item): item for item in items}, lines={key_of(item): 7 for item in items}
    )


FIRST, SECOND = (0, "a"), (1, "a")
KEY: ObjectKey = ("ConfigMap", "default", "x")


class ClaimsTests(SynchronousTestCase):
    """The first file in order has an object."""

    def setUp(self) -> None:
        self.claims = Claims()
        self.one, self.two = config_map("x", "one"), config_map("x", "two")

    def replace(self, order: tuple[int, str], file: ManifestFile | None) -> list[ObjectKey]:
        return finish(self.claims.replace(order, file))

    def test_order(self) -> None:
        """It does not matter who comes first, only who is first."""
        self.assertEqual(self.replace(SECOND, manifest(self.two)), [KEY])
        self.assertIs(self.claims.find(KEY), self.two)
        self.assertEqual(self.replace(FIRST, manifest(self.one)), [KEY])
        self.assertIs(self.claims.find(KEY), self.one)
        self.assertEqual(self.claims.losers(KEY), [SECOND])

    def test_loss(self) -> None:
        """The Problem of a loser names both places, by their lines of now."""
        self.replace(FIRST, manifest(self.one))
        self.replace(SECOND, manifest(self.two))
        self.assertEqual(
            str(self.claims.loss(KEY, SECOND)),
            "two, line 7: ConfigMap default/x: is ignored: the same object is in one, line 7",
        )

    def test_guarding(self) -> None:
        """What remains of a faulty Ingress gives way to a good version, in whichever file."""
        good = Ingress(metadata=Metadata(name="x"), spec=IngressSpec())
        remains = Ingress(metadata=good.metadata, spec=good.spec, only_guards=True)
        self.replace(FIRST, manifest(remains))
        self.assertIs(self.claims.find(key_of(good)), remains)
        self.replace(SECOND, manifest(good))
        self.assertIs(self.claims.find(key_of(good)), good)
        self.assertEqual(self.claims.losers(key_of(good)), [FIRST])
        self.replace(SECOND, manifest(remains))
        self.assertEqual(self.claims.losers(key_of(good)), [SECOND])

    def test_gone(self) -> None:
        """When the first file gives an object up, the next one has it."""
        self.replace(FIRST, manifest(self.one))
        self.replace(SECOND, manifest(self.two))
        self.assertEqual(self.replace(FIRST, None), [KEY])
        self.assertIs(self.claims.find(KEY), self.two)
        self.assertEqual(self.claims.losers(KEY), [])
        self.assertEqual(self.replace(SECOND, manifest()), [KEY])
        self.assertIsNone(self.claims.find(KEY))

    def test_unchanged(self) -> None:
        """An object that is the same as before is not affected."""
        other = config_map("y", "one")
        self.replace(FIRST, manifest(self.one))
        self.assertEqual(self.replace(FIRST, manifest(self.one, other)), [key_of(other)])
        self.assertEqual(self.replace((5, "z"), None), [])
