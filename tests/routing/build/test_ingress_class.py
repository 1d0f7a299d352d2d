"""Tests of which Ingresses are ours, beyond what files can hold (see the golden cases)."""

from __future__ import annotations

from dataclasses import replace

from twisted.trial.unittest import SynchronousTestCase

from ingress.config import Config, IngressClassFilter
from ingress.kube.objects import IngressClass
from ingress.routing.build.ingress_class import class_rule
from tests.support.objects import FILES, ingress, ingress_class

CLUSTER = Config()
OTHER = "example.com/other"


def is_ours(
    config: Config,
    *classes: IngressClass,
    class_name: str | None = None,
    class_annotation: str | None = None,
) -> bool:
    rule = class_rule({item.key: item for item in classes}, config)
    web = ingress(
        "a.example", {"/": "web:80"}, class_name=class_name, class_annotation=class_annotation
    )
    return rule.is_ours(web)


class IsOursTests(SynchronousTestCase):
    def test_both(self) -> None:
        """The field goes before the annotation, where a cluster still has both."""
        classes = (ingress_class("ours"), ingress_class("nginx", controller=OTHER))
        both = {"class_name": "ours", "class_annotation": "nginx"}
        self.assertTrue(is_ours(CLUSTER, *classes, **both))
        both = {"class_name": "nginx", "class_annotation": "twisted"}
        self.assertFalse(is_ours(CLUSTER, *classes, **both))

    def test_by_name(self) -> None:
        """The class of the configured name is ours with another controller, if that is asked for."""
        other = ingress_class("twisted", controller=OTHER)
        named = replace(CLUSTER, ingress_class=replace(CLUSTER.ingress_class, by_name=True))
        self.assertFalse(is_ours(CLUSTER, other, class_name="twisted"))
        self.assertTrue(is_ours(named, other, class_name="twisted"))
        foreign = ingress_class("nginx", controller=OTHER)
        self.assertFalse(is_ours(named, other, foreign, class_name="nginx"))

    def test_empty_cluster(self) -> None:
        """A cluster without IngressClass is not a folder without one: only our name counts."""
        self.assertFalse(is_ours(CLUSTER))
        self.assertFalse(is_ours(CLUSTER, class_name="nginx"))
        self.assertTrue(is_ours(CLUSTER, class_name="twisted"))
        self.assertTrue(is_ours(CLUSTER, class_annotation="twisted"))

    def test_cluster_default(self) -> None:
        """In a cluster the API server has assigned the default class; we do not do it again."""
        default = ingress_class("ours", is_default=True)
        self.assertFalse(is_ours(CLUSTER, default))
        self.assertTrue(is_ours(FILES, default))

    def test_default_by_time(self) -> None:
        """Of several defaults the newest is assigned; one without time is the oldest."""
        ours = ingress_class("ours", is_default=True, created="2024-01-02")
        older = ingress_class("a", controller=OTHER, is_default=True, created="2024-01-01")
        timeless = ingress_class("b", controller=OTHER, is_default=True)
        newer = ingress_class("z", controller=OTHER, is_default=True, created="2024-01-03")
        self.assertTrue(is_ours(FILES, ours, older, timeless))
        self.assertFalse(is_ours(FILES, ours, older, timeless, newer))

    def test_empty_annotation(self) -> None:
        """An annotation without value names a class that is not ours."""
        config = replace(CLUSTER, ingress_class=IngressClassFilter(without_class=True))
        self.assertTrue(is_ours(config))
        self.assertFalse(is_ours(config, class_annotation=""))
