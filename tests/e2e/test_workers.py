"""
Several processes that share the listeners.
"""

from __future__ import annotations

import os
import re
import shutil
import signal
import socket
import ssl
import tempfile
import threading
from pathlib import Path
from typing import ClassVar

from twisted.trial.unittest import SynchronousTestCase

from tests.e2e.case import ProcessTestCase
from tests.support.certs import CertificateAuthority
from tests.support.client import HTTPClient, trusting_all
from tests.support.endpoints import EchoEndpoint, RawEndpoint, read_head
from tests.support.family import children, descendants, has_open, is_alive, socket_count
from tests.support.manifest import ingress_manifest, secret_manifest, served_manifests
from tests.support.process import LOOPBACK, IngressProcess, wait_until

CONNECTIONS = 400
ENOUGH = 10
"""Connections of which all come to the same of two workers once in five hundred times."""


def worker_pids(process: IngressProcess) -> list[int]:
    """Those of both workers, which are children of the fork server."""
    (fork_server,) = children(process.pid)
    return wait_until(
        lambda: found if len(found := children(fork_server)) == 2 else [], "two workers"
    )


class WorkersTests(ProcessTestCase):
    """Two workers, from outside."""

    authority: ClassVar[CertificateAuthority]
    web: ClassVar[EchoEndpoint]

    @classmethod
    def prepare(cls, folder: Path) -> None:
        cls.authority = CertificateAuthority()
        cls.web = cls.echo("web")
        cls.serve(folder, *cls.manifests("web"), workers=2)

    @classmethod
    def manifests(cls, name: str) -> list[object]:
        return [
            secret_manifest("pair", cls.authority.issue("a.example")),
            ingress_manifest(name, "a.example", {f"/{name}": "web"}, tls={"pair": ["a.example"]}),
            *served_manifests("web", cls.web.port),
        ]

    def publish(self, name: str) -> None:
        """Have a route of this name, and another certificate, served by both."""
        self.process.write("all.yaml", *self.manifests(name))
        wait_until(lambda: self.statuses("https", f"/{name}") == {200}, name)

    def statuses(self, listener: str, target: str) -> set[int]:
        """What enough connections get for an answer."""
        found = set()
        for _ in range(ENOUGH):
            tls = trusting_all() if listener == "https" else None
            with HTTPClient(self.process.port(listener), tls=tls) as client:
                found.add(client.request(target).status)
        return found

    def test_spread(self) -> None:
        """Connections are spread evenly over both."""
        pids = worker_pids(self.process)
        before = [socket_count(pid) for pid in pids]
        port = self.process.port("http")
        for _ in range(CONNECTIONS):
            self.addCleanup(socket.create_connection(("127.0.0.1", port)).close)

        def counts() -> list[int]:
            return [
                socket_count(pid) - at_first for pid, at_first in zip(pids, before, strict=True)
            ]

        wait_until(lambda: sum(counts()) >= CONNECTIONS, "all connections")
        for count in counts():
            self.assertGreater(count, 0.35 * CONNECTIONS)

    def test_changes(self) -> None:
        """A change of manifests and one of the configuration reach both."""
        for name in ("changed", "web"):
            self.publish(name)
        self.process.configure(workers=2, ssl_redirect=False)
        wait_until(lambda: self.statuses("http", "/web") == {200}, "no redirects")
        self.process.configure(workers=2)
        wait_until(lambda: self.statuses("http", "/web") == {308}, "redirects")

    def test_metrics(self) -> None:
        """Metrics are those of both together, as soon as an exchange is over."""

        def requests() -> float:
            with HTTPClient(self.process.port("admin")) as client:
                text = client.request("/metrics", "localhost").text
            self.assertIn("nginx_process_num_procs", text)
            found = re.search(r"nginx_process_requests_total\{.*\} (\S+)", text)
            assert found is not None, text
            return float(found[1])

        before = requests()
        self.statuses("https", "/web")
        wait_until(lambda: requests() - before == ENOUGH, "all requests")

    def test_resumption(self) -> None:
        """
        A TLS session of one is resumed by the other, by one that comes later, and
        when the certificate is another one.
        """
        sessions = []
        for version in (ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3):
            context = trusting_all()
            context.minimum_version = context.maximum_version = version
            sessions.append((context, self.use(context, None, is_resumed=False)))
        self.resume(sessions)
        mark = self.process.mark()
        os.kill(worker_pids(self.process)[0], signal.SIGKILL)
        self.process.wait_for_line("Worker . .* accepts", since=mark)
        self.publish("again")
        self.resume(sessions)
        self.publish("web")

    def resume(self, sessions: list[tuple[ssl.SSLContext, ssl.SSLSession]]) -> None:
        for context, session in sessions:
            for _ in range(ENOUGH):
                self.use(context, session, is_resumed=True)

    def use(
        self, context: ssl.SSLContext, session: ssl.SSLSession | None, *, is_resumed: bool
    ) -> ssl.SSLSession:
        """:return: the session, to be resumed."""
        plain = socket.create_connection(("127.0.0.1", self.process.port("https")))
        with context.wrap_socket(plain, server_hostname="a.example", session=session) as secure:
            secure.sendall(b"GET /none HTTP/1.1\r\nHost: a.example\r\nConnection: close\r\n\r\n")
            while secure.recv(10_000):
                pass
            self.assertEqual(secure.session_reused, is_resumed)
            assert secure.session is not None
            return secure.session

    def test_killed(self) -> None:
        """While one is killed and replaced no connection is refused, and the log tells of it."""
        mark, port = self.process.mark(), self.process.port("https")
        refused: list[OSError] = []
        answered: list[int] = []
        is_over = threading.Event()

        def load() -> None:
            context = trusting_all()
            while not is_over.is_set():
                try:
                    plain = socket.create_connection(("127.0.0.1", port), 20)
                except OSError as error:
                    refused.append(error)
                    continue
                # What was under way in the one that dies is lost.
                try:
                    with context.wrap_socket(plain) as secure:
                        secure.sendall(b"GET /web HTTP/1.1\r\nHost: a.example\r\n\r\n")
                        answered.append(len(secure.recv(100)))
                except OSError:
                    plain.close()

        threads = [threading.Thread(target=load, daemon=True) for _ in range(4)]
        for thread in threads:
            thread.start()
        try:
            wait_until(lambda: len(answered) > 20, "answers")
            victim = worker_pids(self.process)[0]
            os.kill(victim, signal.SIGKILL)
            self.process.wait_for_line(
                rf"Worker \d \(pid {victim}\) was killed by SIGKILL after \d+ s", since=mark
            )
            self.process.wait_for_line(r"Worker \d \(pid \d+\) accepts", since=mark)
            count = len(answered)
            wait_until(lambda: len(answered) > count + 50, "more answers")
        finally:
            is_over.set()
            for thread in threads:
                thread.join()
        self.assertEqual(refused, [])
        self.assertEqual(len(worker_pids(self.process)), 2)


