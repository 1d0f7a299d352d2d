"""
The ports of TCP and UDP services, one row each: for ``/ports``, ``/snapshot``, ``txingress routes``
and ``txingress explain tcp://:PORT``.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from ingress.admin.page import Query
from ingress.admin.paging import Window, filtered, page_steps
from ingress.admin.route_json import upstream_name
from ingress.port_service import PortService
from ingress.routing.snapshot import Snapshot
from ingress.steps import Steps


def all_ports(snapshot: Snapshot) -> list[PortService]:
    """:return: by protocol and number."""
    return sorted(snapshot.ports.values(), key=lambda service: service.key)


def port_row(snapshot: Snapshot, service: PortService) -> dict[str, Any]:
    """:return: the row of a port, as plain values."""
    upstream = snapshot.upstreams.get(service.upstream)
    endpoints = upstream.endpoints if upstream is not None else ()
    return {
        "protocol": service.key.protocol,
        "port": service.key.port,
        "address": service.interface or "*",
        "upstream": upstream_name(service.upstream),
        "endpoints": [str(each) for each in endpoints],
        "proxyProtocol": {"in": service.proxy_in, "out": service.proxy_out},
        "source": f"{service.source} {service.source.field}",
    }


def port_rows(snapshot: Snapshot) -> Iterator[dict[str, Any]]:
    """Yield the rows of all ports."""
    return (port_row(snapshot, service) for service in all_ports(snapshot))


def port_steps(snapshot: Snapshot, query: Query) -> Steps[dict[str, Any]]:
    """
    Make the page of ports that a query asks for.

    :param query: with `paging.PAGING`.
    :raises PageError: if a parameter is wrong.
    """
    window = Window.of(query)

    def fits(service: PortService) -> bool:
        key, source = service.key, f"{service.source} {service.source.field}"
        words = (str(key.port), key.protocol, upstream_name(service.upstream), source)
        return window.contains(*words)

    found = filtered(all_ports(snapshot), fits)
    return page_steps("ports", window, found, lambda service: port_row(snapshot, service))


def as_route_row(row: Mapping[str, Any]) -> dict[str, Any]:
    """:return: the row of a port among those of rules."""
    proxy = row["proxyProtocol"]
    return {
        "host": f"{row['address']}:{row['port']}",
        "path": "",
        "type": row["protocol"],
        "upstream": row["upstream"],
        "ingress": row["source"],
        "features": [f"proxyProtocol {way}" for way in ("in", "out") if proxy[way]],
    }
