"""
The units of ``etc/systemd``, with a stand-in for systemd, and with what of systemd runs here.
"""

from __future__ import annotations

import re
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

from tests.support.endpoints import EchoEndpoint, RawEndpoint, read_head
from tests.support.manifest import ingress_manifest, served_manifests
from tests.support.process import CHECKOUT, LOOPBACK, PATIENCE, IngressProcess, wait_until
from tests.support.systemd import Systemd, Unit

UNITS = CHECKOUT / "etc" / "systemd"
LISTEN = {
    "http": "systemd:domain=INET6:name=http",
    "https": "systemd:domain=INET6:name=https",
    "admin": LOOPBACK,
}
HANGS = {"class": "tests.support.own_policies.Failing", "hold": 3600}
WATCHDOG = 1.0


class ServiceTests(SynchronousTestCase):
    """The life of the service."""

    def setUp(self) -> None:
        folder = Path(tempfile.mkdtemp(prefix="ingress-"))
        self.addCleanup(shutil.rmtree, folder)
        folder.chmod(0o755)
        self.is_asked, self.may_answer = threading.Event(), threading.Event()
        self.addCleanup(self.may_answer.set)
        web, slow = EchoEndpoint("web"), RawEndpoint(self.answer_late)
        self.addCleanup(web.stop)
        self.addCleanup(slow.stop)
        self.process = IngressProcess(folder, listen=LISTEN, policies={"hangs": HANGS})
        hanging = ingress_manifest(
            "hanging", "hang.example", {"/": "web"}, annotations={"txingress.dev/policies": "hangs"}
        )
        self.process.write(
            "web.yaml",
            ingress_manifest("web", "a.example", {"/": "web", "/slow": "slow"}),
            hanging,
            *served_manifests("web", web.port),
            *served_manifests("slow", slow.port),
        )
        sockets = [Unit(UNITS / name) for name in ("txingress.socket", "txingress-https.socket")]
        self.systemd = Systemd(folder, Unit(UNITS / "txingress.service"), sockets, WATCHDOG)
        self.addCleanup(self.systemd.stop)
        self.addCleanup(self.process.stop)

    def answer_late(self, connection: socket.socket) -> None:
        read_head(connection)
        self.is_asked.set()
        self.may_answer.wait(PATIENCE)
        connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nlate")

    def connect(self, head: bytes) -> socket.socket:
        """Send a request to the http socket, whether or not somebody accepts."""
        client = socket.create_connection(("::1", self.systemd.port("http")), PATIENCE)
        self.addCleanup(client.close)
        client.sendall(head)
        return client

    def ask(self, path: str = "/", host: str = "a.example") -> socket.socket:
        return self.connect(f"GET {path} HTTP/1.1\r\nHost: {host}\r\n\r\n".encode())

    def check_answered(self, client: socket.socket) -> None:
        self.assertTrue(client.recv(4096).startswith(b"HTTP/1.1 200 "))

    def check_confined(self) -> None:
        """The process is as confined as the stand-in can have it."""
        status = Path(f"/proc/{self.process.pid}/status").read_text()
        self.assertIn("NoNewPrivs:\t1", status)
        if shutil.which("systemd-analyze") is not None:
            self.assertIn("Seccomp:\t2", status)
        self.assertIn("CapEff:\t0000000000000000", status)

    def test_life(self) -> None:
        """
        It is ready when it serves, reads its configuration when asked, is restarted when its
        reactor hangs, and has the time that it needs to drain; no connection is refused meanwhile.
        """
        early = self.ask()
        self.systemd.start(self.process)
        self.systemd.wait_for("READY")
        pending = [told for told in self.systemd.told if "READY" not in told]
        self.assertTrue(pending)
        for told in pending:
            self.assertEqual(sorted(told), ["EXTEND_TIMEOUT_USEC", "WATCHDOG"])
        # All listeners are open by then.
        self.assertIn("listen.https on ", self.process.log)
        self.check_answered(early)
        self.check_confined()
        self.systemd.wait_for("WATCHDOG")
        self.assertFalse(self.systemd.is_silent())

        self.check_reload()

        self.ask(host="hang.example")
        wait_until(self.systemd.is_silent, "a reactor that hangs")
        waiting = self.ask()
        self.assertEqual(self.systemd.kill(self.process), -signal.SIGABRT)
        self.systemd.start(self.process)
        self.systemd.wait_for("READY")
        self.check_answered(waiting)

        self.check_drain()

    def check_reload(self) -> None:
        self.systemd.reload(self.process)
        self.assertIn("MONOTONIC_USEC", self.systemd.wait_for("RELOADING"))
        self.systemd.wait_for("READY")
        self.assertIn("the configuration is unchanged", self.process.log)
        good = self.process.config.read_text()
        self.process.config.write_text("listen: [")
        self.systemd.reload(self.process)
        self.systemd.wait_for("RELOADING")
        self.systemd.wait_for("READY")
        self.assertIn("the running configuration stays", self.process.log)
        self.process.config.write_text(good)
        self.check_answered(self.ask())

    def check_drain(self) -> None:
        slow = self.ask("/slow")
        self.assertTrue(self.is_asked.wait(PATIENCE))
        self.process.signal(signal.SIGTERM)
        self.systemd.wait_for("STOPPING")
        self.systemd.wait_for("EXTEND_TIMEOUT_USEC")
        self.assertTrue(self.process.is_running())
        self.may_answer.set()
        self.check_answered(slow)
        self.assertEqual(self.process.wait(), 0, self.process.log)
        self.assertNotIn("Traceback", self.process.log)


