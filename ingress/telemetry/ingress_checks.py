"""
How often each Ingress was read and found to be without a Problem.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping

from ingress.problem import Problem

Name = tuple[str, str]
"""Namespace and name of an Ingress."""


class IngressChecks:
    """Counts the versions of each Ingress that is served."""

    def __init__(self) -> None:
        self.problems: Iterable[Problem] = ()
        """Those of now."""

        self._seen: Mapping[Name, object] = {}
        self._good: dict[Name, int] = {}

    def __repr__(self) -> str:
        return f"<IngressChecks of {len(self._good)} Ingresses>"

    def __len__(self) -> int:
        """The number of Ingresses that were good at least once."""
        return len(self._good)

    def __iter__(self) -> Iterator[tuple[Name, int]]:
        """Each Ingress with the number of its versions that had no Problem."""
        return iter(tuple(self._good.items()))

    def take(self, served: Mapping[Name, object]) -> None:
        """
        The Ingresses that are served have changed.

        :param served: all of them; one that is the same object as before has not changed.
        """
        before, self._seen = self._seen, served
        for gone in before.keys() - served.keys():
            self._good.pop(gone, None)
        changed = [name for name, ingress in served.items() if before.get(name) is not ingress]
        if changed:
            faulty = {
                (problem.namespace, problem.name)
                for problem in self.problems
                if problem.kind == "Ingress"
            }
            for name in changed:
                if name not in faulty:
                    self._good[name] = self._good.get(name, 0) + 1
