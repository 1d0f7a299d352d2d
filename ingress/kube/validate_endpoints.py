"""
Checks EndpointSlices and Endpoints as the API server does.

Loopback addresses are accepted although the API server refuses them: in files, on a laptop, they
are normal. In objects of a cluster they are faults (`is_from_cluster`).

Source of the rules: ``pkg/apis/discovery/validation/validation.go`` and
``ValidateEndpoints`` in ``pkg/apis/core/validation/validation.go``.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from ingress.address import (
    IPV4_SIZE,
    IPV6_SIZE,
    is_link_local,
    is_loopback,
    is_unspecified_or_multicast,
    pack_address,
)
from ingress.document import Path
from ingress.kube.fault import Fault
from ingress.kube.names import (
    DNS_LABEL,
    DNS_SUBDOMAIN,
    PORT_NUMBER,
    is_dns_label,
    is_dns_subdomain,
    is_port_number,
)
from ingress.kube.objects import EndpointPort, Endpoints, EndpointSlice, EndpointSubset
from ingress.kube.validate_service import protocol_faults

MAX_ENDPOINTS: Final = 1000
MAX_ADDRESSES: Final = 100
_UNUSABLE: Final = "must not be an unspecified, link-local or multicast address"


def endpoint_slice_faults(item: EndpointSlice) -> Iterator[Fault]:
    """Every fault of the slice."""
    if len(item.endpoints) > MAX_ENDPOINTS:
        yield Fault(("endpoints",), f"must be at most {MAX_ENDPOINTS}")
    for index, endpoint in enumerate(item.endpoints):
        at: Path = ("endpoints", index, "addresses")
        if not 1 <= len(endpoint.addresses) <= MAX_ADDRESSES:
            yield Fault(at, f"must be from 1 to {MAX_ADDRESSES} addresses")
        for number, address in enumerate(endpoint.addresses):
            message = address_fault(address, item.address_type)
            if message:
                yield Fault((*at, number), message)
    yield from port_faults(item)


def port_faults(item: EndpointSlice) -> Iterator[Fault]:
    """Every fault of the ports of the slice."""
    names: set[str] = set()
    for index, port in enumerate(item.ports):
        at: Path = ("ports", index)
        yield from _port_faults(port, at)
        if port.name in names:
            yield Fault((*at, "name"), "must not be that of another port of the slice")
        names.add(port.name)


def address_fault(address: str, address_type: str, *, is_from_cluster: bool = False) -> str:
    """
    The fault of an address of a slice; empty if it has none.

    :param is_from_cluster: whether an address that leads to this machine is one.
    """
    if address_type == "FQDN":
        name = address.removesuffix(".")
        if "." in name and is_dns_subdomain(name):
            return ""
        return f"must be a DNS name with a dot in it: {DNS_SUBDOMAIN}"
    packed = pack_address(address)
    if packed is None or len(packed) != (IPV4_SIZE if address_type == "IPv4" else IPV6_SIZE):
        return f"must be an {address_type} address, as addressType says"
    if is_from_cluster and is_loopback(packed):
        return "must not be a loopback address in a cluster"
    return _UNUSABLE if _is_unusable(packed) else ""


def _is_unusable(packed: bytes) -> bool:
    return is_link_local(packed) or is_unspecified_or_multicast(packed)


def endpoints_faults(item: Endpoints) -> Iterator[Fault]:
    """Every fault of the subsets."""
    for index, subset in enumerate(item.subsets):
        at: Path = ("subsets", index)
        if not subset.addresses and not subset.not_ready_addresses:
            yield Fault(at, "must have addresses or notReadyAddresses")
        yield from _subset_faults(subset, at)
        for number, port in enumerate(subset.ports):
            place = (*at, "ports", number)
            if port.port is None:
                yield Fault((*place, "port"), f"must be {PORT_NUMBER}")
            if not port.name and len(subset.ports) > 1:
                yield Fault((*place, "name"), "must be there where a subset has several ports")
            yield from _port_faults(port, place)


def _subset_faults(subset: EndpointSubset, at: Path) -> Iterator[Fault]:
    lists = (("addresses", subset.addresses), ("notReadyAddresses", subset.not_ready_addresses))
    for field, addresses in lists:
        for number, address in enumerate(addresses):
            packed = pack_address(address.ip)
            if packed is None:
                yield Fault((*at, field, number, "ip"), "must be an IP address")
            elif _is_unusable(packed):
                yield Fault((*at, field, number, "ip"), _UNUSABLE)


def _port_faults(port: EndpointPort, at: Path) -> Iterator[Fault]:
    if port.name and not is_dns_label(port.name):
        yield Fault((*at, "name"), f"must be {DNS_LABEL}")
    if port.port is not None and not is_port_number(port.port):
        yield Fault((*at, "port"), f"must be {PORT_NUMBER}")
    yield from protocol_faults(port.protocol, port.app_protocol, at)
