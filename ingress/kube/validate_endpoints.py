"""
What the API server refuses in an EndpointSlice or an Endpoints object.

Loopback addresses are accepted although the API server refuses them: from
files they are what a laptop has. (From a cluster they never come.)

Source of the rules: ``pkg/apis/discovery/validation/validation.go`` and
``ValidateEndpoints`` in ``pkg/apis/core/validation/validation.go``.
"""

from __future__ import annotations

from collections.abc import Iterator
from ipaddress import IPv4Address, IPv6Address, ip_address
from typing import Final

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
            message = _address_message(address, item.address_type)
            if message:
                yield Fault((*at, number), message)
    names: set[str] = set()
    for index, port in enumerate(item.ports):
        at = ("ports", index)
        yield from _port_faults(port, at)
        if port.name in names:
            yield Fault((*at, "name"), "must not be that of another port of the slice")
        names.add(port.name)


def _address_message(address: str, address_type: str) -> str:
    """What is wrong with an address of a slice; empty if nothing is."""
    if address_type == "FQDN":
        name = address.removesuffix(".")
        if "." in name and is_dns_subdomain(name):
            return ""
        return f"must be a DNS name with a dot in it: {DNS_SUBDOMAIN}"
    ip = _parse_ip(address)
    expected = IPv4Address if address_type == "IPv4" else IPv6Address
    if not isinstance(ip, expected):
        return f"must be an {address_type} address, as addressType says"
    return _UNUSABLE if _is_unusable(ip) else ""


def _parse_ip(text: str) -> IPv4Address | IPv6Address | None:
    if "%" in text:
        return None  # a zone means something on one machine only
    try:
        return ip_address(text)
    except ValueError:
        return None


def _is_unusable(ip: IPv4Address | IPv6Address) -> bool:
    mapped = ip.ipv4_mapped if isinstance(ip, IPv6Address) else None
    ip = mapped or ip
    return ip.is_unspecified or ip.is_link_local or ip.is_multicast


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
            ip = _parse_ip(address.ip)
            if ip is None:
                yield Fault((*at, field, number, "ip"), "must be an IP address")
            elif _is_unusable(ip):
                yield Fault((*at, field, number, "ip"), _UNUSABLE)


def _port_faults(port: EndpointPort, at: Path) -> Iterator[Fault]:
    if port.name and not is_dns_label(port.name):
        yield Fault((*at, "name"), f"must be {DNS_LABEL}")
    if port.port is not None and not is_port_number(port.port):
        yield Fault((*at, "port"), f"must be {PORT_NUMBER}")
    yield from protocol_faults(port.protocol, port.app_protocol, at)
