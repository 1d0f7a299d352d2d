"""
Active health checks in a whole process with two workers.
"""

from __future__ import annotations

import threading
from pathlib import Path
from typing import Any, ClassVar

from tests.e2e.case import ProcessTestCase
from tests.support.endpoints import EchoEndpoint, RawEndpoint, read_head
from tests.support.manifest import ingress_manifest, served_manifests
from tests.support.process import wait_until

ANNOTATIONS = {
    "txingress.dev/health-check-path": "/healthz",
    "txingress.dev/health-check-interval": "1s",
    "txingress.dev/health-check-healthy-threshold": "1",
    "txingress.dev/health-check-unhealthy-threshold": "1",
}

TIMES = 20


class HealthCheckTests(ProcessTestCase):
    web: ClassVar[EchoEndpoint]
    is_well: ClassVar[threading.Event]

    @classmethod
    def prepare(cls, folder: Path) -> None:
        cls.web = cls.echo("web")
        cls.is_well = threading.Event()
        moody = cls.keep(RawEndpoint(cls.answer))
        ingress: dict[str, Any] = ingress_manifest("web", "a.example", {"/": "web"})
        ingress["metadata"]["annotations"] = ANNOTATIONS
        cls.serve(folder, ingress, *served_manifests("web", cls.web.port, moody.port), workers=2)

    @classmethod
    def answer(cls, connection: Any) -> None:
        """An endpoint that says it is unwell, and serves nevertheless."""
        while True:
            head = read_head(connection)
            status = 503 if b"/healthz" in head and not cls.is_well.is_set() else 202
            connection.sendall(b"HTTP/1.1 %d X\r\nContent-Length: 0\r\n\r\n" % status)

    def statuses(self) -> set[int]:
        return {self.get().status for _ in range(TIMES)}

    def test_left_out(self) -> None:
        """An endpoint whose checks fail gets no requests, until they succeed."""
        wait_until(lambda: self.statuses() == {200}, "the endpoint to be left out")
        self.is_well.set()
        self.addCleanup(self.is_well.clear)
        wait_until(lambda: self.statuses() == {200, 202}, "the endpoint to serve again")
        self.assertTrue(any("/healthz" in line for line in self.web.requests))
