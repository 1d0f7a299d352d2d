"""
What DNS says, beside the objects of the API.
"""

from __future__ import annotations

from collections.abc import Callable

from ingress.dns.name_resolver import Resolution
from ingress.kube.objects import Metadata, ResolvedName
from ingress.kube.store import ObjectStore

OwnPorts = Callable[[str], tuple[int, ...]]
"""The ports on which we listen at an address, if it is one of ours."""


class ResolvedNames:
    """
    The `Sink` of a NameResolver: puts into the store what names resolve to.

    :param own_ports: tells of each address.
    """

    def __init__(self, store: ObjectStore, own_ports: OwnPorts = lambda address: ()) -> None:
        self._store = store
        self._own_ports = own_ports

    def __repr__(self) -> str:
        return f"<ResolvedNames: {len(self._store.view().resolved_names)}>"

    def put(self, name: str, resolution: Resolution) -> None:
        """A name resolves to something else than before (`Sink`)."""
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
