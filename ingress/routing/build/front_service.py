"""
Finds the addresses in front of this proxy, as far as they are known: those of the Service that
``source.kubernetes.status`` names, if its namespace is read, and those that it lists.
"""

from __future__ import annotations

from collections.abc import Iterator

from ingress.config import Config
from ingress.kube.objects import Objects
from ingress.own_addresses import PackedAddress, pack_all


def front_addresses(objects: Objects, config: Config) -> frozenset[PackedAddress]:
    """Return each address in front of us together with each port that leads to us."""
    return pack_all(_addresses(objects, config))


def _addresses(objects: Objects, config: Config) -> Iterator[tuple[str, int]]:
    if config.cluster is None:
        return
    status = config.cluster.status
    for host in status.addresses:
        yield host, config.public_ports.http
        yield host, config.public_ports.https
    service = objects.services.get(status.service) if status.service is not None else None
    if service is None:
        return
    spec = service.spec
    hosts = [spec.cluster_ip, *spec.cluster_ips, *spec.external_ips]
    hosts += [each.ip for each in service.status.load_balancer.ingress]
    for port in spec.ports:
        if port.protocol == "TCP":
            for host in hosts:
                yield host, port.port
