"""
The current status of each Ingress, apart from the Ingress itself.

Nothing is built from a status: an Ingress whose status alone has changed is the same Ingress for
the ObjectStore. The code that reads the API stores statuses here; the code that writes them
compares.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Final, NamedTuple

import msgspec

from ingress.kube.json_fault import NOT_JSON
from ingress.kube.objects import KubeStruct, ObjectName


class PortStatus(KubeStruct, frozen=True, kw_only=True, omit_defaults=True):
    """The state of one port; ``error`` is empty if nothing is wrong."""

    port: int
    protocol: str | None = None
    error: str | None = None


class LoadBalancerIngress(KubeStruct, frozen=True, kw_only=True, omit_defaults=True):
    """An address, of an Ingress or of a Service: an IP, or a host name, or both."""

    ip: str | None = None
    hostname: str | None = None
    ports: tuple[PortStatus, ...] | None = None


Addresses = tuple[LoadBalancerIngress, ...]


class LoadBalancerStatus(KubeStruct, frozen=True, kw_only=True):
    ingress: Addresses | None = None


class IngressStatus(KubeStruct, frozen=True, kw_only=True):
    load_balancer: LoadBalancerStatus | None = None


class ManagedFieldsEntry(KubeStruct, frozen=True, kw_only=True):
    """The last writer of some fields of an object; the fields are not read."""

    manager: str = ""
    subresource: str = ""


class StatusMetadata(KubeStruct, frozen=True, kw_only=True):
    """The fields of ObjectMeta that writing a status needs."""

    name: str
    namespace: str = "default"
    resource_version: str = ""
    managed_fields: tuple[ManagedFieldsEntry, ...] | None = None


class IngressRecord(KubeStruct, frozen=True, kw_only=True):
    """The parts of an Ingress that `objects.Ingress` leaves out."""

    metadata: StatusMetadata
    status: IngressStatus | None = None


_RECORDS: Final = msgspec.json.Decoder(IngressRecord)


class KnownStatus(NamedTuple):
    """The status of one Ingress, as last seen."""

    addresses: Addresses
    manager: str
    """
    The last writer of the addresses by ``metadata.managedFields``; empty if it is not known, or
    if several have written to the status.
    """

    resource_version: str


def status_of(record: IngressRecord) -> KnownStatus:
    """Extract the status from a record."""
    balancer = record.status.load_balancer if record.status is not None else None
    addresses = (balancer.ingress or ()) if balancer is not None else ()
    writers = {
        entry.manager
        for entry in record.metadata.managed_fields or ()
        if entry.subresource == "status"
    }
    manager = writers.pop() if len(writers) == 1 else ""
    return KnownStatus(addresses, manager, record.metadata.resource_version)


class IngressStatuses:
    """
    The status of each Ingress of the cluster, whoever serves it.

    The reader of the API calls `saw` for each Ingress that is added or changed, and `lost` for
    each that is deleted.
    """

    def __init__(self) -> None:
        self._known: dict[ObjectName, KnownStatus] = {}
        self._subscribers: list[Callable[[ObjectName], None]] = []

    def __repr__(self) -> str:
        return f"<IngressStatuses: {len(self._known)}>"

    def __iter__(self) -> Iterator[ObjectName]:
        """The names of all, as of now."""
        return iter(tuple(self._known))

    def get(self, name: ObjectName) -> KnownStatus | None:
        """The status of an Ingress; None if it does not exist."""
        return self._known.get(name)

    def subscribe(self, changed: Callable[[ObjectName], None]) -> Callable[[], None]:
        """
        Call `changed` with the name of each Ingress whose addresses, or their writer, changed.

        :return: call it to end the subscription.
        """
        self._subscribers.append(changed)

        def unsubscribe() -> None:
            if changed in self._subscribers:
                self._subscribers.remove(changed)

        return unsubscribe

    def saw(self, text: msgspec.Raw | bytes) -> None:
        """
        An Ingress was added or changed.

        :param text: JSON; malformed text is ignored.
        """
        try:
            record = _RECORDS.decode(text)
        except NOT_JSON:
            return
        self.put(record)

    def put(self, record: IngressRecord) -> None:
        """An Ingress that is decoded already was added or changed."""
        name = (record.metadata.namespace, record.metadata.name)
        known, self._known[name] = self._known.get(name), status_of(record)
        if known is None or known[:2] != self._known[name][:2]:
            self._notify(name)

    def lost(self, name: ObjectName) -> None:
        """An Ingress was deleted."""
        if self._known.pop(name, None) is not None:
            self._notify(name)

    def _notify(self, name: ObjectName) -> None:
        for subscriber in tuple(self._subscribers):
            subscriber(name)
