"""
One run through policies in their order, and the handling of those that fail.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import Final

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IDelayedCall
from twisted.python.failure import Failure

from ingress.answer import Answer
from ingress.endpoint import UpstreamKey
from ingress.exchange.message_edits import UNCHANGED
from ingress.exchange.policy_journal import PolicyJournal
from ingress.field_edits import FieldEdits
from ingress.policy.decision import Decision, Proceed
from ingress.policy.policy import Policy
from ingress.policy.policy_faults import PolicyFaults

Ask = Callable[[Policy], Decision]
"""Calls a policy's method for one phase."""

Done = Callable[[Answer | None], None]
"""Takes the answer that ends the phase, or None if the exchange goes on."""

_FAILED: Final = "a failure that was reported already"
"""
The result of a Deferred that failed. A policy may give one Deferred to several requests: None, as
a handled failure usually leaves, would let the others pass.
"""


class _Wait:
    """The wait for the decision of one policy, and what follows it."""

    __slots__ = ("ask", "decision", "done", "policy", "rest", "timer")

    def __init__(
        self,
        policy: Policy,
        decision: Deferred[object],
        rest: Sequence[Policy],
        ask: Ask,
        done: Done,
    ) -> None:
        self.policy = policy
        self.decision = decision
        self.rest = rest
        self.ask = ask
        self.done = done
        self.timer: IDelayedCall | None = None

    def __repr__(self) -> str:
        return f"<_Wait for {self.policy}>"


class PolicyRun:
    """
    A run through the policies of one phase, or of two, and their decisions so far.

    :ivar request_edits: changes to the head of the request.
    :ivar response_edits: changes to the head of the response.
    :ivar success_edits: the same for some statuses (`Proceed.success_edits`).
    :ivar target: the target that goes upstream; None for the client's.
    :ivar upstream: the Upstream to ask; None for the route's.
    :ivar finds_rule_again: whether the rule of `target` is to be found, and nobody else asked.
    """

    def __init__(self, faults: PolicyFaults, journal: PolicyJournal | None = None) -> None:
        self.request_edits = UNCHANGED
        self.response_edits = UNCHANGED
        self.success_edits = UNCHANGED
        self.target: bytes | None = None
        self.upstream: UpstreamKey | None = None
        self.finds_rule_again = False
        self._faults = faults
        self._journal = journal
        """Learns what is decided; None where requests are served."""

        self._wait: _Wait | None = None
        """The wait for the policy that has not decided yet, if any."""

    def __repr__(self) -> str:
        return f"<PolicyRun waiting={self.is_waiting}>"

    @property
    def is_waiting(self) -> bool:
        """Whether a policy has yet to decide."""
        return self._wait is not None

    def ask(self, policies: Sequence[Policy], ask: Ask, done: Done) -> None:
        """
        Ask policies one after the other, until one has an answer.

        :param ask: calls the method of the phase.
        :param done: called once, when a policy has an answer or all have decided; before this
            method returns if none of them waits.
        """
        for index, policy in enumerate(policies):
            if self._journal is not None and self._journal.skips(policy):
                continue
            try:
                decision: object = ask(policy)
            except BaseException:
                # Not even sys.exit() in a policy leaves a request without an answer.
                done(self._faults.failed(policy.label, Failure()))
                return
            if decision is None and self._journal is None and not self.finds_rule_again:
                # The common case. Whether something is a Deferred takes long to find out.
                continue
            if not isinstance(decision, Proceed) and isinstance(decision, Deferred):
                self._wait_for(_Wait(policy, decision, policies[index + 1 :], ask, done))
                return
            answer = self._take(policy, decision)
            if answer is not None or self.finds_rule_again:
                done(answer)
                return
        done(None)

    def cancel(self) -> None:
        """Stop waiting for a decision, and cancel its Deferred."""
        wait = self._end_wait()
        if wait is not None:
            self._cancel(wait)

    # No functions within functions here: compiled, each is in a cycle with its variables.

    def _wait_for(self, wait: _Wait) -> None:
        self._wait = wait
        if self._journal is not None:
            self._journal.waits(wait.policy)
        wait.decision.addBoth(partial(self._decided, wait))
        if self._is_current(wait):
            # Not Deferred.addTimeout, because some Deferreds cannot be cancelled.
            expired = partial(self._expired, wait)
            wait.timer = self._faults.clock.callLater(self._faults.timeout, expired)

    def _decided(self, wait: _Wait, result: object) -> object:
        has_failed = isinstance(result, Failure)
        # A decision that comes too late, or after the client is gone, is ignored.
        if self._wait is wait:
            self._end_wait()
            if isinstance(result, Failure):
                answer: Answer | None = self._faults.failed(wait.policy.label, result)
            else:
                answer = self._take(wait.policy, result)
            if answer is None and not self.finds_rule_again:
                self.ask(wait.rest, wait.ask, wait.done)
            else:
                wait.done(answer)
        return _FAILED if has_failed else result

    def _expired(self, wait: _Wait) -> None:
        self._wait = wait.timer = None
        self._cancel(wait)
        error = TimeoutError(f"it did not decide within {self._faults.timeout:g} s")
        wait.done(self._faults.failed(wait.policy.label, Failure(error)))

    def _is_current(self, wait: _Wait) -> bool:
        # In a method of its own: mypyc assumes that the attribute still has the value just assigned
        # to it, and raises a TypeError if a Deferred that has fired already has reset it.
        return self._wait is wait

    def _end_wait(self) -> _Wait | None:
        wait, self._wait = self._wait, None
        if wait is not None and wait.timer is not None:
            wait.timer.cancel()
        return wait

    def _cancel(self, wait: _Wait) -> None:
        try:
            wait.decision.cancel()
        except BaseException:
            self._faults.failed(wait.policy.label, Failure())

    def _take(self, policy: Policy, decision: object) -> Answer | None:
        """Keep the decision of a policy; return its answer, if it has one."""
        if self._journal is not None:
            self._journal.decided(policy, decision)
        if decision is None:
            return None
        try:
            return self._keep(decision)
        except Exception:
            # Raised into a Deferred, it would leave the client without an answer for ever.
            return self._faults.failed(policy.label, Failure())

    def _keep(self, decision: object) -> Answer | None:
        """
        :raises Exception: for what is no decision, and for one that is not made of bytes.
        """
        if isinstance(decision, Answer):
            decision.check()
            return decision
        if not isinstance(decision, Proceed):
            wanted = "a policy decides with an Answer, a Proceed, None, or a Deferred of these"
            raise TypeError(f"{wanted}; this is a {type(decision).__name__}")
        self.request_edits = added(self.request_edits, decision.request_edits)
        self.response_edits = added(self.response_edits, decision.response_edits)
        self.success_edits = added(self.success_edits, decision.success_edits)
        if decision.target is not None:
            self.target = decision.target
        if decision.upstream is not None:
            self.upstream = decision.upstream
        self.finds_rule_again = decision.finds_rule_again
        return None


def added(before: FieldEdits, edits: object) -> FieldEdits:
    """
    :return: both edits together.
    :raises TypeError: for what are no edits.
    """
    if edits is UNCHANGED:
        return before
    if not isinstance(edits, FieldEdits):
        raise TypeError("the edits of a Proceed are FieldEdits")
    return edits if before is UNCHANGED else before.then(edits)
