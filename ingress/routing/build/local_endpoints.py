"""
Entries of ``source.endpoints`` that serve nothing.
"""

from __future__ import annotations

from collections.abc import Iterator

from ingress.config import Config, LocalService
from ingress.endpoint import Endpoint
from ingress.problem import Origin, Problem
from ingress.routing.build.upstream_table import UpstreamTable


def unused_endpoints(table: UpstreamTable, config: Config) -> Iterator[Problem]:
    """A Problem for each entry that gives its addresses to no Upstream in use."""
    origin = Origin(str(config.path)) if config.path is not None else Origin()
    for service, addresses in config.source.endpoints.items():
        endpoints = {Endpoint(host, port) for host, port in addresses}
        message = _why_unused(service, endpoints, table)
        if message:
            namespace, name, port = service
            key = f"{namespace}/{name}:{port}" if port else f"{namespace}/{name}"
            yield Problem(message, field=f"source.endpoints[{key}]", origin=origin)


def _why_unused(service: LocalService, endpoints: set[Endpoint], table: UpstreamTable) -> str:
    """Why an entry serves nothing; empty if it serves."""
    namespace, name, port = service
    keys = table.keys.get((namespace, name), ())
    if not keys:
        return "is not used: no Ingress that is served has a backend of this Service"
    if any(set(table.upstreams[key].endpoints) == endpoints for key in keys):
        return ""
    if (namespace, name) in table.slices:
        return "is not used: the Service has endpoints among the files, which go first"
    ports = ", ".join(sorted(key.port for key in keys))
    if port and port not in (key.port for key in keys):
        return f"is not used: the backends of this Service have port {ports}"
    return "is not used: the Service has endpoints or an external name, which go first"
