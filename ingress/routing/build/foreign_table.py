"""
The Ingresses that are not ours, counted by class, from one build to the next.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import field
from heapq import nlargest
from typing import Final

from ingress.frozen import dataclass
from ingress.kube.objects import CLASS_ANNOTATION, Ingress, ObjectKey, ObjectName
from ingress.problem import shown
from ingress.routing.build.ingress_class import ClassRule
from ingress.routing.build.ingress_table import KIND
from ingress.steps import STRIDE, Steps

CLASSES_SHOWN: Final = 10
"""Classes that are named one by one: anybody may make up more."""

OTHERS: Final = "(others)"
"""What stands for all other classes."""

NO_CLASS: Final = "(none)"
"""What stands for Ingresses that name no class."""


@dataclass(frozen=True, slots=True)
class ForeignTable:
    """The Ingresses that other controllers serve, after a build."""

    classes: Mapping[ObjectName, str] = field(default_factory=dict)
    """The class that each of them names; empty if it names none."""

    counts: Mapping[str, int] = field(default_factory=dict)
    """The number of Ingresses by class; the same mapping as before if nothing changed."""


def update_foreign(
    table: ForeignTable,
    changed: Iterable[ObjectKey],
    ingresses: Mapping[ObjectName, Ingress],
    class_rule: ClassRule,
) -> Steps[ForeignTable]:
    """
    :param changed: the objects that changed, or that a new class rule concerns.
    :return: the updated table.
    """
    moved: dict[ObjectName, str | None] = {}
    for count, key in enumerate(changed):
        if key[0] == KIND:
            name = key[1:]
            ingress = ingresses.get(name)
            is_foreign = ingress is not None and not class_rule.is_ours(ingress)
            found = named_class(ingress) if ingress is not None and is_foreign else None
            if table.classes.get(name) != found:
                moved[name] = found
        if count % STRIDE == STRIDE - 1:
            yield
    if not moved:
        return table
    classes, counts = dict(table.classes), Counter(table.counts)
    for count, (name, after) in enumerate(moved.items()):
        before = classes.pop(name, None)
        if before is not None:
            counts[before] -= 1
        if after is not None:
            classes[name] = after
            counts[after] += 1
        if count % STRIDE == STRIDE - 1:
            yield
    return ForeignTable(classes, +counts)


def named_class(ingress: Ingress) -> str:
    """The class that an Ingress names, by its field or else by the old annotation."""
    name = ingress.spec.ingress_class_name
    return name or ingress.metadata.annotations.get(CLASS_ANNOTATION, "")


def largest_classes(counts: Mapping[str, int]) -> Iterator[tuple[str, int]]:
    """The classes with the most Ingresses, then all others together."""
    largest = nlargest(CLASSES_SHOWN, counts.items(), key=lambda item: item[1])
    for name, count in largest:
        yield shown(name) or NO_CLASS, count
    rest = sum(counts.values()) - sum(count for _, count in largest)
    if rest:
        yield OTHERS, rest
