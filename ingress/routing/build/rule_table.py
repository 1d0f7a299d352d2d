"""
The rule sets of all objects that are ours, from one build to the next.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable, Mapping
from dataclasses import field
from typing import NamedTuple, TypeVar

from ingress.frozen import dataclass
from ingress.kube.objects import ObjectKey
from ingress.routing.build.change import Index, IndexUpdate
from ingress.routing.build.rule_set import RuleSet
from ingress.steps import STRIDE, Steps

K = TypeVar("K", bound=Hashable)

ReadRules = Callable[[ObjectKey], Steps[RuleSet | None]]
"""Reads the rules of an object; returns None if it is gone or not ours."""


class Move(NamedTuple):
    """A changed object: its rules before and after; None where it is not ours."""

    key: ObjectKey
    old: RuleSet | None
    new: RuleSet | None


@dataclass(frozen=True, slots=True)
class RuleTable:
    """The rules of each object that is ours, after a build."""

    sets: Mapping[ObjectKey, RuleSet] = field(default_factory=dict)

    def of(self, keys: Iterable[ObjectKey]) -> list[RuleSet]:
        """Return the rules of these objects, the oldest first."""
        sets = [self.sets[key] for key in keys]
        if len(sets) > 1:
            sets.sort(key=lambda item: item.age)
        return sets


def update_rules(
    table: RuleTable, changed: Iterable[ObjectKey], read: ReadRules
) -> Steps[tuple[RuleTable, list[Move]]]:
    """
    :param changed: the objects to read again, or to forget.
    :return: the updated table, and the moves.
    """
    sets: dict[ObjectKey, RuleSet] = dict(table.sets)
    moves: list[Move] = []
    for key in changed:
        old = sets.pop(key, None)
        new = yield from read(key)
        if new is not None:
            sets[key] = new
        if old is not None or new is not None:
            moves.append(Move(key, old, new))
        yield
    return (RuleTable(sets) if moves else table), moves


def moved_users(
    index: Index[K, ObjectKey],
    moves: Iterable[Move],
    keys_of: Callable[[RuleSet], Iterable[K]],
) -> Steps[tuple[Index[K, ObjectKey], set[K]]]:
    """
    :param keys_of: returns the keys that an object uses, given its rules.
    :return: the index after the moves, and every key that a moved object used or uses.
    """
    update = IndexUpdate(index)
    touched: set[K] = set()
    for count, (user, old, new) in enumerate(moves):
        before = keys_of(old) if old is not None else ()
        after = keys_of(new) if new is not None else ()
        update.move(user, before, after)
        touched.update(before)
        touched.update(after)
        if count % STRIDE == STRIDE - 1:
            yield
    return (yield from update.finish()), touched
