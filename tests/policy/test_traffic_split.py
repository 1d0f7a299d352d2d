"""Tests of shares of the requests of one rule."""

from __future__ import annotations

from collections import Counter
from random import Random

from twisted.trial.unittest import SynchronousTestCase

from ingress.endpoint import UpstreamKey
from ingress.policy.decision import Proceed
from ingress.policy.traffic_split import Share, TrafficSplit
from ingress.testing import policy_context

OLD, NEW = (UpstreamKey("default", name, "80") for name in ("old", "new"))
SPLIT = TrafficSplit((Share(OLD, 3), Share(NEW, 1)))


class TrafficSplitTests(SynchronousTestCase):
    def test_weights(self) -> None:
        """Over many requests, each Upstream gets its share."""
        random = Random(1)
        counts: Counter[UpstreamKey | None] = Counter()
        for _ in range(4000):
            decision = SPLIT.request(policy_context(random=random))
            assert isinstance(decision, Proceed)
            counts[decision.upstream] += 1
        self.assertEqual(set(counts), {OLD, NEW})
        self.assertLess(abs(counts[NEW] - 1000), 100)

    def test_one(self) -> None:
        """A single Upstream gets everything."""
        decision = TrafficSplit((Share(NEW, 1),)).request(policy_context())
        self.assertEqual(decision, Proceed(upstream=NEW))

    def test_shown(self) -> None:
        """The weights are shown and explained."""
        self.assertEqual(SPLIT.shown(), {"weights": {"default-old-80": 3, "default-new-80": 1}})
        self.assertIn("1/4 to default-new-80", SPLIT.explain())
