"""
What spans (OpenTelemetry) add to a request: the way of `exchange_cost`, with a queue of the SDK's
behind it. Spans are encoded as for a collector and then dropped, so that the processor time of the
SDK's thread counts, too, and no network does.

Usage: ``python -m benchmarks.span_cost``
"""

from __future__ import annotations

import os
import sys
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from itertools import repeat
from random import Random

from opentelemetry.exporter.otlp.proto.common.trace_encoder import encode_spans
from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.sdk.trace.export import SpanExporter, SpanExportResult

from benchmarks.exchange_cost import HEAD, REQUESTS, Proxy, microseconds
from ingress.config import OtlpSettings
from ingress.serving.span_export import SpanExport
from ingress.telemetry.spans import SpanRecorder
from tests.support.objects import FILES

COLLECTOR = OtlpSettings("http://127.0.0.1:9/v1/traces", queue=1 << 16)


class Encoding(SpanExporter):
    """Encodes spans, and drops what comes of it."""

    def export(self, spans: Sequence[ReadableSpan]) -> SpanExportResult:
        encode_spans(spans).SerializePartialToString()
        return SpanExportResult.SUCCESS

    def shutdown(self) -> None:
        """SpanExporter."""

    def force_flush(self, timeout_millis: int = 30000) -> bool:
        return True


def cost(settings: OtlpSettings) -> float:
    """:return: microseconds of processor time for a request, in all threads."""
    proxy = Proxy(replace(FILES, otlp=settings))
    if settings.endpoint:
        exchanges = proxy.plane.exchanges
        sink = SpanExport(proxy.reactor, settings, Counter(), Encoding())
        exchanges.recorder = SpanRecorder(exchanges.recorder, sink, settings, Random(), time.time)
    heads = repeat(HEAD % 0)
    proxy.run(heads, REQUESTS)
    return microseconds(proxy, heads)


def main() -> None:
    """Print each."""
    for name, settings in (
        ("without a collector", OtlpSettings()),
        ("with a collector, for other rules", COLLECTOR),
        ("not sampled", replace(COLLECTOR, for_all=True, sampler="always-off")),
        ("recorded", replace(COLLECTOR, for_all=True)),
    ):
        print(f"{name}: {cost(settings):.1f} µs with both ends")
    # The threads have nothing to say at the end.
    sys.stdout.flush()
    os._exit(0)


if __name__ == "__main__":
    main()
