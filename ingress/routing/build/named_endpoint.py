"""
Endpoints behind names: ExternalNames, and EndpointSlices of the type FQDN.

The addresses of the names are among the objects. In a cluster, anybody who may write a
Service chooses a name, and the owner of that name chooses its address. An address that leads
to this machine, or to a place that only its neighbours should reach, is not used. Listeners of
ours are refused for every endpoint, in `endpoint_screen`.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from ingress.address import (
    is_link_local,
    is_loopback,
    is_metadata,
    is_unspecified_or_multicast,
    pack_address,
)
from ingress.endpoint import Endpoint
from ingress.kube.objects import ObjectName, ResolvedName
from ingress.problem import shown

MAX_FAULTS: Final = 3
"""The most names of one Service that a Problem mentions."""


class NameLookup:
    """
    The addresses of one Service's names; records which names were looked up, and their faults.

    :param resolved: all names that were resolved.
    :param is_from_cluster: whether some addresses must not be used.
    """

    def __init__(
        self, resolved: Mapping[ObjectName, ResolvedName], *, is_from_cluster: bool
    ) -> None:
        self.is_pending = False
        """Whether one of them has not been resolved yet."""

        self.is_refused = False
        """Whether one of them leads to an address that must not be used."""

        self._resolved = resolved
        self._is_from_cluster = is_from_cluster
        self._names: set[str] = set()
        self._faults: set[str] = set()

    def __repr__(self) -> str:
        return f"<NameLookup {', '.join(sorted(self._names))}>"

    @property
    def names(self) -> frozenset[str]:
        """The names that were looked up, in lower case."""
        return frozenset(self._names)

    @property
    def fault(self) -> str:
        """The faults of the names; empty if there are none."""
        faults = sorted(self._faults)
        more = len(faults) - MAX_FAULTS
        named = "; ".join(faults[:MAX_FAULTS])
        return f"{named}; and {more} more" if more > 0 else named

    def endpoints(self, written: str, port: int) -> list[Endpoint]:
        """
        :param written: a name, or an address, which stands for itself.
        :return: the endpoints; empty if there are none, or none that may be used.
        """
        if pack_address(written) is not None:
            why = self._refusal(written)
            return self._refuse(f"{written} is {why}") if why else [Endpoint(written, port)]
        name = written.lower()
        self._names.add(name)
        resolved = self._resolved.get(("", name))
        if resolved is None:
            self.is_pending = True
            return []
        if resolved.fault:
            self._faults.add(resolved.fault)
        for address in resolved.addresses:
            why = self._refusal(address)
            if why:
                return self._refuse(f"{shown(name)} resolves to {address}, {why}")
        return [Endpoint(address, port, name) for address in resolved.addresses]

    def _refuse(self, fault: str) -> list[Endpoint]:
        self._faults.add(f"{fault}, which nothing in a cluster may lead to")
        self.is_refused = True
        return []

    def _refusal(self, address: str) -> str:
        """:return: why the address is not used; empty if it is."""
        packed = pack_address(address)
        if not self._is_from_cluster or packed is None:
            return ""
        if is_loopback(packed):
            return "a loopback address"
        if is_link_local(packed):
            return "a link-local address"
        if is_metadata(packed):
            return "where a cloud gives credentials to its machines"
        if is_unspecified_or_multicast(packed):
            return "no address of a host"
        return ""
