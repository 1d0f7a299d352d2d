"""
The policies of one exchange, asked in their order, and what becomes of those that fail.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from typing import ClassVar, Final

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IReactorTime
from twisted.logger import Logger
from twisted.python.failure import Failure

from ingress.answer import Answer
from ingress.endpoint import UpstreamKey
from ingress.errors import Outcome
from ingress.field_edits import NO_EDITS
from ingress.policy.decision import Decision, Proceed
from ingress.policy.policy import Policy

POLICY_TIMEOUT: Final = 30.0
"""
Seconds that a policy may take to decide. A policy that asks a server has a shorter limit of its
own; this one ends those that have none.
"""

POLICY_FAILED: Final = Answer(
    500, Outcome.INTERNAL_ERROR, "A policy of this path failed, so that it is closed."
)

LOG_INTERVAL: Final = 60.0
"""Seconds between two lines about failures of the same policy: anybody can cause them."""

Ask = Callable[[Policy], Decision]
"""Asks a policy in one phase."""

Done = Callable[[Answer | None], None]
"""Takes the answer that ends the phase, or None where the exchange goes on."""


class PolicyFaults:
    """
    What policies did wrong, for the log.

    :param clock: for the time between lines, and to end policies that take too long.
    """

    log: ClassVar[Logger] = Logger()

    def __init__(self, clock: IReactorTime) -> None:
        self.clock = clock
        self.counts: Counter[str] = Counter()
        """Failures so far, by the name of the policy."""

        self._logged_at: dict[str, float] = {}

    def __repr__(self) -> str:
        return f"<PolicyFaults {self.counts.total()}>"

    def failed(self, policy: Policy, failure: Failure) -> Answer:
        """:return: the answer to a request whose policy failed."""
        name = str(getattr(policy, "name", type(policy).__name__))
        self.counts[name] += 1
        now = self.clock.seconds()
        logged_at = self._logged_at.get(name)
        if logged_at is None or now - logged_at >= LOG_INTERVAL:
            self._logged_at[name] = now
            self.log.failure(
                "The policy {name} failed ({count} times so far); its requests get 500",
                failure,
                name=name,
                count=self.counts[name],
            )
        return POLICY_FAILED


class PolicyRun:
    """
    The decisions of an exchange's policies so far.

    :ivar request_edits: changes to the head of the request.
    :ivar response_edits: changes to the head of the response.
    :ivar target: the target that goes upstream; None for the client's.
    :ivar upstream: the Upstream to ask; None for the route's.
    """

    def __init__(self, faults: PolicyFaults) -> None:
        self.request_edits = NO_EDITS
        self.response_edits = NO_EDITS
        self.target: bytes | None = None
        self.upstream: UpstreamKey | None = None
        self._faults = faults
        self._waiting: Deferred[object] | None = None
        """For the policy that has not decided yet."""

    def __repr__(self) -> str:
        return f"<PolicyRun waiting={self.is_waiting}>"

    @property
    def is_waiting(self) -> bool:
        """Whether a policy has yet to decide."""
        return self._waiting is not None

    def ask(self, policies: Sequence[Policy], ask: Ask, done: Done) -> None:
        """
        Ask policies one after the other, until one has an answer.

        :param done: called when the last one has decided; at once where none of them waits.
        """
        for index, policy in enumerate(policies):
            try:
                decision: object = ask(policy)
            except Exception:
                done(self._faults.failed(policy, Failure()))
                return
            if isinstance(decision, Deferred):
                self._wait(policy, decision, policies[index + 1 :], ask, done)
                return
            answer = self._take(policy, decision)
            if answer is not None:
                done(answer)
                return
        done(None)

    def cancel(self) -> None:
        """The client is gone: nobody waits for a decision any more."""
        waiting, self._waiting = self._waiting, None
        if waiting is not None:
            waiting.cancel()

    def _wait(
        self,
        policy: Policy,
        decision: Deferred[object],
        rest: Sequence[Policy],
        ask: Ask,
        done: Done,
    ) -> None:
        def decided(result: object) -> None:
            if self._waiting is not decision:
                return  # Cancelled: what it comes to is of no use.
            self._waiting = None
            if isinstance(result, Failure):
                answer: Answer | None = self._faults.failed(policy, result)
            else:
                answer = self._take(policy, result)
            if answer is None:
                self.ask(rest, ask, done)
            else:
                done(answer)

        self._waiting = decision
        decision.addTimeout(POLICY_TIMEOUT, self._faults.clock)
        decision.addBoth(decided)

    def _take(self, policy: Policy, decision: object) -> Answer | None:
        """Keep what a policy has decided; return the answer, if it has one."""
        if decision is None or isinstance(decision, Answer):
            return decision
        if not isinstance(decision, Proceed):
            wanted = "a policy decides with an Answer, a Proceed, None, or a Deferred of these"
            error = TypeError(f"{wanted}; this is a {type(decision).__name__}")
            return self._faults.failed(policy, Failure(error))
        self.request_edits = self.request_edits.then(decision.request_edits)
        self.response_edits = self.response_edits.then(decision.response_edits)
        if decision.target is not None:
            self.target = decision.target
        if decision.upstream is not None:
            self.upstream = decision.upstream
        return None
