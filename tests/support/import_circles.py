"""
Circles of imports: which parts of a package import each other, directly or through others.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping

Circle = frozenset[str]
"""Siblings in one package: modules, or packages with all that is in them."""


def find_circles(imports: Mapping[str, Iterable[str]]) -> set[Circle]:
    """
    :param imports: by module, the names it imports: of modules, or of something in a module.
    :return: the circles of all packages. Each is as large as it can be: no two overlap.
    """
    packages = {module.rpartition(".")[0] for module in imports}
    by_package: dict[str, dict[str, set[str]]] = {}
    for importer, names in imports.items():
        for name in names:
            imported = _find_module(name, imports)
            if imported is None:
                continue
            siblings = _find_siblings(
                _find_place(importer, packages), _find_place(imported, packages)
            )
            if siblings is not None:
                graph = by_package.setdefault(siblings[0].rpartition(".")[0], {})
                graph.setdefault(siblings[0], set()).add(siblings[1])
                graph.setdefault(siblings[1], set())
    return {circle for graph in by_package.values() for circle in _find_components(graph)}


def _find_module(name: str, modules: Mapping[str, object]) -> str | None:
    """:return: the module that has the name, or is it."""
    while name and name not in modules:
        name = name.rpartition(".")[0]
    return name or None


def _find_place(module: str, packages: set[str]) -> str:
    """:return: where its code is: that of a package is beside its modules."""
    return f"{module}.__init__" if module in packages else module


def _find_siblings(importer: str, imported: str) -> tuple[str, str] | None:
    """:return: where the names part: the parts of one package that contain the two modules."""
    first, second = importer.split("."), imported.split(".")
    for depth, (one, other) in enumerate(zip(first, second, strict=False), 1):
        if one != other:
            return ".".join(first[:depth]), ".".join(second[:depth])
    return None


def _find_components(graph: Mapping[str, set[str]]) -> Iterator[Circle]:
    """:return: the sets of nodes that all lead to each other."""
    reached = {node: _reach(graph, node) for node in graph}
    done: set[str] = set()
    for node in graph:
        if node in reached[node] and node not in done:
            circle = frozenset(other for other in reached[node] if node in reached[other])
            done |= circle
            yield circle


def _reach(graph: Mapping[str, set[str]], start: str) -> set[str]:
    reached: set[str] = set()
    waiting = list(graph[start])
    while waiting:
        node = waiting.pop()
        if node not in reached:
            reached.add(node)
            waiting.extend(graph[node])
    return reached
