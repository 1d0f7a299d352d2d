"""
``satisfy: any``: one rule about access that lets a request in is enough.

Source of the rules: docs/compatibility.md, sections 2.5 and 6, "Access".
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from operator import is_
from typing import ClassVar, Final, cast

from ingress import late
from ingress.answer import Answer
from ingress.endpoint import UpstreamKey
from ingress.field_edits import NO_EDITS, FieldEdits
from ingress.frozen import dataclass
from ingress.message import Request
from ingress.policy.annotation import Annotations
from ingress.policy.basic_auth import BasicAuth
from ingress.policy.context import PolicyContext
from ingress.policy.decision import Decision, Verdict
from ingress.policy.external_auth import ExternalAuth
from ingress.policy.feature import ObjectReference, RouteFeature
from ingress.policy.inputs import Input, Inputs
from ingress.policy.policy import Policy
from ingress.policy.scope import ReadContext, RuleScope
from ingress.policy.source_ranges import SourceRanges

NAME: Final = "satisfy"

MEMBERS: Final[tuple[type[Policy], ...]] = (SourceRanges, BasicAuth, ExternalAuth)
"""The rules that it is about, the cheapest first."""

_RANK: Final = {302: 0, 401: 1, 500: 2, 503: 2, 403: 3}
"""Which refusal the client gets, if all of them refuse: the one that says how to get in."""


def is_any(annotations: Annotations) -> bool:
    """Whether an object wants one rule to be enough; a value that says neither closes its paths."""
    written = annotations.text(NAME)
    if NAME in annotations and written not in ("any", "all"):
        annotations.close(NAME, "any or all is accepted", is_shown=True)
    return written == "any"


class UnlessAny:
    """
    An entry of the registry: one of `MEMBERS`, for objects that want all rules to be met.

    :param member: the class.
    """

    def __init__(self, member: type[Policy]) -> None:
        self._member = member
        self.annotations = (*member.annotations, NAME)
        self.differences = member.differences

    def __repr__(self) -> str:
        return f"<UnlessAny {self._member.__name__}>"

    def key(self) -> str:
        """Entry."""
        return self._member.key()

    def read(self, annotations: Annotations, context: ReadContext) -> RouteFeature | None:
        """Entry: with ``satisfy: any``, `SatisfyAny` has the policy."""
        return None if is_any(annotations) else self._member.read(annotations, context)

    def references(self, annotations: Annotations, namespace: str) -> Iterable[ObjectReference]:
        """Entry."""
        return self._member.references(annotations, namespace)


@dataclass(frozen=True, slots=True)
class SatisfyAny(Policy):
    """Lets a request pass that one of its policies lets pass."""

    name: ClassVar[str] = "satisfy-any"
    annotations: ClassVar[tuple[str, ...]] = (NAME,)
    differences: ClassVar[Mapping[str, str]] = {
        NAME: "`any` includes the source ranges; the refusal is that of the rule that says how to "
        "get in: the page to sign in, else a challenge",
    }

    policies: tuple[Policy, ...]

    @classmethod
    def read(cls, annotations: Annotations, context: ReadContext) -> SatisfyAny | None:
        """Feature."""
        if not is_any(annotations):
            return None
        found = (member.read(annotations, context) for member in MEMBERS)
        policies = tuple(cast(Policy, each) for each in found if each is not None)
        if not policies:
            annotations.fault(NAME, "without effect: there is no rule about access to satisfy")
            return None
        return cls(policies)

    @property
    def guards(self) -> bool:
        """Feature: it decides who gets access."""
        return True

    @property
    def upstreams(self) -> Iterable[tuple[str, UpstreamKey]]:
        """Feature."""
        for policy in self.policies:
            yield from policy.upstreams

    @property
    def request_edits(self) -> FieldEdits:
        """Policy: those of all policies, whichever lets a request pass."""
        edits = NO_EDITS
        for policy in self.policies:
            edits = edits.then(policy.request_edits)
        return edits

    def at(self, rule: RuleScope) -> SatisfyAny | None:
        """Feature: where a policy has no part in a rule, the others decide."""
        adapted = tuple(filter(None, (policy.at(rule) for policy in self.policies)))
        if len(adapted) == len(self.policies) and all(map(is_, adapted, self.policies)):
            return self
        return SatisfyAny(adapted) if adapted else None

    def access(self, context: PolicyContext) -> Decision:
        """Policy."""
        return self._ask(0, None, context)

    def _ask(self, index: int, refusal: Answer | None, context: PolicyContext) -> Decision:
        """
        :param index: of the next policy to ask.
        :param refusal: the best refusal so far.
        """
        while index < len(self.policies):
            decision = self.policies[index].access(context)
            index += 1
            if isinstance(decision, late.Deferred):
                return decision.addCallback(self._decided, index, refusal, context)
            if not isinstance(decision, Answer):
                return decision
            refusal = _better(refusal, decision)
        return refusal

    def _decided(
        self, verdict: Verdict, index: int, refusal: Answer | None, context: PolicyContext
    ) -> Verdict | late.Deferred[Verdict]:
        if not isinstance(verdict, Answer):
            return verdict
        further: Callable[..., Decision] = self._ask
        return cast(Verdict, further(index, _better(refusal, verdict), context))

    def decides_by(self, request: Request) -> Inputs:
        """Policy."""
        return frozenset[Input]().union(*(each.decides_by(request) for each in self.policies))

    def explain(self) -> str:
        """Feature."""
        told = " ".join(policy.explain() for policy in self.policies)
        return f"One of these is enough: {told}"

    def shown(self) -> Mapping[str, object]:
        """Feature."""
        settings: dict[str, object] = {}
        for policy in self.policies:
            settings.update(policy.shown())
        return {"satisfyAny": settings}


def _better(one: Answer | None, other: Answer) -> Answer:
    if one is None or _RANK.get(other.status, 2) <= _RANK.get(one.status, 2):
        return other
    return one
