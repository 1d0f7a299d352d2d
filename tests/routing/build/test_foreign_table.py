"""
Tests for `ingress.routing.build.foreign_table`.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime

from twisted.trial.unittest import SynchronousTestCase

from ingress.config import Cluster, Config, IngressClassFilter
from ingress.kube.objects import KubeObject
from ingress.routing.build import Built, build
from ingress.routing.build.foreign_table import CLASSES_SHOWN, largest_classes
from tests.support.objects import ingress, ingress_class, objects

NOW = datetime(2026, 11, 30, tzinfo=UTC)
CONFIG = Config(cluster=Cluster())


def of_class(name: str, class_name: str | None) -> KubeObject:
    return ingress(f"{name}.example", {"/": "web:80"}, name=name, class_name=class_name)


class ForeignTests(SynchronousTestCase):
    """Ingresses that are not ours are counted by class."""

    def test_counted(self) -> None:
        """By the class of the field, of the annotation, and without one."""
        annotated = ingress(
            "d.example",
            {"/": "web:80"},
            name="d",
            class_annotation="haproxy",
        )
        items = (of_class("a", "nginx"), of_class("b", "nginx"), of_class("c", None))
        found = build(objects(*items, annotated, of_class("e", "twisted")), CONFIG, now=NOW)
        self.assertEqual(found.foreign_classes, {"nginx": 2, "": 1, "haproxy": 1})

    def step(self, before: Built | None, *items: KubeObject, config: Config = CONFIG) -> Built:
        """A build that continues, compared with one from scratch."""
        built = build(objects(*items), config, before, now=NOW)
        scratch = build(objects(*items), config, now=NOW)
        self.assertEqual(built.foreign_classes, scratch.foreign_classes)
        return built

    def test_changes(self) -> None:
        """Builds that continue keep count of changes of objects, classes and configuration."""
        a, b, ours = of_class("a", "nginx"), of_class("b", "nginx"), of_class("c", "twisted")
        first = self.step(None, a, b, ours)
        self.assertEqual(first.foreign_classes, {"nginx": 2})
        same = self.step(first, a, b, ours, of_class("d", "twisted"))
        self.assertIs(same.foreign_classes, first.foreign_classes)
        other = self.step(same, a, of_class("b", "traefik"), ours)
        self.assertEqual(other.foreign_classes, {"nginx": 1, "traefik": 1})
        classed = self.step(other, a, b, ours, ingress_class("nginx"))
        self.assertEqual(classed.foreign_classes, {})
        renamed = replace(CONFIG, ingress_class=IngressClassFilter(name="nginx"))
        self.assertEqual(
            self.step(classed, a, b, ours, config=renamed).foreign_classes, {"twisted": 1}
        )
        self.assertEqual(self.step(other, ours).foreign_classes, {})


class LargestTests(SynchronousTestCase):
    def test_bounded(self) -> None:
        """The classes with the most Ingresses are named, all others are one number."""
        counts = {f"c{number}": number for number in range(1, CLASSES_SHOWN + 4)} | {"": 100}
        found = list(largest_classes(counts))
        self.assertEqual(found[0], ("(none)", 100))
        self.assertEqual(found[-1], ("(others)", 1 + 2 + 3 + 4))
        self.assertEqual(len(found), CLASSES_SHOWN + 1)
