"""Tests of the bound of the requests that a client has in progress."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from ingress.answer import Answer
from ingress.config import Config, Limits
from ingress.policy.client_requests import ClientRequests
from ingress.policy.limiter import LimitLabels
from ingress.policy.live_state import PolicyStates, RuleIdentity
from ingress.testing import RULE, policy_context, read_annotations, verdict_of

OTHER = RuleIdentity("other", "shop", "b.example", "/", "Prefix")


class ClientRequestsTests(SynchronousTestCase):
    def test_off(self) -> None:
        """Without the setting there is no bound."""
        self.assertIsNone(read_annotations(ClientRequests, {}).feature)

    def test_bound(self) -> None:
        """A client has so many at all rules together; each that ends makes room for one."""
        config = Config(limits=Limits(requests_per_client=2))
        policy = read_annotations(ClientRequests, {}, config=config).feature
        assert isinstance(policy, ClientRequests)
        states = PolicyStates()
        contexts = [policy_context(states=states, rule=rule) for rule in (RULE, OTHER, OTHER)]
        verdicts = [verdict_of(policy.access(context)) for context in contexts]
        self.assertEqual(verdicts[:2], [None, None])
        assert isinstance(verdicts[2], Answer)
        self.assertEqual(verdicts[2].status, 503)
        self.assertEqual(
            states.limiter.refused, {LimitLabels("other", "shop", "client-requests"): 1}
        )
        for address in (b"192.0.2.2", b"", b"", b""):
            context = policy_context(states=states, address=address)
            self.assertIsNone(verdict_of(policy.access(context)))
        for end in contexts[0].ends:
            end()
        self.assertIsNone(verdict_of(policy.access(policy_context(states=states))))
        self.assertIn("2 requests", policy.explain())
        self.assertFalse(policy.guards)
