"""
The canaries that want requests of one host, and the rules of others that they belong to.

Source of the rules: docs/compatibility.md, sections 2.3 and 6, "Canary".
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from fractions import Fraction
from typing import Final, NamedTuple

from ingress.policy.canary_rule import Canaries, CanaryRule
from ingress.policy.scope import RuleScope
from ingress.problem import Problem, shown
from ingress.problem_code import Code
from ingress.routing.build.canary_set import DEFAULT, CanaryPath, CanarySet
from ingress.routing.build.rule_set import RuleSet
from ingress.routing.route import Route

_AFFINITY_IN_VAIN: Final = (
    "the sessions of a canary are those of the rule; its own affinity has an effect only with "
    "affinity-canary-behavior: legacy"
)


class _Candidate(NamedTuple):
    """A rule of a canary, with its object."""

    item: RuleSet
    asked: CanarySet
    path: CanaryPath

    def problem(self, message: str) -> tuple[RuleSet, Problem]:
        return self.item, self.item.problem(
            Code.CANARY_IDLE, self.path.field, message, self.path.written
        )


_Key = tuple[str, str, str]
"""Namespace, path as written, and path type."""


class Found(NamedTuple):
    """The canaries of one rule."""

    key: _Key = ("", "", "")
    canaries: Canaries | None = None
    problems: tuple[tuple[RuleSet, Problem], ...] = ()
    """Why some of them get no requests, or fewer than they want."""


_NONE: Final = Found()


class CanariesOfHost:
    """
    The canaries that want requests of one host, while the rules of others are merged.

    :param host: in lower case; empty for hosts that no rule names.
    :param items: the rules of canaries, the oldest first.
    """

    def __init__(self, host: str, items: Iterable[RuleSet]) -> None:
        self._host = host
        self._waiting: dict[_Key, list[_Candidate]] = {}
        self._problems: list[tuple[RuleSet, Problem]] = []
        for item in items:
            asked = item.canary
            for path in asked.hosts.get(host, ()) if asked is not None else ():
                assert asked is not None
                key = (item.source.namespace, path.written, path.path_type)
                self._waiting.setdefault(key, []).append(_Candidate(item, asked, path))

    def __repr__(self) -> str:
        return f"<CanariesOfHost {self._host} {len(self._waiting)} waiting>"

    def __bool__(self) -> bool:
        return bool(self._waiting)

    def find(self, route: Route, path_type: str) -> Found:
        """
        Find the canaries of a rule.

        :param route: the Route of the rule, without canaries.
        :param path_type: `DEFAULT` for a default backend.
        """
        if not self._waiting:
            return _NONE
        key = (route.ingress[0], "" if path_type == DEFAULT else route.path, path_type)
        waiting = self._waiting.get(key)
        return _NONE if waiting is None else _of_rule(key, route, waiting)

    def take(self, found: Found) -> None:
        """Note that the rule is served: its canaries are for no other one."""
        if found is not _NONE:
            self._waiting.pop(found.key, None)
            self._problems += found.problems

    def finish(self) -> list[tuple[RuleSet, Problem]]:
        """:return: the Problems of the canaries, among them those that no rule has taken."""
        where = f"host {self._host}" if self._host else "hosts that no rule names"
        for (namespace, written, path_type), waiting in self._waiting.items():
            what = "a default backend"
            if path_type != DEFAULT:
                what = f"the {path_type} path {shown(written)}"
            message = (
                f"no rule of namespace {shown(namespace)} that is served has {what} for {where}; "
                "a canary has no requests of its own"
            )
            self._problems += (one.problem(message) for one in waiting)
        self._waiting = {}
        return self._problems


def _of_rule(key: _Key, route: Route, waiting: Sequence[_Candidate]) -> Found:
    """Decide which of the canaries that want a rule get a part of its requests."""
    rules: list[CanaryRule] = []
    problems: list[tuple[RuleSet, Problem]] = []
    left = Fraction(1)
    for one in waiting:
        fault = _fault(one, route)
        if fault:
            problems.append(one.problem(f"{fault}; this canary gets none of its requests"))
            continue
        asked = one.asked
        share = min(left, Fraction(asked.canary.weight, asked.canary.total))
        if share * asked.canary.total < asked.canary.weight:
            problems.append(
                one.problem(
                    "the canaries of this rule ask for more than all of its requests together; "
                    f"this one gets {float(share):.0%} of them"
                )
            )
        if _has_affinity_in_vain(asked, route):
            problems.append(one.problem(_AFFINITY_IN_VAIN))
        left -= share
        rules.append(_rule(one, route, float(share)))
    return Found(key, Canaries(tuple(rules)) if rules else None, tuple(problems))


def _rule(one: _Candidate, route: Route, share: float) -> CanaryRule:
    """Adapt what a canary asks for to the rule."""
    namespace, ingress = one.item.source.key[1:]
    asked, upstream = one.asked, one.path.upstream
    scope = RuleScope(namespace, ingress, route.host, route.path, route.path_type, upstream)
    return CanaryRule(
        (namespace, ingress),
        upstream,
        asked.canary,
        share,
        asked.load_balance.at(scope),
        asked.affinity.at(scope) if asked.affinity is not None else None,
    )


def _fault(one: _Candidate, route: Route) -> str:
    """:return: why a canary gets no requests of the rule; empty if it may."""
    upstream = one.path.upstream
    named = shown(f"{upstream.service}:{upstream.port}")
    if route.upstream is None:
        return "the rule leads to no Service"
    if upstream == route.upstream:
        return f"the rule itself leads to {named}"
    if one.asked.guard and not any(policy.guards for policy in route.policies):
        # Its author wants the Service closed to some, and the rule lets everybody in.
        return f"{one.asked.guard} is ignored on a canary, and the rule itself guards nothing"
    return ""


def _has_affinity_in_vain(asked: CanarySet, route: Route) -> bool:
    own, of_rule = asked.affinity, route.affinity
    if own is None or asked.canary.keeps_own_affinity:
        return False
    return of_rule is None or own.name != of_rule.name
