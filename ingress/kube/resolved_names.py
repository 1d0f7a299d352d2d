"""
Stores what host names resolve to beside the objects of the API.
"""

from __future__ import annotations

from collections.abc import Callable

from ingress.dns.name_resolver import Resolution
from ingress.kube.objects import Metadata, ResolvedName
from ingress.kube.store import ObjectStore

OwnPorts = Callable[[str], tuple[int, ...]]
"""Returns the ports on which we listen at an address; empty if it is not ours."""


class ResolvedNames:
    """
    The `Sink` of a NameResolver: puts resolved names into the store.
    """

    def __init__(self, store: ObjectStore, own_ports: OwnPorts = lambda address: ()) -> None:
        self._store = store
        self._own_ports = own_ports

    def __repr__(self) -> str:
        return f"<ResolvedNames: {len(self._store.view().resolved_names)}>"

    def put(self, name: str, resolution: Resolution) -> None:
        """The result of a name has changed (`Sink`)."""
        ports = {address: self._own_ports(address) for address in resolution.addresses}
        item = ResolvedName(
            metadata=Metadata(name=name, namespace=""),
            addresses=resolution.addresses,
            own_ports={address: found for address, found in ports.items() if found},
            fault=resolution.fault,
        )
        self._store.apply([item])

    def forget(self, name: str) -> None:
        """A name is not resolved any more (`Sink`)."""
        self._store.apply(deletes=[("ResolvedName", "", name)])
