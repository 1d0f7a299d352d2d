"""
Limits of clients, with one process and with several that share the listeners.
"""

from __future__ import annotations

import contextlib
import os
import re
import signal
import socket
import struct
from contextlib import ExitStack
from pathlib import Path
from typing import ClassVar

from tests.e2e.case import ProcessTestCase
from tests.e2e.test_workers import worker_pids
from tests.support.client import HTTPClient
from tests.support.endpoints import EchoEndpoint, RawEndpoint, read_head
from tests.support.manifest import ingress_manifest, served_manifests
from tests.support.metrics import sample_value
from tests.support.process import wait_until

BURST = 30

REFUSED = re.compile(' 503 .* limited "This client has sent more requests within a minute')


def never_answer(connection: socket.socket) -> None:
    """Read all, and answer nothing."""
    read_head(connection)
    while connection.recv(1000):
        pass


class LimitsTestCase(ProcessTestCase):
    path: ClassVar[Path]
    web: ClassVar[EchoEndpoint]
    silent: ClassVar[RawEndpoint]

    @classmethod
    def serve_limits(cls, folder: Path, workers: int) -> None:
        cls.path = folder / "access.log"
        cls.web = cls.echo("web")
        cls.silent = cls.keep(RawEndpoint(never_answer))
        cls.serve(folder, *cls.manifests(), workers=workers, access_log={"path": str(cls.path)})

    @classmethod
    def manifests(cls) -> list[object]:
        limits = {
            "minute": {"limit-rpm": "1", "limit-burst-multiplier": "30"},
            "dry": {"limit-rpm": "1", "txingress.dev/limit-dry-run": "true"},
        }
        return [
            *(
                ingress_manifest(name, f"{name}.example", {"/": "web"}, annotations=annotations)
                for name, annotations in limits.items()
            ),
            ingress_manifest(
                "few", "few.example", {"/": "silent"}, annotations={"limit-connections": "8"}
            ),
            *served_manifests("web", cls.web.port),
            *served_manifests("silent", cls.silent.port),
        ]

    def statuses(self, host: str, count: int) -> list[int]:
        """The answers to so many requests, on a connection each."""
        return [self.get(host=host).status for _ in range(count)]

    def metric(self, **labels: str) -> float | None:
        with HTTPClient(self.process.port("admin")) as client:
            text = client.request("/metrics", "localhost").text
        return sample_value(text, "txingress_limit_refusals_total", **labels)

    def check_rate(self) -> None:
        """Over all processes the burst and one request pass, and the rest is counted."""
        statuses = self.statuses("minute.example", 3 * BURST)
        self.assertEqual(statuses.count(200), BURST + 1)
        self.assertEqual(statuses.count(503), 2 * BURST - 1)
        wait_until(lambda: REFUSED.search(self.path.read_text()), "a line of the access log")
        labels = {"namespace": "default", "ingress": "minute", "limit": "rpm", "dry_run": "false"}
        wait_until(lambda: self.metric(**labels) == 2 * BURST - 1, "all refusals")

    def check_dry_run(self) -> None:
        """A dry run refuses nobody."""
        self.assertEqual(self.statuses("dry.example", 20), [200] * 20)
        labels = {"namespace": "default", "ingress": "dry", "limit": "rpm", "dry_run": "true"}
        wait_until(lambda: self.metric(**labels) == 14, "those beyond the limit")

    def check_connections(self) -> None:
        """Of 20 requests at once, 8 are in progress, exactly; the others are refused."""
        with ExitStack() as stack:
            clients = [stack.enter_context(self.open()) for _ in range(20)]
            wait_until(lambda: self.refused(clients) == 12, "refusals")
            self.assertEqual(self.statuses("few.example", 3), [503] * 3)
        wait_until(self.is_free, "room for another client")

    def open(self) -> socket.socket:
        """A connection with a request that is not answered."""
        connection = socket.create_connection(("127.0.0.1", self.process.port("http")))
        connection.sendall(b"GET / HTTP/1.1\r\nHost: few.example\r\n\r\n")
        connection.setblocking(False)
        # Closed, it is reset: a client that only ends its side still waits for an answer.
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        return connection

    def refused(self, clients: list[socket.socket]) -> int:
        count = 0
        for client in clients:
            with contextlib.suppress(BlockingIOError):
                count += client.recv(1000, socket.MSG_PEEK).startswith(b"HTTP/1.1 503")
        return count

    def is_free(self) -> bool:
        """Whether 8 requests may be in progress again."""
        with ExitStack() as stack:
            clients = [stack.enter_context(self.open()) for _ in range(8)]
            self.get("/none", "nobody.example")
            return self.refused(clients) == 0


