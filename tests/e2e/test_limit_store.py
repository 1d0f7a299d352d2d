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
from typing import cast

from twisted.trial.unittest import SynchronousTestCase

from tests.support.certs import CertificateAuthority
from tests.support.endpoints import EchoEndpoint, RawEndpoint, read_head
from tests.support.family import descendants
from tests.support.manifest import ingress_manifest, served_manifests
from tests.support.process import PATIENCE, IngressProcess, wait_until
from tests.support.redis_server import PASSWORD, RedisServer, needs_redis

LEASE = 2
"""Seconds after which a replica that is gone holds nothing any more."""

MOST = 2
"""
Requests that a client may send at once. On a busy machine any of them may wait for 50 ms in vain,
after which its replica counts alone for a second. So each try has few requests, and a new client.
"""

MOST_HELD = 4
"""Requests that a client may have in progress."""

CLIENTS = [f"127.1.{high}.{low}" for high in range(256) for low in range(1, 255)]
"""The addresses of clients, each of which has limits of its own."""


def begin_answer(connection: socket.socket) -> None:
    """Begin a response, and never end it."""
    read_head(connection)
    connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nx")
    while connection.recv(1000):
        pass


def close_all(connections: Sequence[socket.socket | None]) -> int:
    """
    Let the requests end.

    :return: how many there were.
    """
    found = [each for each in connections if each is not None]
    for connection in found:
        connection.close()
    return len(found)


