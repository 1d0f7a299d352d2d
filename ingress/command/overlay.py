"""
Objects applied to those of a cluster, as ``kubectl apply`` does it.
"""

from __future__ import annotations

from collections.abc import Iterable

import msgspec

from ingress.kube.objects import KubeObject, ObjectName, Objects
from ingress.kube.store import FIELDS


def with_objects(objects: Objects, others: Iterable[KubeObject]) -> Objects:
    """
    Apply objects to others: an object that is there already keeps its age.

    :param objects: those of a cluster.
    :return: all of them; those of `others` in place of objects with the same kind and name.
    """
    changed: dict[str, dict[ObjectName, KubeObject]] = {}
    for item in others:
        field = FIELDS[type(item).__name__]
        those = changed.setdefault(field, dict(getattr(objects, field)))
        there = those.get(item.key)
        if there is not None and item.metadata.creation_timestamp is None:
            created = there.metadata.creation_timestamp
            metadata = msgspec.structs.replace(item.metadata, creation_timestamp=created)
            item = msgspec.structs.replace(item, metadata=metadata)
        those[item.key] = item
    return msgspec.structs.replace(objects, **changed)
