"""
Makes the spans of an exchange that is over (OpenTelemetry): one of the exchange, and one of each
attempt at an endpoint.

The attributes are those of the semantic conventions for HTTP. Nothing that a client may have
meant as a secret is among them: no query, no field, no body.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from random import Random
from typing import Any, ClassVar, Final, Protocol

from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.sdk.util.instrumentation import InstrumentationScope
from opentelemetry.trace import SpanContext, SpanKind, TraceFlags, TraceState
from opentelemetry.trace.status import Status, StatusCode
from twisted.logger import Logger

from ingress.config.otlp import OtlpSettings
from ingress.errors import Outcome
from ingress.message import Request
from ingress.policy.open_telemetry import OpenTelemetry
from ingress.policy.trace_context import TraceContext
from ingress.routing.route import Route
from ingress.telemetry.record import AttemptRecord, ExchangeRecord, RecordReceiver

_OK: Final = Outcome.OK
_SAMPLED: Final = TraceFlags(TraceFlags.SAMPLED)
_SCOPE: Final = InstrumentationScope("txingress")
_UNSET: Final = Status(StatusCode.UNSET)
_ERROR: Final = Status(StatusCode.ERROR)
_NANOSECONDS: Final = 1_000_000_000
_MAX_PATH: Final = 1024
"""Characters of a path that a span has."""

_METHODS: Final = frozenset(
    {"CONNECT", "DELETE", "GET", "HEAD", "OPTIONS", "PATCH", "POST", "PUT", "TRACE", "QUERY"}
)
"""Others are ``_OTHER``: whoever counts spans by method must not be at the mercy of clients."""

Attributes = dict[str, Any]


class SpanSink(Protocol):
    """Takes spans that are over."""

    @property
    def room(self) -> int:
        """How many more spans it can take."""

    def take(self, span: ReadableSpan) -> None:
        """Take a span."""

    def drop(self, count: int) -> None:
        """Count spans that there was no room for."""


class SpanRecorder(RecordReceiver):
    """
    Records the spans of exchanges, and passes each record on.

    :param inner: takes all records.
    :param sink: takes the spans.
    :param settings: say which requests have spans that no rule has decided on.
    :param random: for ids.
    :param wall_clock: gives the seconds since the epoch.
    """

    log: ClassVar[Logger] = Logger()

    def __init__(
        self,
        inner: RecordReceiver,
        sink: SpanSink,
        settings: OtlpSettings,
        random: Random,
        wall_clock: Callable[[], float] = time.time,
    ) -> None:
        self._inner = inner
        self._sink = sink
        self._random = random
        self._wall_clock = wall_clock
        self._resource = Resource.create({"service.name": settings.service_name})
        self.settings = settings

    def __repr__(self) -> str:
        return f"<SpanRecorder of {self._sink}>"

    def record(self, record: ExchangeRecord) -> None:
        """RecordReceiver."""
        trace = record.trace
        try:
            if trace is None and (record.outcome is not _OK or record.route is None):
                trace = self._begin(record)
            if trace is not None and trace.is_sampled:
                self._take(record, trace)
        except Exception:
            # The caller has a response to send.
            self.log.failure("The spans of a request could not be recorded")
        # At the end, because it may keep the record without its request.
        self._inner.record(record)

    def _begin(self, record: ExchangeRecord) -> TraceContext | None:
        """:return: the span of an exchange that ended before its policies were asked, if any."""
        request, policy = record.request, _policy_of(record.route)
        if policy is None and record.route is None and self.settings.for_all:
            policy = OpenTelemetry.of(self.settings)
        if request is None or policy is None:
            return None
        return policy.begin(request, self._random)

    def _take(self, record: ExchangeRecord, trace: TraceContext) -> None:
        request, sink = record.request, self._sink
        count = 1 + len(record.tries)
        if request is None or sink.room < count:
            sink.drop(count)
            return
        for span in self._spans(record, request, trace):
            sink.take(span)

    def _spans(
        self, record: ExchangeRecord, request: Request, trace: TraceContext
    ) -> Iterator[ReadableSpan]:
        ended = self._wall_clock()
        began = ended - record.duration
        state = TraceState.from_header([trace.state.decode("ascii")]) if trace.state else None
        context = SpanContext(trace.trace_id, trace.span_id, False, _SAMPLED, state)
        parent = trace.parent
        yield ReadableSpan(
            trace.operation_name or _name(request, record.route),
            context,
            None
            if parent is None
            else SpanContext(parent.trace_id, parent.span_id, True, TraceFlags(parent.flags & 1)),
            self._resource,
            _attributes(record, request, trace),
            kind=SpanKind.SERVER,
            status=_ERROR if record.status >= 500 else _UNSET,
            start_time=int(began * _NANOSECONDS),
            end_time=int(ended * _NANOSECONDS),
            instrumentation_scope=_SCOPE,
        )
        method, last = _method(request), len(record.tries) - 1
        for number, attempt in enumerate(record.tries):
            span_id = trace.attempt_id if number == last else self._random.getrandbits(64) or 1
            start = began + attempt.began_at - record.began_at
            yield ReadableSpan(
                method,
                SpanContext(trace.trace_id, span_id, False, _SAMPLED, state),
                context,
                self._resource,
                _attributes_of(attempt, number, method),
                kind=SpanKind.CLIENT,
                status=_ERROR if not attempt.status or attempt.status >= 400 else _UNSET,
                start_time=int(start * _NANOSECONDS),
                end_time=int((start + (attempt.response_time or 0.0)) * _NANOSECONDS),
                instrumentation_scope=_SCOPE,
            )


def _policy_of(route: Route | None) -> OpenTelemetry | None:
    if route is not None:
        for policy in route.policies:
            if isinstance(policy, OpenTelemetry):
                return policy
    return None


def _method(request: Request) -> str:
    method = request.method.decode("latin-1")
    return method if method in _METHODS else "_OTHER"


def _name(request: Request, route: Route | None) -> str:
    """As the conventions name spans: few different ones, so the path of the rule."""
    method = _method(request)
    method = "HTTP" if method == "_OTHER" else method
    return method if route is None else f"{method} {route.labels.path}"


def _attributes(record: ExchangeRecord, request: Request, trace: TraceContext) -> Attributes:
    route, tries = record.route, record.tries
    found: Attributes = {
        "http.request.method": _method(request),
        "url.path": request.target.partition(b"?")[0][:_MAX_PATH].decode("latin-1"),
        "server.address": request.host.decode("latin-1"),
        "network.protocol.version": "2"
        if request.is_http_2
        else "1.0"
        if request.is_http_10
        else "1.1",
        "http.response.status_code": record.status,
        "http.response.body.size": record.body_size,
        "txingress.request_id": record.request_id.decode("latin-1"),
        "txingress.outcome": record.outcome.value,
    }
    if trace.is_secure is not None:
        found["url.scheme"] = "https" if trace.is_secure else "http"
    if record.client_address:
        found["client.address"] = record.client_address.decode("latin-1")
    if record.status >= 500:
        found["error.type"] = str(record.status)
    if len(tries) > 1:
        found["txingress.retries"] = len(tries) - 1
    if route is not None:
        found["http.route"] = route.labels.path
        found["k8s.namespace.name"], found["k8s.ingress.name"] = route.ingress
        upstream = route.upstream
        if upstream is not None:
            found["k8s.service.name"] = upstream.service
            found["txingress.upstream"] = str(upstream)
    return found


def _attributes_of(attempt: AttemptRecord, number: int, method: str) -> Attributes:
    endpoint = attempt.endpoint
    found: Attributes = {
        "http.request.method": method,
        "server.address": endpoint.host,
        "server.port": endpoint.port,
    }
    if attempt.status:
        found["http.response.status_code"] = attempt.status
    if not attempt.status or attempt.status >= 400:
        found["error.type"] = str(attempt.status) if attempt.status else "abandoned"
    if number:
        found["http.request.resend_count"] = number
    return found
