"""
A virtual host's tree of ReverseProxyResource nodes, one a path segment.

The shape of `twisted.web`'s resource tree, frozen: a node holds its children by
name and what a request needs where its path ends or passes. A walk from the
root therefore meets every rule that could match, the shorter before the
longer, and the last one met wins.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from ingress.routing.route import Route


@dataclass(frozen=True, slots=True)
class ReverseProxyResource:
    """
    One segment of a path, and the rules that begin or end here.

    A path with a trailing slash ends in the child of the empty name.
    """

    children: Mapping[bytes, ReverseProxyResource] = field(default_factory=dict)

    exact: Route | None = None
    """The rule of path type Exact for the path that ends here."""

    prefix: Route | None = None
    """The rule of path type Prefix for every path that passes or ends here."""

    partials: tuple[tuple[int, Mapping[bytes, Route]], ...] = ()
    """
    ImplementationSpecific rules, by the beginning of a child's name that they ask
    for: ``/a/fo`` is ``fo`` at the node of ``/a``; ``/a/`` is the empty beginning.
    Grouped by its length, longest first, so that a thousand rules cost as many
    look-ups as they have lengths.
    """

    def find(self, path: bytes) -> Route | None:
        """
        :param path: a canonical path, beginning with ``/``.
        :return: the Route of the longest rule that matches; of equal ones Exact
            before Prefix before ImplementationSpecific.
        """
        node = self
        found = self.prefix
        if not node.children and not node.partials:
            return found
        for segment in path[1:].split(b"/"):
            for length, routes in node.partials:
                route = routes.get(segment[:length])
                if route is not None:
                    found = route
                    break
            child = node.children.get(segment)
            if child is None:
                return found
            node = child
            if node.prefix is not None:
                found = node.prefix
        return node.exact or found

    def routes(self) -> Iterator[Route]:
        """Every Route below this node, those of a parent before those of its children."""
        nodes = [self]
        while nodes:
            node = nodes.pop()
            if node.exact is not None:
                yield node.exact
            if node.prefix is not None:
                yield node.prefix
            for _, routes in node.partials:
                yield from routes.values()
            nodes.extend(reversed(tuple(node.children.values())))
