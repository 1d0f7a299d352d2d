"""
Endpoints for Services of files, where pods are known to a cluster alone.
"""

from __future__ import annotations

from typing import Final

import msgspec

from ingress.config import Config
from ingress.kube.objects import (
    SERVICE_NAME_LABEL,
    EndpointPort,
    EndpointSlice,
    Metadata,
    Objects,
    Service,
    SliceEndpoint,
)

ADDRESS: Final = "192.0.2.1"
"""Of examples (RFC 5737): nothing is ever sent to it."""


def assumed_endpoints(objects: Objects, config: Config) -> Objects:
    """
    :return: the same objects, with an EndpointSlice for each Service that has none, and no other
        endpoints either.
    """
    known = {each.service for each in objects.endpoint_slices.values()}
    known.update(objects.endpoints)
    known.update((namespace, name) for namespace, name, _ in config.source.endpoints)
    slices = dict(objects.endpoint_slices)
    for name, service in objects.services.items():
        if name not in known and service.spec.type != "ExternalName":
            slices[name[0], f"{name[1]}-assumed"] = _slice(service)
    return msgspec.structs.replace(objects, endpoint_slices=slices)


def _slice(service: Service) -> EndpointSlice:
    own = service.metadata
    ports = tuple(
        EndpointPort(
            name=port.name,
            port=port.target_port if isinstance(port.target_port, int) and port.target_port
            else port.port,
            protocol=port.protocol,
            app_protocol=port.app_protocol,
        )
        for port in service.spec.ports
    )  # fmt: skip
    return EndpointSlice(
        metadata=Metadata(
            name=f"{own.name}-assumed",
            namespace=own.namespace,
            labels={SERVICE_NAME_LABEL: own.name},
        ),
        address_type="IPv4",
        endpoints=(SliceEndpoint(addresses=(ADDRESS,)),),
        ports=ports,
    )
