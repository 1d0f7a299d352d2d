"""Tests of `ingress.policy.guard`."""

from __future__ import annotations

import json
import pickle
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

from twisted.internet.defer import CancelledError, Deferred, succeed
from twisted.internet.task import Clock
from twisted.logger import capturedLogs, formatEvent
from twisted.trial.unittest import SynchronousTestCase

from ingress.answer import Answer
from ingress.errors import Outcome
from ingress.field_edits import FieldEdits
from ingress.message import Response
from ingress.policy.context import PolicyContext
from ingress.policy.decision import Decision, Proceed, Verdict
from ingress.policy.guard import MAX_HOLD, GuardedPolicy
from ingress.policy.live_state import PolicyStates
from ingress.policy.policy import Phase, Policy
from ingress.policy.policy_faults import LOG_INTERVAL
from ingress.routing.route import Route
from ingress.testing import deferred_of, endpoint_response, policy_context, rule_scope
from tests.support.own_policies import REFUSED, BadEdits, Picky, Plain, Stamp


@dataclass(frozen=True)
class Deciding(Policy):
    """Decides by one function in every phase."""

    name: ClassVar[str] = "deciding"
    decide: Callable[[PolicyContext], Any]

    def access(self, context: PolicyContext) -> Decision:
        return self.decide(context)  # type: ignore[no-any-return]

    def request(self, context: PolicyContext) -> Decision:
        return self.decide(context)  # type: ignore[no-any-return]

    def response(self, context: PolicyContext, response: Response) -> Decision:
        return self.decide(context)  # type: ignore[no-any-return]

    def error(self, context: PolicyContext, answer: Answer) -> Decision:
        return self.decide(context)  # type: ignore[no-any-return]


@dataclass(frozen=True)
class Mute(Policy):
    """Fails to show and to explain itself."""

    name: ClassVar[str] = "mute"
    shows: Any = None

    def shown(self) -> Mapping[str, object]:
        return {"it": self.shows}

    def explain(self) -> str:
        raise ValueError("no words")


class GuardTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.clock = Clock()
        self.context = policy_context(reactor=self.clock)

    def decisions(self, decide: Callable[[PolicyContext], Any]) -> list[Callable[[], Decision]]:
        """A guarded policy in each of its phases."""
        policy = GuardedPolicy.around("mine", Deciding(decide))
        return [
            lambda: policy.access(self.context),
            lambda: policy.request(self.context),
            lambda: policy.response(self.context, endpoint_response()),
            lambda: policy.error(self.context, REFUSED),
        ]

    def test_phases(self) -> None:
        """It takes part in the phases of its policy, and in no others."""
        for policy, phases in (
            (Plain(), {Phase.ACCESS}),
            (Stamp("x"), set()),
            (Deciding(lambda context: None), set(Phase)),
        ):
            guarded = GuardedPolicy.around("mine", policy)
            self.assertEqual(guarded.phases, phases)
            self.assertEqual(guarded.guards, Phase.ACCESS in phases)
            route = Route(ingress=("default", "web"), upstream=None, policies=(guarded,))
            self.assertEqual(route.access_policies, (guarded,) if guarded.guards else ())

    def test_decisions(self) -> None:
        """What the policy decides is what is decided, at once and later."""
        for verdict in (None, REFUSED, Proceed(target=b"/")):
            for ask in self.decisions(lambda context, verdict=verdict: verdict):  # type: ignore[misc]
                self.assertIs(ask(), verdict)
            for ask in self.decisions(lambda context, verdict=verdict: succeed(verdict)):  # type: ignore[misc]
                self.assertIs(self.successResultOf(deferred_of(ask())), verdict)

    def test_coroutine(self) -> None:
        """A coroutine is waited for, gets what it waits for, and is cancelled."""
        waiting: list[Deferred[Verdict]] = []

        async def decide(context: PolicyContext) -> Verdict:
            waiting.append(Deferred())
            try:
                return await waiting[-1]
            except ValueError:
                return REFUSED

        for ask in self.decisions(decide):
            asked = deferred_of(ask())
            self.assertNoResult(asked)
            waiting[-1].callback(None)
            self.assertIsNone(self.successResultOf(asked))
            asked = deferred_of(ask())
            waiting[-1].errback(ValueError())
            self.assertIs(self.successResultOf(asked), REFUSED)
            asked = deferred_of(ask())
            asked.cancel()
            self.failureResultOf(asked, CancelledError)

    def test_nonsense(self) -> None:
        """A decision that could not be served raises, at once and later."""
        for nonsense in (
            True,
            "ok",
            Answer(200, "ok", "No Outcome."),  # type: ignore[arg-type]
            Answer(600, Outcome.OK, "No status."),
            Answer("200", Outcome.OK, "Text."),  # type: ignore[arg-type]
            Answer(100, Outcome.OK, "Interim."),
            Answer(200, Outcome.OK, b"bytes"),  # type: ignore[arg-type]
            Answer(200, Outcome.OK, "\ud800"),
            Answer(302, Outcome.OK, "", fields=((b"Location", b"/\r\nX: 1"),)),
            Answer(302, Outcome.OK, "", fields=((b"Content-Length", b"1"),)),
            Answer(200, Outcome.OK, "", fields=((b"Content-Type", b"text/html"),)),
            Answer(200, Outcome.OK, "", fields=(("X-A", "1"),)),  # type: ignore[arg-type]
            Proceed(request_edits=1),  # type: ignore[arg-type]
            Proceed(upstream=("default", "web", "80")),  # type: ignore[arg-type]
        ):
            for ask in self.decisions(lambda context, said=nonsense: said):  # type: ignore[misc]
                self.assertRaises((TypeError, ValueError), ask)
            for ask in self.decisions(lambda context, said=nonsense: succeed(said)):  # type: ignore[misc]
                self.failureResultOf(deferred_of(ask()), TypeError, ValueError)

    def test_slow(self) -> None:
        """A call that holds the reactor is counted, and named in the log once in a while."""
        faults = self.context.faults

        def hold(context: PolicyContext) -> None:
            self.clock.advance(0.03)

        with capturedLogs() as events:
            for ask in self.decisions(hold):
                ask()
        self.assertEqual(faults.slow_calls, {"mine": 4})
        (line,) = map(formatEvent, events)
        self.assertIn("The policy mine held the process for 30 ms in its phase access", line)
        self.clock.advance(LOG_INTERVAL)
        with capturedLogs() as events:
            self.decisions(hold)[0]()
        self.assertEqual(len(events), 1)

    def test_slow_coroutine(self) -> None:
        """Each part of a coroutine between two waits counts, and the waits do not."""
        waiting: Deferred[None] = Deferred()

        async def decide(context: PolicyContext) -> Verdict:
            await waiting
            self.clock.advance(0.03)
            return None

        asked = deferred_of(self.decisions(decide)[0]())
        self.clock.advance(10)
        self.assertEqual(self.context.faults.slow_calls, {})
        waiting.callback(None)
        self.assertIsNone(self.successResultOf(asked))
        self.assertEqual(self.context.faults.slow_calls, {"mine": 1})

    def test_quick(self) -> None:
        """A call that takes as long as it may is not counted."""
        for ask in self.decisions(lambda context: self.clock.advance(MAX_HOLD / 2)):
            ask()
        self.assertEqual(self.context.faults.slow_calls, {})

    def test_state(self) -> None:
        """Two policies of one class have states of their own, each over all phases."""
        self.context = policy_context(reactor=self.clock, states=PolicyStates())
        seen = []

        def count(context: PolicyContext) -> None:
            calls = context.state("count", list)
            calls.append(1)
            seen.append(len(calls))

        for name in ("one", "two"):
            policy = GuardedPolicy.around(name, Deciding(count))
            policy.access(self.context)
            policy.request(self.context)
        self.assertEqual(seen, [1, 2, 1, 2])

    def test_edits(self) -> None:
        """Edits are those of the policy; others than FieldEdits are refused at once."""
        guarded = GuardedPolicy.around("mine", Stamp("x"))
        self.assertEqual(guarded.response_edits, FieldEdits(add=((b"X-Stamp", b"x"),)))
        self.assertRaises(TypeError, GuardedPolicy.around, "mine", BadEdits())

    def test_at(self) -> None:
        """It adapts to a rule as its policy does."""
        guarded = GuardedPolicy.around("mine", Picky("self"))
        self.assertIs(guarded.at(rule_scope()), guarded)
        self.assertIsNone(GuardedPolicy.around("mine", Picky()).at(rule_scope()))
        other = GuardedPolicy.around("mine", Picky(Stamp("x"))).at(rule_scope())
        self.assertEqual(other, GuardedPolicy.around("mine", Stamp("x")))

    def test_at_fails(self) -> None:
        """A policy that cannot adapt to a rule closes it, and breaks nothing else."""
        for adapted in ("raise", 1, BadEdits()):
            broken = GuardedPolicy.around("mine", Picky(adapted)).at(rule_scope())
            assert broken is not None
            self.assertEqual(broken.phases, {Phase.ACCESS})
            self.assertRaises(RuntimeError, broken.access, self.context)
            self.assertIn("fault", broken.described())

    def test_shown(self) -> None:
        """It shows its class, its phases and what the policy shows, and explains it."""
        guarded = GuardedPolicy.around("mine", Stamp("x"))
        expected = {"class": "tests.support.own_policies.Stamp", "phases": [], "value": "x"}
        self.assertEqual(guarded.shown(), {"policies": {"mine": expected}})
        self.assertEqual(guarded.explain(), "Responses have the stamp x.")
        explained = GuardedPolicy.around("mine", Plain()).explain()
        self.assertEqual(
            explained, "The policy mine (tests.support.own_policies.Plain) takes part in: access."
        )

    def test_shown_fails(self) -> None:
        """A policy that cannot show or explain itself breaks no page."""
        guarded = GuardedPolicy.around("mine", Mute(object()))
        self.assertIn("fault", json.dumps(guarded.shown()))
        self.assertIn("no words", guarded.explain())

    def test_pickled(self) -> None:
        """It can be sent to a worker."""
        guarded = GuardedPolicy.around("mine", Stamp("x", count=2))
        self.assertEqual(pickle.loads(pickle.dumps(guarded)), guarded)
