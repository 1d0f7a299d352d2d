"""
Spans of a real process in a real collector of OTLP over HTTP.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import ClassVar

from tests.e2e.case import ProcessTestCase, run
from tests.policy.test_trace_context import SPAN, TRACE, VALID
from tests.support.client import HTTPClient
from tests.support.collector import Collector
from tests.support.endpoints import EchoEndpoint
from tests.support.manifest import ingress_manifest, served_manifests
from tests.support.metrics import sample_value
from tests.support.process import wait_until

ENOUGH = 20
"""Connections of which all come to the same of two workers once in five hundred thousand times."""


class OpenTelemetryTests(ProcessTestCase):
    """One process, or two workers below."""

    workers: ClassVar[int] = 1
    collector: ClassVar[Collector]
    web: ClassVar[EchoEndpoint]

    @classmethod
    def prepare(cls, folder: Path) -> None:
        cls.start_all(folder)

    @classmethod
    def start_all(cls, folder: Path) -> None:
        cls.collector = cls.keep(Collector())
        cls.web = cls.echo("web")
        on = {"enable-opentelemetry": "true"}
        off = {"opentelemetry-trust-incoming-span": "false"}
        cls.serve(
            folder,
            ingress_manifest("on", "on.example", {"/shop": "web"}, annotations=on),
            ingress_manifest("new", "new.example", {"/": "web"}, annotations=on | off),
            ingress_manifest("off", "off.example", {"/": "web"}),
            ingress_manifest(
                "limited",
                "limited.example",
                {"/": "web"},
                annotations={**on, "whitelist-source-range": "192.0.2.0/24"},
            ),
            *served_manifests("web", cls.web.port),
            workers=cls.workers,
            otlp={"endpoint": cls.collector.url, "service-name": "edge", "delay": 0.1},
        )

    def ask(self, host: str, identity: str, target: str = "/", fields: str = "") -> dict[str, str]:
        """:return: the fields that the endpoint got, with lower-case names."""
        reply = self.get(target, host, fields=f"X-Request-ID: {identity}\r\n{fields}")
        self.assertEqual(reply.status, 200, reply)
        return {name.lower(): value for name, value in json.loads(reply.body)["fields"]}

    def metric(self, result: str) -> float:
        with HTTPClient(self.process.port("admin")) as client:
            text = client.request("/metrics", "localhost").text
        return sample_value(text, "txingress_spans_total", result=result) or 0.0

    def test_new(self) -> None:
        """A request without a trace begins one, which the endpoint and the collector see."""
        seen = self.ask("on.example", "new-1", "/shop/a?secret=1")
        server, attempts = self.collector.wait_for("new-1")
        (attempt,) = attempts
        self.assertEqual(seen["traceparent"], f"00-{server.trace_id}-{attempt.span_id}-01")
        self.assertEqual((server.name, server.service), ("GET /shop", "edge"))
        self.assertTrue(server.is_server)
        self.assertEqual(server.parent_id, "")
        self.assertEqual(server.attributes["url.path"], "/shop/a")
        self.assertEqual(server.attributes["http.response.status_code"], 200)
        self.assertNotIn("secret", str(server))
        self.assertEqual(attempt.trace_id, server.trace_id)
        self.assertEqual(attempt.attributes["server.port"], self.web.port)

    def test_continued(self) -> None:
        """A trace is continued, with its state; one that is not trusted is replaced."""
        fields = f"traceparent: {VALID.decode()}\r\ntracestate: a=1\r\n"
        seen = self.ask("on.example", "continued-1", "/shop", fields)
        server, (attempt,) = self.collector.wait_for("continued-1")
        self.assertEqual(server.trace_id, TRACE.decode())
        self.assertEqual((server.parent_id, server.state), (SPAN.decode(), "a=1"))
        self.assertEqual(seen["traceparent"], f"00-{TRACE.decode()}-{attempt.span_id}-01")
        self.assertEqual(seen["tracestate"], "a=1")
        seen = self.ask("new.example", "replaced-1", "/", fields)
        server, _ = self.collector.wait_for("replaced-1")
        self.assertNotEqual(server.trace_id, TRACE.decode())
        self.assertEqual(server.parent_id, "")
        self.assertNotIn("tracestate", seen)

    def test_untouched(self) -> None:
        """Without the annotation both fields pass as they came, and nothing is recorded."""
        fields = "traceparent: what-ever\r\ntracestate: !\r\n"
        seen = self.ask("off.example", "off-1", "/", fields)
        self.assertEqual((seen["traceparent"], seen["tracestate"]), ("what-ever", "!"))
        self.ask("on.example", "after-off", "/shop")
        self.collector.wait_for("after-off")
        self.assertNotIn("off-1", str(self.collector.spans))

    def test_not_sampled(self) -> None:
        """The decision of a trace that is continued holds."""
        fields = f"traceparent: {VALID[:-2].decode()}00\r\n"
        seen = self.ask("on.example", "unsampled-1", "/shop", fields)
        self.assertRegex(seen["traceparent"], f"^00-{TRACE.decode()}-[0-9a-f]{{16}}-00$")
        self.assertNotIn(SPAN.decode(), seen["traceparent"])
        self.ask("on.example", "after-unsampled", "/shop")
        self.collector.wait_for("after-unsampled")
        self.assertNotIn("unsampled-1'", str(self.collector.spans))

    def test_refused(self) -> None:
        """A request that is refused has a span without attempts."""
        fields = "X-Request-ID: refused-1\r\n"
        self.assertEqual(self.get("/", "limited.example", fields=fields).status, 403)
        server, attempts = self.collector.wait_for("refused-1")
        self.assertEqual(attempts, [])
        self.assertEqual(server.attributes["http.response.status_code"], 403)
        self.assertEqual(server.attributes["txingress.outcome"], "access_refused")

    def test_http2(self) -> None:
        """A request over HTTP/2 has the same spans."""
        url = f"http://127.0.0.1:{self.process.port('http')}/shop"
        head = ("-H", "Host: on.example", "-H", "X-Request-ID: second-1")
        ended = run("curl", "--silent", "--http2-prior-knowledge", *head, url)
        self.assertEqual(ended.returncode, 0, ended)
        seen = {name.lower(): value for name, value in json.loads(ended.stdout)["fields"]}
        server, attempts = self.collector.wait_for("second-1")
        self.assertEqual(seen["traceparent"], f"00-{server.trace_id}-{attempts[0].span_id}-01")
        self.assertEqual(server.attributes["network.protocol.version"], "2")
        self.assertEqual(len(attempts), 1)

    def test_same_id(self) -> None:
        """Requests that share an id have spans and traces of their own."""
        traces = {self.ask("on.example", "same", "/shop")["traceparent"] for _ in range(5)}
        self.assertEqual(len({each.split("-")[1] for each in traces}), 5)

    def test_counted(self) -> None:
        """Spans that are sent are counted, whichever process did."""
        before, spans = self.metric("sent"), len(self.collector.spans)
        for number in range(ENOUGH):
            self.ask("on.example", f"counted-{number}", "/shop")
        for number in range(ENOUGH):
            self.collector.wait_for(f"counted-{number}")
        wait_until(lambda: self.metric("sent") - before >= 2 * ENOUGH, "all spans")
        self.assertGreaterEqual(len(self.collector.spans) - spans, 2 * ENOUGH)
        self.assertEqual((self.metric("failed"), self.metric("dropped")), (0, 0))


class WorkersOpenTelemetryTests(OpenTelemetryTests):
    """The same with two workers."""

    workers: ClassVar[int] = 2

    @classmethod
    def prepare(cls, folder: Path) -> None:
        cls.start_all(folder)


class EndTests(ProcessTestCase):
    """What becomes of spans at the end, and while the collector is gone."""

    collector: ClassVar[Collector]

    @classmethod
    def prepare(cls, folder: Path) -> None:
        """Each test starts a process of its own."""
        cls.collector = cls.keep(Collector())
        web = cls.echo("web")
        cls.serve(
            folder,
            ingress_manifest(
                "on", "on.example", {"/": "web"}, annotations={"enable-opentelemetry": "true"}
            ),
            *served_manifests("web", web.port),
            workers=2,
            otlp={"endpoint": cls.collector.url, "delay": 3600, "queue": 40},
        )

    def tearDown(self) -> None:
        self.assertNotIn("Traceback", self.process.log)

    def ask(self, identity: str) -> None:
        reply = self.get("/", "on.example", fields=f"X-Request-ID: {identity}\r\n")
        self.assertEqual(reply.status, 200)

    def test_flushed(self) -> None:
        """What waits in the queues of both workers is sent before they end."""
        for number in range(ENOUGH):
            self.ask(f"last-{number}")
        self.process.stop()
        ids = {span.attributes.get("txingress.request_id") for span in self.collector.spans}
        self.assertEqual({f"last-{number}" for number in range(ENOUGH)} - ids, set())

    def test_gone(self) -> None:
        """A collector that does not answer holds neither requests nor the end."""
        self.collector.may_answer.clear()
        for number in range(5 * ENOUGH):
            self.ask(f"many-{number}")
        with HTTPClient(self.process.port("admin")) as client:
            text = client.request("/metrics", "localhost").text
        self.assertGreater(sample_value(text, "txingress_spans_total", result="dropped") or 0, 0)
        self.process.stop()
        self.assertIn("Spans that are lost", self.process.log)