class RealSystemdTests(SynchronousTestCase):
    """Programs of systemd itself, where they are."""

    def need(self, program: str) -> None:
        if shutil.which(program) is None:
            self.skipTest(f"{program} is not here")

    def exposure(self, *files: str) -> float:
        """The exposure of a service with drop-ins, from 0 to 10."""
        self.need("systemd-analyze")
        folder = Path(tempfile.mkdtemp())
        self.addCleanup(shutil.rmtree, folder)
        unit = folder / "txingress.service"
        unit.write_text("".join((UNITS / name).read_text() for name in files))
        shown = subprocess.run(
            ["systemd-analyze", "security", "--offline=true", "--no-pager", str(unit)],
            capture_output=True,
            text=True,
            check=False,
        )
        found = re.search(r"Overall exposure level for .*: ([0-9.]+)", shown.stdout)
        if found is None:
            # Before systemd 250 it asks the running one.
            self.skipTest(f"systemd-analyze says: {shown.stderr.strip()}")
        return float(found[1])

    def test_exposure(self) -> None:
        """The service, and the service that binds ports below 1024 itself."""
        self.assertLess(self.exposure("txingress.service"), 1.5)
        self.assertLess(self.exposure("txingress.service", "ports.conf"), 2.0)

    def test_page(self) -> None:
        """docs/install.md copies each file of the folder that is here, and no other one."""
        text = (CHECKOUT / "docs" / "install.md").read_text()
        named = set(re.findall(r"share/txingress/systemd/(\S+)", text))
        self.assertEqual(named, {file.name for file in UNITS.iterdir()})
        # What Debian has by itself (there is no /etc/sysusers.d), and what the page makes.
        there = {"/etc/systemd/system", "/etc/logrotate.d"}
        there |= set(re.findall(r"^    install -d (?:-\S+ \S+ )*(/\S+)$", text, re.MULTILINE))
        targets = re.findall(r"^    cp /\S+ (/\S+)$", text, re.MULTILINE)
        self.assertGreater(len(targets), 3)
        folders = {target.rstrip("/").removesuffix("/txingress") for target in targets}
        self.assertEqual(folders - there, set())

    def test_verified(self) -> None:
        """systemd finds nothing wrong with the units but that nothing is installed here."""
        self.need("systemd-analyze")
        files = [str(file) for file in UNITS.iterdir() if file.suffix in (".service", ".socket")]
        shown = subprocess.run(
            ["systemd-analyze", "verify", "--man=no", *files],
            capture_output=True,
            text=True,
            check=False,
        )
        lines = [line for line in shown.stderr.splitlines() if "txingress" in line]
        self.assertEqual([line for line in lines if "is not executable" not in line], [])

    def test_sockets(self) -> None:
        """Sockets that systemd itself opens and passes on are served."""
        self.need("systemd-socket-activate")
        folder = Path(tempfile.mkdtemp(prefix="ingress-"))
        self.addCleanup(shutil.rmtree, folder)
        web = EchoEndpoint("web")
        self.addCleanup(web.stop)
        held = [socket.create_server(("::1", 0), family=socket.AF_INET6) for _ in range(2)]
        ports = [each.getsockname()[1] for each in held]
        for each in held:
            each.close()
        process = IngressProcess(folder, listen=LISTEN)
        process.write(
            "web.yaml",
            ingress_manifest("web", "a.example", {"/": "web"}),
            *served_manifests("web", web.port),
        )
        process.command = (
            "systemd-socket-activate",
            *(f"--listen=[::1]:{port}" for port in ports),
            "--fdname=http:https",
            f"--setenv=PYTHONPATH={CHECKOUT}",
            "--setenv=PYTHONUNBUFFERED=1",
            *(sys.executable, "-m", "ingress", "run", "--config"),
        )
        self.addCleanup(process.stop)
        process.spawn(str(process.config))
        process.wait_for_line(r"Listening on .* as 4")
        with socket.create_connection(("::1", ports[0]), PATIENCE) as client:
            client.sendall(b"GET / HTTP/1.1\r\nHost: a.example\r\n\r\n")
            self.assertTrue(client.recv(4096).startswith(b"HTTP/1.1 200 "))
        process.signal(signal.SIGTERM)
        self.assertEqual(process.wait(), 0, process.log)