class OneProcessTests(LimitsTestCase):
    @classmethod
    def prepare(cls, folder: Path) -> None:
        cls.serve_limits(folder, 1)

    def test_rate(self) -> None:
        """Beyond the limit and its burst a client gets 503, counted, with its reason in the log."""
        self.check_rate()

    def test_dry_run(self) -> None:
        """A dry run counts, and refuses nobody."""
        self.check_dry_run()

    def test_connections(self) -> None:
        """As many requests are in progress as the limit says."""
        self.check_connections()


class WorkersTests(LimitsTestCase):
    @classmethod
    def prepare(cls, folder: Path) -> None:
        cls.serve_limits(folder, 2)

    def test_rate(self) -> None:
        """Two workers together let no more pass than one."""
        self.check_rate()

    def test_dry_run(self) -> None:
        """Two workers count together."""
        self.check_dry_run()

    def test_connections(self) -> None:
        """Over two workers it is the same, to the request."""
        self.check_connections()

    def test_killed(self) -> None:
        """What was in progress in a worker that is killed counts no more."""
        with ExitStack() as stack:
            clients = [stack.enter_context(self.open()) for _ in range(8)]
            self.get("/none", "nobody.example")
            self.assertEqual(self.refused(clients), 0)
            mark = self.process.mark()
            for pid in worker_pids(self.process):
                os.kill(pid, signal.SIGKILL)
            for _ in range(2):
                self.process.wait_for_line(r"Worker \d \(pid \d+\) accepts", since=mark)
            wait_until(lambda: len(worker_pids(self.process)) == 2, "their successors")
            wait_until(self.is_free, "room")


class AllRulesTests(ProcessTestCase):
    """``limits.requests-per-client`` and ``limits.concurrency``, over two workers."""

    web: ClassVar[EchoEndpoint]
    silent: ClassVar[RawEndpoint]

    @classmethod
    def prepare(cls, folder: Path) -> None:
        cls.web = cls.echo("web")
        silent = cls.silent = cls.keep(RawEndpoint(never_answer))
        cls.serve(
            folder,
            *(
                ingress_manifest(name, f"{name}.example", {"/": service})
                for name, service in (("one", "silent"), ("two", "silent"), ("web", "web"))
            ),
            *served_manifests("web", cls.web.port),
            *served_manifests("silent", silent.port),
            workers=2,
            limits={"requests-per-client": 6, "concurrency": "auto"},
        )

    def open(self, host: str) -> socket.socket:
        connection = socket.create_connection(("127.0.0.1", self.process.port("http")))
        self.addCleanup(connection.close)
        connection.sendall(f"GET / HTTP/1.1\r\nHost: {host}\r\n\r\n".encode())
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        return connection

    def test_bound(self) -> None:
        """A client has six requests in progress at all rules and workers, and is let in again."""
        self.assertEqual(self.get(host="web.example").status, 200)
        held = [self.open(f"{name}.example") for name in ("one", "two") * 3]

        def status() -> int:
            return self.get(host="web.example").status

        wait_until(lambda: self.silent.connections == 6, "six requests at their endpoints")
        self.assertEqual(status(), 503)
        held.pop().close()
        wait_until(lambda: status() == 200, "room for one more")
        for connection in held:
            connection.close()


del LimitsTestCase
