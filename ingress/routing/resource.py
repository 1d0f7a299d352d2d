"""
A virtual host's tree of ReverseProxyResource nodes, one for each path segment.

The tree has the shape of `twisted.web`'s resource tree, but is frozen: a node holds
its children by name, and the rules for paths that end at it or pass through it. A
walk from the root therefore meets every rule that could match, shorter ones before
longer ones, and the last one wins.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from ingress.frozen_value import reduced
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
    """The rule of path type Prefix for every path that ends here or passes through."""

    partials: tuple[tuple[int, Mapping[bytes, Route]], ...] = ()
    """
    ImplementationSpecific rules, by the prefix of a child's name that they require:
    ``/a/fo`` is ``fo`` at the node of ``/a``; ``/a/`` is the empty prefix. Rules are
    grouped by the length of the prefix, longest first, so that a thousand rules cost
    one look-up for each length.
    """

    conditional: tuple[tuple[bytes, Route], ...] = ()
    """
    Rules with conditions that end here, of any path type, in the order in which they are tried.
    With a rule of the type ImplementationSpecific comes the prefix of a child's name. `find`
    does not know them.
    """

    def __reduce__(self) -> tuple[Any, ...]:
        return reduced(self)

    def find(self, path: bytes) -> Route | None:
        """
        :param path: a canonical path, beginning with ``/``.
        :return: the Route of the longest rule that matches; at equal length, Exact comes
            before Prefix, and Prefix before ImplementationSpecific.
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

    def candidates(self, path: bytes) -> list[Route]:
        """
        :param path: as for `find`.
        :return: every Route whose path matches, in the order in which they are tried: the
            longest first; for one path, rules with conditions first.
        """
        node = self
        found = self._prefixes()
        for segment in path[1:].split(b"/"):
            found += node._partials(segment)
            child = node.children.get(segment)
            if child is None:
                break
            node = child
            found += node._prefixes()
        else:
            found += node._of_type("Exact", node.exact)
        return found[::-1]

    def _prefixes(self) -> list[Route]:
        return self._of_type("Prefix", self.prefix)

    def _of_type(self, path_type: str, plain: Route | None) -> list[Route]:
        """Those of one type, the last one first, as `candidates` collects them."""
        found = [] if plain is None else [plain]
        found += [one for _, one in reversed(self.conditional) if one.path_type == path_type]
        return found

    def _partials(self, segment: bytes) -> list[Route]:
        matching = [
            (len(beginning), -order, route)
            for order, (beginning, route) in enumerate(self.conditional, 1)
            if route.path_type == "ImplementationSpecific" and segment.startswith(beginning)
        ]
        for length, routes in self.partials:
            plain = routes.get(segment[:length])
            if plain is not None:
                matching.append((length, -len(self.conditional) - 1, plain))
        matching.sort(key=lambda one: one[:2])
        return [route for _, _, route in matching]

    def routes(self) -> Iterator[Route]:
        """Yield every Route below this node, those of a parent before those of its children."""
        nodes = [self]
        while nodes:
            node = nodes.pop()
            if node.exact is not None:
                yield node.exact
            if node.prefix is not None:
                yield node.prefix
            for _, routes in node.partials:
                yield from routes.values()
            yield from (route for _, route in node.conditional)
            nodes.extend(reversed(tuple(node.children.values())))
