"""
The metrics of HTTP/2: connections, streams, and how they end.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator

from ingress.telemetry.controller_families import OWN_PREFIX
from ingress.telemetry.counts import Counters, HTTP2End
from ingress.telemetry.exposition import Family, by_label, label_text, line
from ingress.telemetry.vitals import Vitals, all_http2

_PREFIX = f"{OWN_PREFIX}_http2"


def http2_families(counters: Counters, vitals: Iterable[Vitals]) -> Iterator[Family]:
    """
    :param counters: of all processes together.
    :param vitals: of each process.
    """
    open_now = all_http2(vitals).shown()
    for what, explanation in (
        ("connections", "Connections in HTTP/2 that are open"),
        ("streams", "Streams that are open on connections in HTTP/2"),
    ):
        family = Family(f"{_PREFIX}_{what}", "gauge", explanation)
        yield by_label(family, "side", {side: open_now[side][what] for side in open_now})
    family = Family(
        f"{_PREFIX}_refused_streams_total",
        "counter",
        "Streams that were refused to clients that had too many, and by endpoints",
    )
    yield by_label(family, "side", {"client": 0, "endpoint": 0, **counters.http2_refused})
    yield _ends(f"{_PREFIX}_resets_total", "RST_STREAM frames, by code", counters.http2_resets)
    yield _ends(
        f"{_PREFIX}_goaways_total",
        "Connections whose end was announced (GOAWAY), by code",
        counters.http2_goaways,
    )
    family = Family(
        f"{_PREFIX}_glitches_total",
        "counter",
        "What peers in HTTP/2 did that is odd, or that a bound forbids",
    )
    yield by_label(family, "kind", counters.http2_glitches)


def _ends(name: str, explanation: str, counts: Counter[HTTP2End]) -> Family:
    lines = [line(name, label_text(end._asdict()), counts[end]) for end in sorted(counts)]
    return Family(name, "counter", explanation, lines, HTTP2End._fields)
