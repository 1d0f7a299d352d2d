"""
Rules to an ordered list of patterns, for a host on which some are regular expressions.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Final

from ingress.routing.build.change import sorted_in_steps
from ingress.routing.condition import Condition
from ingress.routing.path_pattern import PathForm, PathPattern
from ingress.routing.route import Route
from ingress.routing.snapshot import VirtualHost
from ingress.steps import STRIDE, Steps

_FORMS: Final = {form.value: form for form in PathForm}


class PatternList:
    """The rules of one host while they are added."""

    def __init__(self) -> None:
        self._routes: dict[tuple[PathPattern, frozenset[Condition]], Route] = {}

    def __repr__(self) -> str:
        return f"<PatternList of {len(self._routes)} rules>"

    def add(self, path: bytes, route: Route) -> Route | None:
        """
        :param path: the canonical path of the rule, if it is no regular expression.
        :param route: what it leads to, unless another rule is there already.
        :return: that other rule, of the same path, type and conditions; None if `route` was added.
        """
        pattern = route.pattern or PathPattern(_FORMS[route.path_type], path)
        route = replace(route, pattern=pattern)
        taken = self._routes.setdefault((pattern, frozenset(route.conditions)), route)
        return None if taken is route else taken

    def freeze(self, host: str, default: Route | None) -> Steps[VirtualHost]:
        """
        :return: the host, with its patterns in the order in which they are tried: those of each
            namespace by themselves, the namespace that was added first before the others.
        """
        patterns = []
        ages: dict[str, int] = {}
        for count, ((pattern, conditions), route) in enumerate(self._routes.items()):
            age = ages.setdefault(route.ingress[0], len(ages))
            patterns.append(((age, *pattern.precedence, -len(conditions), count), route))
            if count % STRIDE == STRIDE - 1:
                yield
        patterns = yield from sorted_in_steps(patterns)
        return VirtualHost(host, default=default, patterns=tuple(route for _, route in patterns))
