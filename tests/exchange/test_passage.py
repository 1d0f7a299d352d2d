"""
Tests of the way of an exchange past gates.
"""

from __future__ import annotations

import pickle
from dataclasses import dataclass, field, replace
from typing import ClassVar

from twisted.trial.unittest import SynchronousTestCase

from ingress.answer import Answer
from ingress.believed_client import BelievedClient
from ingress.errors import Outcome
from ingress.field_edits import FieldEdits
from ingress.message import Request
from ingress.policy.auth_gate import AuthGate
from ingress.policy.client_limits import ClientLimits
from ingress.policy.context import PolicyContext
from ingress.policy.cors import CORS
from ingress.policy.decision import Decision, Proceed
from ingress.policy.gate import COUNTED, UNDECIDED, Gate
from ingress.policy.https_redirect import HttpsRedirect
from ingress.policy.limiter import Limiter
from ingress.policy.policy import GatedPolicy, Policy
from ingress.policy.redirect import Redirect
from ingress.policy.source_ranges import SourceRanges
from ingress.routing.route import Route
from ingress.testing import read_annotations
from tests.support.wire import GET, OK, UPSTREAM, Wire

DENIED = Answer(403, Outcome.ACCESS_REFUSED, "denied by the gate")
EDITED = Proceed(
    FieldEdits(replace=((b"X-Gate", b"request"),)), FieldEdits(replace=((b"X-Gate", b"response"),))
)


class Scripted(Gate):
    """Decides as it is told, and notes what it is asked."""

    def __init__(self, decision: object) -> None:
        self.decision = decision
        self.asked = 0
        self.over = 0

    def decide(
        self,
        request: Request,
        client: BelievedClient,
        route: object,
        limiter: Limiter,
        now: float,
    ) -> object:
        self.asked += 1
        if isinstance(self.decision, Exception):
            raise self.decision
        return self.decision

    def ended(self, client: BelievedClient, limiter: Limiter) -> None:
        self.over += 1


@dataclass(frozen=True, slots=True)
class Gated(GatedPolicy):
    """A policy whose gate decides as it is told."""

    name: ClassVar[str] = "gated"

    gate: Scripted = field(default_factory=lambda: Scripted(None))
    judged: Decision = None

    def judge(self, context: PolicyContext) -> Decision:
        return self.judged


@dataclass(frozen=True, slots=True)
class Seeing(Policy):
    """A policy without a gate, which notes the edits of those before it."""

    name: ClassVar[str] = "seeing"

    seen: list[FieldEdits] = field(default_factory=list)
    decision: Decision = None

    def access(self, context: PolicyContext) -> Decision:
        self.seen.append(context.request_edits)
        return self.decision


def gated(decision: object, judged: Decision = None) -> Gated:
    return Gated(Scripted(decision), judged)


def route_of(*policies: Policy) -> Route:
    return Route(ingress=("default", "web"), upstream=UPSTREAM, policies=policies)


def limits(**settings: str) -> ClientLimits:
    named = {f"limit-{name}": value for name, value in settings.items()}
    feature = read_annotations(ClientLimits, named).feature
    assert isinstance(feature, ClientLimits)
    return feature


class WorkTests(SynchronousTestCase):
    """Which gates a route has."""

    def test_gates(self) -> None:
        """They are those of its first policies, unless a policy needs a context in any case."""
        rates, ranges, ungated = limits(rps="1"), SourceRanges(), Seeing()
        for policies, gates, are_all in (
            ((rates, ranges), 2, True),
            ((limits(connections="1"),), 1, True),
            ((rates, ungated, ranges), 1, False),
            ((ungated, rates), 0, False),
            ((rates, Redirect("/elsewhere")), 0, False),
        ):
            work = route_of(*policies).work
            assert work is not None
            self.assertEqual(
                (work.gates, work.are_gates_all, work.has_phases),
                (tuple(each.gate for each in policies[:gates] if isinstance(each, GatedPolicy)),
                 are_all, True),
            )  # fmt: skip
        self.assertIsNone(route_of().work)

    def test_pickled(self) -> None:
        """A route for workers decides as before; gates take no part in comparisons."""
        policies = (
            HttpsRedirect(),
            CORS(None, ()),
            limits(rps="1", connections="1"),
            SourceRanges(),
        )
        route = route_of(*policies)
        again = pickle.loads(pickle.dumps(route))
        self.assertEqual(again, route)
        assert again.work is not None
        assert route.work is not None
        kinds = [type(gate) for gate in route.work.gates]
        self.assertEqual([type(gate) for gate in again.work.gates], kinds)
        self.assertEqual(len(kinds), len(policies))
        self.assertIsInstance(pickle.loads(pickle.dumps(AuthGate(True))), AuthGate)


