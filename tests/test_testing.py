"""Tests of `ingress.testing`: what it makes is what a policy gets from the proxy."""

from __future__ import annotations

from dataclasses import replace

from twisted.internet.defer import Deferred, fail, succeed
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from ingress.policy.decision import Decision, Verdict
from ingress.policy.live_state import PolicyStates
from ingress.testing import deferred_of, endpoint_response, policy_context, verdict_of
from tests.support.own_policies import REFUSED


class ContextTests(SynchronousTestCase):
    def test_request(self) -> None:
        """A request has its target, path, host and fields as the codec would give them."""
        context = policy_context(
            b"POST", b"/a?b=c", host=b"A.example:81", fields=[(b"X-Token", b"t")], body_length=None
        )
        request = context.request
        self.assertEqual(
            (request.method, request.target, request.path), (b"POST", b"/a?b=c", b"/a")
        )
        self.assertEqual((request.authority, request.host), (b"A.example:81", b"a.example"))
        self.assertEqual(request.field(b"x-token"), b"t")
        self.assertTrue(request.has_body)

    def test_state(self) -> None:
        """Contexts that share their states share what a policy keeps for a rule."""
        states = PolicyStates()
        for expected in (1, 2):
            kept = policy_context(states=states).state("mine", list)
            kept.append(1)
            self.assertEqual(len(kept), expected)
        self.assertEqual(policy_context().state("mine", list), [])

    def test_reactor(self) -> None:
        """A policy waits on the reactor that the test gives."""
        clock = Clock()
        self.assertIs(policy_context(reactor=clock).reactor, clock)
        self.assertIsInstance(policy_context().reactor, Clock)

    def test_response(self) -> None:
        """A response has a status with its phrase, and fields by lower-case name."""
        response = endpoint_response(404, [(b"X-Seen", b"1")])
        self.assertEqual((response.status, response.reason), (404, b"Not Found"))
        self.assertEqual(response.fields, [(b"x-seen", b"X-Seen", b"1")])

    def test_verdict_of(self) -> None:
        """A decision that has been made is the verdict, or raises what the policy raised."""
        decisions: list[Decision] = [REFUSED, succeed(REFUSED)]
        for decision in decisions:
            self.assertIs(verdict_of(decision), REFUSED)
        self.assertRaises(ValueError, verdict_of, fail(ValueError()))
        self.assertRaises(AssertionError, verdict_of, Deferred())

    def test_checked(self) -> None:
        """What the proxy could not serve is no verdict."""
        unserved = replace(REFUSED, fields=((b"Location", b"/\r\n"),))
        self.assertRaises(ValueError, verdict_of, unserved)
        self.failureResultOf(deferred_of(succeed(unserved)), ValueError)

    def test_deferred_of(self) -> None:
        """A decision of any form becomes a Deferred."""
        waiting: Deferred[Verdict] = Deferred()

        async def decide() -> Verdict:
            return await waiting

        decisions: list[Decision] = [REFUSED, succeed(REFUSED)]
        for decision in decisions:
            self.assertIs(self.successResultOf(deferred_of(decision)), REFUSED)
        later = deferred_of(decide())
        self.assertNoResult(later)
        waiting.callback(REFUSED)
        self.assertIs(self.successResultOf(later), REFUSED)
