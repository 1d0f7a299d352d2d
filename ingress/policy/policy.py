"""
The seam between exchanges and policies, which come from annotations or the configuration.

A policy names its phases by the methods that it defines:

=============  ===========================================================  ====================
Method         When                                                         May decide
=============  ===========================================================  ====================
``access``     a rule has matched; nothing else has been decided            answer, edits, wait
``request``    the client may have it; before an endpoint is chosen         answer, edits, target,
                                                                            Upstream, wait
``response``   the head of an endpoint's response has come                  answer, edits,
                                                                            Upstream, wait
``error``      the proxy is about to answer in an endpoint's place          answer, edits,
                                                                            Upstream, wait
=============  ===========================================================  ====================

`ingress.policy.feature` says how a policy is made. The policies of a phase decide in the order of
`ingress.policy.registry`, which is fixed when the Snapshot is built. The first answer ends the
phase.
"""

from __future__ import annotations

from enum import StrEnum
from functools import partial
from typing import ClassVar, Final, cast

from ingress.answer import Answer
from ingress.field_edits import NO_EDITS, FieldEdits
from ingress.message import Request, Response
from ingress.policy.context import PolicyContext
from ingress.policy.decision import Decision, Verdict
from ingress.policy.feature import RouteFeature
from ingress.policy.gate import COUNTED, UNDECIDED, Gate
from ingress.policy.inputs import ANYTHING, Inputs


class Phase(StrEnum):
    """A moment of an exchange at which policies decide."""

    ACCESS = "access"
    REQUEST = "request"
    RESPONSE = "response"
    ERROR = "error"


class Policy(RouteFeature):
    """
    A decision about the exchanges of one rule.

    Policies are made when a Snapshot is built, never changed, and pickled for workers: frozen
    dataclasses without locks, sockets or reactors. `PolicyContext.state` keeps what they remember
    from request to request.
    """

    __slots__ = ()

    name: ClassVar[str]
    """
    Its name in ``/snapshot``, logs and explanations, such as ``https-redirect``. A policy of one's
    own needs none, because the configuration names it.
    """

    @classmethod
    def key(cls) -> str:
        """Feature: no two policies have the same name."""
        return cls.name

    @property
    def label(self) -> str:
        """Its name in the log and in metrics; for a policy of one's own the configured one."""
        return self.name

    @property
    def phases(self) -> frozenset[Phase]:
        """The phases in which it decides."""
        return phases_of(type(self))

    @property
    def request_edits(self) -> FieldEdits:
        """Changes to every request of the rule, added up when the Route is built."""
        return NO_EDITS

    @property
    def response_edits(self) -> FieldEdits:
        """Changes to every response of the rule, added up when the Route is built."""
        return NO_EDITS

    def decides_by(self, request: Request) -> Inputs:
        """
        Say what its decisions in the phases access, request and error depend on, so that tools can
        use one decision for many requests: two for which this gives the same, and which agree in
        it, get an answer of the same status, or none, and the same Upstream.
        """
        return ANYTHING

    def access(self, context: PolicyContext) -> Decision:
        """Decide whether the client may have what it asks for."""
        return None

    def request(self, context: PolicyContext) -> Decision:
        """Decide how a request that may pass reaches an endpoint."""
        return None

    def response(self, context: PolicyContext, response: Response) -> Decision:
        """Decide on an endpoint's response."""
        return None

    def error(self, context: PolicyContext, answer: Answer) -> Decision:
        """Decide on an answer of the proxy's own."""
        return None


class GatedPolicy(Policy):
    """
    A policy that decides in the phase access, and of which a `Gate` decides most.

    If all policies of a route are such, and their gates decide on a request, its exchange needs
    neither context nor phases. A subclass has the field `gate`, which takes no part in comparisons:

        gate: Gate = field(init=False, repr=False, compare=False)
    """

    __slots__ = ()

    gate: Gate

    def access(self, context: PolicyContext) -> Decision:
        """Policy."""
        gate, client, limiter = self.gate, context.client, context.limiter
        found = gate.decide(context.request, client, context.route, limiter, context.now())
        if found is COUNTED:
            context.ends.append(partial(gate.ended, client, limiter))
            return None
        return self.judge(context) if found is UNDECIDED else cast(Verdict, found)

    def judge(self, context: PolicyContext) -> Decision:
        """Decide on a request that the gate does not decide on."""
        raise NotImplementedError


_METHODS: Final = {
    Phase.ACCESS: Policy.access,
    Phase.REQUEST: Policy.request,
    Phase.RESPONSE: Policy.response,
    Phase.ERROR: Policy.error,
}


_PHASES: Final[dict[type[Policy], frozenset[Phase]]] = {}
"""The phases by class: each Route needs those of its policies."""


def phases_of(policy: type[Policy]) -> frozenset[Phase]:
    """:return: the phases whose methods a class of policies defines."""
    found = _PHASES.get(policy)
    if found is None:
        found = _PHASES[policy] = frozenset(
            phase
            for phase, method in _METHODS.items()
            if getattr(policy, phase.value) is not method
        )
    return found
