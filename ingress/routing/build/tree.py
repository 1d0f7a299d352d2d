"""
Builds a tree of ReverseProxyResource nodes from rules.

Nothing here recurses: a path may have as many segments as it has bytes.
"""

from __future__ import annotations

from collections.abc import Mapping

from ingress.routing.resource import ReverseProxyResource
from ingress.routing.route import Route
from ingress.routing.snapshot import VirtualHost
from ingress.steps import STRIDE, Steps

_NO_CHILDREN: Mapping[bytes, ReverseProxyResource] = {}
"""Shared by all leaves, which most nodes are."""


class _Node:
    """A node that is not frozen yet."""

    __slots__ = ("children", "conditional", "exact", "frozen", "partials", "prefix")

    def __init__(self) -> None:
        self.children: dict[bytes, _Node] = {}
        self.exact: Route | None = None
        self.prefix: Route | None = None
        self.partials: dict[bytes, Route] = {}
        self.conditional: list[tuple[bytes, Route]] = []
        self.frozen: ReverseProxyResource

    def freeze(self) -> None:
        """Freeze the node; its children must have been frozen before."""
        self.frozen = ReverseProxyResource(
            children={name: child.frozen for name, child in self.children.items()}
            if self.children
            else _NO_CHILDREN,
            exact=self.exact,
            prefix=self.prefix,
            partials=self._grouped_partials() if self.partials else (),
            conditional=tuple(self.conditional),
        )

    def _grouped_partials(self) -> tuple[tuple[int, dict[bytes, Route]], ...]:
        groups: dict[int, dict[bytes, Route]] = {}
        for beginning, route in self.partials.items():
            groups.setdefault(len(beginning), {})[beginning] = route
        if self.prefix is not None and self.prefix.path.endswith("/"):
            # Prefix ``/a/`` and ImplementationSpecific ``/a/`` have the same length: Prefix wins.
            groups.pop(0, None)
        return tuple(sorted(groups.items(), key=lambda group: group[0], reverse=True))


class ResourceTree:
    """The tree of one host while rules are added to it."""

    def __init__(self) -> None:
        self._root = _Node()
        self._nodes = [self._root]
        self._has_conditions = False

    def __repr__(self) -> str:
        return f"<ResourceTree of {len(self._nodes)} nodes>"

    def add(self, path: bytes, route: Route) -> Route | None:
        """
        :param path: the canonical path of the rule.
        :param route: the Route to add, unless the path already has one of this type.
        :return: the existing Route of the same path and type; None if `route` was added.
        """
        segments = path[1:].split(b"/")
        if route.conditions:
            return self._add_conditional(segments, route)
        if route.path_type == "ImplementationSpecific":
            partials = self._node(segments[:-1]).partials
            taken = partials.setdefault(segments[-1], route)
            return None if taken is route else taken
        if route.path_type == "Exact":
            node = self._node(segments)
            taken = node.exact = node.exact or route
        else:
            if segments[-1] == b"":
                segments.pop()
            node = self._node(segments)
            taken = node.prefix = node.prefix or route
        return None if taken is route else taken

    def _add_conditional(self, segments: list[bytes], route: Route) -> Route | None:
        beginning = b""
        if route.path_type == "ImplementationSpecific":
            beginning = segments.pop()
        elif route.path_type == "Prefix" and segments[-1] == b"":
            segments.pop()
        conditional = self._node(segments).conditional
        kind = (beginning, route.path_type, frozenset(route.conditions))
        for other, taken in conditional:
            if (other, taken.path_type, frozenset(taken.conditions)) == kind:
                return taken
        # Of two rules for one path, the one with more conditions is tried first.
        conditional.append((beginning, route))
        conditional.sort(key=lambda one: len(one[1].conditions), reverse=True)
        self._has_conditions = True
        return None

    def freeze(self, host: str, default: Route | None) -> Steps[VirtualHost]:
        """
        :param default: what requests get that no rule matches.
        :return: the host with its tree.
        """
        for count, node in enumerate(reversed(self._nodes)):
            node.freeze()
            if count % STRIDE == STRIDE - 1:
                yield
        return VirtualHost(host, self._root.frozen, default, has_conditions=self._has_conditions)

    def _node(self, segments: list[bytes]) -> _Node:
        node = self._root
        for segment in segments:
            child = node.children.get(segment)
            if child is None:
                child = node.children[segment] = _Node()
                self._nodes.append(child)
            node = child
        return node
