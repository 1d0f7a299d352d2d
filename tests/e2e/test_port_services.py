"""
TCP and UDP services of a real process, and of its workers.
"""

from __future__ import annotations

import contextlib
import json
import re
import socket
import threading
from collections.abc import Mapping
from contextlib import closing
from functools import partial
from pathlib import Path
from typing import Any, ClassVar

from tests.e2e.case import ProcessTestCase
from tests.support.client import HTTPClient
from tests.support.echo_ports import EchoPorts, free_port
from tests.support.manifest import config_map_manifest
from tests.support.process import LOOPBACK, PATIENCE, wait_until

TCP = "ingress-nginx/tcp-services"


def tcp_services(data: Mapping[int, str]) -> dict[str, object]:
    """The ConfigMap."""
    name = TCP.partition("/")[2]
    text = {str(port): value for port, value in data.items()}
    return config_map_manifest(name, text, namespace="ingress-nginx")


class PortsTestCase(ProcessTestCase):
    workers: ClassVar[int] = 1
    one: ClassVar[EchoPorts]
    other: ClassVar[EchoPorts]
    mapped: ClassVar[int]
    """The port of the ConfigMap that all tests leave as it is."""

    listed: ClassVar[int]
    """The port of the configuration, of both protocols."""

    log_file: ClassVar[Path]

    @classmethod
    def start(cls, folder: Path, workers: int) -> None:
        cls.one, cls.other = cls.keep(EchoPorts("one ")), cls.keep(EchoPorts("other "))
        cls.mapped, cls.listed = free_port(), free_port()
        address = f"127.0.0.1:{cls.listed}"
        settings: dict[str, Any] = {
            "listen": {
                "http": LOOPBACK,
                "https": LOOPBACK,
                "admin": LOOPBACK,
                "tcp": {address: "default/one:1"},
                "udp": {address: "default/one:1"},
            },
            "source": {
                "files": ["manifests"],
                "endpoints": {
                    "default/one": cls.one.address,
                    "default/other": cls.other.address,
                    "default/dead": f"127.0.0.1:{free_port()}",
                },
            },
            # One ConfigMap for both protocols.
            "tcp-services": TCP,
            "udp-services": TCP,
            "workers": workers,
            "access-log": {"path": str(folder / "access.log")},
        }
        cls.log_file = folder / "access.log"
        cls.serve(folder, tcp_services({cls.mapped: "default/one:1"}), **settings)
        wait_until(lambda: cls.opens(cls.mapped), "the port of the ConfigMap")

    @staticmethod
    def opens(port: int) -> bool:
        """Whether somebody accepts connections on a port of loopback."""
        with socket.socket() as attempt:
            return attempt.connect_ex(("127.0.0.1", port)) == 0

    def tcp(self, port: int) -> socket.socket:
        made = socket.create_connection(("127.0.0.1", port), PATIENCE)
        self.addCleanup(made.close)
        return made

    def udp(self, port: int) -> socket.socket:
        made = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        made.settimeout(PATIENCE)
        made.connect(("127.0.0.1", port))
        self.addCleanup(made.close)
        return made

    def said(self, connection: socket.socket, size: int) -> bytes:
        """The next bytes; fewer if there are no more."""
        received = bytearray()
        while len(received) < size and (piece := connection.recv(size - len(received))):
            received += piece
        return bytes(received)

    def rewrite(self, data: Mapping[int, str]) -> None:
        """Replace the ConfigMap."""
        self.process.write("all.yaml", tcp_services({self.mapped: "default/one:1", **data}))


