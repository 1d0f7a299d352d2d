"""
The Kubernetes objects that we read, as frozen types.

Only the fields that are used are declared; unknown ones are skipped while
parsing. Field names are the API's, in snake_case. `null` means absent, as for
the API server, and is dropped before an object is made.

Structs are made with ``gc=False``: none of them can be part of a reference
cycle, and the collector's full runs would otherwise walk each of the hundreds
of thousands of objects that a large cluster has.

Source of the shapes: the API reference of Kubernetes 1.36.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Annotated, Literal

import msgspec

from ingress.problem import Origin

CLASS_ANNOTATION = "kubernetes.io/ingress.class"
"""The annotation that named the class before the field existed; the field wins."""

SERVICE_NAME_LABEL = "kubernetes.io/service-name"
"""The label by which an EndpointSlice names its Service."""

APPLICATION_LABEL = "app.kubernetes.io/name"
INGRESS_NGINX = "ingress-nginx"
"""The value of the label on the objects of its Helm chart."""

OWNER_LABEL = "app.kubernetes.io/managed-by"
"""The label by which a Secret names the program that has made it."""

INGRESS_NGINX_CONFIG_MAPS = ("ingress-nginx-controller", "tcp-services", "udp-services")
"""The names of its ConfigMaps in its Helm chart and its documentation."""

ObjectName = tuple[str, str]
"""``(namespace, name)``; the namespace is empty for cluster-scoped kinds."""

ObjectKey = tuple[str, str, str]
"""``(kind, namespace, name)``: identifies an object among all."""


class KubeStruct(msgspec.Struct, frozen=True, kw_only=True, rename="camel", gc=False):
    """The base of all types: frozen, with the API's camelCase keys."""


class Metadata(KubeStruct, frozen=True, kw_only=True):
    """ObjectMeta; ``namespace`` is ``default`` where a manifest names none."""

    name: str
    namespace: str = "default"
    uid: str = ""
    creation_timestamp: Annotated[datetime, msgspec.Meta(tz=True)] | None = None
    annotations: dict[str, str] = {}
    labels: dict[str, str] = {}


class KubeObject(KubeStruct, frozen=True, kw_only=True):
    """An object with metadata and the place that it was read from."""

    metadata: Metadata
    origin: Origin = Origin()

    @property
    def key(self) -> ObjectName:
        return (self.metadata.namespace, self.metadata.name)


class ServiceBackendPort(KubeStruct, frozen=True, kw_only=True):
    """Exactly one of the two is set in a valid Ingress."""

    name: str = ""
    number: int = 0

    def __str__(self) -> str:
        return self.name or str(self.number)


class IngressServiceBackend(KubeStruct, frozen=True, kw_only=True):
    name: str
    port: ServiceBackendPort = ServiceBackendPort()


class TypedLocalObjectReference(KubeStruct, frozen=True, kw_only=True):
    kind: str
    name: str
    api_group: str = ""


class IngressBackend(KubeStruct, frozen=True, kw_only=True):
    """The ``backend`` field of an Ingress: a Service, or some other resource."""

    service: IngressServiceBackend | None = None
    resource: TypedLocalObjectReference | None = None


PathType = Literal["Exact", "Prefix", "ImplementationSpecific"]


class HTTPIngressPath(KubeStruct, frozen=True, kw_only=True):
    backend: IngressBackend
    path_type: PathType
    path: str = ""


class HTTPIngressRuleValue(KubeStruct, frozen=True, kw_only=True):
    paths: tuple[HTTPIngressPath, ...]


class IngressRule(KubeStruct, frozen=True, kw_only=True):
    host: str = ""
    http: HTTPIngressRuleValue | None = None


class IngressTLS(KubeStruct, frozen=True, kw_only=True):
    hosts: tuple[str, ...] = ()
    secret_name: str = ""


class IngressSpec(KubeStruct, frozen=True, kw_only=True):
    ingress_class_name: str | None = None
    default_backend: IngressBackend | None = None
    tls: tuple[IngressTLS, ...] = ()
    rules: tuple[IngressRule, ...] = ()


class Ingress(KubeObject, frozen=True, kw_only=True):
    spec: IngressSpec
    only_guards: bool = False
    """Whether it has a fault: then it serves nothing, and only guards its paths."""


class IngressClassSpec(KubeStruct, frozen=True, kw_only=True):
    controller: str = ""


class IngressClass(KubeObject, frozen=True, kw_only=True):
    """Cluster-scoped: its namespace is empty."""

    spec: IngressClassSpec = IngressClassSpec()


class ServicePort(KubeStruct, frozen=True, kw_only=True):
    port: int
    name: str = ""
    protocol: str = "TCP"
    target_port: int | str = 0
    app_protocol: str = ""


