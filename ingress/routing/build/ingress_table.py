"""
The Ingresses that are ours and those that are served, from one build to the next.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import field

from ingress.frozen import dataclass
from ingress.kube.objects import Ingress, ObjectKey, ObjectName
from ingress.routing.build.ingress_class import ClassRule
from ingress.routing.build.rule_set import RuleSet
from ingress.routing.build.rule_table import Move
from ingress.steps import STRIDE, Steps

KIND = "Ingress"


@dataclass(frozen=True, slots=True)
class IngressTable:
    """The Ingresses that requests can match, after a build."""

    class_rule: ClassRule | None = None
    served: Mapping[ObjectName, Ingress] = field(default_factory=dict)
    """The same mapping as before if none changed."""


def reclassed_ingresses(
    sets: Mapping[ObjectKey, RuleSet],
    ingresses: Mapping[ObjectName, Ingress],
    class_rule: ClassRule,
) -> Steps[set[ObjectKey]]:
    """
    :param sets: the rules of the objects that were ours.
    :return: the Ingresses that a new class rule makes ours, or no longer ours.
    """
    reclassed: set[ObjectKey] = set()
    for count, (name, ingress) in enumerate(ingresses.items()):
        key = (KIND, *name)
        if class_rule.is_ours(ingress) != (key in sets):
            reclassed.add(key)
        if count % STRIDE == STRIDE - 1:
            yield
    return reclassed


def update_served(
    table: IngressTable,
    class_rule: ClassRule,
    ingresses: Mapping[ObjectName, Ingress],
    moves: Collection[Move],
) -> Steps[IngressTable]:
    """:return: the updated table."""
    served = dict(table.served)
    for count, move in enumerate(moves):
        if move.key[0] == KIND:
            _put(served, move.key[1:], ingresses, move.new)
        if count % STRIDE == STRIDE - 1:
            yield
    return IngressTable(class_rule, served if moves else table.served)


def _put(
    served: dict[ObjectName, Ingress],
    name: ObjectName,
    ingresses: Mapping[ObjectName, Ingress],
    rules: RuleSet | None,
) -> None:
    """Leave out those without rules, and faulty Ingresses that are kept only as guards."""
    if rules is not None and rules.has_rules and not ingresses[name].only_guards:
        served[name] = ingresses[name]
    else:
        served.pop(name, None)
