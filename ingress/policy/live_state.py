"""
The state that policies keep between requests.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple, Protocol, TypeVar, cast

from ingress.policy.limiter import Limiter

State = TypeVar("State")


class RuleIdentity(NamedTuple):
    """The identity of a rule across Snapshots."""

    namespace: str
    ingress: str
    host: str
    """In lower case; ``*.example.com`` for a wildcard, empty for hosts that no rule names."""

    path: str
    """As the Ingress has it."""

    path_type: str


class Rule(Protocol):
    """A rule as it is now."""

    @property
    def identity(self) -> RuleIdentity:
        """The identity that it has in every Snapshot."""


class PolicyStates:
    """
    The live state of all policies of a process, by rule and policy.

    :ivar limiter: that of limits, which several rules share, and several workers.
    """

    def __init__(self, limiter: Limiter | None = None) -> None:
        self.limiter = Limiter() if limiter is None else limiter
        self._by_rule: dict[RuleIdentity, dict[str, Any]] = {}
        self._of_process: dict[str, Any] = {}

    def __repr__(self) -> str:
        return f"<PolicyStates of {len(self._by_rule)} rules>"

    def __len__(self) -> int:
        return len(self._by_rule)

    def find(self, rule: RuleIdentity, name: str, make: Callable[[], State]) -> State:
        """
        Find the state that a policy keeps for a rule, or make it.

        :param rule: the rule.
        :param name: the name of the policy.
        :param make: makes the state if there is none yet.
        """
        states = self._by_rule.get(rule)
        if states is None:
            states = self._by_rule[rule] = {}
        if name not in states:
            states[name] = make()
        return cast(State, states[name])

    def of_process(self, name: str, make: Callable[[], State]) -> State:
        """
        Find the state that a policy keeps for all rules of the process, or make it.

        :param name: the name of the policy.
        :param make: makes the state if there is none yet.
        """
        if name not in self._of_process:
            self._of_process[name] = make()
        return cast(State, self._of_process[name])

    def prune(self, is_served: Callable[[RuleIdentity], bool]) -> None:
        """
        Forget the state of rules that are gone.

        :param is_served: returns whether the Snapshot in force still has a rule.
        """
        if self._by_rule:
            for rule in [rule for rule in self._by_rule if not is_served(rule)]:
                del self._by_rule[rule]
