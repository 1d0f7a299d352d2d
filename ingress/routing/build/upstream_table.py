"""
The Upstreams that rules name, from one build to the next.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import field, replace
from typing import Final

from ingress.config import Config
from ingress.endpoint import Upstream, UpstreamKey
from ingress.frozen import dataclass
from ingress.kube.objects import EndpointSlice, ObjectKey, ObjectName, Objects
from ingress.own_addresses import NO_ADDRESSES, OwnAddresses
from ingress.routing.build.change import (
    Index,
    IndexUpdate,
    changed_names,
    collected_in_steps,
)
from ingress.routing.build.endpoint_screen import RefusedEndpoint
from ingress.routing.build.rule_table import Move, moved_users
from ingress.routing.build.server_host import as_service, resolve_host, service_of_key
from ingress.routing.build.service_port import named
from ingress.routing.build.upstream import (
    ResolvedUpstream,
    ServiceObjects,
    resolve_upstream,
)
from ingress.steps import STRIDE, Steps

_ANNOTATION: Final = "metadata.annotations["
_NOT_EXTERNAL: Final = (
    "is an ExternalName, to which `external-names` of the configuration sends nothing; answered "
    "with 503"
)
_CONSEQUENCE: Final = "; answered with "


@dataclass(frozen=True, slots=True)
class UpstreamTable:
    """The Upstreams in use, after a build."""

    users: Index[UpstreamKey, ObjectKey] = field(default_factory=dict)
    """The objects that name an Upstream, by the Upstream's key."""

    keys: Index[ObjectName, UpstreamKey] = field(default_factory=dict)
    """The Upstreams in use, by Service."""

    slices: Index[ObjectName, ObjectName] = field(default_factory=dict)
    """The EndpointSlices, by Service."""

    upstreams: Mapping[UpstreamKey, Upstream] = field(default_factory=dict)
    faults: Mapping[UpstreamKey, str] = field(default_factory=dict)
    """The fault of each faulty Upstream: usually, why it has no endpoint."""

    names: Index[str, UpstreamKey] = field(default_factory=dict)
    """The Upstreams in use that a name leads to; the same object as before if none changed."""

    names_of: Mapping[UpstreamKey, frozenset[str]] = field(default_factory=dict)
    """The names of each Upstream that has any."""

    refused: Mapping[UpstreamKey, frozenset[RefusedEndpoint]] = field(default_factory=dict)
    """The endpoints of each Upstream that are addresses of ours."""

    own: OwnAddresses = NO_ADDRESSES
    """The addresses of ours that these Upstreams were made with."""

    def fault_of(self, key: UpstreamKey, field_path: str) -> str:
        """
        :param field_path: the field that names the Upstream; empty if the configuration does.
        :return: its fault for the author of that field; empty if there is none.
        """
        if not field_path:
            return ""
        fault = self.faults.get(key, "")
        # What follows from the fault is the answer of a backend, and something else elsewhere.
        return fault.partition(_CONSEQUENCE)[0] if field_path.startswith(_ANNOTATION) else fault

    def refused_of(self, service: ObjectName) -> set[RefusedEndpoint]:
        """Return the refused endpoints of all ports of a Service that are in use."""
        keys = self.keys.get(service, ())
        return {each for key in keys for each in self.refused.get(key, ())}


def update_upstreams(
    table: UpstreamTable,
    old: Objects,
    new: Objects,
    config: Config,
    moves: Iterable[Move],
    own: OwnAddresses,
) -> Steps[tuple[UpstreamTable, set[ObjectKey]]]:
    """
    :param old: the objects from which `table` was made.
    :return: the updated table, and the objects whose Problems may have changed.
    """
    users, touched = yield from moved_users(table.users, moves, lambda rules: rules.upstreams)
    keys, fresh = yield from _moved_keys(table, touched, users)
    slices, services = yield from _moved_slices(table, old.endpoint_slices, new.endpoint_slices)
    services |= yield from changed_names(old.services, new.services)
    services |= yield from changed_names(old.endpoints, new.endpoints)
    stale = fresh
    for count, service in enumerate(services):
        stale.update(keys.get(service, ()))
        if count % STRIDE == STRIDE - 1:
            yield
    for _, name in (yield from changed_names(old.resolved_names, new.resolved_names)):
        stale.update(table.names.get(name, ()))
    if own != table.own:
        stale.update((yield from collected_in_steps(users)))
    table = replace(table, users=users, keys=keys, slices=slices, own=own)
    if not stale:
        return table, set()
    update = _Update(table)
    for key in stale:
        yield
        if key not in users:
            update.remove(key)
        else:
            update.put(key, (yield from _resolved(key, new, slices, config, own)))
    return (yield from update.finish()), update.concerned