class LimitStoreTests(SynchronousTestCase):
    def setUp(self) -> None:
        needs_redis()
        self.clients = iter(CLIENTS)
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
        counted = {"limit-rpm": "1", "limit-burst-multiplier": str(MOST - 1)}
        held = {"limit-connections": str(MOST_HELD)}
        process.write(
            "all.yaml",
            ingress_manifest("counted", "counted.example", {"/": "web"}, annotations=counted),
            ingress_manifest("held", "held.example", {"/": "slow"}, annotations=held),
            *served_manifests("web", self.web.port),
            *served_manifests("slow", self.slow.port),
        )
        self.resources.callback(process.stop)
        process.start()
        return process

    def connect(self, process: IngressProcess, client: str) -> socket.socket:
        """:param client: the address of the client."""
        connection = socket.create_connection(
            ("127.0.0.1", process.port("http")), PATIENCE, source_address=(client, 0)
        )
        self.resources.callback(connection.close)
        return connection

    def begin(self, process: IngressProcess, host: str, client: str) -> socket.socket | None:
        """
        Begin a request.

        :return: the connection on which its response comes; None if it was refused.
        """
        connection = self.connect(process, client)
        connection.sendall(b"GET / HTTP/1.1\r\nHost: %b\r\n\r\n" % host.encode())
        status = connection.recv(12)
        self.assertIn(status, (b"HTTP/1.1 200", b"HTTP/1.1 503"))
        if status.endswith(b"200"):
            return connection
        connection.close()
        return None

    def admitted(self, replicas: Sequence[IngressProcess]) -> int:
        """How many requests of a new client are let in if it sends each replica one too many."""
        client = next(self.clients)
        begun = [self.begin(each, "counted.example", client) for each in [*replicas] * (MOST + 1)]
        return close_all(begun)

    def test_together(self) -> None:
        """Replicas together let in what one would; without the store each counts for itself."""
        replicas = [self.replica(self.redis.url()), self.replica(self.redis.url(), workers=2)]
        for process, count in zip(replicas, (1, 2), strict=True):
            self.wait_for_store(process, count)
        self.check_common(replicas)
        self.check_held(replicas)

        self.redis.freeze()
        self.assertEqual(self.admitted(replicas), 2 * MOST)
        self.assertEqual(len(self.hold(replicas, next(self.clients), MOST_HELD + 1)), 2 * MOST_HELD)
        client = next(self.clients)
        first, other = replicas
        self.assertEqual(len(self.hold([other], client, MOST_HELD)), MOST_HELD)
        self.redis.thaw()
        # What one has let in meanwhile counts for the other, which has nothing of it in progress.
        wait_until(lambda: not close_all(self.hold([first], client, 1)), "a common count")
        self.check_common(replicas)

        marks = [process.mark() for process in replicas]
        self.redis.end()
        for process, mark in zip(replicas, marks, strict=True):
            process.wait_for_line("The store of limits .* cannot be used", since=mark)
        self.assertEqual(self.admitted(replicas), 2 * MOST)

        self.redis.start()
        for process, mark in zip(replicas, marks, strict=True):
            process.wait_for_line("The store of limits is back", since=mark)
        wait_until(lambda: self.redis_has_all(replicas[1]), "the other worker")
        self.check_common(replicas)
        self.check_killed(replicas)
        for process in replicas:
            self.assertNotIn(PASSWORD, process.log)
            self.assertNotIn(PASSWORD.replace(" ", "%20"), process.log)
            self.assertNotIn("Traceback", process.log)

    def wait_for_store(self, process: IngressProcess, count: int) -> None:
        """Wait until so many processes of a replica use the store."""
        wait_until(lambda: process.log.count("The store of limits is used") == count, "the store")

    def check_common(self, replicas: Sequence[IngressProcess]) -> None:
        """Replicas let in what one would."""
        wait_until(lambda: self.admitted(replicas) == MOST, "a common count")

    def hold(
        self, replicas: Sequence[IngressProcess], client: str, count: int
    ) -> list[socket.socket]:
        """
        Begin so many requests on each replica, taking turns.

        :return: the connections of those that are in progress.
        """
        begun = [self.begin(each, "held.example", client) for each in [*replicas] * count]
        return [each for each in begun if each is not None]

    def hold_most(self, replicas: Sequence[IngressProcess]) -> tuple[str, list[socket.socket]]:
        """
        Have as much in progress as replicas together let a client have, and not more.

        :return: the client, and the connections.
        """

        def held() -> tuple[str, list[socket.socket]] | None:
            client = next(self.clients)
            found = self.hold(replicas, client, MOST_HELD)
            if len(found) == MOST_HELD:
                return client, found
            close_all(found)
            return None

        return cast(tuple[str, list[socket.socket]], wait_until(held, "a common count"))

    def check_held(self, replicas: Sequence[IngressProcess]) -> None:
        """Replicas let in what one would, and again when requests are over."""
        client, held = self.hold_most(replicas)
        close_all(held)
        wait_until(lambda: close_all(self.hold(replicas, client, 1)) == len(replicas), "room")

    def check_killed(self, replicas: Sequence[IngressProcess]) -> None:
        """
        What a replica had in progress that was killed counts no more after a while, and what
        another one has in progress counts all the time.
        """
        alive, killed = replicas
        client, held = self.hold_most(replicas)
        port = alive.port("http")
        kept = [each for each in held if each.getpeername()[1] == port]
        for pid in [killed.pid, *descendants(killed.pid)]:
            os.kill(pid, signal.SIGKILL)

        def holds_all() -> bool:
            kept.extend(self.hold([alive], client, 1))
            return len(kept) == MOST_HELD

        wait_until(holds_all, "the end of the lease")
        self.assertEqual(self.hold([alive], client, 1), [])

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
                self.check_common(replicas)
            else:
                replicas[0].wait_for_line("The store of limits rediss://localhost.* cannot be used")
                self.assertEqual(self.admitted(replicas), 2 * MOST)

    def test_wrong_password(self) -> None:
        """A wrong password costs the common count, and nothing else."""
        process = self.replica(self.redis.url("hunter2"))
        process.wait_for_line("The store of limits redis://localhost:.* cannot be used .WRONGPASS")
        self.assertEqual(self.admitted([process]), MOST)
        self.assertNotIn("hunter2", process.log)
