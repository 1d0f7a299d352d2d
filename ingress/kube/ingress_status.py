"""
What the status of each Ingress says now, apart from the Ingress itself.

Nothing is built from it: an Ingress of which only the status changed is the same
Ingress, and the ObjectStore need not see it. Whoever reads the API puts in what
it sees, whoever writes statuses compares.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Final, NamedTuple

import msgspec

from ingress.kube.json_fault import NOT_JSON
from ingress.kube.objects import KubeStruct, ObjectName


class PortStatus(KubeStruct, frozen=True, kw_only=True, omit_defaults=True):
    """What became of one port; ``error`` is empty where nothing is wrong."""

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
    """Who wrote fields of an object last; which fields is not read."""

    manager: str = ""
    subresource: str = ""


class StatusMetadata(KubeStruct, frozen=True, kw_only=True):
    """The fields of ObjectMeta that matter to whoever writes a status."""

    name: str
    namespace: str = "default"
    resource_version: str = ""
    managed_fields: tuple[ManagedFieldsEntry, ...] | None = None


class IngressRecord(KubeStruct, frozen=True, kw_only=True):
    """An Ingress as the API has it, without all that `objects.Ingress` has."""

    metadata: StatusMetadata
    status: IngressStatus | None = None


_RECORDS: Final = msgspec.json.Decoder(IngressRecord)


class KnownStatus(NamedTuple):
    """The status of one Ingress, as seen last."""

    addresses: Addresses
    manager: str
    """
    Who wrote the addresses last, by ``metadata.managedFields``; empty where that
    cannot be told, or where several have written to the status.
    """

    resource_version: str


def status_of(record: IngressRecord) -> KnownStatus:
    """What a record says about addresses."""
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
    The status of each Ingress that was read, whoever serves it.

    Whoever reads tells of each Ingress as it comes or changes (`saw`), and of each
    that goes (`lost`).
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
        """None where there is no such Ingress."""
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
        An Ingress is there, or is another one than before.

        :param text: as JSON; one of another shape than the API's has no status.
        """
        try:
            record = _RECORDS.decode(text)
        except NOT_JSON:
            return
        self.put(record)

    def put(self, record: IngressRecord) -> None:
        """The same, of one that is read already."""
        name = (record.metadata.namespace, record.metadata.name)
        known, self._known[name] = self._known.get(name), status_of(record)
        if known is None or known[:2] != self._known[name][:2]:
            self._tell(name)

    def lost(self, name: ObjectName) -> None:
        """An Ingress is gone."""
        if self._known.pop(name, None) is not None:
            self._tell(name)

    def _tell(self, name: ObjectName) -> None:
        for subscriber in tuple(self._subscribers):
            subscriber(name)