class PassageTests(SynchronousTestCase):
    """What gates decide about exchanges."""

    def exchange(self, *policies: Policy, status: int = 200) -> Wire:
        """Send a request; it gets a response from an endpoint, or another status without one."""
        wire = Wire(route=route_of(*policies))
        client = wire.connect()
        client.send(GET)
        if status == 200:
            endpoint = wire.accept()
            self.request = endpoint.receive()
            endpoint.send(OK)
        else:
            self.assertEqual(wire.dials, [])
        self.response = client.receive()
        self.assertEqual(self.response.status, status)
        return wire

    def test_pass(self) -> None:
        """A request that all gates let pass reaches the endpoint."""
        policies = gated(None), gated(None)
        self.exchange(*policies)
        self.assertEqual([each.gate.asked for each in policies], [1, 1])

    def test_answer(self) -> None:
        """The first answer ends the exchange."""
        last = gated(None)
        self.exchange(gated(None), gated(DENIED), last, status=403)
        self.assertEqual(last.gate.asked, 0)

    def test_edits(self) -> None:
        """Both heads get what gates add to them, also for policies that come later."""
        self.exchange(gated(EDITED))
        self.assertEqual(self.request.values(b"X-Gate"), [b"request"])
        self.assertEqual(self.response.values(b"X-Gate"), [b"response"])
        seeing = Seeing()
        self.exchange(gated(EDITED), seeing)
        self.assertEqual(self.request.values(b"X-Gate"), [b"request"])
        self.assertEqual(self.response.values(b"X-Gate"), [b"response"])
        self.assertEqual(seeing.seen, [EDITED.request_edits])

    def test_edited_answer(self) -> None:
        """An answer has what gates before it add to responses."""
        self.exchange(gated(EDITED), gated(DENIED), status=403)
        self.assertEqual(self.response.values(b"X-Gate"), [b"response"])

    def test_counted(self) -> None:
        """A gate that counts a request is told once that it is over, however it ends."""
        for rest, status in (
            ((), 200),
            ((gated(DENIED),), 403),
            ((gated(UNDECIDED, DENIED),), 403),
            ((Seeing(),), 200),
            ((Seeing(decision=DENIED),), 403),
        ):
            counting = gated(COUNTED)
            self.exchange(counting, *rest, status=status)
            self.assertEqual((counting.gate.asked, counting.gate.over), (1, 1), rest)

    def test_undecided(self) -> None:
        """A policy is asked for what its gate does not decide, and those before it are not again."""
        first, last = gated(None), gated(None)
        self.exchange(first, gated(UNDECIDED), last)
        self.assertEqual((first.gate.asked, last.gate.asked), (1, 1))
        self.exchange(gated(UNDECIDED, DENIED), last, status=403)
        self.assertEqual(last.gate.asked, 1)

    def test_broken(self) -> None:
        """A gate that fails, or decides nonsense, closes its path, and the log names its policy."""
        for decision in (RuntimeError("this gate is broken"), "nonsense"):
            self.exchange(gated(None), gated(decision), status=500)
            kinds = (RuntimeError, TypeError)
            self.assertEqual(len(self.flushLoggedErrors(*kinds)), 1)

    def test_in_phases(self) -> None:
        """A gate decides the same where a policy needs a context."""
        for decision, status in ((None, 200), (DENIED, 403), (COUNTED, 200)):
            policy = gated(decision)
            self.exchange(Seeing(), policy, status=status)
            self.assertEqual((policy.gate.asked, policy.gate.over), (1, int(decision is COUNTED)))

    def test_limits(self) -> None:
        """Limits are the same with and without a context."""
        for rest in ((), (Seeing(),)):
            for policies in ((limits(rps="1"), *rest), (*rest, limits(rps="1"))):
                wire = Wire(route=route_of(*policies))
                client, statuses = wire.connect(), []
                client.send(GET)
                endpoint = wire.accept()
                endpoint.send(OK)
                statuses.append(client.receive().status)
                for number in range(8):
                    client.send(GET)
                    if number < 5:
                        endpoint.send(OK)
                    statuses.append(client.receive().status)
                self.assertEqual(statuses, [200] * 6 + [503] * 3)

    def test_shared(self) -> None:
        """Limits that all replicas share are decided by the policy."""
        self.exchange(replace(limits(rps="1"), is_shared=True))
