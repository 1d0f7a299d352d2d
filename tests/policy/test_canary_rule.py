"""Tests of `ingress.policy.canary_rule`."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from ingress.endpoint import UpstreamKey
from ingress.policy.canary import Canary
from ingress.policy.canary_rule import Canaries, CanaryRule

CANARIES = Canaries(
    (
        CanaryRule(
            ("shop", "next"), UpstreamKey("shop", "new", "80"), Canary(weight=20), share=0.2
        ),
        CanaryRule(("shop", "eu"), UpstreamKey("shop", "eu", "80"), Canary(cookie=b"eu"), 0.0),
    )
)


class CanariesTests(SynchronousTestCase):
    def test_told(self) -> None:
        """People are told which canary gets which requests."""
        self.assertEqual(
            CANARIES.explain(),
            "The canaries of the rule: shop-new-80 (Ingress shop/next) gets 20 of 100; "
            "shop-eu-80 (Ingress shop/eu) gets those with the cookie eu=always.",
        )

    def test_shown(self) -> None:
        """Each is shown with its Ingress, its Upstream and its share."""
        canaries = CANARIES.shown()["canaries"]
        assert isinstance(canaries, list)
        self.assertEqual(
            canaries[0],
            {
                "namespace": "shop",
                "ingress": "next",
                "upstream": "shop/new:80",
                "share": 0.2,
                "weight": 20,
                "weightTotal": 100,
            },
        )
        self.assertEqual(canaries[1]["cookie"], "eu")
