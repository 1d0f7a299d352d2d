"""
Tests for `ingress.kube.stored`.
"""

from __future__ import annotations

from typing import Literal

import msgspec
from twisted.trial.unittest import SynchronousTestCase

from ingress.kube.fault import spell_field
from ingress.kube.objects import (
    CLASS_ANNOTATION,
    EndpointPort,
    EndpointSlice,
    Ingress,
    IngressTLS,
    KubeObject,
    Metadata,
    Secret,
    Service,
    ServicePort,
    ServiceSpec,
    SliceEndpoint,
)
from ingress.kube.stored import accept_stored
from ingress.kube.validation import find_faults
from tests.support.objects import ingress

NAMED = Metadata(name="a")


class StoredTestCase(SynchronousTestCase):
    def assert_served(self, item: KubeObject, *fields: str) -> KubeObject:
        """A new object would be refused; a stored one is served, with Problems of these fields."""
        self.assertTrue(find_faults(item))
        stored = accept_stored(item)
        assert stored.item is not None
        self.assertEqual([spell_field(fault.path) for fault in stored.faults], [*fields])
        return stored.item


class IngressTests(StoredTestCase):
    """Ingresses that an API server does not create any more, and keeps."""

    def item(self, host: str = "a.example", backend: str = "web:80") -> Ingress:
        return ingress(host, {"/": backend})

    def test_both_classes(self) -> None:
        """One with the annotation and the field for its class."""
        item = self.item()
        metadata = msgspec.structs.replace(item.metadata, annotations={CLASS_ANNOTATION: "nginx"})
        spec = msgspec.structs.replace(item.spec, ingress_class_name="twisted")
        self.assert_served(msgspec.structs.replace(item, metadata=metadata, spec=spec))

    def test_secret_name(self) -> None:
        """One that names a Secret that cannot exist, as it could in v1beta1."""
        item = self.item()
        spec = msgspec.structs.replace(item.spec, tls=(IngressTLS(secret_name="My_Secret"),))
        self.assert_served(msgspec.structs.replace(item, spec=spec))

    def test_wildcards(self) -> None:
        """One with a * somewhere in a host, as it could be before 1.19; no request has that."""
        for host in ("*", "*.*.example", "a.*.example", "*a.example"):
            self.assert_served(self.item(host), "spec.rules[0].host")

    def test_service_name(self) -> None:
        """One with a Service whose name begins with a digit, as newer versions take it."""
        self.assert_served(self.item(backend="3scale:80"))

    def test_metadata(self) -> None:
        """One with names and annotations that are not as we know them."""
        item = self.item()
        metadata = msgspec.structs.replace(item.metadata, annotations={"a b": "", "c/d/e": ""})
        self.assert_served(msgspec.structs.replace(item, metadata=metadata))

    def test_refused(self) -> None:
        """Rules that hold for every object hold for stored ones."""
        for item in (self.item("10.0.0.1"), self.item("A.example"), self.item(backend="a_b:80")):
            self.assertIsNone(accept_stored(item).item)


class ServiceTests(StoredTestCase):
    def test_faults(self) -> None:
        """A Service is served with what can be used of it; its faults are Problems."""
        ports = (ServicePort(port=80), ServicePort(port=81))
        spec = ServiceSpec(type="Later", cluster_ip="010.96.0.1", ports=ports)
        item = Service(metadata=NAMED, spec=spec)
        fields = ("type", "clusterIP", "ports[0].name", "ports[1].name")
        self.assert_served(item, *(f"spec.{field}" for field in fields))

    def test_port(self) -> None:
        """A Service with a port that does not exist is refused."""
        item = Service(metadata=NAMED, spec=ServiceSpec(ports=(ServicePort(port=0),)))
        self.assertIsNone(accept_stored(item).item)


class SliceTests(StoredTestCase):
    def item(self, kind: Literal["IPv4", "IPv6", "FQDN"], *endpoints: str) -> EndpointSlice:
        """:param endpoints: the addresses of each, with blanks between them."""
        return EndpointSlice(
            metadata=NAMED,
            address_type=kind,
            endpoints=tuple(SliceEndpoint(addresses=tuple(each.split())) for each in endpoints),
            ports=(EndpointPort(port=80),),
        )

    def addresses(self, item: KubeObject) -> list[str]:
        assert isinstance(item, EndpointSlice)
        return [address for endpoint in item.endpoints for address in endpoint.addresses]

    def test_addresses(self) -> None:
        """Addresses that must not be used are left out, and the others are served."""
        item = self.item("IPv4", "10.0.0.1", "169.254.169.254", "10.0.0.2 224.0.0.1", "x")
        fields = ((1, 0), (2, 1), (3, 0))
        served = self.assert_served(item, *(f"endpoints[{a}].addresses[{b}]" for a, b in fields))
        self.assertEqual(self.addresses(served), ["10.0.0.1", "10.0.0.2"])

    def test_names(self) -> None:
        """Host names that cannot be resolved are left out as well."""
        item = self.item("FQDN", "a.example", "localhost")
        served = self.assert_served(item, "endpoints[1].addresses[0]")
        self.assertEqual(self.addresses(served), ["a.example"])

    def test_loopback(self) -> None:
        """Loopback addresses, which lead to the proxy and not to a pod, are left out as well."""
        stored = accept_stored(self.item("IPv4", "127.0.0.1", "10.0.0.1"))
        assert stored.item is not None
        self.assertEqual(self.addresses(stored.item), ["10.0.0.1"])

    def test_leading_zeros(self) -> None:
        """Leading zeros, which older versions took, mean what they mean to Kubernetes."""
        served = self.assert_served(self.item("IPv4", "010.0.0.01"))
        self.assertEqual(self.addresses(served), ["10.0.0.1"])

    def test_ports(self) -> None:
        """Faults of ports are Problems, and the slice is served."""
        item = msgspec.structs.replace(
            self.item("IPv4", "10.0.0.1"), ports=(EndpointPort(name="A", port=80),)
        )
        self.assert_served(item, "ports[0].name")

    def test_good(self) -> None:
        """A good slice stays the same object."""
        item = self.item("IPv4", "10.0.0.1")
        self.assertIs(accept_stored(item).item, item)


class SecretTests(SynchronousTestCase):
    def test_refused(self) -> None:
        """A Secret of the type of certificates has to have one."""
        item = Secret(metadata=NAMED, type="kubernetes.io/tls", data={"tls.crt": b""})
        self.assertIsNone(accept_stored(item).item)
