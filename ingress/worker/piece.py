"""
The pieces of a Snapshot, which a worker puts together one after the other.

A piece is small, so that no request waits long while it is read. It is flat, because a
path may have thousands of segments and pickle goes no deeper than a thousand.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, NamedTuple

from ingress.client_session import ClientTrust
from ingress.endpoint import Endpoint, Upstream, UpstreamKey
from ingress.routing.passthrough import Passthrough
from ingress.routing.resource import ReverseProxyResource
from ingress.routing.route import Route
from ingress.routing.snapshot import VirtualHost

_NO_CHILDREN: Final[Mapping[bytes, ReverseProxyResource]] = {}
"""Shared by all leaves, which most nodes are."""


@dataclass(slots=True)
class Assembly:
    """A Snapshot in the making, based on the one before it."""

    fields: dict[str, Any]
    """The fields of the Snapshot. A mapping that is not in `tables` is still the old one."""

    tables: dict[str, dict[Any, Any]] = field(default_factory=dict)
    """Copies of the mappings that change."""

    replaced: list[object] = field(default_factory=list)
    """The objects that were replaced, to be freed in slices."""

    children: dict[bytes, ReverseProxyResource] = field(default_factory=dict)
    partials: dict[int, dict[bytes, Route]] = field(default_factory=dict)
    conditionals: list[tuple[bytes, Route]] = field(default_factory=list)
    nodes: list[ReverseProxyResource] = field(default_factory=list)
    patterns: list[Route] = field(default_factory=list)
    endpoints: list[Endpoint] = field(default_factory=list)

    def put(self, name: str, key: object, value: object) -> None:
        """
        Set a field or an entry.

        :param name: of a field of the Snapshot.
        :param key: of an entry of that mapping; None if the field is no mapping.
        """
        if key is None:
            self.replaced.append(self.fields.get(name))
            self.fields[name] = value
            return
        table = self.table(name)
        self.replaced.append(table.get(key))
        table[key] = value

    def table(self, name: str) -> dict[Any, Any]:
        """The copy of a mapping."""
        table = self.tables.get(name)
        if table is None:
            table = self.fields[name] = self.tables[name] = dict(self.fields[name])
        return table


class Value(NamedTuple):
    """A field of the Snapshot, or an entry of one, that is sent whole."""

    field: str
    key: object
    """None if the field is no mapping."""

    value: object

    def apply(self, assembly: Assembly) -> None:
        """Set it."""
        assembly.put(self.field, self.key, self.value)


class Gone(NamedTuple):
    """Entries that no longer exist."""

    field: str
    keys: Sequence[object]

    def apply(self, assembly: Assembly) -> None:
        """Remove them."""
        table = assembly.table(self.field)
        assembly.replaced += map(table.pop, self.keys)


class Children(NamedTuple):
    """Some children of the next node."""

    pairs: Sequence[tuple[bytes, int]]
    """The name of each, and its number among the nodes of this host."""

    def apply(self, assembly: Assembly) -> None:
        """Keep them for `Node`."""
        nodes = assembly.nodes
        assembly.children.update((name, nodes[index]) for name, index in self.pairs)


class Partials(NamedTuple):
    """Some ImplementationSpecific rules of the next node."""

    length: int
    routes: Sequence[tuple[bytes, Route]]

    def apply(self, assembly: Assembly) -> None:
        """Keep them for `Node`."""
        assembly.partials.setdefault(self.length, {}).update(self.routes)


class Conditionals(NamedTuple):
    """Some rules with conditions of the node that comes next."""

    routes: Sequence[tuple[bytes, Route]]

    def apply(self, assembly: Assembly) -> None:
        """Keep them for `Node`."""
        assembly.conditionals += self.routes


class Patterns(NamedTuple):
    """Some rules of the ordered list of the host that comes next."""

    routes: Sequence[Route]

    def apply(self, assembly: Assembly) -> None:
        """Keep them for `Host`."""
        assembly.patterns += self.routes


class Node(NamedTuple):
    """A node of a tree, after its children; the root is the last one."""

    exact: Route | None
    prefix: Route | None

    def apply(self, assembly: Assembly) -> None:
        """Make the node from the pieces before it."""
        node = ReverseProxyResource(
            children=assembly.children or _NO_CHILDREN,
            exact=self.exact,
            prefix=self.prefix,
            partials=tuple(assembly.partials.items()),
            conditional=tuple(assembly.conditionals),
        )
        assembly.nodes.append(node)
        if assembly.children:
            assembly.children = {}
        if assembly.partials:
            assembly.partials = {}
        if assembly.conditionals:
            assembly.conditionals = []


class Host(NamedTuple):
    """A virtual host, after its nodes."""

    field: str
    key: bytes | None
    name: str
    default: Route | None
    has_conditions: bool
    client_trust: ClientTrust | None
    passthrough: Passthrough | None

    def apply(self, assembly: Assembly) -> None:
        """Make it, and set it."""
        host = VirtualHost(
            self.name,
            assembly.nodes[-1],
            self.default,
            tuple(assembly.patterns),
            self.has_conditions,
            self.client_trust,
            self.passthrough,
        )
        assembly.nodes = []
        assembly.patterns = []
        assembly.put(self.field, self.key, host)


class Endpoints(NamedTuple):
    """Some endpoints of the next Upstream."""

    addresses: Sequence[tuple[str, int, str, str]]

    def apply(self, assembly: Assembly) -> None:
        """Keep them for `Service`."""
        assembly.endpoints += map(Endpoint._make, self.addresses)


class Service(NamedTuple):
    """An Upstream, after its endpoints."""

    field: str
    key: tuple[str, str, str, bool, bool]
    lingering: int
    """How many of the endpoints, the last ones, are lingering."""

    conditions: Mapping[str, bool]
    """Those fields of the Upstream that are true, by name."""

    def apply(self, assembly: Assembly) -> None:
        """Make it, and set it."""
        key = UpstreamKey._make(self.key)
        endpoints = tuple(assembly.endpoints)
        count = len(endpoints) - self.lingering
        assembly.endpoints = []
        upstream = Upstream(key, endpoints[:count], endpoints[count:], **self.conditions)
        assembly.put(self.field, key, upstream)


Piece = (
    Value | Gone | Children | Partials | Conditionals | Patterns | Node | Host | Endpoints | Service
)
