"""
What the admin listener of a process with two workers says.
"""

from __future__ import annotations

import json
import socket
from contextlib import redirect_stdout
from io import StringIO
from pathlib import Path
from typing import Any
from urllib.parse import urlencode, urlsplit

from ingress.command.main import main
from tests.e2e.case import ProcessTestCase
from tests.support.certs import CertificateAuthority
from tests.support.client import HTTPClient, Reply
from tests.support.manifest import ingress_manifest, secret_manifest, served_manifests
from tests.support.metric_page import differences
from tests.support.open_api import json_paths, mistakes_in, parameters_of
from tests.support.process import PATIENCE, wait_until

TOKEN = "0123456789abcdef"

MANY = 12
"""Requests on as many connections, of which both workers get some."""


class AdminTests(ProcessTestCase):
    @classmethod
    def prepare(cls, folder: Path) -> None:
        web = cls.echo("web")
        certificate = CertificateAuthority().issue("tls.example")
        (folder / "token").write_text(f"{TOKEN}\n")
        cls.serve(
            folder,
            secret_manifest("pair", certificate),
            ingress_manifest("web", "a.example", {"/": "web", "/gone": "gone"}),
            ingress_manifest("tls", "tls.example", {"/": "web"}, tls={"pair": ["tls.example"]}),
            ingress_manifest(
                "refused",
                "b.example",
                {"/": "web"},
                annotations={"whitelist-source-range": "192.0.2.1"},
            ),
            ingress_manifest(
                "limited", "limited.example", {"/": "web"}, annotations={"limit-rpm": "10"}
            ),
            *served_manifests("web", web.port),
            workers=2,
            explain={"token-file": "token"},
        )

    def ask(
        self, target: str, *, method: str = "GET", own_host: str = "localhost", **query: str
    ) -> Reply:
        """Ask the admin listener."""
        with HTTPClient(self.process.port("admin")) as client:
            target = f"{target}?{urlencode(query)}" if query else target
            return client.request(target, own_host, method=method, fields="Connection: close\r\n")

    def value(self, target: str, **query: str) -> Any:
        reply = self.ask(target, **query)
        self.assertEqual(reply.status, 200, reply.body)
        self.assertEqual(reply.field("Content-Type"), "application/json")
        return json.loads(reply.body)

    def test_documented(self) -> None:
        """Every value is what the OpenAPI document says, and so are the parameters."""
        self.get("/documented")
        self.get("/gone")
        self.process.write("more.yaml", ingress_manifest("more", "more.example", {"/": "web"}))
        wait_until(lambda: self.value("/changes")["changes"], "the change")
        targets: list[tuple[str, dict[str, str]]] = [(path, {}) for path in json_paths()]
        targets.remove(("/explain", {}))
        targets += [
            ("/explain", {"url": url})
            for url in (
                "https://tls.example/",
                "tls.example",
                "a.example/gone",
                "b.example",
                "c.example/x?y=z",
            )
        ]
        targets += [("/", {"q": "https://tls.example/x"}), ("/", {"q": "http://[x"})]
        targets += [("/snapshot", {"host": "a.example"}), ("/endpoints", {"state": "ok"})]
        for path, query in targets:
            self.assertEqual(mistakes_in(self.value(path, **query), path), [])
        for path in json_paths():
            reply = self.ask(path, unknown="1")
            self.assertEqual(reply.status, 400)
            accepted = reply.text.partition("accepted are ")[2].strip()
            self.assertEqual(set(accepted.split(", ")), parameters_of(path))
            self.assertEqual(self.ask(path, method="POST").status, 405)
            self.assertEqual(self.ask(path, own_host="rebound.example").status, 421)

    def test_metrics(self) -> None:
        """What Prometheus gets is what docs/metrics.md says, after requests and before."""
        self.assertEqual(differences(self.ask("/metrics").text), [])
        self.get("/first")
        self.get("/gone")
        self.assertEqual(differences(self.ask("/metrics").text), [])

    def test_exchanges(self) -> None:
        """The last requests of all workers are shown, without what may be secret in them."""
        for _ in range(MANY):
            self.get("/first?token=secret", fields="Authorization: Basic c2VjcmV0\r\n")
        self.assertEqual(self.get("/gone").status, 503)
        rows = self.value("/exchanges", host="a.example", status="200")["exchanges"]
        rows = [row for row in rows if row["path"] == "/first"]
        self.assertEqual(len(rows), MANY)
        self.assertNotIn("secret", str(rows))
        self.assertEqual(len({row["process"] for row in rows}), 2)
        self.assertEqual([row["at"] for row in rows], sorted(r["at"] for r in rows)[::-1])
        (row, *_) = self.value("/exchanges", outcome="no_endpoint")["exchanges"]
        self.assertEqual(
            (row["path"], row["status"], row["rule"]), ("/gone", 503, "a.example/gone")
        )
        self.assertEqual(self.value("/exchanges", host="b.example")["exchanges"], [])

    def test_followed(self) -> None:
        """Requests are shown as they come."""
        self.get("/before")
        with socket.create_connection(("127.0.0.1", self.process.port("admin"))) as connection:
            connection.settimeout(PATIENCE)
            connection.sendall(
                b"GET /exchanges?follow=true&limit=1 HTTP/1.1\r\nHost: localhost\r\n"
                b"Accept: text/event-stream\r\n\r\n"
            )
            seen = b""
            while b"/before" not in seen:
                seen += connection.recv(65536)
            self.assertIn(b"Content-Type: text/event-stream", seen)
            self.get("/after")
            while b'"path":"/after"' not in seen:
                seen += connection.recv(65536)

    def test_on_the_wire(self) -> None:
        """A response explains itself as the admin listener does; the token goes no further."""
        for url, expected in (
            ("http://a.example/x?y=1", 200),
            ("http://a.example/gone", 503),
            ("http://b.example/", 403),
            ("http://c.example/", 404),
        ):
            parts = urlsplit(url)
            target = f"{parts.path}?{parts.query}" if parts.query else parts.path
            reply = self.get(target, parts.netloc, fields=f"X-Explain: {TOKEN}\r\n")
            self.assertEqual(reply.status, expected)
            self.assertNotIn(TOKEN, reply.text)
            written = reply.field("X-Explanation")
            assert written is not None
            said = {name: rest for name, _, rest in map(_halves, written.split("; "))}
            value = self.value("/explain", url=url)
            rule = "none" if value["path"] is None else (value["host"] or "*") + value["path"]
            self.assertEqual(said["rule"], rule)
            self.assertEqual(said["outcome"], value["outcome"] or "ok")
            self.assertEqual(int(said["snapshot"]), value["live"]["generation"])
            for name in ("ingress", "upstream"):
                self.assertEqual(said.get(name), value[name], name)
            self.assertEqual(said.get("endpoint"), value["endpoint"])
            self.assertEqual(value["status"], None if expected == 200 else expected)
            self.assertIsNone(self.get(target, parts.netloc).field("X-Explanation"))

    def test_command(self) -> None:
        """The command shows the tables of a running process, and its explanations."""
        self.get("/gone")
        admin = f"http://127.0.0.1:{self.process.port('admin')}"
        for name, status, expected in (
            ("routes", 0, "default/gone:80"),
            ("endpoints", 0, "Service default/gone does not exist"),
            ("certificates", 0, "HOST"),
            ("problems", 1, "default/gone"),
        ):
            out = StringIO()
            with redirect_stdout(out):
                self.assertEqual(main([name, "--admin", admin]), status)
            self.assertIn(expected, out.getvalue())
        out = StringIO()
        with redirect_stdout(out):
            self.assertEqual(main(["explain", "http://a.example/gone", "--admin", admin]), 0)
        self.assertIn("-> 503 no_endpoint", out.getvalue().splitlines()[1])
        self.assertIn("GET /gone -> 503 no_endpoint", out.getvalue())

    def test_limits(self) -> None:
        """An explanation says how much of a limit a client has used, with all workers."""
        for _ in range(6):
            self.assertEqual(self.get("/", "limited.example").status, 200)
        (limit,) = self.value("/explain", url="http://limited.example/")["live"]["limits"]
        self.assertEqual((limit["limit"], limit["most"]), ("rpm", 50))
        self.assertGreater(limit["used"], 2)
        (limit,) = self.value("/explain", url="http://limited.example/", client="192.0.2.1")[
            "live"
        ]["limits"]
        self.assertEqual(limit["used"], 0)

    def test_explained(self) -> None:
        """An explanation says what the process knows, and what the last requests met."""
        self.get("/gone")
        wait_until(
            lambda: self.value("/explain", url="http://a.example/gone")["live"]["exchanges"],
            "the request among those of its rule",
        )
        value = self.value("/explain", url="http://a.example/gone")
        self.assertEqual((value["status"], value["outcome"]), (503, "no_endpoint"))
        for row in value["live"]["exchanges"]:
            self.assertEqual((row["rule"], row["status"]), ("a.example/gone", 503))
        self.assertEqual(self.ask("/explain", url="http://a.example/", what="1").status, 400)


def _halves(part: str) -> tuple[str, str, str]:
    return part.partition("=")
