"""
The folder ``examples``: its tests, and its configuration in a real process.
"""

from __future__ import annotations

import re
import shutil
import socket
import tempfile
from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

from ingress.admin.ports import port_rows
from ingress.command.offline import load
from tests.support.client import HTTPClient, Reply
from tests.support.endpoints import EchoEndpoint, RawEndpoint, read_head
from tests.support.process import CHECKOUT, replace_file, wait_until
from tests.support.program import replace_text, run_trial, serve_configuration

EXAMPLES = CHECKOUT / "examples"


def serve_tokens(connection: socket.socket) -> None:
    """A service that knows one token."""
    is_good = b"Authorization: Bearer good\r\n" in read_head(connection)
    status = b"200 OK\r\nX-User: alice" if is_good else b"403 Forbidden"
    connection.sendall(b"HTTP/1.1 %b\r\nContent-Length: 0\r\nConnection: close\r\n\r\n" % status)


class PolicyExampleTests(SynchronousTestCase):
    """``examples/policies``."""

    def setUp(self) -> None:
        self.folder = Path(tempfile.mkdtemp())
        self.addCleanup(shutil.rmtree, self.folder)
        self.examples = self.folder / "examples"
        shutil.copytree(
            EXAMPLES, self.examples, ignore=shutil.ignore_patterns("__pycache__", "_trial_temp*")
        )

    def test_own_tests(self) -> None:
        """The tests of the examples pass."""
        output = run_trial("policies", self.examples)
        self.assertIn("PASSED", output.splitlines()[-1], output)

    def serve(self) -> None:
        web, service = EchoEndpoint("web"), RawEndpoint(serve_tokens)
        self.addCleanup(web.stop)
        self.addCleanup(service.stop)
        config = self.examples / "policies" / "ingress.yaml"
        replace_text(
            config,
            {
                "http: 127.0.0.1:8080": "http: 127.0.0.1:0",
                "admin: 127.0.0.1:10254": "admin: 127.0.0.1:0",
                "default/web: 127.0.0.1:3000": f"default/web: 127.0.0.1:{web.port}",
                "http://127.0.0.1:9000": f"http://127.0.0.1:{service.port}",
            },
        )
        self.process = serve_configuration(config, self.folder / "beside", self.examples)
        self.addCleanup(self.process.stop)

    def ask(self, host: str, token: str = "") -> Reply:
        fields = f"Authorization: Bearer {token}\r\n" if token else ""
        with HTTPClient(self.process.port("http")) as client:
            return client.request("/", host, fields=fields)

    def test_served(self) -> None:
        """Each policy does in a real process what it is there for, and the file is followed."""
        self.serve()
        reply = self.ask("open.example")
        self.assertEqual((reply.status, reply.field("X-Served-By")), (200, "txingress"))
        self.assertEqual(self.ask("file.example").status, 401)
        self.assertEqual(self.ask("file.example", "wrong").field("WWW-Authenticate"), "Bearer")
        self.assertEqual(self.ask("file.example", "let-me-in").status, 200)
        replace_file(self.examples / "policies" / "tokens.txt", "another\n")
        wait_until(lambda: self.ask("file.example", "another").status == 200, "the other token")
        self.assertEqual(self.ask("file.example", "let-me-in").status, 401)
        self.assertEqual(self.ask("service.example").status, 401)
        self.assertEqual(self.ask("service.example", "bad").status, 401)
        reply = self.ask("service.example", "good")
        self.assertEqual(reply.status, 200)
        self.assertIn("alice", reply.text)
        self.assertNotIn("Traceback", self.process.log)


class IngressNginxExampleTests(SynchronousTestCase):
    """``examples/ingress-nginx``; `tests.e2e.test_ingress_nginx_examples` serves them."""

    def test_listed(self) -> None:
        """README.md says what each folder shows."""
        folder = EXAMPLES / "ingress-nginx"
        listed = re.findall(r"\]\((.+?)/manifests\.yaml\)", (folder / "README.md").read_text())
        self.assertEqual(
            sorted(listed), sorted(each.parent.name for each in folder.glob("*/requests.yaml"))
        )


class PortExampleTests(SynchronousTestCase):
    """``examples/tcp-udp``."""

    def test_served(self) -> None:
        """Nothing is wrong with it, and each port has an endpoint."""
        offline = load(str(EXAMPLES / "tcp-udp" / "ingress.yaml"), [])
        self.assertEqual(list(offline.problems), [])
        rows = list(port_rows(offline.built.snapshot))
        self.assertEqual(len(rows), 5)
        for row in rows:
            self.assertEqual(len(row["endpoints"]), 1, row)
