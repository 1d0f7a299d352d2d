"""
Tests for `ingress.routing.build.reference`.
"""

from __future__ import annotations

from dataclasses import replace

from hypothesis import given
from twisted.trial.unittest import SynchronousTestCase

from ingress.config import Cluster, Config
from ingress.kube.objects import Ingress, ObjectKey, ObjectName
from ingress.routing.build.reference import ReferenceRule, reference_rule
from tests.routing.test_build import ingresses
from tests.support.objects import built, ingress, ingress_class, objects

CLUSTER = Config(cluster=Cluster())


def rule(*names: str) -> ReferenceRule:
    """With IngressClasses of these names that are ours."""
    return reference_rule(objects([ingress_class(name) for name in names]).ingress_classes, CLUSTER)


class ReferenceRuleTests(SynchronousTestCase):
    def test_tls(self) -> None:
        """The Secrets of tls entries are those of its namespace."""
        web = ingress("a.example", {}, name="x/web", tls={"one": [], "two": ["a.example"], "": []}, class_name="ours")  # fmt: skip
        self.assertEqual(rule("ours")(web), {("Secret", "x", "one"), ("Secret", "x", "two")})

    def test_not_ours(self) -> None:
        """An Ingress that is not ours references nothing, until it is."""
        web = ingress("a.example", {}, tls={"one": []}, class_name="ours")
        self.assertEqual(rule()(web), frozenset())
        self.assertEqual(len(rule("ours")(web)), 1)

    def test_equal(self) -> None:
        """Rules that tell the same are equal, those that do not are not."""
        self.assertEqual(rule("a", "b"), rule("b", "a"))
        self.assertNotEqual(rule("a"), rule("b"))
        other = replace(CLUSTER, ingress_class=replace(CLUSTER.ingress_class, without_class=True))
        self.assertNotEqual(rule("a"), reference_rule({}, other))

    @given(ingresses)
    def test_build(self, item: Ingress) -> None:
        """
        It is what the build looks at, no more and no less, but for objects of other namespaces:
        whether these may be named, the ConfigMap decides.
        """
        classes = [ingress_class("ours")]
        result = built(item, classes, config=CLUSTER)
        used: set[ObjectName] = set(result.memo.secrets.users)
        used |= set(result.memo.named_secrets.users)
        keys: set[ObjectKey] = {("Secret", *name) for name in used}
        found = rule("ours")(item)
        own = {key for key in found if key[1] == item.metadata.namespace}
        self.assertEqual((own, keys - found), (keys, set()))