class _Update:
    """A changed copy of the Upstreams of a table."""

    def __init__(self, table: UpstreamTable) -> None:
        self.concerned: set[ObjectKey] = set()
        """The objects whose Problems may have changed."""

        self._table = table
        self._upstreams = dict(table.upstreams)
        self._faults = dict(table.faults)
        self._names = IndexUpdate(table.names)
        self._names_of = dict(table.names_of)
        self._refused = dict(table.refused)
        self._is_changed = False

    def __repr__(self) -> str:
        return f"<_Update of {len(self._upstreams)} Upstreams>"

    def remove(self, key: UpstreamKey) -> None:
        """Remove an Upstream that no Ingress names any more."""
        self._is_changed = self._upstreams.pop(key, None) is not None or self._is_changed
        self._faults.pop(key, None)
        self._move_names(key, frozenset())
        self._put_refused(key, frozenset())

    def put(self, key: UpstreamKey, resolved: ResolvedUpstream) -> None:
        """Record the result for an Upstream."""
        if resolved.upstream != self._upstreams.get(key):
            self._upstreams[key] = resolved.upstream
            self._is_changed = True
        if resolved.fault != self._faults.pop(key, ""):
            self.concerned.update(self._table.users[key])
        if resolved.fault:
            self._faults[key] = resolved.fault
        self._move_names(key, resolved.names)
        self._put_refused(key, resolved.refused)

    def finish(self) -> Steps[UpstreamTable]:
        """Return the table with the changes."""
        names = yield from self._names.finish()
        return replace(
            self._table,
            # The data plane sees by identity that it has nothing to do.
            upstreams=self._upstreams if self._is_changed else self._table.upstreams,
            faults=self._faults,
            names=names,
            names_of=self._names_of,
            refused=self._refused,
        )

    def _move_names(self, key: UpstreamKey, names: frozenset[str]) -> None:
        self._names.move(key, self._names_of.pop(key, frozenset()), names)
        if names:
            self._names_of[key] = names

    def _put_refused(self, key: UpstreamKey, refused: frozenset[RefusedEndpoint]) -> None:
        before = self._refused.pop(key, frozenset())
        self.concerned.update(each.owner for each in before | refused)
        if refused:
            self._refused[key] = refused


def _moved_keys(
    table: UpstreamTable, touched: Iterable[UpstreamKey], users: Index[UpstreamKey, ObjectKey]
) -> Steps[tuple[Index[ObjectName, UpstreamKey], set[UpstreamKey]]]:
    """
    :param users: the current users.
    :return: the index, and the keys that came into use or went out of use.
    """
    update = IndexUpdate(table.keys)
    fresh: set[UpstreamKey] = set()
    for count, key in enumerate(touched):
        is_used = key in users
        if is_used != (key in table.users):
            service = (service_of_key(key),)
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


def _resolved(
    key: UpstreamKey,
    objects: Objects,
    slices: Index[ObjectName, ObjectName],
    config: Config,
    own: OwnAddresses,
) -> Steps[ResolvedUpstream]:
    source, read = config.source, config.cluster.namespaces if config.cluster is not None else ()
    service = as_service(key, objects.services, source, read)
    if service is None:
        return resolve_host(key, objects.resolved_names, source, own)
    read_objects = _service_objects(service, objects, slices)
    item = read_objects.service
    if not config.external_names and item is not None and item.spec.type == "ExternalName":
        return ResolvedUpstream(Upstream(key), f"{named(service)} {_NOT_EXTERNAL}")
    found = yield from resolve_upstream(service, read_objects, source, own)
    if service is key:
        return found
    return replace(found, upstream=replace(found.upstream, key=key))


def _service_objects(
    key: UpstreamKey, objects: Objects, slices: Index[ObjectName, ObjectName]
) -> ServiceObjects:
    service = (key.namespace, key.service)
    return ServiceObjects(
        objects.services.get(service),
        tuple(objects.endpoint_slices[name] for name in slices.get(service, ())),
        objects.endpoints.get(service),
        objects.resolved_names,
    )
