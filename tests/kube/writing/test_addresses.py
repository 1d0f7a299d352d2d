"""
Tests for `ingress.kube.writing.addresses`.
"""

from __future__ import annotations

from typing import Any

import msgspec
from twisted.trial.unittest import SynchronousTestCase

from ingress.kube.ingress_status import Addresses, LoadBalancerIngress, PortStatus
from ingress.kube.writing.addresses import (
    FrontService,
    Node,
    Replica,
    ReplicaSlices,
    are_same,
    has_other_replica,
    in_order,
    listed_addresses,
    node_addresses,
    nodes_of,
    service_addresses,
)
from ingress.kube.writing.answer import decode_answer
from tests.support.external_dns import targets_of
from tests.support.recorded import exchange


def ips(*texts: str) -> Addresses:
    return tuple(LoadBalancerIngress(ip=text) for text in texts)


def service(type_: str, balancer: tuple[dict[str, Any], ...] = (), **spec: object) -> FrontService:
    raw = {
        "spec": {"type": type_, "clusterIP": "10.96.0.1", **spec},
        "status": {"loadBalancer": {"ingress": list(balancer)} if balancer else {}},
    }
    return decode_answer(msgspec.json.encode(raw), FrontService)


class ServiceTests(SynchronousTestCase):
    """The addresses of a Service are those that ingress-nginx shows."""

    def test_load_balancer(self) -> None:
        """Those of its load balancer, with their ports, and its externalIPs."""
        given = (
            {"ip": "192.0.2.2", "ports": [{"port": 80, "protocol": "TCP"}]},
            {"hostname": "b.example"},
        )
        found = service_addresses(
            service("LoadBalancer", given, externalIPs=["192.0.2.1", "192.0.2.2"])
        )
        expected = (
            LoadBalancerIngress(hostname="b.example"),
            *ips("192.0.2.1"),
            LoadBalancerIngress(ip="192.0.2.2", ports=(PortStatus(port=80, protocol="TCP"),)),
        )
        self.assertEqual(found, expected)

    def test_pending(self) -> None:
        """A load balancer without an address yields none."""
        self.assertEqual(service_addresses(service("LoadBalancer")), ())

    def test_cluster_ip(self) -> None:
        """The clusterIP, unless it is headless."""
        self.assertEqual(service_addresses(service("ClusterIP")), ips("10.96.0.1"))
        self.assertEqual(service_addresses(service("ClusterIP", clusterIP="None")), ())
        self.assertEqual(service_addresses(service("ClusterIP", clusterIP=None)), ())

    def test_node_port(self) -> None:
        """Its externalIPs, or else the clusterIP."""
        external = service("NodePort", externalIPs=["192.0.2.1"])
        self.assertEqual(service_addresses(external), ips("192.0.2.1"))
        self.assertEqual(service_addresses(service("NodePort")), ips("10.96.0.1"))

    def test_external_name(self) -> None:
        """The name, in the form that the API accepts in a status."""
        for written, expected in (
            ("a.example", LoadBalancerIngress(hostname="a.example")),
            ("a.example.", LoadBalancerIngress(hostname="a.example")),
            ("192.0.2.1", LoadBalancerIngress(ip="192.0.2.1")),
        ):
            found = service_addresses(service("ExternalName", externalName=written))
            self.assertEqual(found, (expected,))

    def test_read(self) -> None:
        """ExternalDNS finds every address, whatever kind of Service they come from."""
        balancer = ({"ip": "192.0.2.2", "hostname": "b.example"}, {"hostname": "c.example"})
        for found, targets in (
            (
                service_addresses(service("LoadBalancer", balancer, externalIPs=["192.0.2.1"])),
                ["c.example", "192.0.2.1", "192.0.2.2", "b.example"],
            ),
            (service_addresses(service("NodePort", externalIPs=["192.0.2.1"])), ["192.0.2.1"]),
            (service_addresses(service("ClusterIP")), ["10.96.0.1"]),
            (service_addresses(service("ExternalName", externalName="a.example")), ["a.example"]),
            (
                listed_addresses(["192.0.2.1", "2001:db8::1", "a.example"]),
                ["a.example", "192.0.2.1", "2001:db8::1"],
            ),
            ((), []),
        ):
            status = {"loadBalancer": {"ingress": msgspec.to_builtins(found) or None}}
            self.assertEqual(targets_of(status), targets)


class ListedTests(SynchronousTestCase):
    """A list is of IP addresses and host names."""

    def test_kinds(self) -> None:
        """Each becomes what it is, once, in an order."""
        found = listed_addresses(["192.0.2.2", "A.example", "2001:DB8::1", "192.0.2.2"])
        expected = (LoadBalancerIngress(hostname="a.example"), *ips("192.0.2.2", "2001:db8::1"))
        self.assertEqual(found, expected)
        self.assertEqual(listed_addresses([]), ())


