"""
Health checks of endpoints, by a process with two workers and by one without.
"""

from __future__ import annotations

import json
import socket
from pathlib import Path
from typing import Any, ClassVar

from tests.e2e.case import ProcessTestCase, run
from tests.support.endpoints import RawEndpoint, read_head
from tests.support.manifest import ingress_manifest, served_manifests
from tests.support.process import wait_until

PREFIX = "txingress.dev/health-check-"


class Checked:
    """An endpoint that answers each request with its name, and checks as a test wants."""

    def __init__(self, name: bytes) -> None:
        self.name = name
        self.status = 200
        self.server = RawEndpoint(self.serve)

    def serve(self, connection: socket.socket) -> None:
        path = read_head(connection).split(b" ")[1]
        status = self.status if path == b"/healthz" else 200
        head = b"HTTP/1.1 %d X\r\nContent-Length: %d\r\nConnection: close\r\n\r\n"
        connection.sendall(head % (status, len(self.name)) + self.name)

    def stop(self) -> None:
        self.server.stop()


class HealthCheckCase(ProcessTestCase):
    workers = 1
    one: ClassVar[Checked]
    two: ClassVar[Checked]

    @classmethod
    def start(cls, folder: Path, workers: int) -> None:
        cls.one, cls.two = cls.keep(Checked(b"one")), cls.keep(Checked(b"two"))
        annotations = {
            f"{PREFIX}path": "/healthz",
            f"{PREFIX}interval": "1s",
            f"{PREFIX}unhealthy-threshold": "2",
            f"{PREFIX}healthy-threshold": "1",
        }
        web = ingress_manifest("web", "a.example", {"/": "web"})
        metadata = web["metadata"]
        assert isinstance(metadata, dict)
        metadata["annotations"] = annotations
        ports = (cls.one.server.port, cls.two.server.port)
        cls.serve(folder, web, *served_manifests("web", *ports), workers=workers)

    def answers(self) -> set[str]:
        return {self.get().body.decode() for _ in range(12)}

    def admin(self, page: str) -> bytes:
        url = f"http://127.0.0.1:{self.process.port('admin')}/{page}"
        return run("curl", "-sS", "--fail", url).stdout

    def endpoints(self) -> list[dict[str, Any]]:
        (upstream,) = json.loads(self.admin("snapshot"))["upstreams"].values()
        found: list[dict[str, Any]] = upstream["endpoints"]
        return found

    def check(self) -> None:
        """An endpoint that fails its checks gets no requests, and is shown, until it succeeds."""
        self.assertEqual(self.answers(), {"one", "two"})
        self.one.status = 503
        wait_until(lambda: self.answers() == {"two"}, "the endpoint to be left out")
        shown = {each["address"]: each["unhealthy"] for each in self.endpoints()}
        address = f"127.0.0.1:{self.one.server.port}"
        self.assertEqual(shown, {address: True, f"127.0.0.1:{self.two.server.port}": False})
        metrics = self.admin("metrics").decode()
        self.assertIn("txingress_unhealthy_endpoints 1\n", metrics)
        self.assertIn('txingress_health_checks_total{result="failure"} ', metrics)
        self.two.status = 503
        wait_until(lambda: self.answers() == {"one", "two"}, "all to be asked where all fail")
        self.one.status = self.two.status = 200
        wait_until(
            lambda: not any(each["unhealthy"] for each in self.endpoints()), "both to be healthy"
        )
        self.assertEqual(self.answers(), {"one", "two"})


class OneProcessTests(HealthCheckCase):
    @classmethod
    def prepare(cls, folder: Path) -> None:
        cls.start(folder, 1)

    def test_leaves_out(self) -> None:
        """An endpoint that fails its checks gets no requests until it succeeds again."""
        self.check()


class WorkersTests(HealthCheckCase):
    @classmethod
    def prepare(cls, folder: Path) -> None:
        cls.start(folder, 2)

    def test_leaves_out(self) -> None:
        """One process checks for all workers."""
        self.check()
