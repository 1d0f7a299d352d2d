"""
Traces (OpenTelemetry) from client to endpoint, without sockets: the span in the record is the one
that endpoints are told of.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Final

from twisted.trial.unittest import SynchronousTestCase

from ingress.config import OtlpSettings
from ingress.endpoint import Endpoint
from ingress.telemetry.record import ExchangeRecord
from tests.support.kept_records import KeptRecords
from tests.support.objects import FILES, built, endpoint_slice, ingress, service
from tests.support.wire import OK, Wire, request

WEB: Final = Endpoint("10.0.0.1", 8080)
COPY: Final = Endpoint("10.0.0.2", 8080)
COLLECTOR: Final = OtlpSettings("http://127.0.0.1:4318/v1/traces")
PARENT: Final = b"traceparent: 00-" + b"a" * 32 + b"-" + b"b" * 16 + b"-01"


class TraceTests(SynchronousTestCase):
    """What endpoints get, and what the record has."""

    def serve(self, annotations: Mapping[str, str], *, for_all: bool = True) -> None:
        self.records: list[ExchangeRecord] = []
        self.wire = Wire()
        self.wire.plane.exchanges.recorder = KeptRecords(self.records)
        objects = [
            ingress("a.example", {"/a": "web:80"}, annotations=annotations),
            ingress("a.example", {"/b": "web:80"}, name="b"),
            service("web"),
            endpoint_slice("web", WEB.host),
            service("copy"),
            endpoint_slice("copy", COPY.host),
        ]
        otlp = replace(COLLECTOR, for_all=for_all)
        config = replace(FILES, otlp=otlp, snippets="interpret")
        self.wire.plane.publish(built(*objects, config=config).snapshot)

    def sent(self, target: bytes = b"/a") -> tuple[bytes, list[bytes]]:
        """:return: the target that the endpoint got, and its values of ``traceparent``."""
        client = self.wire.connect()
        client.send(request(b"GET", PARENT, target=target))
        dial = self.wire.next_dial()
        self.assertEqual(dial.endpoint, WEB)
        endpoint = dial.accept()
        got = endpoint.receive()
        endpoint.send(OK)
        self.assertIn(b"HTTP/1.1 200 ", client.read())
        return got.first_line.split(b" ")[1], got.values(b"traceparent")

    def recorded(self) -> bytes:
        """:return: what endpoints should have been told of the only exchange."""
        (record,) = self.records
        trace = record.trace
        assert trace is not None
        assert trace.parent is not None
        self.assertEqual(trace.parent.span_id, int(b"b" * 16, 16))
        return b"00-%032x-%016x-01" % (trace.trace_id, trace.attempt_id)

    def test_recorded(self) -> None:
        """The endpoint is told of the span of the attempt."""
        self.serve({})
        _, got = self.sent()
        self.assertEqual(got, [self.recorded()])
        self.assertNotIn(b"b" * 16, got[0])

    def test_none(self) -> None:
        """Without spans the field passes as it came, and the record has none."""
        self.serve({}, for_all=False)
        self.assertEqual(self.sent()[1], [PARENT.partition(b": ")[2]])
        self.assertIsNone(self.records[0].trace)

    def test_other_rule(self) -> None:
        """A request for which another rule is found keeps its span."""
        self.serve({"configuration-snippet": "rewrite ^/a$ /b last;"})
        target, got = self.sent()
        self.assertEqual((target, got), (b"/b", [self.recorded()]))

    def test_rule_without(self) -> None:
        """Also if that rule has no spans: the span of the exchange has begun already."""
        self.serve(
            {"configuration-snippet": "rewrite ^/a$ /b last;", "enable-opentelemetry": "true"},
            for_all=False,
        )
        self.assertEqual(self.sent()[0], b"/b")
        self.recorded()

    def test_refused(self) -> None:
        """A refused request has its span, although no endpoint was told of it."""
        self.serve({"whitelist-source-range": "203.0.113.0/24"})
        client = self.wire.connect()
        client.send(request(b"GET", PARENT, target=b"/a"))
        self.assertIn(b"HTTP/1.1 403 ", client.read())
        self.recorded()

    def test_copy(self) -> None:
        """The copy for a mirror is a part of the trace, too."""
        self.serve({"mirror-target": "http://copy.default.svc$request_uri"})
        client = self.wire.connect()
        client.send(request(b"GET", PARENT, target=b"/a"))
        got = {}
        for _ in range(2):
            dial = self.wire.next_dial()
            endpoint = dial.accept()
            got[dial.endpoint] = endpoint.receive().values(b"traceparent")
            endpoint.send(OK)
        client.read()
        self.assertEqual(got, {WEB: [self.recorded()], COPY: [self.recorded()]})
