"""
Tests for `ingress.telemetry.spans`.
"""

from __future__ import annotations

import json
from random import Random
from typing import Any

from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.trace import SpanKind, StatusCode
from twisted.trial.unittest import SynchronousTestCase

from ingress.config.otlp import OtlpSettings
from ingress.endpoint import Endpoint, UpstreamKey
from ingress.errors import Outcome
from ingress.message import Request
from ingress.policy.open_telemetry import OpenTelemetry
from ingress.policy.trace_context import TraceContext
from ingress.routing.route import Route
from ingress.telemetry.record import AttemptRecord, ExchangeRecord, RecordReceiver
from ingress.telemetry.spans import SpanRecorder
from tests.policy.test_trace_context import PARENT, VALID
from tests.support.exchange_record import ID, answered, request_of

NOW = 1_800_000_000.0
WEB = UpstreamKey("default", "web", "80")
SETTINGS = OtlpSettings("http://127.0.0.1:4318/v1/traces", "shop")


class HandSink:
    """Keeps spans, and has as much room as a test says."""

    def __init__(self) -> None:
        self.room = 10
        self.spans: list[ReadableSpan] = []
        self.dropped = 0

    def take(self, span: ReadableSpan) -> None:
        self.spans.append(span)

    def drop(self, count: int) -> None:
        self.dropped += count


class KeptRecords(RecordReceiver):
    def __init__(self) -> None:
        self.records: list[ExchangeRecord] = []

    def record(self, record: ExchangeRecord) -> None:
        self.records.append(record)


