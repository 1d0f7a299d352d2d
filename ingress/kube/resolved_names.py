"""
Stores what host names resolve to beside the objects of the API.
"""

from __future__ import annotations

from ingress.dns.name_resolver import Resolution
from ingress.kube.objects import Metadata, ResolvedName
from ingress.kube.store import ObjectStore


class ResolvedNames:
    """
    The `Sink` of a NameResolver: puts resolved names into the store.
    """

    def __init__(self, store: ObjectStore) -> None:
        self._store = store

    def __repr__(self) -> str:
        return f"<ResolvedNames: {len(self._store.view().resolved_names)}>"

    def put(self, name: str, resolution: Resolution) -> None:
        """The result of a name has changed (`Sink`)."""
        item = ResolvedName(
            metadata=Metadata(name=name, namespace=""),
            addresses=resolution.addresses,
            fault=resolution.fault,
        )
        self._store.apply([item])

    def forget(self, name: str) -> None:
        """A name is not resolved any more (`Sink`)."""
        self._store.apply(deletes=[("ResolvedName", "", name)])