class LivenessTests(ProcessTestCase):
    """Processes that are stopped, or dead without anybody who could say so."""

    web: ClassVar[EchoEndpoint]

    @classmethod
    def prepare(cls, folder: Path) -> None:
        cls.web = cls.echo("web")
        cls.serve(
            folder,
            ingress_manifest("web", "a.example", {"/": "web"}),
            *served_manifests("web", cls.web.port),
            workers=2,
        )

    def stop_process(self, pid: int) -> None:
        """SIGSTOP it, and let it go on at the end of the test at the latest."""
        os.kill(pid, signal.SIGSTOP)
        self.addCleanup(self.go_on, pid)

    def go_on(self, pid: int) -> None:
        if is_alive(pid):
            os.kill(pid, signal.SIGCONT)

    def readiness(self) -> str:
        with HTTPClient(self.process.port("admin")) as client:
            reply = client.request("/readyz", "localhost")
        self.assertEqual(reply.status, 200)
        return reply.text

    def wait_for_note(self, note: str) -> None:
        wait_until(lambda: note in self.readiness(), note)

    def assert_all_answered(self) -> None:
        """Of enough connections none comes to a process that does not accept it."""
        for _ in range(2 * ENOUGH):
            self.assertEqual(self.get().status, 200)

    def accepted_by(self, pid: int) -> bool:
        """Whether a connection of some comes to this process."""
        before = socket_count(pid)
        clients = [HTTPClient(self.process.port("http")) for _ in range(ENOUGH)]
        try:
            for client in clients:
                client.request()
            return socket_count(pid) > before
        finally:
            for client in clients:
                client.close()

    def test_stopped_worker(self) -> None:
        """A stopped worker gets no connections, and its share again when it goes on."""
        victim, other = worker_pids(self.process)
        self.stop_process(victim)
        self.wait_for_note("it gets no new connections")
        self.assert_all_answered()
        self.go_on(victim)
        wait_until(lambda: self.readiness() == "ok\n", "both workers")
        wait_until(lambda: self.accepted_by(victim), "connections to the one that goes on")
        self.assertEqual(worker_pids(self.process), sorted([victim, other]))

    def test_stopped_fork_server(self) -> None:
        """While the fork server is stopped a dead worker is not replaced, and costs nothing."""
        (fork_server,) = children(self.process.pid)
        victim, other = worker_pids(self.process)
        self.stop_process(fork_server)
        os.kill(victim, signal.SIGKILL)
        self.wait_for_note("it gets no new connections")
        self.wait_for_note("the fork server does not answer")
        self.assert_all_answered()
        self.go_on(fork_server)
        wait_until(lambda: self.readiness() == "ok\n", "both workers")
        (successor,) = set(worker_pids(self.process)) - {other}
        wait_until(lambda: self.accepted_by(successor), "connections to the successor")


