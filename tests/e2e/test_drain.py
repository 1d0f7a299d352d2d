"""
The end of a process that has work: what is under way finishes, what is idle ends at once.
"""

from __future__ import annotations

import shutil
import signal
import socket
import tempfile
import threading
import time
from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

from tests.support.client import HTTPClient, trusting_all
from tests.support.endpoints import EchoEndpoint, RawEndpoint, read_head
from tests.support.manifest import ingress_manifest, served_manifests
from tests.support.process import IngressProcess, wait_until

HEAD = b"GET /slow HTTP/1.1\r\nHost: a.example\r\n\r\n"


class DrainTests(SynchronousTestCase):
    """SIGTERM while requests are under way; each test has a process of its own."""

    def setUp(self) -> None:
        self.may_answer = threading.Event()
        self.addCleanup(self.may_answer.set)
        self.slow, self.web = RawEndpoint(self.answer_late), EchoEndpoint("web")
        self.addCleanup(self.slow.stop)
        self.addCleanup(self.web.stop)
        folder = Path(tempfile.mkdtemp(prefix="ingress-"))
        self.addCleanup(shutil.rmtree, folder)
        self.process = IngressProcess(folder)
        self.process.write(
            "web.yaml",
            ingress_manifest("web", "a.example", {"/": "web", "/slow": "slow"}),
            *served_manifests("web", self.web.port),
            *served_manifests("slow", self.slow.port),
        )
        self.addCleanup(self.process.stop)

    def answer_late(self, connection: socket.socket) -> None:
        read_head(connection)
        connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nha")
        self.may_answer.wait()
        connection.sendall(b"lf")

    def connect(self, *, over_tls: bool = False) -> HTTPClient:
        port = self.process.port("https" if over_tls else "http")
        client = HTTPClient(port, tls=trusting_all() if over_tls else None)
        self.addCleanup(client.close)
        return client

    def drain(self) -> None:
        self.process.signal(signal.SIGTERM)
        self.process.wait_for_line("SIGTERM: draining")

    def refuses(self, listener: str) -> bool:
        try:
            HTTPClient(self.process.port(listener)).close()
        except ConnectionRefusedError:
            return True
        return False

    def test_under_way_and_idle(self) -> None:
        """A response under way finishes, idle connections end, listeners refuse, probes know."""
        self.process.start()
        admin = self.process.port("admin")
        under_way = self.connect()
        under_way.send(HEAD)
        under_way.read_head()
        secure = self.connect(over_tls=True)
        secure.send(HEAD)
        secure.read_head()
        idle, idle_secure = self.connect(), self.connect(over_tls=True)
        for client in (idle, idle_secure):
            self.assertEqual(client.request("/web").status, 200)
        silent = self.connect()
        self.drain()
        for client in (idle, idle_secure, silent):
            self.assertTrue(client.is_closed)
        wait_until(lambda: self.refuses("http") and self.refuses("https"), "refusal")
        with HTTPClient(admin) as probe:
            self.assertEqual(probe.request("/readyz", "localhost").status, 503)
            self.assertEqual(probe.request("/healthz", "localhost").status, 500)
        self.assertTrue(self.process.is_running())
        self.may_answer.set()
        for client in (under_way, secure):
            self.assertEqual(client.read_exactly(4), b"half")
            self.assertTrue(client.is_closed)
        self.assertEqual(self.process.wait(), 0)
        self.assertNotIn("cut", self.process.log)
        self.assertNotIn("Traceback", self.process.log)

    def test_request_under_way(self) -> None:
        """A request whose body still comes is answered, and told that the connection ends."""
        self.process.start()
        client = self.connect()
        client.send(b"PUT / HTTP/1.1\r\nHost: a.example\r\nContent-Length: 6\r\n\r\nabc")
        pipelined = self.connect()
        pipelined.send(HEAD + HEAD)
        pipelined.read_head()
        self.drain()
        self.assertTrue(self.process.is_running())
        client.send(b"def")
        reply = client.read_reply()
        self.assertEqual((reply.status, reply.echo["length"]), (200, 6))
        self.assertEqual(reply.field("Connection"), "close")
        self.assertTrue(client.is_closed)
        self.may_answer.set()
        self.assertEqual(pipelined.read_exactly(4), b"half")
        self.assertEqual(pipelined.read_reply().field("Connection"), "close")
        self.assertEqual(self.process.wait(), 0)

    def test_grace(self) -> None:
        """After shutdown-grace what is still under way is cut, and the status is 0 all the same."""
        self.process.configure(shutdown_grace=1)
        self.process.start()
        client = self.connect()
        client.send(HEAD)
        client.read_head()
        client.read_exactly(2)
        self.drain()
        began = time.monotonic()
        self.assertTrue(client.is_closed)
        self.assertGreater(time.monotonic() - began, 0.8)
        self.assertEqual(self.process.wait(), 0)
        self.process.wait_for_line("Connections that are cut: 1")
