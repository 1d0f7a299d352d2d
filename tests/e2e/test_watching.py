"""
What a process that serves tells on its admin listener.
"""

from __future__ import annotations

import gzip
import json
from pathlib import Path
from typing import Any, ClassVar

from tests.e2e.case import ProcessTestCase
from tests.support.certs import CertificateAuthority
from tests.support.client import HTTPClient, Reply
from tests.support.manifest import ingress_manifest, secret_manifest, served_manifests
from tests.support.metrics import sample_value
from tests.support.process import wait_until

PREFIX = "nginx_ingress_controller_"


class WatchingTests(ProcessTestCase):
    """Each test uses hosts of its own, so that their order does not matter."""

    processes: ClassVar = 1

    @classmethod
    def prepare(cls, folder: Path) -> None:
        cls.serve_all(folder)

    @classmethod
    def serve_all(cls, folder: Path, **settings: object) -> None:
        web = cls.echo("web")
        issued = CertificateAuthority().issue("secure.example")
        cls.serve(
            folder,
            ingress_manifest("web", "a.example", {"/": "web", "/api": "web"}),
            ingress_manifest("wildcard", "*.b.example", {"/": "web"}),
            ingress_manifest(
                "secure", "secure.example", {"/": "web"}, tls={"pair": ["secure.example"]}
            ),
            ingress_manifest("orphan", "orphan.example", {"/": "nowhere"}),
            secret_manifest("pair", issued),
            *served_manifests("web", web.port),
            **settings,
        )

    def ask(self, path: str, *, fields: str = "") -> Reply:
        with HTTPClient(self.process.port("admin")) as client:
            return client.request(path, "localhost", fields=f"{fields}Connection: close\r\n")

    @property
    def metrics(self) -> str:
        reply = self.ask("/metrics")
        self.assertEqual(reply.status, 200)
        return reply.text

    def snapshot(self, query: str = "") -> dict[str, Any]:
        document: dict[str, Any] = json.loads(self.ask(f"/snapshot{query}").body)
        return document

    def requests(self, **labels: str) -> float:
        return sample_value(self.metrics, f"{PREFIX}requests", **labels) or 0.0

    def test_rebound_browser(self) -> None:
        """
        A page that made its name resolve to the loopback address reads no more than probes do.
        """
        port = self.process.port("admin")
        fields = (
            "User-Agent: Mozilla/5.0 (X11; Linux x86_64; rv:128.0) Gecko/20100101 Firefox/128.0\r\n"
            f"Accept: */*\r\nReferer: http://attacker.example:{port}/\r\n"
            "Sec-Fetch-Dest: empty\r\nSec-Fetch-Mode: cors\r\nSec-Fetch-Site: same-origin\r\n"
        )
        for path in ("/snapshot", "/routes", "/exchanges", "/explain?url=http://a.example/", "/"):
            with HTTPClient(port) as client:
                reply = client.request(path, f"attacker.example:{port}", fields=fields)
            self.assertEqual(reply.status, 421, path)
            self.assertIn("admin.hosts", reply.text)
            self.assertIsNone(reply.field("server"))
        for path in ("/metrics", "/readyz", "/healthz"):
            with HTTPClient(port) as client:
                reply = client.request(path, f"attacker.example:{port}", fields=fields)
            self.assertEqual(reply.status, 200, path)
        own = f"127.0.0.1:{port}"
        for origin, status in ((f"http://{own}", 200), ("http://attacker.example", 403)):
            with HTTPClient(port) as client:
                reply = client.request("/snapshot", own, fields=f"Origin: {origin}\r\n")
            self.assertEqual(reply.status, status)
            self.assertIsNone(reply.field("server"))

    def test_requests(self) -> None:
        """Requests are counted by host, path, method and status, with times and sizes."""
        for _ in range(3):
            self.assertEqual(self.get("/api/x").status, 200)
        labels = {"host": "a.example", "path": "/api", "method": "GET", "status": "200"}
        wait_until(lambda: self.requests(**labels) == 3, "three requests in the metrics")
        text = self.metrics
        for name in ("request_duration_seconds", "header_duration_seconds", "response_size"):
            self.assertEqual(sample_value(text, f"{PREFIX}{name}_count", **labels), 3, name)
        size = sample_value(text, f"{PREFIX}request_size_sum", **labels)
        assert size is not None
        self.assertGreater(size, 3 * len("GET /api/x HTTP/1.1\r\nHost: a.example\r\n\r\n"))
        self.assertIn(f'{PREFIX}requests{{canary="",controller_class="txingress.dev/ingress"', text)

    def test_checks(self) -> None:
        """Each version of an Ingress without a problem counts as a check that succeeded."""
        name = f"{PREFIX}check_success"
        self.assertEqual(sample_value(self.metrics, name, ingress="web"), 1)

        def write_version(path: str, expected: int) -> None:
            manifest = ingress_manifest("checked", "checked.example", {path: "web"})
            self.process.write("checked.yaml", manifest)
            wait_until(
                lambda: sample_value(self.metrics, name, ingress="checked") == expected,
                f"version {expected}",
            )

        write_version("/one", 1)
        write_version("/two", 2)
        (self.process.manifests / "checked.yaml").unlink()

    def test_usage(self) -> None:
        """Memory and start time of the processes are those that the system knows."""
        text = self.metrics
        virtual = sample_value(text, f"{PREFIX}nginx_process_virtual_memory_bytes")
        resident = sample_value(text, f"{PREFIX}nginx_process_resident_memory_bytes")
        started = sample_value(text, f"{PREFIX}nginx_process_oldest_start_time_seconds")
        assert virtual is not None
        assert resident is not None
        assert started is not None
        self.assertGreater(virtual, resident)
        expected = sample_value(text, "process_start_time_seconds")
        assert expected is not None
        self.assertLess(abs(started - expected), 2)
        for name in ("read", "write"):
            self.assertIsNotNone(sample_value(text, f"{PREFIX}nginx_process_{name}_bytes_total"))

    def test_wildcard(self) -> None:
        """Requests for a wildcard are those of one host, whatever they ask for."""
        for host in ("x.b.example", "y.b.example"):
            self.get(host=host)
        wait_until(
            lambda: self.requests(host="*.b.example", ingress="wildcard") == 2,
            "two requests of the wildcard",
        )

    def test_unknown_host(self) -> None:
        """Requests without a rule make no series of their own, and their outcome is counted."""
        before = sample_value(self.metrics, "txingress_exchanges_total", outcome="no_route") or 0
        for number in range(3):
            self.get(host=f"{number}.unknown.example")

        def counted() -> bool:
            value = sample_value(self.metrics, "txingress_exchanges_total", outcome="no_route")
            return value == before + 3

        wait_until(counted, "three requests without a rule")
        text = self.metrics
        self.assertNotIn("unknown.example", text)
        self.assertIsNotNone(sample_value(text, f"{PREFIX}requests", host="_", status="404"))

    def test_gone(self) -> None:
        """The series of an Ingress go with it."""
        self.process.write("more.yaml", ingress_manifest("more", "more.example", {"/": "web"}))
        wait_until(lambda: self.get(host="more.example").status == 200, "the new host")
        wait_until(lambda: self.requests(ingress="more", status="200") > 0, "its metrics")
        (self.process.manifests / "more.yaml").unlink()
        wait_until(lambda: 'ingress="more"' not in self.metrics, "the end of its metrics")

    def test_process(self) -> None:
        """The process tells of itself, of its certificates and of its Snapshot."""
        text = self.metrics
        self.assertEqual(sample_value(text, f"{PREFIX}nginx_process_num_procs"), self.processes)
        self.assertEqual(sample_value(text, f"{PREFIX}config_last_reload_successful"), 1)
        self.assertIsNotNone(
            sample_value(text, f"{PREFIX}ssl_expire_time_seconds", host="secure.example")
        )
        orphan = sample_value(text, f"{PREFIX}orphan_ingress", ingress="orphan", type="no-service")
        self.assertEqual(orphan, 1)
        self.assertEqual(sample_value(text, "txingress_problems", kind="Ingress"), 1)
        self.assertIn("\nprocess_open_fds ", text)

    def test_connections(self) -> None:
        """A connection that waits for nothing is told as that."""
        client = self.connect()
        client.request("/", "a.example")
        name = f"{PREFIX}nginx_process_connections"
        wait_until(
            lambda: (sample_value(self.metrics, name, state="waiting") or 0) >= 1,
            "an idle connection",
        )

    def test_compressed(self) -> None:
        """Prometheus takes gzip, and gets it."""
        reply = self.ask("/metrics", fields="Accept-Encoding: gzip\r\n")
        self.assertEqual(reply.field("Content-Encoding"), "gzip")
        self.assertIn(b"txingress_snapshot_generation", gzip.decompress(reply.body))

    def test_snapshot(self) -> None:
        """The routing table has hosts, paths, endpoints, certificates and problems."""
        document = self.snapshot()
        hosts = {host["host"]: host for host in document["hosts"]}
        self.assertLessEqual({"a.example", "*.b.example", "secure.example"}, set(hosts))
        paths = [path["path"] for path in hosts["a.example"]["paths"]]
        self.assertEqual(sorted(paths), ["/", "/api"])
        self.assertEqual(len(document["upstreams"]["default/web:80"]["endpoints"]), 1)
        (certificate,) = document["certificates"]
        self.assertEqual(certificate["secret"], "default/pair")
        (problem,) = document["problems"]
        self.assertEqual((problem["kind"], problem["name"]), ("Ingress", "orphan"))
        self.assertTrue(problem["file"].endswith("all.yaml"))

    def test_snapshot_of_one_host(self) -> None:
        """It can be asked for one host, as a client would ask for it."""
        document = self.snapshot("?host=x.b.example")
        self.assertEqual([host["host"] for host in document["hosts"]], ["*.b.example"])
        self.assertEqual(self.ask("/snapshot?host=unknown.example").status, 404)


class WorkersTests(WatchingTests):
    """The same with two workers: all of them are told of together."""

    processes = 3
    """With the one that answers."""

    @classmethod
    def prepare(cls, folder: Path) -> None:
        cls.serve_all(folder, workers=2)
