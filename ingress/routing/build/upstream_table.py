"""
The Upstreams that Ingresses name, from one build to the next.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from ingress.config import FilesSource
from ingress.kube.objects import EndpointSlice, ObjectName, Objects
from ingress.routing.build.change import Index, IndexUpdate, changed_names
from ingress.routing.build.ingress_table import Move, moved_users
from ingress.routing.build.upstream import ServiceObjects, resolve_upstream
from ingress.routing.upstream import Upstream, UpstreamKey
from ingress.steps import STRIDE, Steps


@dataclass(frozen=True, slots=True)
class UpstreamTable:
    """The Upstreams in use, after a build."""

    users: Index[UpstreamKey, ObjectName] = field(default_factory=dict)
    """The Ingresses that name an Upstream."""

    keys: Index[ObjectName, UpstreamKey] = field(default_factory=dict)
    """The Upstreams in use of a Service."""

    slices: Index[ObjectName, ObjectName] = field(default_factory=dict)
    """The EndpointSlices of a Service."""

    upstreams: Mapping[UpstreamKey, Upstream] = field(default_factory=dict)
    faults: Mapping[UpstreamKey, str] = field(default_factory=dict)
    """Why nobody serves an Upstream."""


def update_upstreams(
    table: UpstreamTable, old: Objects, new: Objects, source: FilesSource, moves: Iterable[Move]
) -> Steps[tuple[UpstreamTable, set[ObjectName]]]:
    """
    :param old: the objects that `table` was made of.
    :return: the table after it, and the Ingresses for which a fault came or went.
    """
    users, touched = yield from moved_users(table.users, moves, lambda parts: parts.backends)
    keys, fresh = yield from _moved_keys(table, touched, users)
    slices, services = yield from _moved_slices(table, old.endpoint_slices, new.endpoint_slices)
    services |= yield from changed_names(old.services, new.services)
    services |= yield from changed_names(old.endpoints, new.endpoints)
    stale = fresh
    for count, service in enumerate(services):
        stale.update(keys.get(service, ()))
        if count % STRIDE == STRIDE - 1:
            yield
    if not stale:
        return UpstreamTable(users, keys, slices, table.upstreams, table.faults), set()
    upstreams: Mapping[UpstreamKey, Upstream]
    upstreams, faults = dict(table.upstreams), dict(table.faults)
    concerned: set[ObjectName] = set()
    is_changed = False
    for key in stale:
        yield
        if key not in users:
            is_changed = upstreams.pop(key, None) is not None or is_changed
            faults.pop(key, None)
            continue
        service_objects = _service_objects(key, new, slices)
        resolved = yield from resolve_upstream(key, service_objects, source)
        if resolved.upstream != upstreams.get(key):
            upstreams[key] = resolved.upstream
            is_changed = True
        if resolved.fault != faults.pop(key, ""):
            concerned.update(users[key])
        if resolved.fault:
            faults[key] = resolved.fault
    if not is_changed:
        upstreams = table.upstreams  # By identity the data plane sees that it has nothing to do.
    return UpstreamTable(users, keys, slices, upstreams, faults), concerned


def _moved_keys(
    table: UpstreamTable, touched: Iterable[UpstreamKey], users: Index[UpstreamKey, ObjectName]
) -> Steps[tuple[Index[ObjectName, UpstreamKey], set[UpstreamKey]]]:
    """
    :param users: as they are now.
    :return: the index, and the keys that came into use or went out of it.
    """
    update = IndexUpdate(table.keys)
    fresh: set[UpstreamKey] = set()
    for count, key in enumerate(touched):
        is_used = key in users
        if is_used != (key in table.users):
            service = ((key.namespace, key.service),)
            update.move(key, () if is_used else service, service if is_used else ())
            fresh.add(key)
        if count % STRIDE == STRIDE - 1:
            yield
    return (yield from update.finish()), fresh


def _moved_slices(
    table: UpstreamTable,
    old: Mapping[ObjectName, EndpointSlice],
    new: Mapping[ObjectName, EndpointSlice],
) -> Steps[tuple[Index[ObjectName, ObjectName], set[ObjectName]]]:
    """:return: the index, and the Services of which a slice changed."""
    changed = yield from changed_names(old, new)
    update = IndexUpdate(table.slices)
    services: set[ObjectName] = set()
    for count, name in enumerate(changed):
        before = [old[name].service] if name in old else []
        after = [new[name].service] if name in new else []
        update.move(name, before, after)
        services.update(before, after)
        if count % STRIDE == STRIDE - 1:
            yield
    return (yield from update.finish()), services


def _service_objects(
    key: UpstreamKey, objects: Objects, slices: Index[ObjectName, ObjectName]
) -> ServiceObjects:
    service = (key.namespace, key.service)
    return ServiceObjects(
        objects.services.get(service),
        tuple(objects.endpoint_slices[name] for name in slices.get(service, ())),
        objects.endpoints.get(service),
    )
