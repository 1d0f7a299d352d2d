"""
The ConfigMaps that annotations name, and the objects that name them, from one build to the next.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import field

from ingress.frozen import dataclass
from ingress.kube.objects import ConfigMap, ObjectKey, ObjectName
from ingress.routing.build.change import Index
from ingress.routing.build.rule_table import Move, moved_users
from ingress.steps import STRIDE, Steps


@dataclass(frozen=True, slots=True)
class ConfigMapTable:
    """The users of ConfigMaps, after a build."""

    users: Index[ObjectName, ObjectKey] = field(default_factory=dict)
    """The objects that name a ConfigMap, by the name of the ConfigMap."""

    def users_of(self, names: Iterable[ObjectName]) -> Steps[set[ObjectKey]]:
        """:return: the objects to read again because one of these ConfigMaps changed."""
        users: set[ObjectKey] = set()
        for count, name in enumerate(names):
            users.update(self.users.get(name, ()))
            if count % STRIDE == STRIDE - 1:
                yield
        return users

    def moved(self, moves: Iterable[Move]) -> Steps[ConfigMapTable]:
        """:return: the table after some objects have changed."""
        users, _ = yield from moved_users(self.users, moves, lambda rules: rules.config_maps)
        return self if users is self.users else ConfigMapTable(users)


def data_of(
    config_maps: Mapping[ObjectName, ConfigMap], name: ObjectName
) -> Mapping[str, str] | None:
    """:return: the data of a ConfigMap; None if it does not exist, or has a fault."""
    found = config_maps.get(name)
    return found.data if found is not None and found.is_whole else None