class LifeTests(SynchronousTestCase):
    """How workers begin and end; each test has a process of its own."""

    def setUp(self) -> None:
        self.folder = Path(tempfile.mkdtemp(prefix="ingress-"))
        self.addCleanup(shutil.rmtree, self.folder)
        self.process = IngressProcess(self.folder, workers=2)
        self.addCleanup(self.process.stop)

    def serve(self, *ports: int) -> list[int]:
        """Serve these endpoints; return the process ids of all but the first process."""
        self.process.write(
            "web.yaml",
            ingress_manifest("web", "a.example", {"/": "web"}),
            *served_manifests("web", *ports),
        )
        self.process.start()
        found = descendants(self.process.pid)
        self.assertEqual(len(found), 3)
        self.addCleanup(self.kill, found)
        return found

    def kill(self, pids: list[int]) -> None:
        for pid in pids:
            if is_alive(pid):
                os.kill(pid, signal.SIGKILL)

    def test_drain(self) -> None:
        """What is under way in any of them finishes, idle connections end, and then all do."""
        may_answer = threading.Event()
        self.addCleanup(may_answer.set)

        def answer_late(connection: socket.socket) -> None:
            read_head(connection)
            connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nha")
            may_answer.wait()
            connection.sendall(b"lf")

        slow = RawEndpoint(answer_late)
        self.addCleanup(slow.stop)
        pids = self.serve(slow.port)
        port = self.process.port("http")
        clients = [HTTPClient(port) for _ in range(ENOUGH)]
        idle = [HTTPClient(port) for _ in range(ENOUGH)]
        for client in (*clients, *idle):
            self.addCleanup(client.close)
        for client in clients:
            client.send(b"GET / HTTP/1.1\r\nHost: a.example\r\n\r\n")
            client.read_head()
        # A supervisor tells all of them, ^C the whole group.
        for pid in (self.process.pid, *pids):
            os.kill(pid, signal.SIGTERM)
        for client in idle:
            self.assertTrue(client.is_closed)
        wait_until(lambda: self.refuses(port), "refusal")
        self.assertTrue(all(map(is_alive, (self.process.pid, *pids))))
        may_answer.set()
        for client in clients:
            self.assertEqual(client.read_exactly(4), b"half")
        self.assertEqual(self.process.wait(), 0)
        wait_until(lambda: not any(map(is_alive, pids)), "the end of all")
        self.assertNotIn("Traceback", self.process.log)
        self.assertNotIn("killed", self.process.log)

    def refuses(self, port: int) -> bool:
        try:
            HTTPClient(port).close()
        except ConnectionRefusedError:
            return True
        return False

    def test_killed(self) -> None:
        """Where the first process is killed no other one is left behind."""
        pids = self.serve(1)
        self.process.signal(signal.SIGKILL)
        self.process.wait()
        wait_until(lambda: not any(map(is_alive, pids)), "the end of all")

    def test_port_taken(self) -> None:
        """A port that somebody has is refused, also if that is somebody who would share it."""
        for owner in ("other", "own"):
            if owner == "own":
                self.serve(1)
                port = self.process.port("http")
            else:
                taken = socket.create_server(("127.0.0.1", 0), reuse_port=True)
                self.addCleanup(taken.close)
                port = taken.getsockname()[1]
            folder = self.folder / owner
            second = IngressProcess(folder, workers=2)
            second.configure(
                workers=2, listen={"http": f"tcp:{port}:interface=127.0.0.1", "https": LOOPBACK}
            )
            self.addCleanup(second.stop)
            second.spawn()
            self.assertEqual(second.wait(), 1)
            self.assertIn("listen.http: ", second.log)
            self.assertIn("Address already in use", second.log)

    def test_files(self) -> None:
        """SIGUSR1 and SIGHUP have all of them open their files again, which were moved away."""
        web = EchoEndpoint("web")
        self.addCleanup(web.stop)
        access, log = self.folder / "access.log", self.folder / "twistd.log"
        self.process.configure(workers=2, access_log={"path": str(access)})
        self.process.write(
            "web.yaml",
            ingress_manifest("web", "a.example", {"/": "web"}),
            *served_manifests("web", web.port),
        )
        self.process.spawn(f"--logfile={log}", *self.process.arguments)
        wait_until(lambda: log.exists() and "listen.https on" in log.read_text(), "listeners")
        port = int(log.read_text().partition("listen.http on 127.0.0.1:")[2].split()[0])

        def request(name: str) -> None:
            """As many as come to both, each a line of the access log."""
            for _ in range(ENOUGH):
                with HTTPClient(port) as client:
                    client.request(f"/{name}")
            wait_until(
                lambda: access.exists() and access.read_text().count(f"/{name} ") == ENOUGH, name
            )

        old = self.folder.resolve() / "access.log.1"
        for number in (signal.SIGUSR1, signal.SIGHUP):
            request(f"before-{number}")
            for file in (access, log):
                file.rename(f"{file}.1")
            self.process.signal(number)
            wait_until(lambda: log.exists() and "reopened" in log.read_text(), "the new log")
            wait_until(
                lambda: not any(has_open(pid, old) for pid in descendants(self.process.pid)),
                "the new access log in all",
            )
            request(f"after-{number}")
            self.assertNotIn(f"/after-{number} ", old.read_text())
        wait_until(lambda: "the configuration is unchanged" in log.read_text(), "the reading")
        self.process.signal(signal.SIGTERM)
        self.assertEqual(self.process.wait(), 0)
        self.assertIn("Server Shut Down", log.read_text())
