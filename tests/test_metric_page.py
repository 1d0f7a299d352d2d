"""
Tests for docs/metrics.md: what it says of each metric is so.
"""

from __future__ import annotations

from collections import Counter

from twisted.trial.unittest import SynchronousTestCase

from ingress.policy.limiter import LimitLabels
from ingress.problem import Problem
from ingress.problem_code import Code
from ingress.telemetry.counts import Counters, Counts, HTTP2End
from ingress.telemetry.metrics import make_registry, metrics
from ingress.telemetry.relay_counts import RelayLabels, RelayTotals
from ingress.telemetry.traffic import Traffic
from tests.support.certs import CertificateAuthority
from tests.support.metric_page import differences, documented, families_of
from tests.support.metrics import read_samples
from tests.support.objects import built, ingress, ingress_class, secret, served
from tests.support.observed_proxy import HandProxy


def exposition(hand: HandProxy) -> str:
    return b"".join(metrics(hand.proxy, make_registry())).decode()


def eventful() -> Counters:
    """Counters in which everything has happened."""
    relays = RelayTotals()
    relays.outcomes["ok"] = 1
    ends = Counter({HTTP2End("client", "sent", "CANCEL"): 1})
    happened = Counter(something=1)
    return Counters(
        outcomes=Counter(ok=1),
        beyond_share=happened,
        refused_openings=happened,
        policy_failures=happened,
        slow_policy_calls=happened,
        limited=Counter({LimitLabels("default", "web", "rps"): 1}),
        mirror_copies=happened,
        spans=happened,
        http2_glitches=happened,
        http2_resets=ends,
        http2_goaways=ends,
        relays={RelayLabels("TCP", 5432, "db", "postgres", "5432"): relays},
        udp=happened,
    )


class MetricPageTests(SynchronousTestCase):
    """A proxy that has done nothing yet, and one in which everything has happened."""

    def test_fresh(self) -> None:
        """What has no entry for when it is there is there from the start, and nothing else is."""
        hand = HandProxy()
        hand.published.publish(built())
        text = exposition(hand)
        self.assertEqual(differences(text), [])
        late = {name for name, row in documented().items() if row.when}
        self.assertEqual(late & families_of(text).keys(), set())

    def test_eventful(self) -> None:
        """Everything else is there once it has happened, with the labels that are listed."""
        hand = HandProxy(
            leases={"ingress-leader": 1},
            ingress_checks=[(("default", "web"), 3)],
            problems=[Problem("bad", "Ingress", "default", "web", code=Code.RULE_TAKEN)],
            api_ages={"Ingress": 1},
            api_relists={"Ingress": 1},
            api_watch_failures={"Ingress": 1},
        )
        pair = CertificateAuthority().issue("a.example")
        hand.published.publish(
            built(
                ingress_class("twisted"),
                ingress(
                    "a.example", {"/": "web:80"}, tls={"pair": ["a.example"]}, class_name="twisted"
                ),
                ingress("b.example", {"/": "web:80"}, name="other", class_name="nginx"),
                secret("pair", pair.chain_pem, pair.key_pem),
                served("web"),
            )
        )
        assert hand.published.built is not None
        (host,) = hand.published.built.snapshot.hosts.values()
        traffic = Traffic()
        traffic.count(host.route(b"/"), b"GET", 200, 0.5, 0.4, 0.3, 0.2, 300, 2000)
        hand.totals.merge(Counts(eventful(), traffic.take()))
        text = exposition(hand)
        self.assertEqual(differences(text), [])
        self.assertEqual(documented().keys() - families_of(text).keys(), set())
        for sample in read_samples(text):
            is_shared = sample.name.startswith("nginx_ingress_controller_")
            has_controller = "controller_pod" in sample.labels
            self.assertEqual(has_controller, is_shared and "_ssl_" not in sample.name, sample.name)