class ServiceSpec(KubeStruct, frozen=True, kw_only=True):
    type: str = "ClusterIP"
    cluster_ip: str = msgspec.field(name="clusterIP", default="")
    cluster_ips: tuple[str, ...] = msgspec.field(name="clusterIPs", default=())
    external_ips: tuple[str, ...] = msgspec.field(name="externalIPs", default=())
    external_name: str = ""
    ports: tuple[ServicePort, ...] = ()


class LoadBalancerAddress(KubeStruct, frozen=True, kw_only=True):
    ip: str = ""


class LoadBalancerAddresses(KubeStruct, frozen=True, kw_only=True):
    ingress: tuple[LoadBalancerAddress, ...] = ()


class ServiceStatus(KubeStruct, frozen=True, kw_only=True):
    load_balancer: LoadBalancerAddresses = LoadBalancerAddresses()


class Service(KubeObject, frozen=True, kw_only=True):
    spec: ServiceSpec = ServiceSpec()
    status: ServiceStatus = ServiceStatus()


class EndpointConditions(KubeStruct, frozen=True, kw_only=True):
    """nil ready means ready, nil serving means serving, nil terminating means not."""

    ready: bool = True
    serving: bool = True
    terminating: bool = False


class SliceEndpoint(KubeStruct, frozen=True, kw_only=True):
    addresses: tuple[str, ...]
    conditions: EndpointConditions = EndpointConditions()


class EndpointPort(KubeStruct, frozen=True, kw_only=True):
    """``port`` is None if the slice names none, which means all ports."""

    name: str = ""
    port: int | None = None
    protocol: str = "TCP"
    app_protocol: str = ""


class EndpointSlice(KubeObject, frozen=True, kw_only=True):
    address_type: Literal["IPv4", "IPv6", "FQDN"]
    endpoints: tuple[SliceEndpoint, ...] = ()
    ports: tuple[EndpointPort, ...] = ()

    @property
    def service(self) -> ObjectName:
        """The Service that owns it, by its label; the name is empty without the label."""
        return (self.metadata.namespace, self.metadata.labels.get(SERVICE_NAME_LABEL, ""))


class EndpointAddress(KubeStruct, frozen=True, kw_only=True):
    ip: str


class EndpointSubset(KubeStruct, frozen=True, kw_only=True):
    addresses: tuple[EndpointAddress, ...] = ()
    not_ready_addresses: tuple[EndpointAddress, ...] = ()
    ports: tuple[EndpointPort, ...] = ()


class Endpoints(KubeObject, frozen=True, kw_only=True):
    """The v1 kind before EndpointSlice; it has the name of its Service."""

    subsets: tuple[EndpointSubset, ...] = ()


class Secret(KubeObject, frozen=True, kw_only=True):
    """``data`` is decoded, and ``stringData`` merged into it; never shown."""

    type: str = "Opaque"
    data: dict[str, bytes] = {}

    def __repr__(self) -> str:
        return f"Secret({self.metadata.namespace}/{self.metadata.name}, keys={sorted(self.data)})"


class ConfigMap(KubeObject, frozen=True, kw_only=True):
    data: dict[str, str] = {}

    unreadable: tuple[str, ...] | None = None
    """
    Of the remains of a ConfigMap that has a fault: the keys whose values cannot be read, with an
    empty one if `data` as a whole cannot. None of a ConfigMap without faults.
    """

    @property
    def is_whole(self) -> bool:
        """Whether it has no fault, so that these are not its remains."""
        return self.unreadable is None

    @property
    def is_of_ingress_nginx(self) -> bool:
        """Whether it is recognisably one of ingress-nginx."""
        if self.metadata.labels.get(APPLICATION_LABEL) == INGRESS_NGINX:
            return True
        return self.metadata.name in INGRESS_NGINX_CONFIG_MAPS


class ResolvedName(KubeObject, frozen=True, kw_only=True):
    """
    The addresses of a host name that an ExternalName or an EndpointSlice of the type FQDN leads
    to; not an object of the API. Its ``metadata`` has the host name in lower case, and no
    namespace.
    """

    addresses: tuple[str, ...] = ()

    fault: str = ""
    """Why there are no addresses, or why they are out of date."""


class Objects(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """
    All objects of the store at one moment, by name; the mappings are never changed.

    Unchanged objects stay the same Python objects, which lets an incremental build find what has
    changed.
    """

    ingresses: Mapping[ObjectName, Ingress] = msgspec.field(default_factory=dict)
    ingress_classes: Mapping[ObjectName, IngressClass] = msgspec.field(default_factory=dict)
    services: Mapping[ObjectName, Service] = msgspec.field(default_factory=dict)
    endpoint_slices: Mapping[ObjectName, EndpointSlice] = msgspec.field(default_factory=dict)
    endpoints: Mapping[ObjectName, Endpoints] = msgspec.field(default_factory=dict)
    secrets: Mapping[ObjectName, Secret] = msgspec.field(default_factory=dict)
    config_maps: Mapping[ObjectName, ConfigMap] = msgspec.field(default_factory=dict)
    resolved_names: Mapping[ObjectName, ResolvedName] = msgspec.field(default_factory=dict)
