"""
What a policy sees of the exchange that it decides on.
"""

from __future__ import annotations

from collections.abc import Callable
from random import Random
from typing import TypeVar

from ingress.believed_client import BelievedClient
from ingress.message import Request
from ingress.policy.live_state import PolicyStates, Rule, RuleIdentity

State = TypeVar("State")

Captures = tuple[bytes | None, ...]
"""What the groups of a rule's regular expression matched; empty for other rules."""


class PolicyContext:
    """
    One request in the eyes of a policy. Nothing in it may be changed.

    :ivar request: the head of the request, as the codec accepted it.
    :ivar client: who sent it, as far as that is believed.
    :ivar captures: what the rule's regular expression captured.
    :ivar now: seconds on the clock of the process, for times that pass.
    :ivar wall_clock: seconds since the epoch, for dates.
    :ivar random: randomness that need not be secret.
    """

    __slots__ = (
        "_route",
        "_states",
        "captures",
        "client",
        "now",
        "random",
        "request",
        "wall_clock",
    )

    def __init__(
        self,
        request: Request,
        client: BelievedClient,
        route: Rule,
        captures: Captures,
        *,
        now: Callable[[], float],
        wall_clock: Callable[[], float],
        random: Random,
        states: PolicyStates,
    ) -> None:
        self.request = request
        self.client = client
        self._route = route
        self.captures = captures
        self.now = now
        self.wall_clock = wall_clock
        self.random = random
        self._states = states

    @property
    def rule(self) -> RuleIdentity:
        """The rule that the request has met."""
        return self._route.identity

    def __repr__(self) -> str:
        return f"<PolicyContext {self.request} of {self.client}>"

    def state(self, name: str, make: Callable[[], State]) -> State:
        """
        Find the live state that a policy keeps for this rule, or make it.

        :param name: of the policy; no two policies share a state.
        :param make: makes the state of a rule that has none yet.
        :return: the same object for every request of the rule, for as long as the rule is
            served, whatever Snapshots are published meanwhile. Each worker has its own.
        """
        return self._states.find(self.rule, name, make)
