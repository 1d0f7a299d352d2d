"""
Finds the endpoints of one Service port.

Source of the rules: docs/compatibility.md, sections 1 ("Backends", "EndpointSlices") and
5 ("Endpoints").
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from ipaddress import ip_address
from typing import NamedTuple

from ingress.config import FilesSource
from ingress.endpoint import Endpoint, Upstream, UpstreamKey
from ingress.frozen import dataclass
from ingress.kube.objects import (
    EndpointPort,
    Endpoints,
    EndpointSlice,
    ObjectName,
    ResolvedName,
    Service,
    ServicePort,
)
from ingress.own_addresses import NO_ADDRESSES, OwnAddresses
from ingress.routing.build.change import sorted_in_steps
from ingress.routing.build.endpoint_screen import (
    CONFIGURATION,
    ENDPOINTS,
    SERVICE,
    SLICE,
    EndpointScreen,
    RefusedEndpoint,
)
from ingress.routing.build.named_endpoint import NameLookup
from ingress.routing.build.proxy_header import with_proxy_header
from ingress.routing.build.service_port import (
    named,
    no_such_port,
    service_port_of,
    target_number,
)
from ingress.steps import STRIDE, Steps

FAMILIES = ("IPv4", "IPv6", "FQDN")
"""
The order of preference in a dual-stack Service. Its pods are in the slices of both
families, and each pod must get its share only once.
"""

_HEADLESS = "None"
"""The ClusterIP of a Service without one."""


class ServiceObjects(NamedTuple):
    """The objects that describe one Service, as far as they exist."""

    service: Service | None
    slices: tuple[EndpointSlice, ...]
    endpoints: Endpoints | None
    names: Mapping[ObjectName, ResolvedName] = {}
    """All names that were resolved."""


@dataclass(frozen=True, slots=True)
class ResolvedUpstream:
    """An Upstream and its fault, if any."""

    upstream: Upstream
    fault: str = ""
    """
    The fault to report on each Ingress that names the Upstream: why it has no endpoint, or
    why its endpoints may be out of date. Empty while a name is merely not resolved yet.
    """

    names: frozenset[str] = frozenset()
    """The names that lead to its endpoints."""

    refused: frozenset[RefusedEndpoint] = frozenset()
    """The endpoints that are addresses of ours, and get no requests."""


class _FaultError(Exception):
    """Why a Service port has no endpoint."""


class _Address(NamedTuple):
    """An address in an object, with its condition."""

    family: str
    endpoint: Endpoint
    is_ready: bool
    is_leaving: bool
    """Whether it is still serving while it terminates."""


def resolve_upstream(
    key: UpstreamKey,
    objects: ServiceObjects,
    source: FilesSource,
    own: OwnAddresses = NO_ADDRESSES,
) -> Steps[ResolvedUpstream]:
    """
    Find the endpoints of `key`.

    :param source: gives endpoints to Services that have none among the objects.
    :param own: the addresses that are no endpoints because they are our own.
    """
    names = NameLookup(objects.names, is_from_cluster=not source.paths)
    screen = EndpointScreen(own, is_udp=key.is_udp)
    try:
        upstream = yield from _resolve(key, objects, source, names, screen)
    except _FaultError as error:
        found = _without_endpoint(key, str(error), names, screen)
    else:
        fault = f"{named(key)}: {names.fault}" if names.fault else ""
        fault = fault or _address_fault(key, objects.service)
        upstream, of_header = with_proxy_header(upstream, objects.service)
        fault = fault or (f"{named(key)}: {of_header}" if of_header else "")
        found = ResolvedUpstream(upstream, fault, names.names)
    return replace(found, refused=frozenset(screen.refused)) if screen.refused else found


def _without_endpoint(
    key: UpstreamKey, fault: str, names: NameLookup, screen: EndpointScreen
) -> ResolvedUpstream:
    if names.is_pending:
        return ResolvedUpstream(Upstream(key), names=names.names)
    if names.fault or screen.reason:
        fault = f"{named(key)}: {'; '.join(filter(None, (names.fault, screen.reason)))}"
    is_unresolved = bool(names.fault) and not names.is_refused and not screen.refused
    message = f"{fault}; answered with {502 if is_unresolved else 503}"
    return ResolvedUpstream(Upstream(key, is_unresolved=is_unresolved), message, names.names)


def _resolve(
    key: UpstreamKey,
    objects: ServiceObjects,
    source: FilesSource,
    names: NameLookup,
    screen: EndpointScreen,
) -> Steps[Upstream]:
    """
    :raises _FaultError: if there is no endpoint.
    """
    service = objects.service
    if service is None:
        return _local_upstream(key, None, source, screen, "does not exist")
    if service.spec.type == "ExternalName":
        return Upstream(key, _external_endpoints(key, service, names, screen))
    port = service_port_of(key, service)
    if port is None:
        raise _FaultError(no_such_port(key, service))
    if key.is_by_service and _has_address(service):
        return with_version(Upstream(key, (_service_endpoint(key, service, port, screen),)), port)
    if objects.slices:
        addresses = _slice_addresses(objects.slices, port, names, screen)
        ports = (each for item in objects.slices for each in item.ports)
        return (yield from _choose(key, port, "EndpointSlices", addresses, ports))
    if objects.endpoints is not None:
        addresses = _subset_addresses(objects.endpoints, port, screen)
        ports = (each for subset in objects.endpoints.subsets for each in subset.ports)
        return (yield from _choose(key, port, "Endpoints", addresses, ports))
    return _local_upstream(key, port, source, screen, "has no endpoints")


# The address of a Service.


def _has_address(service: Service | None) -> bool:
    return service is not None and service.spec.cluster_ip not in ("", _HEADLESS)


def _service_endpoint(
    key: UpstreamKey, service: Service, port: ServicePort, screen: EndpointScreen
) -> Endpoint:
    """
    :raises _FaultError: if the address is one of our own.
    """
    address = service.spec.cluster_ip
    endpoint = Endpoint(_normalized(address, "IPv6" if ":" in address else "IPv4"), port.port)
    if not screen.admits((SERVICE, *service.key), endpoint):
        raise _FaultError(f"{named(key)} leads to no address")
    return endpoint


def _address_fault(key: UpstreamKey, service: Service | None) -> str:
    """Say why the endpoints are asked although the address of the Service was to be."""
    if not key.is_by_service or _has_address(service):
        return ""
    is_headless = service is not None and service.spec.cluster_ip == _HEADLESS
    reason = "is headless" if is_headless else "has no ClusterIP"
    return f"{named(key)} {reason}: service-upstream has no effect, and its endpoints are asked"


# Endpoints from objects.


def _slice_addresses(
    slices: Iterable[EndpointSlice],
    service_port: ServicePort,
    names: NameLookup,
    screen: EndpointScreen,
) -> Iterator[_Address]:
    for endpoint_slice in slices:
        family, owner = endpoint_slice.address_type, (SLICE, *endpoint_slice.key)
        for number in _numbers(endpoint_slice.ports, service_port):
            for item in endpoint_slice.endpoints:
                conditions = item.conditions
                is_leaving = conditions.serving and conditions.terminating
                for address in item.addresses:
                    if family == "FQDN":
                        endpoints = names.endpoints(address, number)
                    else:
                        endpoints = [Endpoint(_normalized(address, family), number)]
                    for endpoint in endpoints:
                        if screen.admits(owner, endpoint):
                            yield _Address(family, endpoint, conditions.ready, is_leaving)


def _subset_addresses(
    endpoints: Endpoints, service_port: ServicePort, screen: EndpointScreen
) -> Iterator[_Address]:
    """Yield ready addresses; nothing says whether the others are still serving."""
    for subset in endpoints.subsets:
        for number in _numbers(subset.ports, service_port):
            for address in subset.addresses:
                family = "IPv6" if ":" in address.ip else "IPv4"
                endpoint = Endpoint(_normalized(address.ip, family), number)
                if screen.admits((ENDPOINTS, *endpoints.key), endpoint):
                    yield _Address(family, endpoint, is_ready=True, is_leaving=False)


def _numbers(ports: Iterable[EndpointPort], service_port: ServicePort) -> list[int]:
    """
    Match ports by name, which is empty for a Service with one port.

    A port without a number means all ports of the endpoints. Then the number is that of the
    Service's target; a target that is a name has none, and what it may be is not guessed.
    """
    return [
        port.port if port.port is not None else target_number(service_port)
        for port in ports
        if _is_same(port, service_port) and not _is_unnumbered(port, service_port)
    ]


def _is_same(port: EndpointPort, service_port: ServicePort) -> bool:
    return port.name == service_port.name and port.protocol == service_port.protocol


def _is_unnumbered(port: EndpointPort, service_port: ServicePort) -> bool:
    """Return whether neither of the two says which number the port has."""
    is_open = port.port is None and isinstance(service_port.target_port, str)
    return is_open and _is_same(port, service_port)


def _normalized(address: str, family: str) -> str:
    """Return the canonical spelling of an IPv6 address, so that it is only one endpoint."""
    if family != "IPv6":
        return address
    try:
        return str(ip_address(address))
    except ValueError:
        return address


def with_version(upstream: Upstream, port: ServicePort | None) -> Upstream:
    """:return: the Upstream with what the Service port says of its endpoints (KEP 3726)."""
    if port is None or not port.app_protocol:
        return upstream
    is_http2 = port.app_protocol == "kubernetes.io/h2c"
    is_secure = port.app_protocol == "kubernetes.io/wss"
    return replace(upstream, speaks_http2=is_http2, speaks_tls=is_secure)


def _choose(
    key: UpstreamKey,
    port: ServicePort,
    kind: str,
    addresses: Iterable[_Address],
    ports: Iterable[EndpointPort],
) -> Steps[Upstream]:
    """
    :param ports: of the endpoints.
    :raises _FaultError: if no address can be used.
    """
    ready: dict[str, set[Endpoint]] = {}
    leaving: dict[str, set[Endpoint]] = {}
    is_empty = True
    for count, (family, endpoint, is_ready, is_leaving) in enumerate(addresses):
        is_empty = False
        if is_ready:
            ready.setdefault(family, set()).add(endpoint)
        elif is_leaving:
            leaving.setdefault(family, set()).add(endpoint)
        if count % STRIDE == STRIDE - 1:
            yield
    for family in FAMILIES:
        if family in ready:
            endpoints = yield from sorted_in_steps(ready[family])
            lingering = yield from sorted_in_steps(leaving.get(family, set()) - ready[family])
            found = Upstream(key, tuple(endpoints), tuple(lingering))
            return with_version(found, port)
    for family in FAMILIES:
        if family in leaving:
            endpoints = yield from sorted_in_steps(leaving[family])
            return with_version(Upstream(key, tuple(endpoints)), port)
    if is_empty:
        meant = f"named {port.name}" if port.name else "without name"
        if any(_is_unnumbered(each, port) for each in ports):
            raise _FaultError(
                f"the {kind} of {named(key)} give no number for the {port.protocol} port {meant},"
                f" and its targetPort, {port.target_port}, is a name; one of them must be a number"
            )
        raise _FaultError(
            f"the {kind} of {named(key)} list no address with a {port.protocol} port {meant}"
        )
    raise _FaultError(f"no endpoint of {named(key)} is ready")


# Endpoints from elsewhere.


def _external_endpoints(
    key: UpstreamKey, service: Service, names: NameLookup, screen: EndpointScreen
) -> tuple[Endpoint, ...]:
    name = service.spec.external_name
    if not name:
        raise _FaultError(f"{named(key)} is an ExternalName without name")
    port = service_port_of(key, service)
    if port is not None:
        number = target_number(port)
    elif key.port.isdecimal():
        number = int(key.port)
    else:
        raise _FaultError(no_such_port(key, service))
    owner = (SERVICE, *service.key)
    endpoints = tuple(each for each in names.endpoints(name, number) if screen.admits(owner, each))
    if not endpoints:
        raise _FaultError(f"{named(key)} leads to no address")
    return endpoints


def _local_upstream(
    key: UpstreamKey,
    port: ServicePort | None,
    source: FilesSource,
    screen: EndpointScreen,
    lack: str,
) -> Upstream:
    """
    Make an Upstream with the endpoints from the configuration.

    :param port: the port of the Service; None if there is no Service.
    :param lack: what the Service lacks, for the fault.
    """
    spellings = [key.port]
    if port is not None:
        spellings += [port.name, str(port.port)]
    for spelling in [*filter(None, spellings), ""]:
        addresses = source.endpoints.get((key.namespace, key.service, spelling))
        if addresses:
            listed = {Endpoint(host, number) for host, number in addresses}
            endpoints = sorted(each for each in listed if screen.admits(CONFIGURATION, each))
            if not endpoints:
                raise _FaultError(f"{named(key)} leads to no address")
            return with_version(Upstream(key, tuple(endpoints)), port)
    line = f"source.endpoints: {{{key.namespace}/{key.service}: 127.0.0.1:3000}}"
    advice = f" (one can be named in the configuration, as in `{line}`)" if source.paths else ""
    raise _FaultError(f"{named(key)} {lack}{advice}")
