"""
Decides what is served of an object that an API server has stored.

Not every rule of creation holds for stored objects: on an update the API server accepts what the
object had before, and it keeps what older versions accepted. Such an object is served as far as it
has a meaning, and the rest of it is a Problem.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

import msgspec

from ingress.address import strip_leading_zeros
from ingress.document import Path
from ingress.kube.fault import Fault
from ingress.kube.names import is_port_number
from ingress.kube.objects import EndpointSlice, Ingress, KubeObject, Service, SliceEndpoint
from ingress.kube.validate_endpoints import address_fault, port_faults
from ingress.kube.validate_ingress import host_fault
from ingress.kube.validate_service import service_faults
from ingress.kube.validation import kind_faults


class Stored(NamedTuple):
    """What is served of an object, and what is wrong with it."""

    item: KubeObject | None
    """The object, perhaps without parts of it; None if nothing of it can be served."""

    faults: tuple[Fault, ...] = ()


def accept_stored(item: KubeObject) -> Stored:
    """Decide what is served of `item`. Names and metadata were checked by the API server."""
    if isinstance(item, Ingress):
        return _accept_ingress(item)
    if isinstance(item, Service):
        can_be_dialled = all(is_port_number(port.port) for port in item.spec.ports)
        return Stored(item if can_be_dialled else None, tuple(service_faults(item)))
    if isinstance(item, EndpointSlice):
        return _accept_slice(item)
    faults = tuple(kind_faults(item))
    return Stored(None, faults) if faults else Stored(item)


def _accept_ingress(item: Ingress) -> Stored:
    faults = tuple(fault for fault in kind_faults(item) if not fault.is_of_creation)
    return Stored(None, faults) if faults else Stored(item, tuple(_hosts_of_no_request(item)))


def _hosts_of_no_request(item: Ingress) -> Iterator[Fault]:
    for index, rule in enumerate(item.spec.rules):
        message = host_fault(rule.host)
        if message:
            path: Path = ("spec", "rules", index, "host")
            yield Fault(path, f"{message}; no request has this host")


def _accept_slice(item: EndpointSlice) -> Stored:
    """Leave out addresses that must not be used, and endpoints without any other."""
    faults = list(port_faults(item))
    endpoints: list[SliceEndpoint] = []
    for index, endpoint in enumerate(item.endpoints):
        usable = []
        for number, written in enumerate(endpoint.addresses):
            address = strip_leading_zeros(written) if item.address_type == "IPv4" else written
            message = address_fault(address, item.address_type, is_from_cluster=True)
            if message:
                path: Path = ("endpoints", index, "addresses", number)
                faults.append(Fault(path, f"{message}; it is not used"))
            else:
                usable.append(address)
        if tuple(usable) == endpoint.addresses:
            endpoints.append(endpoint)
        elif usable:
            endpoints.append(msgspec.structs.replace(endpoint, addresses=tuple(usable)))
    if tuple(endpoints) == item.endpoints:
        return Stored(item, tuple(faults))
    return Stored(msgspec.structs.replace(item, endpoints=tuple(endpoints)), tuple(faults))
