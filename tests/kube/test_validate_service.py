"""
Tests for `ingress.kube.validate_service`.
"""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from ingress.kube.fault import spell_field
from ingress.kube.objects import Metadata, Service, ServicePort, ServiceSpec
from ingress.kube.validate_service import service_faults


def fields(spec: ServiceSpec) -> list[str]:
    """The field of every fault."""
    item = Service(metadata=Metadata(name="a"), spec=spec)
    return [spell_field(fault.path) for fault in service_faults(item)]


def port_fields(*ports: ServicePort) -> list[str]:
    """The same for ports, without what they are in."""
    return [field.removeprefix("spec.ports") for field in fields(ServiceSpec(ports=ports))]


class TypeTests(SynchronousTestCase):
    """The kinds of Services."""

    def test_ports_needed(self) -> None:
        """Only headless Services and external names may do without ports."""
        self.assertEqual(fields(ServiceSpec()), ["spec.ports"])
        self.assertEqual(fields(ServiceSpec(cluster_ip="None")), [])
        self.assertEqual(fields(ServiceSpec(type="ExternalName", external_name="a.b")), [])

    def test_external_name(self) -> None:
        """An external name is a DNS name, with a dot at the end or without."""
        for name in ("a", "a.b", "a.b.", "10.0.0.1"):
            self.assertEqual(fields(ServiceSpec(type="ExternalName", external_name=name)), [], name)
        for name in ("", "A.b", "a b", "a.b:80", "http://a", "."):
            spec = ServiceSpec(type="ExternalName", external_name=name)
            self.assertEqual(fields(spec), ["spec.externalName"], name)
        spec = ServiceSpec(type="ExternalName", external_name="a", cluster_ip="10.0.0.1")
        self.assertEqual(fields(spec), ["spec.clusterIP"])

    def test_cluster_ip(self) -> None:
        """A cluster IP is an address, None or absent."""
        ports = (ServicePort(port=80),)
        for ip in ("", "None", "10.0.0.1", "fd00::1"):
            self.assertEqual(fields(ServiceSpec(ports=ports, cluster_ip=ip)), [], ip)
        for ip in ("none", "a", "10.0.0.256", "10.0.0.01"):
            self.assertEqual(
                fields(ServiceSpec(ports=ports, cluster_ip=ip)), ["spec.clusterIP"], ip
            )

    def test_type(self) -> None:
        """Other types are refused."""
        self.assertEqual(fields(ServiceSpec(type="Clusterip", cluster_ip="None")), ["spec.type"])


class PortTests(SynchronousTestCase):
    """Ports of Services."""

    def test_numbers(self) -> None:
        """Numbers are those of TCP; the target may be absent or a name."""
        for target in (0, 1, 65535, "http"):
            self.assertEqual(port_fields(ServicePort(port=80, target_port=target)), [])
        for target in (-1, 65536, "HTTP", "80", ""):
            self.assertEqual(
                port_fields(ServicePort(port=80, target_port=target)), ["[0].targetPort"]
            )
        for port in (0, 65536, 10**30):
            self.assertEqual(port_fields(ServicePort(port=port)), ["[0].port"])

    def test_several(self) -> None:
        """Several ports need names of their own, and differ in number or protocol."""
        self.assertEqual(
            port_fields(ServicePort(port=1, name="a"), ServicePort(port=2, name="b")), []
        )
        self.assertEqual(
            port_fields(ServicePort(port=1), ServicePort(port=2)), ["[0].name", "[1].name"]
        )
        self.assertEqual(
            port_fields(ServicePort(port=1, name="a"), ServicePort(port=2, name="a")), ["[1].name"]
        )
        self.assertEqual(
            port_fields(ServicePort(port=1, name="a"), ServicePort(port=1, name="b")), ["[1].port"]
        )
        udp = ServicePort(port=1, name="b", protocol="UDP")
        self.assertEqual(port_fields(ServicePort(port=1, name="a"), udp), [])

    def test_names(self) -> None:
        """A name is a DNS label, the protocols known, the application's a qualified name."""
        self.assertEqual(port_fields(ServicePort(port=1, name="A")), ["[0].name"])
        self.assertEqual(port_fields(ServicePort(port=1, protocol="tcp")), ["[0].protocol"])
        self.assertEqual(port_fields(ServicePort(port=1, app_protocol="a b")), ["[0].appProtocol"])
        self.assertEqual(port_fields(ServicePort(port=1, app_protocol="kubernetes.io/h2c")), [])