class PortsMixin(PortsTestCase):
    """What holds for one process and for workers."""

    def test_both_ways(self) -> None:
        """Bytes go both ways; a client that has ended gets the rest, and all is logged."""
        for port in (self.listed, self.mapped):
            client = self.tcp(port)
            client.sendall(b"\0hello")
            client.shutdown(socket.SHUT_WR)
            with closing(client.makefile("rb")) as received:
                self.assertEqual(received.read(), b"one \0hello")
            line = f" {port} [tcp-default-one-1] "
            wait_until(partial(self.has_logged, line), "a line")
        self.assertRegex(self.lines(), rf'{self.one.address} 1 0\.\d\d\d ok "-"\n')

    def has_logged(self, text: str) -> bool:
        return text in self.lines()

    def lines(self) -> str:
        return self.log_file.read_text() if self.log_file.exists() else ""

    def test_large(self) -> None:
        """Much more than all buffers goes through a client that reads slowly, unchanged."""
        data = bytes(range(256)) * 32 * 1024
        client = self.tcp(self.mapped)
        sender = threading.Thread(target=client.sendall, args=(data,), daemon=True)
        sender.start()
        self.assertEqual(self.said(client, 4), b"one ")
        self.assertTrue(self.said(client, len(data)) == data)
        sender.join()

    def test_datagrams(self) -> None:
        """Datagrams of several clients get their replies, from the port that they were sent to."""
        clients = [self.udp(self.listed) for _ in range(8)]
        for number, client in enumerate(clients):
            client.send(b"%d" % number)
        for number, client in enumerate(clients):
            self.assertEqual(client.recv(100), b"one %d" % number)

    def test_nothing_listens(self) -> None:
        """The system says that nothing listens at an endpoint of datagrams."""
        port = free_port()
        self.rewrite({port: "default/dead:1"})
        line = f"UDP 502 0 5 .* {port} .* dial_failed"

        def is_logged() -> bool:
            # Until the port is open, datagrams are refused.
            with contextlib.suppress(ConnectionRefusedError):
                self.udp(port).send(b"hello")
            return re.search(line, self.lines()) is not None

        wait_until(is_logged, "a line")
        self.rewrite({})

    def test_address_of_replies(self) -> None:
        """Replies come from the address that was asked, where a port is open on all of them."""
        for family, address in (
            (socket.AF_INET, "127.0.0.5"),
            (socket.AF_INET, "127.0.0.1"),
            (socket.AF_INET6, "::1"),
        ):
            with socket.socket(family, socket.SOCK_DGRAM) as client:
                client.settimeout(PATIENCE)
                client.connect((address, self.mapped))
                client.send(b"hello")
                self.assertEqual(client.recv(100), b"one hello", address)

    def test_ports_come_and_go(self) -> None:
        """A ConfigMap opens, moves and closes ports at once, and cuts no connection."""
        port = free_port()
        kept = self.tcp(self.mapped)
        self.assertEqual(self.said(kept, 4), b"one ")
        self.rewrite({port: "default/one:1"})
        wait_until(lambda: self.opens(port), "the port to open")
        client = self.tcp(port)
        self.assertEqual(self.said(client, 4), b"one ")
        self.rewrite({port: "default/other:1"})
        wait_until(lambda: self.said(self.tcp(port), 4) == b"othe", "the other Service")
        self.rewrite({})
        wait_until(lambda: not self.opens(port), "the port to close")
        for each in (kept, client):
            each.sendall(b"still there")
            self.assertEqual(self.said(each, 11), b"still there")

    def test_taken(self) -> None:
        """A port that another process has is a Problem, and everything else is served."""
        with socket.create_server(("0.0.0.0", 0)) as other:
            port = other.getsockname()[1]
            self.rewrite({port: "default/one:1"})
            line = self.process.wait_for_line(rf"PRT003 .*data\[{port}\].*", since=self.mark)
            self.assertIn("the port is not open: Address already in use", line[0])
            self.assertEqual(self.said(self.tcp(self.mapped), 4), b"one ")
        self.rewrite({})

    def test_admin(self) -> None:
        """The admin listener counts connections that are over, and shows where ports lead."""
        with self.tcp(self.mapped) as client:
            client.shutdown(socket.SHUT_WR)
            self.assertEqual(self.said(client, 100), b"one ")
        labels = f'namespace="default",outcome="ok",port="{self.mapped}",protocol="TCP"'
        wait_until(lambda: labels in self.admin("/metrics"), "the metric")
        ports = json.loads(self.admin("/ports"))["ports"]
        self.assertIn(["TCP", self.mapped], [[row["protocol"], row["port"]] for row in ports])
        self.assertEqual(json.loads(self.admin("/snapshot"))["ports"], ports)

    def admin(self, target: str) -> str:
        with HTTPClient(self.process.port("admin")) as admin:
            fields = "Accept: application/json\r\nConnection: close\r\n"
            return admin.request(target, "127.0.0.1", fields=fields).text


class PortTests(PortsMixin):
    """One process."""

    @classmethod
    def prepare(cls, folder: Path) -> None:
        cls.start(folder, 1)


class WorkerPortTests(PortsMixin):
    """Several workers."""

    @classmethod
    def prepare(cls, folder: Path) -> None:
        cls.start(folder, 2)


del PortsMixin
