"""
Checks Services as the API server does.

Source of the rules: ``ValidateService`` in ``pkg/apis/core/validation/validation.go``.
"""

from __future__ import annotations

from collections.abc import Iterator
from ipaddress import ip_address
from typing import Final

from ingress.document import Path
from ingress.kube.fault import Fault
from ingress.kube.names import (
    DNS_LABEL,
    DNS_SUBDOMAIN,
    PORT_NAME,
    PORT_NUMBER,
    QUALIFIED_NAME,
    is_dns_label,
    is_dns_subdomain,
    is_port_name,
    is_port_number,
    is_qualified_name,
)
from ingress.kube.objects import Service, ServicePort

PROTOCOLS: Final = ("TCP", "UDP", "SCTP")
_TYPES: Final = ("ClusterIP", "NodePort", "LoadBalancer", "ExternalName")


def service_faults(item: Service) -> Iterator[Fault]:
    """Every fault of the spec."""
    spec = item.spec
    if spec.type not in _TYPES:
        yield Fault(("spec", "type"), f"must be one of {', '.join(_TYPES)}")
    if spec.type == "ExternalName":
        # A dot at the end makes the name absolute; users of ingress-nginx rely on that.
        if not is_dns_subdomain(spec.external_name.removesuffix(".")):
            yield Fault(("spec", "externalName"), f"must be a DNS name: {DNS_SUBDOMAIN}")
        if spec.cluster_ip:
            yield Fault(("spec", "clusterIP"), "must not be there where the type is ExternalName")
    else:
        if not spec.ports and spec.cluster_ip != "None":
            yield Fault(("spec", "ports"), "must have at least one port")
        if not _is_cluster_ip(spec.cluster_ip):
            yield Fault(("spec", "clusterIP"), "must be an IP address, None or absent")
    names: set[str] = set()
    numbers: set[tuple[str, int]] = set()
    for index, port in enumerate(spec.ports):
        at: Path = ("spec", "ports", index)
        yield from _port_faults(port, at)
        if not port.name and len(spec.ports) > 1:
            yield Fault((*at, "name"), "must be there where a Service has several ports")
        if port.name and port.name in names:
            yield Fault((*at, "name"), "must not be that of another port of the Service")
        if (port.protocol, port.port) in numbers:
            yield Fault((*at, "port"), "must not be that of another port with the same protocol")
        names.add(port.name)
        numbers.add((port.protocol, port.port))


def _is_cluster_ip(text: str) -> bool:
    if text in ("", "None"):
        return True
    try:
        ip_address(text)
    except ValueError:
        return False
    return True


def _port_faults(port: ServicePort, at: Path) -> Iterator[Fault]:
    if port.name and not is_dns_label(port.name):
        yield Fault((*at, "name"), f"must be {DNS_LABEL}")
    if not is_port_number(port.port):
        yield Fault((*at, "port"), f"must be {PORT_NUMBER}")
    if isinstance(port.target_port, str):
        if not is_port_name(port.target_port):
            yield Fault((*at, "targetPort"), f"must be {PORT_NUMBER}, or {PORT_NAME}")
    elif port.target_port != 0 and not is_port_number(port.target_port):
        # Absent and 0 both mean: the same as port.
        yield Fault((*at, "targetPort"), f"must be {PORT_NUMBER}, or {PORT_NAME}")
    yield from protocol_faults(port.protocol, port.app_protocol, at)


def protocol_faults(protocol: str, app_protocol: str, at: Path) -> Iterator[Fault]:
    """Faults of the two protocol fields that every kind of port has."""
    if protocol not in PROTOCOLS:
        yield Fault((*at, "protocol"), f"must be one of {', '.join(PROTOCOLS)}")
    if app_protocol and not is_qualified_name(app_protocol):
        yield Fault((*at, "appProtocol"), f"must be {QUALIFIED_NAME}")
