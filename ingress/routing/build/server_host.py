"""
Finds the endpoints of servers that annotations name by host: authentication servers, mirrors.

Their keys have no namespace (`ingress.policy.server_url`).
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Final

from ingress.config import FilesSource
from ingress.endpoint import Upstream, UpstreamKey
from ingress.kube.objects import ObjectKey, ObjectName, ResolvedName, Service
from ingress.own_addresses import OwnAddresses
from ingress.routing.build.endpoint_screen import EndpointScreen
from ingress.routing.build.named_endpoint import NameLookup
from ingress.routing.build.upstream import ResolvedUpstream

_OWNER: Final[ObjectKey] = ("Annotation", "", "")
"""No object names these endpoints; the users of an Upstream are told its fault."""


def service_of_key(key: UpstreamKey) -> ObjectName:
    """
    :return: the namespace and name of the Service that a key is for, or may be for.
    """
    if key.namespace:
        return key.namespace, key.service
    service, dot, namespace = key.service.removesuffix(".").partition(".")
    return (namespace, service) if dot and "." not in namespace else ("", key.service)


def as_service(
    key: UpstreamKey,
    services: Mapping[ObjectName, Service],
    source: FilesSource,
    namespaces: Collection[str] = (),
) -> UpstreamKey | None:
    """
    Read ``svc.ns`` as the resolver of a cluster does: a Service goes first.

    :param namespaces: those whose objects are read; empty for all.
    :return: the key of the Service port; None if there is no such Service, as far as is known here.
    """
    if key.namespace:
        return None if namespaces and key.namespace not in namespaces else key
    name = service_of_key(key)
    is_known = name in services or any(each[:2] == name for each in source.endpoints)
    return UpstreamKey(*name, key.port) if is_known else None


def resolve_host(
    key: UpstreamKey,
    resolved: Mapping[ObjectName, ResolvedName],
    source: FilesSource,
    own: OwnAddresses,
) -> ResolvedUpstream:
    """
    Find the addresses of a host.

    :param key: without namespace, or of a Service of a namespace that is not read.
    :param resolved: all names that were resolved.
    :param own: our own addresses: a host that leads to these only is marked (`Upstream.is_own`).
    """
    names = NameLookup(resolved, is_from_cluster=not source.paths)
    screen = EndpointScreen(own)
    host = key.service
    if key.namespace:
        host = f"{key.service}.{key.namespace}.svc.cluster.local"
    found = names.endpoints(host, int(key.port))
    endpoints = tuple(each for each in found if screen.admits(_OWNER, each))
    if endpoints or names.is_pending:
        return ResolvedUpstream(Upstream(key, tuple(sorted(endpoints))), names.fault, names.names)
    if screen.refused:
        return ResolvedUpstream(Upstream(key, is_own=True), names=names.names)
    is_unresolved = not names.is_refused
    return ResolvedUpstream(Upstream(key, is_unresolved=is_unresolved), names.fault, names.names)
