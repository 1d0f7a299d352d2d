"""
Which Secrets an Ingress names, before any of them is there.

A cluster has many that are none of our business: whoever reads them asks here which are.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from ingress.config import Config
from ingress.kube.objects import Ingress, IngressClass, ObjectKey, ObjectName
from ingress.policy.annotation import Annotations
from ingress.policy.backend_tls import backend_secret_key
from ingress.routing.build.ingress_class import ClassRule, class_rule


@dataclass(frozen=True, slots=True)
class ReferenceRule:
    """Tells what an Ingress references; equal rules tell the same."""

    class_rule: ClassRule

    def __call__(self, ingress: Ingress) -> frozenset[ObjectKey]:
        """All that a build of the Ingress looks at; nothing if it is not ours, or not served."""
        if ingress.only_guards or not self.class_rule.is_ours(ingress):
            return frozenset()
        annotations = Annotations(ingress.metadata.annotations)
        if annotations.boolean("canary", False):
            return frozenset()
        namespace = ingress.metadata.namespace
        keys = {
            ("Secret", namespace, entry.secret_name)
            for entry in ingress.spec.tls
            if entry.secret_name
        }
        backend_secret = backend_secret_key(annotations, namespace)
        if backend_secret is not None:
            keys.add(("Secret", *backend_secret))
        return frozenset(keys)


def reference_rule(classes: Mapping[ObjectName, IngressClass], config: Config) -> ReferenceRule:
    """The rule of this moment."""
    return ReferenceRule(class_rule(classes, config))