class SpanRecorderTests(SynchronousTestCase):
    """The spans of exchanges."""

    def setUp(self) -> None:
        self.sink = HandSink()
        self.inner = KeptRecords()
        self.random = Random(1)
        self.recorder = self.make(SETTINGS)

    def make(self, settings: OtlpSettings) -> SpanRecorder:
        return SpanRecorder(self.inner, self.sink, settings, self.random, lambda: NOW)

    def trace(self, request: Request, **values: Any) -> TraceContext:
        return OpenTelemetry().begin(request, self.random, is_secure=True)._replace(**values)

    def spans(self, record: ExchangeRecord) -> list[dict[str, Any]]:
        """Record it, and give its spans as the SDK shows them."""
        self.sink.spans.clear()
        self.recorder.record(record)
        self.assertIs(self.inner.records[-1], record)
        return [json.loads(span.to_json()) for span in self.sink.spans]

    def test_exchange(self) -> None:
        """One span of the exchange and one of the attempt, with times, ids and attributes."""
        request = request_of(
            {b"traceparent": VALID, b"tracestate": b"a=1", b"cookie": b"secret"},
            target=b"/shop/%41?token=secret",
        )
        route = Route(ingress=("default", "shop"), upstream=WEB, path="/shop")
        trace = self.trace(request)
        record = answered(
            request,
            route=route,
            trace=trace,
            tries=[AttemptRecord(Endpoint("10.0.0.7", 80), 100.001, 200, None, 0.002, 0.03)],
        )
        server, client = self.spans(record)
        self.assertNotIn("secret", json.dumps([server, client]))
        self.assertEqual(server["name"], "GET /shop")
        self.assertEqual(server["kind"], "SpanKind.SERVER")
        self.assertEqual(server["parent_id"], f"0x{PARENT.span_id:016x}")
        self.assertEqual(server["context"]["span_id"], f"0x{trace.span_id:016x}")
        self.assertEqual(server["status"], {"status_code": "UNSET"})
        self.assertEqual(
            server["attributes"],
            {
                "client.address": "192.0.2.1",
                "http.request.method": "GET",
                "http.response.body.size": 512,
                "http.response.status_code": 200,
                "http.route": "/shop",
                "k8s.ingress.name": "shop",
                "k8s.namespace.name": "default",
                "k8s.service.name": "web",
                "network.protocol.version": "1.1",
                "server.address": "a.example",
                "txingress.outcome": "ok",
                "txingress.request_id": ID.decode(),
                "txingress.upstream": "default-web-80",
                "url.path": "/shop/%41",
                "url.scheme": "https",
            },
        )
        self.assertEqual(server["resource"]["attributes"]["service.name"], "shop")
        self.assertEqual((client["name"], client["kind"]), ("GET", "SpanKind.CLIENT"))
        self.assertEqual(client["parent_id"], server["context"]["span_id"])
        self.assertEqual(client["context"]["trace_id"], f"0x{PARENT.trace_id:032x}")
        self.assertEqual(client["context"]["span_id"], f"0x{trace.attempt_id:016x}")
        self.assertEqual(
            client["attributes"],
            {
                "http.request.method": "GET",
                "http.response.status_code": 200,
                "server.address": "10.0.0.7",
                "server.port": 80,
            },
        )
        outer, inner = self.sink.spans
        self.assertIsNotNone(outer.context)
        self.assertEqual(self.times(outer), (-0.031, 0.0))
        self.assertEqual(self.times(inner), (-0.03, 0.0))
        for span in (outer, inner):
            assert span.context is not None
            self.assertEqual(span.context.trace_state.to_header(), "a=1")
            self.assertTrue(span.context.trace_flags.sampled)

    def times(self, span: ReadableSpan) -> tuple[float, float]:
        """In seconds from the end of the exchange."""
        assert span.start_time is not None
        assert span.end_time is not None
        return round(span.start_time / 1e9 - NOW, 5), round(span.end_time / 1e9 - NOW, 5)

    def test_failures(self) -> None:
        """Statuses from 500 on are errors of the exchange, from 400 on those of an attempt."""
        request = request_of()
        tries = [
            AttemptRecord(Endpoint("10.0.0.7", 80), 100.0, 502),
            AttemptRecord(Endpoint("10.0.0.8", 80), 100.0, 0),
            AttemptRecord(Endpoint("10.0.0.9", 80), 100.0, 404),
        ]
        trace = self.trace(request)
        record = answered(request, trace=trace, tries=tries, status=404)
        spans = self.spans(record)
        ids = [span["context"]["span_id"] for span in spans]
        self.assertEqual((ids[-1], len(set(ids))), (f"0x{trace.attempt_id:016x}", 4))
        self.assertEqual(
            [
                (span["status"]["status_code"], span["attributes"].get("error.type"))
                for span in spans
            ],
            [("UNSET", None), ("ERROR", "502"), ("ERROR", "abandoned"), ("ERROR", "404")],
        )
        self.assertEqual(
            [span["attributes"].get("http.request.resend_count") for span in spans],
            [None, None, 1, 2],
        )
        self.assertEqual(spans[0]["attributes"]["txingress.retries"], 2)
        record = answered(
            request, trace=self.trace(request), status=503, outcome=Outcome.NO_ENDPOINT, tries=()
        )
        (span,) = self.spans(record)
        self.assertEqual(span["status"], {"status_code": "ERROR"})
        self.assertEqual(span["attributes"]["error.type"], "503")
        self.assertEqual(span["attributes"]["txingress.outcome"], "no_endpoint")

    def test_names(self) -> None:
        """A name of its own, or few different ones; a method that clients make up is in none."""
        request = request_of()
        odd = request_of()
        odd.method = b"PURGE"
        for made, name, expected in (
            (request, "", "GET /"),
            (request, "shop", "shop"),
            (odd, "", "HTTP /"),
        ):
            record = answered(made, trace=self.trace(made, operation_name=name))
            spans = self.spans(record)
            self.assertEqual(spans[0]["name"], expected)
        self.assertEqual(spans[0]["attributes"]["http.request.method"], "_OTHER")
        self.assertEqual(spans[1]["name"], "_OTHER")

    def test_hostile(self) -> None:
        """Bytes of clients that are no UTF-8 end up as text, and long paths are cut."""
        request = request_of(target=b"/" + b"\xff" * 30_000)
        request.host, request.method = b"\xfe.example", b"\xfd"
        record = answered(request, trace=self.trace(request))
        server, _ = self.spans(record)
        self.assertEqual(len(server["attributes"]["url.path"]), 1024)
        self.assertEqual(server["attributes"]["server.address"], "\xfe.example")

    def test_none(self) -> None:
        """Nothing is recorded of what is not sampled, of other rules, and of what is no request."""
        request = request_of()
        off = self.trace(request, is_sampled=False)
        self.assertEqual(self.spans(answered(request, trace=off)), [])
        self.assertEqual(self.spans(answered(request)), [])
        refused = {"status": 403, "outcome": Outcome.ACCESS_REFUSED}
        self.assertEqual(self.spans(answered(request, **refused)), [])
        self.assertEqual(self.spans(answered(request, route=None, status=404)), [])
        self.recorder = self.make(OtlpSettings(SETTINGS.endpoint, for_all=True))
        record = ExchangeRecord(b"192.0.2.1", 100.0)
        record.outcome = Outcome.BAD_REQUEST
        self.assertEqual(self.spans(record), [])
        self.assertEqual(self.sink.dropped, 0)

    def test_before_policies(self) -> None:
        """What is answered before policies are asked has a span if its rule has them."""
        route = Route(
            ingress=("default", "shop"), upstream=WEB, policies=(OpenTelemetry(trusts=False),)
        )
        request = request_of({b"traceparent": VALID})
        record = answered(request, route=route, tries=(), status=400, outcome=Outcome.BAD_REQUEST)
        (span,) = self.spans(record)
        self.assertIsNone(span["parent_id"])
        self.assertNotIn("url.scheme", span["attributes"])

    def test_no_rule(self) -> None:
        """Requests that no rule matches have spans where all have."""
        self.recorder = self.make(OtlpSettings(SETTINGS.endpoint, for_all=True))
        record = answered(route=None, tries=(), status=404, outcome=Outcome.NO_ROUTE)
        (span,) = self.spans(record)
        self.assertEqual(span["name"], "GET")
        self.assertNotIn("http.route", span["attributes"])

    def test_full(self) -> None:
        """Without room for all spans of an exchange none is made, and they are counted."""
        request = request_of()
        self.sink.room = 1
        self.assertEqual(self.spans(answered(request, trace=self.trace(request))), [])
        self.assertEqual(self.sink.dropped, 2)

    def test_mistake(self) -> None:
        """A mistake of ours is logged, and the response goes on."""
        request = request_of()
        broken = SpanRecorder(
            self.inner, self.sink, SETTINGS, self.random, lambda: NOW / len(self.sink.spans)
        )
        broken.record(answered(request, trace=self.trace(request)))
        self.assertEqual(len(self.flushLoggedErrors(ZeroDivisionError)), 1)
        self.assertEqual(len(self.inner.records), 1)

    def test_kinds(self) -> None:
        """The SDK's own types are used."""
        request = request_of()
        self.recorder.record(answered(request, trace=self.trace(request), status=500))
        span = self.sink.spans[0]
        self.assertIs(span.kind, SpanKind.SERVER)
        self.assertIs(span.status.status_code, StatusCode.ERROR)
