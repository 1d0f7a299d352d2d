"""
The endpoints behind names: ExternalNames, and EndpointSlices of the type FQDN.

What the names resolve to is among the objects. In a cluster whoever may write a Service
chooses a name, and whoever owns that name an address: one that leads to this machine, or to
where only its neighbours should be, is not used.
"""

from __future__ import annotations

from collections.abc import Container, Mapping
from typing import Final

from ingress.address import (
    is_link_local,
    is_loopback,
    is_unspecified_or_multicast,
    pack_address,
)
from ingress.endpoint import Endpoint
from ingress.kube.objects import ObjectName, ResolvedName
from ingress.problem import shown

MAX_FAULTS: Final = 3
"""Names of one Service that a Problem tells of."""


class NameLookup:
    """
    What the names of one Service resolve to; remembers which were looked at, and what is wrong.

    :param resolved: all that is known.
    :param is_from_cluster: whether some addresses are not used.
    """

    def __init__(
        self, resolved: Mapping[ObjectName, ResolvedName], *, is_from_cluster: bool
    ) -> None:
        self.is_pending = False
        """Whether nothing is known of one of them, not even that it has no address."""

        self.is_refused = False
        """Whether one of them leads where it must not."""

        self._resolved = resolved
        self._is_from_cluster = is_from_cluster
        self._names: set[str] = set()
        self._faults: set[str] = set()

    def __repr__(self) -> str:
        return f"<NameLookup {', '.join(sorted(self._names))}>"

    @property
    def names(self) -> frozenset[str]:
        """Those that were looked at, in lower case."""
        return frozenset(self._names)

    @property
    def fault(self) -> str:
        """What is wrong with them; empty for nothing."""
        faults = sorted(self._faults)
        more = len(faults) - MAX_FAULTS
        named = "; ".join(faults[:MAX_FAULTS])
        return f"{named}; and {more} more" if more > 0 else named

    def endpoints(self, written: str, port: int) -> list[Endpoint]:
        """
        :param written: the name; or an address, as which it stands for itself.
        :return: empty if there are none, or none that may be used.
        """
        if pack_address(written) is not None:
            why = self._refusal(written, port, ())
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
            why = self._refusal(address, port, resolved.own_ports.get(address, ()))
            if why:
                return self._refuse(f"{shown(name)} resolves to {address}, {why}")
        return [Endpoint(address, port, name) for address in resolved.addresses]

    def _refuse(self, fault: str) -> list[Endpoint]:
        self._faults.add(f"{fault}, which nothing in a cluster may lead to")
        self.is_refused = True
        return []

    def _refusal(self, address: str, port: int, own_ports: Container[int]) -> str:
        """
        :param own_ports: on which we listen there.
        :return: why the address is not used; empty if it is.
        """
        packed = pack_address(address)
        if not self._is_from_cluster or packed is None:
            return ""
        if is_loopback(packed):
            return "a loopback address"
        if is_link_local(packed):
            return "a link-local address"
        if is_unspecified_or_multicast(packed):
            return "no address of a host"
        return "a listener of our own" if port in own_ports else ""
