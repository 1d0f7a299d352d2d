"""Tests of `ingress.telemetry.http2_families`."""

from __future__ import annotations

from collections import Counter

from twisted.trial.unittest import SynchronousTestCase

from ingress.telemetry.counts import Counters, HTTP2End
from ingress.telemetry.exposition import pieces
from ingress.telemetry.http2_families import http2_families
from ingress.telemetry.vitals import Connections, HTTP2Vitals, Vitals
from tests.support.metrics import sample_value


class HTTP2FamiliesTests(SynchronousTestCase):
    def test_values(self) -> None:
        """What is open is that of all processes; what has happened is told by side and code."""
        counters = Counters(
            http2_glitches=Counter(malformed=1),
            http2_refused=Counter(endpoint=2),
            http2_resets=Counter({HTTP2End("client", "received", "CANCEL"): 3}),
            http2_goaways=Counter({HTTP2End("endpoint", "sent", "NO_ERROR"): 4}),
        )
        vitals = [
            Vitals(Connections(), 0, http2=HTTP2Vitals(1, 2, 3, 4)),
            Vitals(Connections(), 0, http2=HTTP2Vitals(10, 20, 30, 40)),
        ]
        text = b"".join(pieces(http2_families(counters, vitals))).decode()
        for name, labels, expected in (
            ("connections", {"side": "client"}, 11),
            ("streams", {"side": "client"}, 22),
            ("connections", {"side": "endpoint"}, 33),
            ("streams", {"side": "endpoint"}, 44),
            ("glitches_total", {"kind": "malformed"}, 1),
            ("refused_streams_total", {"side": "client"}, 0),
            ("refused_streams_total", {"side": "endpoint"}, 2),
            (
                "resets_total",
                {"side": "client", "direction": "received", "code": "CANCEL"},
                3,
            ),
            (
                "goaways_total",
                {"side": "endpoint", "direction": "sent", "code": "NO_ERROR"},
                4,
            ),
        ):
            self.assertEqual(sample_value(text, f"txingress_http2_{name}", **labels), expected)

    def test_nothing(self) -> None:
        """Before any process has told, nothing is open."""
        text = b"".join(pieces(http2_families(Counters(), []))).decode()
        self.assertEqual(sample_value(text, "txingress_http2_streams", side="client"), 0)