def node(**by_type: str) -> Node:
    """:param by_type: addresses, separated by spaces."""
    addresses = [
        {"type": type_, "address": each}
        for type_, those in by_type.items()
        for each in those.split()
    ]
    return decode_answer(msgspec.json.encode({"status": {"addresses": addresses}}), Node)


class NodeTests(SynchronousTestCase):
    """The addresses of nodes are external ones or internal ones."""

    BOTH = node(Hostname="a", InternalIP="10.0.0.1", ExternalIP="192.0.2.1 2001:db8::1")
    INNER = node(InternalIP="10.0.0.2", Hostname="b")

    def test_external(self) -> None:
        """All external addresses are used, and the internal ones of a node without any."""
        found = node_addresses([self.BOTH, self.INNER], "external")
        self.assertEqual(found, ips("10.0.0.2", "192.0.2.1", "2001:db8::1"))

    def test_internal(self) -> None:
        """The internal ones only."""
        found = node_addresses([self.INNER, self.BOTH, self.INNER], "internal")
        self.assertEqual(found, ips("10.0.0.1", "10.0.0.2"))

    def test_none(self) -> None:
        """A node without an address adds none."""
        self.assertEqual(node_addresses([Node()], "external"), ())

    def test_recorded(self) -> None:
        """A Node of a real cluster is understood."""
        nodes = msgspec.json.decode(exchange("more", "list nodes").answer)["items"]
        found = [decode_answer(msgspec.json.encode(each), Node) for each in nodes]
        self.assertEqual(node_addresses(found, "external"), ips("10.244.0.1"))


def slices(*endpoints: dict[str, Any]) -> tuple[Replica, ...]:
    raw = {"items": [{"endpoints": [each]} for each in endpoints] + [{"endpoints": None}]}
    return decode_answer(msgspec.json.encode(raw), ReplicaSlices).replicas


def replica(pod: str, node_name: str = "", *, ready: bool | None = True) -> dict[str, Any]:
    return {
        "addresses": ["10.0.0.1"],
        "conditions": {"ready": ready},
        "nodeName": node_name or None,
        "targetRef": {"kind": "Pod", "name": pod},
    }


class ReplicaTests(SynchronousTestCase):
    """The endpoints of the Service in front of us are replicas of this process."""

    def test_nodes(self) -> None:
        """The nodes are those of ready replicas, or of all if none is ready."""
        some = slices(
            replica("a", "n1"), replica("b", "n2", ready=False), replica("c", "n3", ready=None)
        )
        self.assertEqual(nodes_of(some), {"n1", "n3"})
        self.assertEqual(nodes_of(slices(replica("b", "n2", ready=False))), {"n2"})
        self.assertEqual(nodes_of(slices(replica("a"))), frozenset())

    def test_other(self) -> None:
        """Another replica is one that is ready, and another pod."""
        for endpoints, expected in (
            ((replica("a"),), False),
            ((replica("a", ready=False), replica("b", ready=False)), False),
            ((replica("a"), replica("b")), True),
            ((), False),
            (({"addresses": ["10.0.0.9"]},), True),
        ):
            self.assertIs(has_other_replica(slices(*endpoints), "a"), expected, endpoints)

    def test_own_name_unknown(self) -> None:
        """If our own name is not known, every ready replica counts as another one."""
        self.assertIs(has_other_replica(slices(replica("a")), ""), True)
        self.assertIs(has_other_replica(slices(replica("a", ready=False)), ""), False)

    def test_recorded(self) -> None:
        """The EndpointSlices of a real cluster are understood."""
        found = decode_answer(exchange("list", "list endpointslices").answer, ReplicaSlices)
        self.assertIn("lab", nodes_of(found.replicas))
        self.assertTrue(all(each.pod.startswith("kubia-") for each in found.replicas if each.pod))


class SameTests(SynchronousTestCase):
    """Addresses are compared as what they are."""

    def test_order(self) -> None:
        """Neither order nor repetition makes a difference."""
        self.assertTrue(are_same(ips("b", "a", "a"), ips("a", "b")))
        self.assertFalse(are_same(ips("a"), ips("a", "b")))
        self.assertFalse(are_same(ips("a"), ()))

    def test_empty(self) -> None:
        """Empty and absent fields are the same."""
        odd = LoadBalancerIngress(ip="a", hostname="", ports=())
        self.assertTrue(are_same((odd,), ips("a")))
        self.assertEqual(in_order((LoadBalancerIngress(hostname=""),)), ())
        self.assertEqual(msgspec.json.encode(in_order((odd,))), b'[{"ip":"a"}]')

    def test_ports(self) -> None:
        """Ports belong to an address."""
        one = LoadBalancerIngress(ip="a", ports=(PortStatus(port=80),))
        self.assertFalse(are_same((one,), ips("a")))
        self.assertEqual(in_order((one, *ips("a", "b"))), in_order((*ips("b", "a"), one)))
