"""
The parts of all Ingresses that are ours, from one build to the next.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import NamedTuple, TypeVar

from ingress.config import Config
from ingress.kube.objects import Ingress, ObjectName
from ingress.routing.build.change import Index, IndexUpdate
from ingress.routing.build.ingress import IngressParts, SecretLookup, ingress_parts
from ingress.routing.build.ingress_class import ClassRule
from ingress.steps import STRIDE, Steps

K = TypeVar("K", bound=Hashable)


class Move(NamedTuple):
    """A changed Ingress: its parts before and after; None where it is not ours."""

    name: ObjectName
    old: IngressParts | None
    new: IngressParts | None


@dataclass(frozen=True, slots=True)
class IngressTable:
    """The parts of each Ingress that is ours, after a build."""

    class_rule: ClassRule | None = None
    parts: Mapping[ObjectName, IngressParts] = field(default_factory=dict)

    served: Mapping[ObjectName, Ingress] = field(default_factory=dict)
    """The Ingresses that requests can match; the same mapping as before if none changed."""

    def of(self, names: Iterable[ObjectName]) -> list[IngressParts]:
        """Return the parts of the Ingresses with these names, the oldest first."""
        parts = [self.parts[name] for name in names]
        if len(parts) > 1:
            parts.sort(key=lambda item: item.age)
        return parts


def update_ingresses(
    table: IngressTable,
    ingresses: Mapping[ObjectName, Ingress],
    changed: set[ObjectName],
    class_rule: ClassRule,
    config: Config,
    secrets: SecretLookup,
) -> Steps[tuple[IngressTable, list[Move]]]:
    """
    :param changed: the Ingresses to read again, or to forget.
    :return: the updated table, and the moves.
    """
    parts: dict[ObjectName, IngressParts] = dict(table.parts)
    served: dict[ObjectName, Ingress] = dict(table.served)
    moves: list[Move] = []
    if class_rule != table.class_rule:
        reclassed = yield from _reclassed(parts, ingresses, class_rule)
        changed = changed | reclassed
    for name in changed:
        ingress = ingresses.get(name)
        old, new = parts.pop(name, None), None
        if ingress is not None and class_rule.is_ours(ingress):
            new = parts[name] = yield from ingress_parts(ingress, config, secrets)
        if new is not None and new.is_served:
            served[name] = new.ingress
        else:
            served.pop(name, None)
        if old is not None or new is not None:
            moves.append(Move(name, old, new))
        yield
    if not moves:
        return IngressTable(class_rule, table.parts, table.served), moves
    return IngressTable(class_rule, parts, served), moves


def _reclassed(
    parts: Mapping[ObjectName, IngressParts],
    ingresses: Mapping[ObjectName, Ingress],
    class_rule: ClassRule,
) -> Steps[set[ObjectName]]:
    """Find the Ingresses that a new class rule makes ours, or no longer ours."""
    reclassed: set[ObjectName] = set()
    for count, (name, ingress) in enumerate(ingresses.items()):
        if class_rule.is_ours(ingress) != (name in parts):
            reclassed.add(name)
        if count % STRIDE == STRIDE - 1:
            yield
    return reclassed


def moved_users(
    index: Index[K, ObjectName],
    moves: Iterable[Move],
    keys_of: Callable[[IngressParts], Iterable[K]],
) -> Steps[tuple[Index[K, ObjectName], set[K]]]:
    """
    :param keys_of: returns the keys that an Ingress uses, given its parts.
    :return: the index after the moves, and every key that a moved Ingress used or uses.
    """
    update = IndexUpdate(index)
    touched: set[K] = set()
    for count, (name, old, new) in enumerate(moves):
        before = keys_of(old) if old is not None else ()
        after = keys_of(new) if new is not None else ()
        update.move(name, before, after)
        touched.update(before)
        touched.update(after)
        if count % STRIDE == STRIDE - 1:
            yield
    return (yield from update.finish()), touched
