"""
The rule that decides which Ingresses are ours (docs/compatibility.md, section 1, "Class").
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime

from ingress.config import Config
from ingress.frozen import dataclass
from ingress.kube.objects import CLASS_ANNOTATION, Ingress, IngressClass, ObjectName
from ingress.routing.build.age import comparable_time

DEFAULT_ANNOTATION = "ingressclass.kubernetes.io/is-default-class"


@dataclass(frozen=True, slots=True)
class ClassRule:
    """The data that decides whether an Ingress is ours; equal rules decide alike."""

    serves_all: bool
    """Whether every Ingress is ours, because the files have no IngressClass."""

    ours: frozenset[str]
    """The names of the IngressClass objects that have our controller."""

    others: frozenset[str]
    """The names of the IngressClass objects that have another controller."""

    default: str
    """The class of Ingresses that name none; empty if there is none."""

    configured_name: str
    is_by_name: bool
    """Whether the class of this name is ours whatever controller it has."""

    without_class: bool

    def is_ours(self, ingress: Ingress) -> bool:
        """Return whether we serve `ingress`. An Ingress that is not ours is not a Problem."""
        if self.serves_all:
            return True
        name = ingress.spec.ingress_class_name
        if name is not None:
            return self._is_class_ours(name)
        annotation = ingress.metadata.annotations.get(CLASS_ANNOTATION)
        if annotation is not None:
            return annotation == self.configured_name
        if self.default:
            return self._is_class_ours(self.default)
        return self.without_class

    def _is_class_ours(self, name: str) -> bool:
        if name == self.configured_name:
            return self.is_by_name or name not in self.others
        return name in self.ours


def class_rule(classes: Mapping[ObjectName, IngressClass], config: Config) -> ClassRule:
    """
    Make the rule from the current classes.

    A default class is assigned only to Ingresses from files: in a cluster the API server
    assigns it when an Ingress is created, and at no other time.
    """
    is_from_files = bool(config.source.paths)
    controller = config.ingress_class.controller
    ours = {item.metadata.name for item in classes.values() if item.spec.controller == controller}
    return ClassRule(
        serves_all=is_from_files and not classes,
        ours=frozenset(ours),
        others=frozenset(item.metadata.name for item in classes.values()) - ours,
        default=_default_class(classes) if is_from_files else "",
        configured_name=config.ingress_class.name,
        is_by_name=config.ingress_class.by_name,
        without_class=config.ingress_class.without_class,
    )


def _default_class(classes: Mapping[ObjectName, IngressClass]) -> str:
    """Return the newest default class, then the first by name, as the API's admission does."""
    candidates = sorted(
        (item for item in classes.values() if _is_default(item)),
        key=lambda item: item.metadata.name,
    )
    if not candidates:
        return ""
    return max(candidates, key=_created).metadata.name


def _is_default(ingress_class: IngressClass) -> bool:
    return ingress_class.metadata.annotations.get(DEFAULT_ANNOTATION) == "true"


def _created(ingress_class: IngressClass) -> datetime:
    return comparable_time(ingress_class.metadata.creation_timestamp)
