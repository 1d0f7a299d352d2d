"""
The view that a policy has of an exchange.
"""

from __future__ import annotations

from collections.abc import Callable
from random import Random
from typing import TYPE_CHECKING, Any, Final, TypeVar

from ingress.believed_client import BelievedClient
from ingress.field_edits import NO_EDITS, FieldEdits
from ingress.message import Request
from ingress.policy.limiter import Limiter
from ingress.policy.live_state import PolicyStates, Rule, RuleIdentity
from ingress.policy.policy_faults import PolicyFaults
from ingress.policy.subrequest import Asker, NoAsker, Subrequest, Subresponse
from ingress.policy.trace_context import TraceContext

if TYPE_CHECKING:
    from twisted.internet.defer import Deferred

State = TypeVar("State")

Captures = tuple[bytes | None, ...]
"""The matches of the groups of a rule's regular expression; empty for other rules."""

_NOBODY: Final = NoAsker()


class PolicyContext:
    """
    One request in the eyes of a policy. Nothing in it may be changed.

    :ivar request: the head of the request, as the codec accepted it.
    :ivar client: the client, as far as it is believed.
    :ivar request_id: the id of the request (X-Request-ID).
    :ivar target: the target that the endpoint gets, unless a policy changes it: that of the
        request, or the same with its canonical path (`paths` of the configuration).
    :ivar request_edits: the changes that policies before this one have made to the request, in the
        phase access.
    :ivar captures: the matches of the groups of the rule's regular expression.
    :ivar readings: other canonical paths that endpoints may read in the target, on hosts that guard
        some of theirs; all of them have the same rules about access, except for those that look at
        the path themselves.
    :ivar now: gives the seconds on the clock of the process, for intervals.
    :ivar wall_clock: gives the seconds since the epoch, for dates.
    :ivar random: randomness that need not be secret.
    :ivar faults: counts the mistakes of policies.
    :ivar ends: called when the exchange is over, however it ends; policies may append.
    :ivar trace: the span of the exchange, which the policy of tracing sets; None without one.
    """

    __slots__ = (
        "_asker",
        "_owner",
        "_route",
        "_snapshot",
        "_states",
        "captures",
        "client",
        "ends",
        "faults",
        "now",
        "random",
        "readings",
        "request",
        "request_edits",
        "request_id",
        "target",
        "trace",
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
        faults: PolicyFaults,
        request_id: bytes = b"",
        owner: str = "",
        asker: Asker = _NOBODY,
        snapshot: object = None,
        ends: list[Callable[[], None]] | None = None,
        target: bytes | None = None,
        readings: tuple[bytes, ...] = (),
    ) -> None:
        self.request = request
        self.client = client
        self.request_id = request_id
        self._route = route
        self.captures = captures
        self.readings = readings
        self.now = now
        self.wall_clock = wall_clock
        self.random = random
        self.faults = faults
        self.ends: list[Callable[[], None]] = [] if ends is None else ends
        self._states = states
        self._owner = owner
        self._asker = asker
        self._snapshot = snapshot
        self.target = request.target if target is None else target
        self.request_edits = NO_EDITS
        self.trace: TraceContext | None = None

    @property
    def rule(self) -> RuleIdentity:
        """The rule that the request matches."""
        return self._route.identity

    @property
    def route(self) -> object:
        """Stands for the rule as it is now, in this Snapshot and in those that do not change it."""
        return self._route

    @property
    def reactor(self) -> Any:
        """
        The reactor of the process that serves, to wait on. With several workers it is not the one
        that a module of a policy would import at its top.
        """
        return self.faults.clock

    @property
    def limiter(self) -> Limiter:
        """The live state of limits."""
        return self._states.limiter

    def __repr__(self) -> str:
        return f"<PolicyContext {self.request} of {self.client}>"

    def after(self, edits: FieldEdits) -> PolicyContext:
        """
        :param edits: the changes that policies have made so far.
        :return: this context, for the next policy.
        """
        self.request_edits = edits
        return self

    def ask(self, subrequest: Subrequest) -> Deferred[Subresponse]:
        """
        Send a request of the policy's own, without body. It goes over kept connections, and costs
        the client's body nothing, which waits unread.

        :return: fires when the response is whole; fails with `SubrequestFailed` if there is none,
            or too many are in flight. A policy that returns it, or one that depends on it,
            need not cancel it: that happens when the client goes away.
        """
        return self._asker.ask(self, self._snapshot, subrequest)

    def state(self, name: str, make: Callable[[], State]) -> State:
        """
        Find the live state that a policy keeps for this rule, or make it.

        :param name: of the policy; no two policies share a state.
        :param make: makes the state of a rule that has none yet.
        :return: the same object for every request of the rule, for as long as the rule is
            served, whatever Snapshots are published meanwhile. Each worker has its own.
        """
        return self._states.find(self.rule, self._owner + name, make)

    def process_state(self, name: str, make: Callable[[], State]) -> State:
        """
        Find the live state that a policy keeps for all rules together, or make it.

        :param name: of the policy; no two policies share a state.
        :param make: makes the state if there is none yet.
        :return: the same object for every request, for as long as the process runs.
        """
        return self._states.of_process(self._owner + name, make)

    def for_policy(self, owner: str) -> PolicyContext:
        """
        :param owner: the name of a policy in the configuration.
        :return: the same, with states that are its own: two policies may have one class.
        """
        made = PolicyContext(
            self.request,
            self.client,
            self._route,
            self.captures,
            now=self.now,
            wall_clock=self.wall_clock,
            random=self.random,
            states=self._states,
            faults=self.faults,
            request_id=self.request_id,
            asker=self._asker,
            snapshot=self._snapshot,
            target=self.target,
            readings=self.readings,
            owner=f"policies/{owner}/",
            ends=self.ends,
        )
        made.trace = self.trace
        return made.after(self.request_edits)
