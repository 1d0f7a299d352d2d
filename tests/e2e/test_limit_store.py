"""
Two replicas that count together in a real Redis, and what becomes of that when it is gone.
"""

from __future__ import annotations

import os
import shutil
import signal
import socket
import tempfile
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

from tests.support.certs import CertificateAuthority
from tests.support.client import HTTPClient
from tests.support.endpoints import EchoEndpoint, RawEndpoint, read_head
from tests.support.family import descendants
from tests.support.manifest import ingress_manifest, served_manifests
from tests.support.process import PATIENCE, IngressProcess, wait_until
from tests.support.redis_server import PASSWORD, RedisServer, needs_redis

TRIES = 8
LEASE = 2
"""Seconds after which a replica that is gone holds nothing any more."""

HOSTS = [f"host-{number}" for number in range(2 * TRIES)] + ["a", "b", "c"]
"""The names of Ingresses, each of which has a limit of its own."""

MOST_HELD = 4
HELD = ["held-before", "held-meanwhile", "held-after"]
"""The names of Ingresses at which a client may have `MOST_HELD` requests in progress."""


def begin_answer(connection: socket.socket) -> None:
    """Begin a response, and never end it."""
    read_head(connection)
    connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nx")
    while connection.recv(1000):
        pass


def close_all(connections: list[socket.socket]) -> None:
    """Let the requests end."""
    for connection in connections:
        connection.close()


