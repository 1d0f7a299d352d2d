"""
Tests for `ingress.serving.span_export`, with an exporter that a test controls.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from queue import SimpleQueue

from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.sdk.trace.export import SpanExporter, SpanExportResult
from opentelemetry.trace import SpanContext, TraceFlags
from twisted.internet.defer import Deferred
from twisted.logger import capturedLogs, formatEvent
from twisted.trial.unittest import SynchronousTestCase

from ingress.config.otlp import OtlpSettings
from ingress.serving.span_export import PATIENCE as PATIENCE_IF_GONE
from ingress.serving.span_export import SpanExport
from tests.support.process import PATIENCE
from tests.support.threaded_clock import ThreadedClock

SPAN = ReadableSpan("GET /", SpanContext(1, 2, False, TraceFlags(1)))


class HandExporter(SpanExporter):
    """Gives the results that a test has put in; waits for them."""

    def __init__(self) -> None:
        self.batches: SimpleQueue[int] = SimpleQueue()
        self.results: SimpleQueue[SpanExportResult | Exception] = SimpleQueue()

    def export(self, spans: Sequence[ReadableSpan]) -> SpanExportResult:
        self.batches.put(len(spans))
        result = self.results.get(timeout=PATIENCE)
        if isinstance(result, Exception):
            raise result
        return result

    def shutdown(self) -> None:
        """SpanExporter."""

    def force_flush(self, timeout_millis: int = 30000) -> bool:
        return True


class SpanExportTests(SynchronousTestCase):
    """A queue with bounds, and who empties it."""

    def setUp(self) -> None:
        self.clock = ThreadedClock()
        self.exporter = HandExporter()
        self.results: Counter[str] = Counter()
        settings = OtlpSettings("http://127.0.0.1:1/v1/traces", queue=4, batch=2, delay=3600.0)
        self.export = SpanExport(self.clock, settings, self.results, self.exporter)
        self.addCleanup(self.end)

    def end(self) -> None:
        """End the thread, whatever it waits for."""
        stopped = self.export.stop(1.0)
        for _ in range(4):
            self.exporter.results.put(SpanExportResult.SUCCESS)
        self.clock.run_until(lambda: stopped.called, "the end")
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def batch(self) -> int:
        return self.exporter.batches.get(timeout=PATIENCE)

    def take(self, count: int) -> None:
        for _ in range(count):
            self.export.take(SPAN)

    def flush(self, *results: SpanExportResult | Exception) -> None:
        """Stop, with these results of what is left."""
        for result in results:
            self.exporter.results.put(result)
        stopped = self.export.stop(1.0)
        self.clock.run_until(lambda: stopped.called, "the end")

    def test_sent(self) -> None:
        """A whole batch is sent at once, the rest at the end."""
        self.take(2)
        self.assertEqual(self.batch(), 2)
        self.exporter.results.put(SpanExportResult.SUCCESS)
        self.take(1)
        self.flush(SpanExportResult.SUCCESS)
        self.assertEqual(self.batch(), 1)
        self.assertEqual(self.results, {"sent": 3, "failed": 0, "dropped": 0})

    def test_slow(self) -> None:
        """While the collector is slow the queue fills, and nobody waits."""
        self.assertEqual(self.export.room, 4)
        self.take(2)
        self.assertEqual(self.batch(), 2)
        self.take(4)
        self.assertEqual(self.export.room, 0)
        self.export.drop(3)
        self.flush(*[SpanExportResult.SUCCESS] * 3)
        self.assertEqual(self.results, {"sent": 6, "failed": 0, "dropped": 3})

    def test_lost(self) -> None:
        """A collector that is gone is told of once, and when it is back."""
        with capturedLogs() as events:
            for result in (
                SpanExportResult.FAILURE,
                OSError("no route"),
                SpanExportResult.SUCCESS,
                SpanExportResult.SUCCESS,
            ):
                self.take(2)
                self.batch()
                self.exporter.results.put(result)
            self.flush()
        lines = [formatEvent(event) for event in events]
        self.assertEqual(len(lines), 2, lines)
        self.assertRegex(lines[0], "Spans cannot be sent to http://127.0.0.1:1/v1/traces .*dropped")
        self.assertRegex(lines[1], "Spans are sent again")
        self.assertEqual(self.results, {"sent": 4, "failed": 4, "dropped": 0})

    def test_late(self) -> None:
        """The end does not wait for a collector that takes too long."""
        self.take(2)
        self.batch()
        self.take(1)
        with capturedLogs() as events:
            stopped: Deferred[None] = self.export.stop(2.0)
            self.clock.advance(1.9)
            self.assertNoResult(stopped)
            self.clock.advance(0.1)
        self.successResultOf(stopped)
        self.assertIn("collector is slow: 3", formatEvent(events[-1]))
        self.assertEqual(self.results["dropped"], 3)

    def test_late_and_lost(self) -> None:
        """The end waits even less for one that is known to be gone."""
        self.take(2)
        self.batch()
        self.exporter.results.put(SpanExportResult.FAILURE)
        self.take(2)
        self.batch()
        stopped = self.export.stop(60.0)
        self.clock.advance(PATIENCE_IF_GONE)
        self.successResultOf(stopped)
        self.assertEqual(self.results, {"sent": 0, "failed": 2, "dropped": 2})

    def test_unsampled(self) -> None:
        """The last check is the SDK's: what is not sampled is not sent."""
        self.export.take(ReadableSpan("x", SpanContext(1, 2, False, TraceFlags(0))))
        self.flush()
        self.assertTrue(self.exporter.batches.empty())
