"""
Sends spans to a collector (OTLP over HTTP), in threads of OpenTelemetry's SDK.

Nothing here makes a request wait: a span is put into a queue, or dropped and counted if the queue
is full because the collector is slow or gone.
"""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Sequence
from functools import partial
from threading import Thread
from typing import Any, ClassVar, Final

from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.sdk.trace.export import BatchSpanProcessor, SpanExporter, SpanExportResult
from twisted.internet.defer import Deferred
from twisted.logger import Logger

from ingress.config.otlp import OtlpSettings

PATIENCE: Final = 1.0
"""Seconds for which the end waits for a collector that is known to be gone."""

TIMEOUT: Final = 10.0
"""Seconds that one batch may take, with all that the SDK tries again."""

_SENT: Final = "sent"
_FAILED: Final = "failed"
_DROPPED: Final = "dropped"


class SpanExport:
    """
    The queue of one collector (`SpanSink`).

    :param reactor: of this process.
    :param settings: the collector and the bounds; `OtlpSettings.export`.
    :param results: counts spans by what became of them.
    :param exporter: sends them; None for the SDK's, over HTTP.
    """

    log: ClassVar[Logger] = Logger()

    def __init__(
        self,
        reactor: Any,
        settings: OtlpSettings,
        results: Counter[str],
        exporter: SpanExporter | None = None,
    ) -> None:
        self.settings = settings
        self._reactor = reactor
        self._results = results
        # Other threads count, too: no key may be new to them.
        for result in (_SENT, _FAILED, _DROPPED):
            results.setdefault(result, 0)
        self._taken = 0
        self._is_known_lost = False
        if exporter is None:
            _quiet_sdk()
            exporter = OTLPSpanExporter(endpoint=settings.endpoint, timeout=TIMEOUT)
        self._exporter = _CountingExporter(exporter, results, self._told)
        self._processor = BatchSpanProcessor(
            self._exporter,
            max_queue_size=settings.queue,
            schedule_delay_millis=settings.delay * 1000,
            max_export_batch_size=min(settings.batch, settings.queue),
        )

    def __repr__(self) -> str:
        return f"<SpanExport to {self.settings.endpoint}>"

    @property
    def room(self) -> int:
        """SpanSink."""
        return self.settings.queue - (self._taken - self._exporter.begun)

    def take(self, span: ReadableSpan) -> None:
        """SpanSink."""
        self._taken += 1
        self._processor.on_end(span)

    def drop(self, count: int) -> None:
        """SpanSink."""
        self._results[_DROPPED] += count

    def stop(self, patience: float) -> Deferred[None]:
        """
        Send what is left.

        :param patience: seconds for it; less is waited for a collector that is gone. What is not
            sent by then is lost and counted.
        :return: fires when all is sent, or after that time.
        """
        if self._is_known_lost:
            patience = min(patience, PATIENCE)
        stopped: Deferred[None] = Deferred()
        thread = Thread(target=self._flush, args=(stopped,), name="span flush", daemon=True)
        late = self._reactor.callLater(patience, self._give_up, stopped)
        stopped.addCallback(lambda _: late.cancel() if late.active() else None)
        thread.start()
        return stopped

    def _flush(self, stopped: Deferred[None]) -> None:
        """Runs in a thread of its own, which may outlast the reactor."""
        self._processor.shutdown()  # type: ignore[no-untyped-call]
        self._reactor.callFromThread(self._flushed, stopped)

    def _flushed(self, stopped: Deferred[None]) -> None:
        if not stopped.called:
            stopped.callback(None)

    def _give_up(self, stopped: Deferred[None]) -> None:
        lost = self._taken - self._exporter.ended
        self._results[_DROPPED] += lost
        self.log.warn("Spans that are lost, because the collector is slow: {count}", count=lost)
        self._flushed(stopped)

    def _told(self, has_sent: bool) -> None:
        """Runs in the thread of the SDK."""
        if has_sent == self._is_known_lost:
            self._is_known_lost = not has_sent
            self._reactor.callFromThread(partial(self._report, has_sent, _last_words.text))

    def _report(self, has_sent: bool, why: str) -> None:
        endpoint = self.settings.endpoint
        if has_sent:
            self.log.info("Spans are sent again to {endpoint}", endpoint=endpoint)
        else:
            self.log.warn(
                "Spans cannot be sent to {endpoint} ({why}); they are dropped meanwhile",
                endpoint=endpoint,
                why=why or "no reason is known",
            )


class _CountingExporter(SpanExporter):
    """
    Counts what another exporter does. It is called in the thread of the SDK.

    :ivar begun: spans that were taken out of the queue.
    :ivar ended: those of them that were sent or are lost.
    """

    def __init__(self, inner: SpanExporter, results: Counter[str], told: Any) -> None:
        self._inner = inner
        self._results = results
        self._told = told
        self.begun = 0
        self.ended = 0

    def export(self, spans: Sequence[ReadableSpan]) -> SpanExportResult:
        """SpanExporter."""
        self.begun += len(spans)
        try:
            result = self._inner.export(spans)
        except Exception as error:
            _last_words.text = type(error).__name__
            result = SpanExportResult.FAILURE
        has_sent = result is SpanExportResult.SUCCESS
        self._results[_SENT if has_sent else _FAILED] += len(spans)
        self.ended += len(spans)
        self._told(has_sent)
        return result

    def shutdown(self) -> None:
        """SpanExporter."""
        self._inner.shutdown()

    def force_flush(self, timeout_millis: int = 30000) -> bool:
        """SpanExporter."""
        return self._inner.force_flush(timeout_millis)


class _LastWords(logging.Handler):
    """Keeps the last message of the SDK, which says why something failed."""

    text = ""

    def emit(self, record: logging.LogRecord) -> None:
        """Handler: a response of the collector may be a part of it."""
        text = record.getMessage()[:300]
        self.text = "".join(each if each.isprintable() else " " for each in text)


_last_words: Final = _LastWords(logging.WARNING)


def _quiet_sdk() -> None:
    """Have the SDK's own log, which has no bounds, go nowhere else."""
    logger = logging.getLogger("opentelemetry")
    if _last_words not in logger.handlers:
        logger.addHandler(_last_words)
        logger.propagate = False
