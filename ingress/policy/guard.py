"""
The guard around a policy of one's own: its mistakes are its own, and have its name.

The code of such a policy is the operator's. Whatever it raises or returns, other rules, the build
and the pages of the admin listener go on; its own requests are answered with 500.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Coroutine, Generator, Mapping
from dataclasses import replace
from inspect import iscoroutine
from typing import Any, ClassVar, Final, cast

from ingress import late
from ingress.answer import Answer
from ingress.endpoint import UpstreamKey
from ingress.errors import Outcome
from ingress.field_edits import NO_EDITS, FieldEdits
from ingress.frozen import dataclass
from ingress.message import Request, Response
from ingress.policy.context import PolicyContext
from ingress.policy.decision import Decision, Proceed, Verdict
from ingress.policy.inputs import Inputs
from ingress.policy.policy import Phase, Policy, phases_of
from ingress.policy.policy_faults import PolicyFaults
from ingress.policy.scope import RuleScope

MAX_HOLD: Final = 0.02
"""Seconds that a policy may hold the reactor, which serves nothing else meanwhile."""

_OWN_FIELDS: Final = frozenset({b"date", b"x-request-id"})
"""The fields that every answer gets from the proxy."""


@dataclass(frozen=True, slots=True)
class GuardedPolicy(Policy):
    """
    A policy of the configuration.

    It takes part in the phases of the policy that it guards. Its decisions are checked, and the
    time for which it holds the reactor is measured.
    """

    name: ClassVar[str] = "policies"

    configured_name: str
    """The name in the configuration."""

    policy: Policy
    edits: tuple[FieldEdits, FieldEdits] = (NO_EDITS, NO_EDITS)
    """Changes to every request and to every response."""

    @classmethod
    def around(cls, configured_name: str, policy: Policy) -> GuardedPolicy:
        """
        :raises TypeError: if its edits are not `FieldEdits`; anything else that they raise.
        """
        edits = (policy.request_edits, policy.response_edits)
        for each in edits:
            if not isinstance(each, FieldEdits):
                raise TypeError(f"its edits must be FieldEdits, not {type(each).__name__}")
        return cls(configured_name, policy, edits)

    @property
    def label(self) -> str:
        """Policy."""
        return self.configured_name

    @property
    def phases(self) -> frozenset[Phase]:
        """Policy."""
        return phases_of(type(self.policy))

    @property
    def request_edits(self) -> FieldEdits:
        """Policy."""
        return self.edits[0]

    @property
    def response_edits(self) -> FieldEdits:
        """Policy."""
        return self.edits[1]

    @property
    def guards(self) -> bool:
        """Feature: a policy in the phase access decides who gets access."""
        return Phase.ACCESS in self.phases

    def at(self, rule: RuleScope) -> GuardedPolicy | None:
        """Feature: a policy that fails to adapt to a rule closes it."""
        try:
            adapted: object = self.policy.at(rule)
            if adapted is self.policy:
                return self
            if adapted is None:
                return None
            if isinstance(adapted, Policy):
                return GuardedPolicy.around(self.configured_name, adapted)
            fault = f"at() returned a {type(adapted).__name__}"
        except Exception as error:
            fault = f"at() failed: {_described(error)}"
        return replace(self, policy=Unusable(fault), edits=(NO_EDITS, NO_EDITS))

    def access(self, context: PolicyContext) -> Decision:
        """Policy."""
        return self._asked(context, Phase.ACCESS, self.policy.access)

    def request(self, context: PolicyContext) -> Decision:
        """Policy."""
        return self._asked(context, Phase.REQUEST, self.policy.request)

    def response(self, context: PolicyContext, response: Response) -> Decision:
        """Policy."""
        return self._asked(context, Phase.RESPONSE, self.policy.response, response)

    def error(self, context: PolicyContext, answer: Answer) -> Decision:
        """Policy."""
        return self._asked(context, Phase.ERROR, self.policy.error, answer)

    def decides_by(self, request: Request) -> Inputs:
        """Policy."""
        return self.policy.decides_by(request)

    def explain(self) -> str:
        """Feature."""
        if type(self.policy).explain is not Policy.explain:
            try:
                return str(self.policy.explain())
            except Exception as error:
                return f"The policy {self.configured_name} cannot explain itself: {error}."
        phases = ", ".join(phase for phase in Phase if phase in self.phases) or "its edits"
        name = self.configured_name
        return f"The policy {name} ({_class_name(self.policy)}) takes part in: {phases}."

    def shown(self) -> Mapping[str, object]:
        """Feature."""
        return {"policies": {self.configured_name: self.described()}}

    def described(self) -> Mapping[str, object]:
        """:return: its class and phases, and what it shows itself."""
        try:
            own = json.loads(json.dumps(dict(self.policy.shown())))
        except Exception as error:
            own = {"fault": f"shown() failed: {_described(error)}"}
        phases = [phase.value for phase in Phase if phase in self.phases]
        return {"class": _class_name(self.policy), "phases": phases, **own}

    def _asked(
        self,
        context: PolicyContext,
        phase: Phase,
        ask: Callable[..., object],
        *arguments: object,
    ) -> Decision:
        watch = _Watch(context.faults, self.configured_name, phase)
        decision = watch.call(ask, context.for_policy(self.configured_name), *arguments)
        if iscoroutine(decision):
            decision = late.Deferred.fromCoroutine(_steps(decision, watch))
        if isinstance(decision, late.Deferred):
            return cast(Decision, decision.addCallback(check_verdict))
        return check_verdict(decision)


@dataclass(frozen=True, slots=True)
class Unusable(Policy):
    """Takes the place of a policy that cannot adapt to a rule."""

    name: ClassVar[str] = "unusable"

    fault: str

    def access(self, context: PolicyContext) -> Decision:
        """Policy."""
        raise RuntimeError(self.fault)

    def shown(self) -> Mapping[str, object]:
        """Feature."""
        return {"fault": self.fault}


class _Watch:
    """Measures the time for which a policy holds the reactor."""

    def __init__(self, faults: PolicyFaults, name: str, phase: Phase) -> None:
        self._faults = faults
        self._name = name
        self._phase = phase

    def call(self, function: Callable[..., object], *arguments: object) -> object:
        seconds = self._faults.clock.seconds
        started = seconds()
        try:
            return function(*arguments)
        finally:
            took = seconds() - started
            if took > MAX_HOLD:
                self._faults.held_reactor(self._name, self._phase, took)


def _steps(
    coroutine: Coroutine[Any, Any, object], watch: _Watch
) -> Generator[late.Deferred[Any], Any, object]:
    """Run a coroutine from one wait to the next, each part of it watched."""
    resume: Callable[..., object] = coroutine.send
    value: object = None
    while True:
        try:
            waited_for = watch.call(resume, value)
        except StopIteration as end:
            return end.value
        try:
            value = yield cast("late.Deferred[Any]", waited_for)
            resume = coroutine.send
        except BaseException as error:
            resume, value = coroutine.throw, error


def check_verdict(verdict: object) -> Verdict:
    """
    Check what a policy decided, so that it can be served as it is.

    :raises TypeError, ValueError: if it cannot; the message says why.
    """
    if isinstance(verdict, Answer):
        _check_answer(verdict)
    elif isinstance(verdict, Proceed):
        _check_proceed(verdict)
    elif verdict is not None:
        raise TypeError(
            "a policy decides with an Answer, a Proceed, None, or a Deferred or coroutine of these;"
            f" this is a {type(verdict).__name__}"
        )
    return verdict


def _check_answer(answer: Answer) -> None:
    if not isinstance(answer.outcome, Outcome) or not isinstance(answer.detail, str):
        raise TypeError("an Answer has an Outcome and a text for its detail")
    answer.check()
    answer.detail.encode()
    for name, _ in answer.fields:
        is_ours = name.lower() in _OWN_FIELDS
        if is_ours or (answer.has_body and name.lower() == b"content-type"):
            raise ValueError(f"the proxy itself writes {name.decode('ascii')}")


def _check_proceed(proceed: Proceed) -> None:
    edits = (proceed.request_edits, proceed.response_edits)
    if not all(isinstance(each, FieldEdits) for each in edits):
        raise TypeError("the edits of a Proceed are FieldEdits")
    if proceed.upstream is not None and not isinstance(proceed.upstream, UpstreamKey):
        raise TypeError("the Upstream of a Proceed is an UpstreamKey")


def _class_name(policy: Policy) -> str:
    kind = type(policy)
    return f"{kind.__module__}.{kind.__qualname__}"


def _described(error: BaseException) -> str:
    return f"{type(error).__name__}: {error}"
