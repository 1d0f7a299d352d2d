"""
Builders that make Kubernetes objects in one line each, and builds of such objects.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Literal

import msgspec

from ingress.config import Config, FilesSource
from ingress.kube.objects import (
    ConfigMap,
    EndpointAddress,
    EndpointConditions,
    EndpointPort,
    Endpoints,
    EndpointSlice,
    EndpointSubset,
    HTTPIngressPath,
    HTTPIngressRuleValue,
    Ingress,
    IngressBackend,
    IngressClass,
    IngressClassSpec,
    IngressRule,
    IngressServiceBackend,
    IngressSpec,
    IngressTLS,
    KubeObject,
    Metadata,
    ObjectName,
    Objects,
    PathType,
    ResolvedName,
    Secret,
    Service,
    ServiceBackendPort,
    ServicePort,
    ServiceSpec,
    SliceEndpoint,
)
from ingress.own_addresses import NO_ADDRESSES, OwnAddresses
from ingress.policy.annotation import OWN_PREFIX, PREFIX
from ingress.policy.registry import Registry
from ingress.routing.build import Built, build

NOW = datetime(2026, 11, 23, tzinfo=UTC)
"""The time of every build in these tests."""

FILES = Config(source=FilesSource(paths=(Path("manifests"),)))
"""Objects come from files, so that every Ingress is served while there is no IngressClass."""

READY = EndpointConditions()
STARTING = EndpointConditions(ready=False, serving=False)
LEAVING = EndpointConditions(ready=False, serving=True, terminating=True)
"""The endpoint is terminating and still serving."""

_KINDS: dict[type[KubeObject], str] = {
    Ingress: "ingresses",
    IngressClass: "ingress_classes",
    Service: "services",
    EndpointSlice: "endpoint_slices",
    Endpoints: "endpoints",
    Secret: "secrets",
    ConfigMap: "config_maps",
    ResolvedName: "resolved_names",
}


def metadata(
    name: str, annotations: Mapping[str, str] | None = None, created: str | None = None
) -> Metadata:
    """
    :param name: ``NAME`` or ``NAMESPACE/NAME``.
    :param created: a date such as ``2026-01-31``.
    """
    namespace, _, short = name.rpartition("/")
    moment = datetime.fromisoformat(created).replace(tzinfo=UTC) if created else None
    return Metadata(
        name=short,
        namespace=namespace or "default",
        creation_timestamp=moment,
        annotations=dict(annotations or {}),
    )


def backend(service: str) -> IngressBackend:
    """:param service: ``NAME:PORT``, with the port by number or name."""
    name, _, port = service.partition(":")
    number = int(port) if port.isdecimal() else 0
    return IngressBackend(
        service=IngressServiceBackend(
            name=name, port=ServiceBackendPort(name="" if number else port, number=number)
        )
    )


def path(written: str, service: str) -> HTTPIngressPath:
    """:param written: ``/path`` for Prefix, ``=/path`` for Exact, ``~/path`` for the third type."""
    types: dict[str, PathType] = {"=": "Exact", "~": "ImplementationSpecific"}
    return HTTPIngressPath(
        path=written.lstrip("=~"),
        path_type=types.get(written[:1], "Prefix"),
        backend=backend(service),
    )


def ingress(
    host: str,
    paths: Mapping[str, str],
    *,
    name: str = "web",
    default: str = "",
    tls: Mapping[str, Iterable[str]] | None = None,
    annotations: Mapping[str, str] | None = None,
    created: str | None = None,
    class_name: str | None = None,
    class_annotation: str | None = None,
) -> Ingress:
    """
    :param paths: paths in the form of `path`, with ``SERVICE:PORT`` for each; without
        host and paths the Ingress has no rule.
    :param tls: hosts by the name of their Secret.
    :param annotations: names without the prefix of ingress-nginx, but with our own.
    """
    all_annotations = {
        key if key.startswith(OWN_PREFIX) else PREFIX + key: value
        for key, value in (annotations or {}).items()
    }
    if class_annotation is not None:
        all_annotations["kubernetes.io/ingress.class"] = class_annotation
    rule = IngressRule(
        host=host,
        http=HTTPIngressRuleValue(paths=tuple(path(*item) for item in paths.items()))
        if paths
        else None,
    )
    return Ingress(
        metadata=metadata(name, all_annotations, created),
        spec=IngressSpec(
            ingress_class_name=class_name,
            default_backend=backend(default) if default else None,
            tls=tuple(
                IngressTLS(hosts=tuple(hosts), secret_name=secret)
                for secret, hosts in (tls or {}).items()
            ),
            rules=(rule,) if host or paths else (),
        ),
    )


def ingress_class(
    name: str,
    *,
    controller: str = "txingress.dev/ingress",
    is_default: bool = False,
    created: str | None = None,
) -> IngressClass:
    """A cluster-scoped IngressClass."""
    key = "ingressclass.kubernetes.io/is-default-class"
    return IngressClass(
        metadata=msgspec.structs.replace(
            metadata(name, {key: "true"} if is_default else None, created), namespace=""
        ),
        spec=IngressClassSpec(controller=controller),
    )


def service(name: str, *ports: ServicePort, kind: str = "ClusterIP", external: str = "") -> Service:
    """
    :param ports: port 80 without a name if none are given.
    :param external: the ``externalName``.
    """
    spec = ServiceSpec(ports=ports or (ServicePort(port=80),), type=kind, external_name=external)
    return Service(metadata=metadata(name), spec=spec)


def endpoint_slice(
    of: str,
    *addresses: str | tuple[str, EndpointConditions],
    name: str = "",
    ports: Iterable[EndpointPort] = (EndpointPort(port=8080),),
    family: Literal["IPv4", "IPv6", "FQDN"] = "IPv4",
) -> EndpointSlice:
    """
    :param of: the Service, as ``NAME`` or ``NAMESPACE/NAME``.
    :param addresses: ready addresses, or addresses with conditions.
    """
    items = [item if isinstance(item, tuple) else (item, READY) for item in addresses]
    labels = {"kubernetes.io/service-name": metadata(of).name}
    return EndpointSlice(
        metadata=msgspec.structs.replace(metadata(name or f"{of}-1"), labels=labels),
        address_type=family,
        endpoints=tuple(
            SliceEndpoint(addresses=(address,), conditions=conditions)
            for address, conditions in items
        ),
        ports=tuple(ports),
    )


def endpoints(
    of: str, *addresses: str, not_ready: Iterable[str] = (), port: int = 8080
) -> Endpoints:
    """An Endpoints object, the predecessor of EndpointSlice."""
    subset = EndpointSubset(
        addresses=tuple(EndpointAddress(ip=address) for address in addresses),
        not_ready_addresses=tuple(EndpointAddress(ip=address) for address in not_ready),
        ports=(EndpointPort(port=port),),
    )
    return Endpoints(metadata=metadata(of), subsets=(subset,))


def secret(name: str, certificate: bytes, key: bytes) -> Secret:
    """A Secret with PEM data."""
    return Secret(
        metadata=metadata(name),
        type="kubernetes.io/tls",
        data={"tls.crt": certificate, "tls.key": key},
    )


def resolved_name(name: str, *addresses: str, fault: str = "") -> ResolvedName:
    """The addresses of a name."""
    metadata = Metadata(name=name, namespace="")
    return ResolvedName(metadata=metadata, addresses=addresses, fault=fault)


def served(name: str) -> tuple[Service, EndpointSlice]:
    """A Service of port 80 and one endpoint, ``10.0.0.1:8080``."""
    return service(name), endpoint_slice(name, "10.0.0.1")


def objects(*items: KubeObject | Iterable[KubeObject]) -> Objects:
    """:param items: objects, or groups of objects such as `served` makes."""
    kinds: dict[str, dict[ObjectName, KubeObject]] = {}
    for item in items:
        for each in (item,) if isinstance(item, KubeObject) else item:
            kinds.setdefault(_KINDS[type(each)], {})[each.key] = each
    return Objects(**kinds)  # type: ignore[arg-type]


def built(
    *items: KubeObject | Iterable[KubeObject],
    config: Config = FILES,
    previous: Built | None = None,
    now: datetime = NOW,
    registry: Registry | None = None,
    own: OwnAddresses = NO_ADDRESSES,
) -> Built:
    """Build some objects."""
    return build(objects(*items), config, previous, now=now, registry=registry, own=own)


def problems_of(result: Built, name: str = "web") -> list[str]:
    """
    :param name: the name of an Ingress, as ``NAME`` or ``NAMESPACE/NAME``.
    :return: its Problems as ``FIELD: MESSAGE``.
    """
    meta = metadata(name)
    found = result.problems.get(("Ingress", meta.namespace, meta.name), ())
    return [f"{problem.field}: {problem.message}" for problem in found]
