"""
A collector of spans: OTLP over HTTP, on loopback.
"""

from __future__ import annotations

import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import NamedTuple

from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.trace.v1.trace_pb2 import Span

from tests.support.process import wait_until


class SentSpan(NamedTuple):
    """A span, as text and numbers."""

    name: str
    service: str
    trace_id: str
    span_id: str
    parent_id: str
    state: str
    is_server: bool
    attributes: dict[str, str | int]


class Collector:
    """
    Keeps what it gets.

    :ivar spans: all spans so far, in the order in which they came.
    """

    def __init__(self, port: int = 0) -> None:
        self.spans: list[SentSpan] = []
        self.may_answer = threading.Event()
        self.may_answer.set()
        collector = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                collector.may_answer.wait()
                status = 200
                if (
                    self.path != "/v1/traces"
                    or self.headers["Content-Type"] != "application/x-protobuf"
                ):
                    status = 400
                else:
                    collector.spans += _decoded(body)
                self.send_response(status)
                self.send_header("Content-Length", "0")
                self.end_headers()

            def log_message(self, format: str, *arguments: object) -> None:
                """BaseHTTPRequestHandler: log nothing."""

        self._server = ThreadingHTTPServer(("127.0.0.1", port), Handler)
        self._server.daemon_threads = True
        self._server.block_on_close = False
        self.port = self._server.server_address[1]
        self._thread = threading.Thread(
            target=self._server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True
        )
        self._thread.start()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}/v1/traces"

    def wait_for(self, request_id: str) -> tuple[SentSpan, list[SentSpan]]:
        """:return: the span of the exchange of this id, and those of its attempts."""

        def found() -> SentSpan | None:
            for span in list(self.spans):
                if span.attributes.get("txingress.request_id") == request_id:
                    return span
            return None

        server = wait_until(found, f"the span of {request_id}")
        assert server is not None
        return server, [span for span in list(self.spans) if span.parent_id == server.span_id]

    def stop(self) -> None:
        self.may_answer.set()
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()


def _decoded(body: bytes) -> list[SentSpan]:
    request = ExportTraceServiceRequest.FromString(body)
    return [
        _span(span, _attributes(resource.resource.attributes)["service.name"])
        for resource in request.resource_spans
        for scope in resource.scope_spans
        for span in scope.spans
    ]


def _span(span: Span, service: str | int) -> SentSpan:
    assert span.end_time_unix_nano >= span.start_time_unix_nano > 0
    return SentSpan(
        span.name,
        str(service),
        span.trace_id.hex(),
        span.span_id.hex(),
        span.parent_span_id.hex(),
        span.trace_state,
        span.kind == Span.SPAN_KIND_SERVER,
        _attributes(span.attributes),
    )


def _attributes(written: object) -> dict[str, str | int]:
    return {
        each.key: getattr(each.value, each.value.WhichOneof("value"))
        for each in written  # type: ignore[attr-defined]
    }
