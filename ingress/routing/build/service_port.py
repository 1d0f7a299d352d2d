"""
Finds the port of a Service that a backend names.
"""

from __future__ import annotations

from ingress.endpoint import UpstreamKey
from ingress.kube.objects import Service, ServicePort


def service_port_of(key: UpstreamKey, service: Service) -> ServicePort | None:
    """
    Find the port that a backend names by name or number, or else, as in ingress-nginx,
    by the name or number of the port's target. Without a name it is the first port.
    """
    usable = [port for port in service.spec.ports if port.protocol == key.protocol]
    if not key.port:
        return usable[0] if usable else None
    for port in usable:
        if key.port in (port.name, str(port.port)):
            return port
    for port in usable:
        if key.port == str(port.target_port):
            return port
    return None


def no_such_port(key: UpstreamKey, service: Service) -> str:
    ports = service.spec.ports
    same = [port for port in ports if key.port in (port.name, str(port.port))]
    if same:
        of = "a port of UDP is needed" if key.is_udp else "only TCP can be served"
        return f"port {key.port} of {named(key)} is {same[0].protocol}; {of}"
    known = [f"{port.port} ({port.name})" if port.name else str(port.port) for port in ports]
    return f"{named(key)} has no port {key.port}; it has {', '.join(known) or 'none'}"


def named(key: UpstreamKey) -> str:
    return f"Service {key.namespace}/{key.service}"


def target_number(port: ServicePort) -> int:
    """Return the port number of endpoints if only the Service determines it."""
    target = port.target_port
    return target if isinstance(target, int) and target else port.port
