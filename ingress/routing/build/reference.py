"""
Finds the Secrets that an Ingress names, before any of them has been read.

A cluster has many Secrets that do not concern us. The code that reads Secrets uses this
rule to select those that do.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from ingress.config import Config
from ingress.kube.objects import Ingress, IngressClass, ObjectKey, ObjectName
from ingress.policy.annotation import Annotations
from ingress.policy.canary import is_canary
from ingress.policy.registry import REGISTRY, Registry
from ingress.routing.build.ingress_class import ClassRule, class_rule


@dataclass(frozen=True, slots=True)
class ReferenceRule:
    """Returns the objects that an Ingress references; equal rules return the same."""

    class_rule: ClassRule
    registry: Registry

    def __call__(self, ingress: Ingress) -> frozenset[ObjectKey]:
        """Return every Secret that a build of the Ingress reads; none if we do not serve it."""
        if ingress.only_guards or not self.class_rule.is_ours(ingress):
            return frozenset()
        annotations = Annotations(ingress.metadata.annotations)
        if is_canary(annotations):
            return frozenset()
        namespace = ingress.metadata.namespace
        keys = {
            ("Secret", namespace, entry.secret_name)
            for entry in ingress.spec.tls
            if entry.secret_name
        }
        return self.registry.references(annotations, namespace).union(keys)


def reference_rule(
    classes: Mapping[ObjectName, IngressClass], config: Config, registry: Registry = REGISTRY
) -> ReferenceRule:
    """Make the rule from the current classes."""
    return ReferenceRule(class_rule(classes, config), registry)