class LimitStoreTests(SynchronousTestCase):
    def setUp(self) -> None:
        needs_redis()
        self.resources = ExitStack()
        self.addCleanup(self.resources.close)
        self.web = EchoEndpoint("web")
        self.resources.callback(self.web.stop)
        self.slow = RawEndpoint(begin_answer)
        self.resources.callback(self.slow.stop)
        self.redis = RedisServer()
        self.resources.callback(self.redis.stop)

    def replica(
        self, url: str, workers: int = 1, ca: Path | None = None, **environment: str
    ) -> IngressProcess:
        folder = Path(tempfile.mkdtemp(prefix="ingress-"))
        self.resources.callback(shutil.rmtree, folder)
        store = {"store": url, "store-ca": None if ca is None else str(ca), "store-lease": LEASE}
        process = IngressProcess(folder, limits=store, workers=workers)
        process.environment = {**process.environment, **environment}
        limits = {"limit-rpm": "1", "limit-burst-multiplier": "20"}
        process.write(
            "all.yaml",
            *(
                ingress_manifest(name, f"{name}.example", {"/": "web"}, annotations=limits)
                for name in HOSTS
            ),
            *(
                ingress_manifest(
                    name,
                    f"{name}.example",
                    {"/": "slow"},
                    annotations={"limit-connections": str(MOST_HELD)},
                )
                for name in HELD
            ),
            *served_manifests("web", self.web.port),
            *served_manifests("slow", self.slow.port),
        )
        self.resources.callback(process.stop)
        process.start()
        return process

    def statuses(self, process: IngressProcess, host: str, count: int) -> list[int]:
        found = []
        for _ in range(count):
            with HTTPClient(process.port("http")) as client:
                found.append(client.request("/", host, fields="Connection: close\r\n").status)
        return found

    def admitted(self, processes: list[IngressProcess], host: str) -> int:
        """How many of 30 requests to each are let in, taking turns."""
        statuses = [
            status
            for _ in range(30)
            for process in processes
            for status in self.statuses(process, host, 1)
        ]
        self.assertEqual(set(statuses) - {200, 503}, set())
        return statuses.count(200)

    def test_together(self) -> None:
        """Replicas together let in what one would; without the store each counts for itself."""
        replicas = [self.replica(self.redis.url()), self.replica(self.redis.url(), workers=2)]
        for process, count in zip(replicas, (1, 2), strict=True):
            self.wait_for_store(process, count)
        self.check_common(replicas, 0)
        self.check_held(replicas, HELD[0])

        self.redis.freeze()
        self.assertEqual(self.admitted(replicas, "b.example"), 42)
        local = self.hold(replicas, HELD[1], MOST_HELD + 1)
        self.assertEqual(len(local), 2 * MOST_HELD)
        self.redis.thaw()
        # What they have let in meanwhile counts for all.
        wait_until(lambda: not self.hold(replicas, HELD[1], 1), "a common count")
        close_all(local)

        marks = [process.mark() for process in replicas]
        self.redis.end()
        for process, mark in zip(replicas, marks, strict=True):
            process.wait_for_line("The store of limits .* cannot be used", since=mark)
        self.assertEqual(self.admitted(replicas, "c.example"), 42)

        self.redis.start()
        for process, mark in zip(replicas, marks, strict=True):
            process.wait_for_line("The store of limits is back", since=mark)
        wait_until(lambda: self.redis_has_all(replicas[1]), "the other worker")
        self.check_common(replicas, TRIES)
        self.check_killed(replicas, HELD[2])
        for process in replicas:
            self.assertNotIn(PASSWORD, process.log)
            self.assertNotIn(PASSWORD.replace(" ", "%20"), process.log)
            self.assertNotIn("Traceback", process.log)

    def wait_for_store(self, process: IngressProcess, count: int) -> None:
        """Wait until so many processes of a replica use the store."""
        wait_until(lambda: process.log.count("The store of limits is used") == count, "the store")

    def check_common(self, replicas: list[IngressProcess], first: int) -> None:
        """
        Replicas let in what one would. On a busy machine a request may wait for 50 ms in vain, after
        which its replica counts alone for a second: another Ingress is tried then.
        """
        hosts = [f"{name}.example" for name in HOSTS[first : first + TRIES]]
        wait_until(lambda: self.admitted(replicas, hosts.pop()) == 21, "a common count")

    def hold(
        self, replicas: Sequence[IngressProcess], name: str, count: int
    ) -> list[socket.socket]:
        """
        Begin so many requests on each replica, taking turns.

        :return: the connections of those that are in progress; those of the others are closed.
        """
        held = []
        for process in [*replicas] * count:
            client = socket.create_connection(("127.0.0.1", process.port("http")), PATIENCE)
            self.resources.callback(client.close)
            client.sendall(b"GET / HTTP/1.1\r\nHost: %b.example\r\n\r\n" % name.encode())
            status = client.recv(12)
            self.assertIn(status, (b"HTTP/1.1 200", b"HTTP/1.1 503"))
            if status.endswith(b"200"):
                held.append(client)
            else:
                client.close()
        return held

    def hold_most(self, replicas: Sequence[IngressProcess], name: str) -> list[socket.socket]:
        """
        Have as much in progress as a client may at this Ingress. On a busy machine that takes some
        tries (see `check_common`).

        :return: the connections.
        """

        def held() -> list[socket.socket]:
            found = self.hold(replicas, name, MOST_HELD)
            if len(found) == MOST_HELD:
                return found
            close_all(found)
            return []

        return wait_until(held, "a common count")

    def check_held(self, replicas: list[IngressProcess], name: str) -> None:
        """Replicas let in what one would, and again when requests are over."""
        close_all(self.hold_most(replicas, name))
        wait_until(lambda: len(self.hold(replicas, name, 1)) == len(replicas), "room")

    def check_killed(self, replicas: list[IngressProcess], name: str) -> None:
        """
        What a replica had in progress that was killed counts no more after a while, and what
        another one has in progress counts all the time.
        """
        alive, killed = replicas
        held = self.hold_most(replicas, name)
        port = alive.port("http")
        kept = [client for client in held if client.getpeername()[1] == port]
        for pid in [killed.pid, *descendants(killed.pid)]:
            os.kill(pid, signal.SIGKILL)
        found: list[socket.socket] = []

        def holds_all() -> bool:
            found.extend(self.hold([alive], name, 1))
            return len(found) + len(kept) == MOST_HELD

        wait_until(holds_all, "the end of the lease")
        self.assertEqual(self.hold([alive], name, 1), [])

    def redis_has_all(self, process: IngressProcess) -> bool:
        """Whether both workers have said that the store is back."""
        return process.log.count("is back") >= 2

    def test_tls(self) -> None:
        """Over TLS the certificate must be one for the name of the store that is trusted."""
        folder = Path(tempfile.mkdtemp(prefix="redis-"))
        self.resources.callback(shutil.rmtree, folder)
        authority = CertificateAuthority()
        root = folder / "root.pem"
        root.write_bytes(authority.root_pem)
        for name, works in (("localhost", True), ("other.example", False)):
            issued = authority.issue(name)
            files = (folder / f"{name}.crt", folder / f"{name}.key")
            for file, data in zip(files, (issued.chain_pem, issued.key_pem), strict=True):
                file.write_bytes(data)
            server = RedisServer(tls=files)
            self.resources.callback(server.stop)
            replicas = [
                self.replica(server.url(), SSL_CERT_FILE=str(root)),
                self.replica(server.url(), ca=root),
            ]
            if works:
                for process in replicas:
                    self.wait_for_store(process, 1)
                self.check_common(replicas, 0)
            else:
                replicas[0].wait_for_line("The store of limits rediss://localhost.* cannot be used")
                self.assertEqual(self.admitted(replicas, "a.example"), 42)

    def test_wrong_password(self) -> None:
        """A wrong password costs the common count, and nothing else."""
        process = self.replica(self.redis.url("hunter2"))
        process.wait_for_line("The store of limits redis://localhost:.* cannot be used .WRONGPASS")
        self.assertEqual(self.admitted([process], "a.example"), 21)
        self.assertNotIn("hunter2", process.log)
