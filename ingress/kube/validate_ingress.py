"""
Checks Ingresses as the API server does.

Source of the rules: ``pkg/apis/networking/validation/validation.go``.
"""

from __future__ import annotations

from collections.abc import Iterator
from ipaddress import ip_address
from typing import Final

from ingress.document import Path
from ingress.kube.fault import Fault
from ingress.kube.names import (
    DNS_1035,
    DNS_SUBDOMAIN,
    PORT_NAME,
    PORT_NUMBER,
    is_dns_1035_label,
    is_dns_label,
    is_dns_subdomain,
    is_port_name,
    is_port_number,
    is_wildcard_subdomain,
)
from ingress.kube.objects import (
    CLASS_ANNOTATION,
    HTTPIngressPath,
    Ingress,
    IngressBackend,
    IngressServiceBackend,
    ServiceBackendPort,
    TypedLocalObjectReference,
)

_FORBIDDEN: Final = ("//", "/./", "/../", "%2f", "%2F")
_FORBIDDEN_ENDS: Final = ("/..", "/.")


def ingress_faults(item: Ingress) -> Iterator[Fault]:
    """Every fault of the spec, and of the annotation that stands in for its class."""
    spec = item.spec
    if spec.ingress_class_name is not None:
        if CLASS_ANNOTATION in item.metadata.annotations:
            path = ("metadata", "annotations", CLASS_ANNOTATION)
            message = "must not be there together with spec.ingressClassName"
            yield Fault(path, message, is_of_creation=True)
        if not is_dns_subdomain(spec.ingress_class_name):
            yield Fault(("spec", "ingressClassName"), f"must be {DNS_SUBDOMAIN}")
    if not spec.rules and spec.default_backend is None:
        yield Fault(("spec",), "must have rules or a defaultBackend")
    if spec.default_backend is not None:
        yield from _backend_faults(spec.default_backend, ("spec", "defaultBackend"))
    for index, entry in enumerate(spec.tls):
        for number, host in enumerate(entry.hosts):
            if not (is_dns_subdomain(host) or is_wildcard_subdomain(host)):
                yield Fault(("spec", "tls", index, "hosts", number), _host_message(host))
        if entry.secret_name and not is_dns_subdomain(entry.secret_name):
            at_secret: Path = ("spec", "tls", index, "secretName")
            yield Fault(at_secret, f"must be {DNS_SUBDOMAIN}", is_of_creation=True)
    for index, rule in enumerate(spec.rules):
        at: Path = ("spec", "rules", index)
        message = host_fault(rule.host)
        if message:
            # Versions before 1.19 took a * anywhere in a host.
            yield Fault((*at, "host"), message, is_of_creation="*" in rule.host)
        if rule.http is not None:
            if not rule.http.paths:
                yield Fault((*at, "http", "paths"), "must have at least one path")
            for number, entry_path in enumerate(rule.http.paths):
                path_at: Path = (*at, "http", "paths", number)
                yield from path_faults(entry_path, path_at)
                yield from _backend_faults(entry_path.backend, (*path_at, "backend"))


def host_fault(host: str) -> str:
    """The fault of the host of a rule; empty if it has none."""
    return "" if not host or _is_host(host) else _host_message(host)


def _is_host(host: str) -> bool:
    # Only digits and dots can be both a DNS name and an IPv4 address.
    if is_dns_subdomain(host):
        return not (host[-1].isdigit() and _is_ip(host))
    return is_wildcard_subdomain(host)


def _is_ip(text: str) -> bool:
    try:
        ip_address(text)
    except ValueError:
        return False
    return True


def _host_message(host: str) -> str:
    """The message for a bad host, with the likely mistake."""
    accepted = "must be a DNS name, or *. and a DNS name"
    if _is_ip(host.strip("[]")):
        return f"{accepted}, not an IP address"
    if "://" in host:
        return f"{accepted}, without a scheme"
    if "/" in host:
        return f"{accepted}, without a path"
    name, colon, port = host.rpartition(":")
    if colon and name and port.isdigit():
        return f"{accepted}, without a port"
    if not host.isascii():
        return f"{accepted}, in its ASCII form (xn--…)"
    if host != host.lower() and (is_dns_subdomain(host.lower()) or host[:2] == "*."):
        return f"{accepted}, in lower case"
    if "*" in host:
        return f"{accepted}; * stands for the whole first label only"
    if host.endswith("."):
        return f"{accepted}, without a dot at the end"
    return f"{accepted}: {DNS_SUBDOMAIN}"


def path_faults(entry: HTTPIngressPath, at: Path) -> Iterator[Fault]:
    """The faults of the path alone, without its backend."""
    path = entry.path
    if entry.path_type == "ImplementationSpecific":
        if path and path[0] != "/":
            yield Fault((*at, "path"), "must start with /")
    elif not path.startswith("/"):
        yield Fault((*at, "path"), f"must start with / where pathType is {entry.path_type}")
    else:
        for part in _FORBIDDEN:
            if part in path:
                yield Fault((*at, "path"), f"must not contain {part}")
        for end in _FORBIDDEN_ENDS:
            if path.endswith(end):
                yield Fault((*at, "path"), f"must not end in {end}")


def _backend_faults(backend: IngressBackend, at: Path) -> Iterator[Fault]:
    if backend.service is not None and backend.resource is not None:
        yield Fault(at, "must have either a service or a resource, not both")
    elif backend.resource is not None:
        yield from _resource_faults(backend.resource, (*at, "resource"))
    elif backend.service is not None:
        yield from _service_backend_faults(backend.service, (*at, "service"))
    else:
        yield Fault(at, "must have a service (with name and port) or a resource")


def _service_backend_faults(service: IngressServiceBackend, at: Path) -> Iterator[Fault]:
    if not is_dns_1035_label(service.name):
        # Later versions take a digit at the beginning, too.
        is_label = is_dns_label(service.name)
        message = f"must be the name of a Service: {DNS_1035}"
        yield Fault((*at, "name"), message, is_of_creation=is_label)
    yield from _backend_port_faults(service.port, (*at, "port"))


def _backend_port_faults(port: ServiceBackendPort, at: Path) -> Iterator[Fault]:
    if port.name and port.number:
        yield Fault(at, "must have either a name or a number, not both")
    elif port.name:
        if not is_port_name(port.name):
            yield Fault((*at, "name"), f"must be {PORT_NAME}")
    elif not port.number:
        yield Fault(at, "must have a name or a number")
    elif not is_port_number(port.number):
        yield Fault((*at, "number"), f"must be {PORT_NUMBER}")


def _resource_faults(resource: TypedLocalObjectReference, at: Path) -> Iterator[Fault]:
    if resource.api_group and not is_dns_subdomain(resource.api_group):
        yield Fault((*at, "apiGroup"), f"must be {DNS_SUBDOMAIN}")
    for field, text in (("kind", resource.kind), ("name", resource.name)):
        if not text or text in (".", "..") or "/" in text or "%" in text:
            yield Fault((*at, field), "must be there, without / and %")
