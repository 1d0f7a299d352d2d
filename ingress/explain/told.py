"""
What has been found out about a request, and how rules are named in sentences about it.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Final, Protocol

from ingress.explain.asked import Asked
from ingress.explain.candidates import Candidates
from ingress.explain.places import Places
from ingress.explain.remedies import remedy_of
from ingress.problem import Origin, Problem
from ingress.routing.route import Route

TO_CHANGE: Final = "to change: "
"""How a hint begins that says what would bring another answer."""


class Decided(Protocol):
    """What one policy of the rule did."""

    @property
    def name(self) -> str: ...
    @property
    def verdict(self) -> str: ...
    @property
    def annotations(self) -> Mapping[str, str]: ...


class Told(Protocol):
    """What has been found out about a request."""

    @property
    def asked(self) -> Asked: ...
    @property
    def status(self) -> int | None: ...
    @property
    def outcome(self) -> str: ...
    @property
    def redirect(self) -> str: ...
    @property
    def route(self) -> Route | None: ...
    @property
    def verdicts(self) -> Sequence[Decided]: ...
    @property
    def candidates(self) -> Candidates | None: ...
    @property
    def upstream_fault(self) -> str: ...
    @property
    def problems(self) -> tuple[Problem, ...]: ...
    @property
    def places(self) -> Places: ...


def placed(name: str, origin: Origin | None) -> str:
    """:return: the name with the place, if that is known."""
    return f"{name} ({origin})" if origin is not None and origin.file else name


def rule_name(told: Told, route: Route) -> str:
    """:return: the path of a rule, with its Ingress and where it stands."""
    rule = f"{route.path_type} {route.path} of Ingress {'/'.join(route.ingress)}"
    return placed(rule, told.places.get(route.identity))


def change_of(problem: Problem) -> Iterator[str]:
    """Yield what would have to change for a Problem to be gone."""
    remedy = remedy_of(problem)
    if remedy:
        yield f"{TO_CHANGE}{remedy}"
