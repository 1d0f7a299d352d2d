"""
Checks objects as the API server does; without a cluster nothing else would.

Every fault of an object is found, not only the first.

Source of the rules: ``pkg/apis/{core,networking,discovery}/validation`` of
Kubernetes 1.36. Fields that are not read are not checked.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, Final

from ingress.document import Path
from ingress.kube.fault import Fault
from ingress.kube.names import (
    DNS_1035,
    DNS_LABEL,
    DNS_SUBDOMAIN,
    LABEL_VALUE,
    QUALIFIED_NAME,
    is_data_key,
    is_dns_1035_label,
    is_dns_label,
    is_dns_subdomain,
    is_label_value,
    is_qualified_name,
)
from ingress.kube.objects import (
    ConfigMap,
    Endpoints,
    EndpointSlice,
    Ingress,
    IngressClass,
    KubeObject,
    Metadata,
    Secret,
    Service,
)
from ingress.kube.validate_endpoints import endpoint_slice_faults, endpoints_faults
from ingress.kube.validate_ingress import ingress_faults
from ingress.kube.validate_service import service_faults

MAX_ANNOTATIONS: Final = 256 * 1024
"""Bytes of all annotations of one object, keys included."""

MAX_DATA: Final = 1024 * 1024
"""Bytes of all values of one Secret or ConfigMap."""


def find_faults(item: KubeObject) -> list[Fault]:
    """Every fault for which the API server would refuse the object; empty if it is valid."""
    return [*_metadata_faults(item.metadata, type(item)), *kind_faults(item)]


def kind_faults(item: KubeObject) -> Iterator[Fault]:
    """Every fault by the rules of the object's kind, without those of its metadata."""
    return _RULES[type(item)](item)


def _metadata_faults(metadata: Metadata, kind: type[KubeObject]) -> Iterator[Fault]:
    name, namespace = metadata.name, metadata.namespace
    if kind is Service:
        if not is_dns_1035_label(name):
            yield Fault(("metadata", "name"), f"must be {DNS_1035}")
    elif not is_dns_subdomain(name):
        yield Fault(("metadata", "name"), f"must be {DNS_SUBDOMAIN}")
    if kind is not IngressClass and not is_dns_label(namespace):
        yield Fault(("metadata", "namespace"), f"must be {DNS_LABEL}")
    for key in metadata.annotations:
        # The API server checks them in lower case.
        if not is_qualified_name(key.lower()):
            yield Fault(("metadata", "annotations", key), f"the key must be {QUALIFIED_NAME}")
    size = sum(len(key) + len(value) for key, value in metadata.annotations.items())
    if size > MAX_ANNOTATIONS:
        yield Fault(("metadata", "annotations"), f"must be at most {MAX_ANNOTATIONS} bytes")
    for key, value in metadata.labels.items():
        path: Path = ("metadata", "labels", key)
        if not is_qualified_name(key):
            yield Fault(path, f"the key must be {QUALIFIED_NAME}")
        if not is_label_value(value):
            yield Fault(path, f"must be {LABEL_VALUE}")


def _ingress_class_faults(item: IngressClass) -> Iterator[Fault]:
    controller = item.spec.controller
    domain, slash, path = controller.partition("/")
    if len(controller) > 250 or not (slash and path and is_dns_subdomain(domain)):
        message = "must be a DNS name, / and a path, such as example.com/ingress, at most 250"
        yield Fault(("spec", "controller"), message)


def _secret_faults(item: Secret) -> Iterator[Fault]:
    if item.type == "kubernetes.io/tls":
        for key in ("tls.crt", "tls.key"):
            if key not in item.data:
                yield Fault(("data", key), "must be there in a Secret of type kubernetes.io/tls")
    yield from _data_faults(item)


def _data_faults(item: Secret | ConfigMap) -> Iterator[Fault]:
    for key in item.data:
        if not is_data_key(key):
            yield Fault(("data", key), "the key must be letters, digits, -, _ and ., at most 253")
    if sum(len(value) for value in item.data.values()) > MAX_DATA:
        yield Fault(("data",), f"must be at most {MAX_DATA} bytes")


_RULES: Final[dict[type[KubeObject], Callable[[Any], Iterator[Fault]]]] = {
    Ingress: ingress_faults,
    IngressClass: _ingress_class_faults,
    Service: service_faults,
    EndpointSlice: endpoint_slice_faults,
    Endpoints: endpoints_faults,
    Secret: _secret_faults,
    ConfigMap: _data_faults,
}
