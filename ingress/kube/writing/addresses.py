"""
Finds the addresses at which clients reach us, from what the cluster knows.

Pure functions over objects that `address_reader` has read.
"""

from __future__ import annotations

from collections.abc import Iterable
from ipaddress import ip_address
from typing import Literal

import msgspec

from ingress.kube.ingress_status import Addresses, LoadBalancerIngress, LoadBalancerStatus
from ingress.kube.objects import EndpointConditions, KubeStruct


class FrontServiceSpec(KubeStruct, frozen=True, kw_only=True):
    type: str = "ClusterIP"
    cluster_ip: str = msgspec.field(name="clusterIP", default="")
    external_ips: tuple[str, ...] = msgspec.field(name="externalIPs", default=())
    external_name: str = ""


class FrontServiceStatus(KubeStruct, frozen=True, kw_only=True):
    load_balancer: LoadBalancerStatus = LoadBalancerStatus()


class FrontService(KubeStruct, frozen=True, kw_only=True):
    """The address fields of the Service through which clients reach us."""

    spec: FrontServiceSpec = FrontServiceSpec()
    status: FrontServiceStatus = FrontServiceStatus()


class ObjectReference(KubeStruct, frozen=True, kw_only=True):
    kind: str = ""
    name: str = ""


class Replica(KubeStruct, frozen=True, kw_only=True):
    """An endpoint of that Service: one replica of this controller."""

    conditions: EndpointConditions = EndpointConditions()
    node_name: str = ""
    target_ref: ObjectReference = ObjectReference()

    @property
    def pod(self) -> str:
        """The name of its pod; empty if it is not a pod."""
        return self.target_ref.name if self.target_ref.kind == "Pod" else ""


class ReplicaSlice(KubeStruct, frozen=True, kw_only=True):
    endpoints: tuple[Replica, ...] | None = None


class ReplicaSlices(KubeStruct, frozen=True, kw_only=True):
    """The EndpointSlices of that Service."""

    items: tuple[ReplicaSlice, ...] = ()

    @property
    def replicas(self) -> tuple[Replica, ...]:
        return tuple(each for item in self.items for each in item.endpoints or ())


class NodeAddress(KubeStruct, frozen=True, kw_only=True):
    type: str
    address: str


class NodeStatus(KubeStruct, frozen=True, kw_only=True):
    addresses: tuple[NodeAddress, ...] = ()


class Node(KubeStruct, frozen=True, kw_only=True):
    status: NodeStatus = NodeStatus()


def service_addresses(service: FrontService) -> Addresses:
    """The addresses that ingress-nginx publishes for a Service in front of it."""
    spec = service.spec
    external = tuple(LoadBalancerIngress(ip=ip) for ip in spec.external_ips)
    match spec.type:
        case "ExternalName":
            # An IP address and a dot at the end are accepted here, but not as the name in a status.
            return listed_addresses([spec.external_name.removesuffix(".")])
        case "LoadBalancer":
            given = service.status.load_balancer.ingress or ()
            known = {each.ip for each in given}
            return in_order([*given, *(each for each in external if each.ip not in known)])
        case "NodePort" if external:
            return in_order(external)
    has_ip = spec.cluster_ip not in ("", "None")
    return in_order([LoadBalancerIngress(ip=spec.cluster_ip)] if has_ip else [])


def listed_addresses(texts: Iterable[str]) -> Addresses:
    """:param texts: IP addresses and host names."""
    return in_order(_address(text) for text in texts)


def nodes_of(replicas: Iterable[Replica]) -> frozenset[str]:
    """The nodes of ready replicas; the nodes of all replicas if none is ready."""
    all_of_them = tuple(replicas)
    ready = frozenset(each.node_name for each in all_of_them if each.conditions.ready)
    return (ready or frozenset(each.node_name for each in all_of_them)) - {""}


def node_addresses(nodes: Iterable[Node], wanted: Literal["external", "internal"]) -> Addresses:
    """
    The addresses of all nodes.

    :param wanted: a node without an external address gives its internal ones.
    """
    kinds = ("ExternalIP", "InternalIP") if wanted == "external" else ("InternalIP",)
    found: list[LoadBalancerIngress] = []
    for node in nodes:
        by_kind = (
            [each.address for each in node.status.addresses if each.type == kind] for kind in kinds
        )
        found += map(_address, next((each for each in by_kind if each), ()))
    return in_order(found)


def has_other_replica(replicas: Iterable[Replica], own_pod: str) -> bool:
    """
    Whether another replica is ready to serve when this one ends.

    :param own_pod: the name of our pod; empty if it is not known. Then every ready replica
        counts as another one: this one is not ready any more.
    """
    return any(each.conditions.ready and (not own_pod or each.pod != own_pod) for each in replicas)


def in_order(addresses: Iterable[LoadBalancerIngress]) -> Addresses:
    """Drop empty addresses and duplicates, and sort: the form that is compared and written."""
    plain = {
        LoadBalancerIngress(
            ip=each.ip or None, hostname=each.hostname or None, ports=each.ports or None
        )
        for each in addresses
        if each.ip or each.hostname
    }
    return tuple(sorted(plain, key=_sort_key))


def are_same(one: Addresses, other: Addresses) -> bool:
    """Whether they are the same addresses, in any order."""
    return one == other or in_order(one) == in_order(other)


def _address(text: str) -> LoadBalancerIngress:
    try:
        return LoadBalancerIngress(ip=str(ip_address(text)))
    except ValueError:
        return LoadBalancerIngress(hostname=text.lower())


def _sort_key(address: LoadBalancerIngress) -> tuple[str, str, str]:
    return (address.ip or "", address.hostname or "", repr(address.ports))
