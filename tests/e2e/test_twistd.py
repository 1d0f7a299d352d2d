"""
The command: how it starts, what it refuses, how it ends.
"""

from __future__ import annotations

import os
import shutil
import signal
import socket
import stat
import subprocess
import tempfile
from pathlib import Path

import yaml
from twisted.trial.unittest import SynchronousTestCase

from tests.support.client import HTTPClient
from tests.support.endpoints import EchoEndpoint, RawEndpoint, read_head
from tests.support.manifest import ingress_manifest, served_manifests
from tests.support.process import (
    ENVIRONMENT,
    LOOPBACK,
    PATIENCE,
    TWISTD,
    IngressProcess,
    wait_until,
)


class CommandTestCase(SynchronousTestCase):
    """Each test has a folder and a process of its own."""

    def setUp(self) -> None:
        self.folder = Path(tempfile.mkdtemp(prefix="ingress-"))
        self.addCleanup(shutil.rmtree, self.folder)
        self.process = IngressProcess(self.folder)
        self.addCleanup(self.process.stop)

    def run_twistd(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        """Run the command until it ends by itself."""
        return subprocess.run(
            [*TWISTD, *arguments],
            cwd=self.folder,
            env=ENVIRONMENT,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=PATIENCE,
            check=False,
        )


class StartTests(CommandTestCase):
    """Starting in the foreground and as a daemon."""

    def test_from_any_folder(self) -> None:
        """Paths of the configuration are relative to it, not to where the process is started."""
        endpoint = EchoEndpoint("web")
        self.addCleanup(endpoint.stop)
        self.process.write(
            "web.yaml",
            ingress_manifest("web", "a.example", {"/": "web"}),
            *served_manifests("web", endpoint.port),
        )
        elsewhere = self.folder / "elsewhere"
        elsewhere.mkdir()
        relative = os.path.relpath(self.process.config, elsewhere)
        self.process.spawn("-n", "--pidfile=", "ingress", "-c", relative, folder=elsewhere)
        with HTTPClient(self.process.port("http")) as client:
            self.assertEqual(client.request().status, 200)
        self.assertEqual(list(elsewhere.iterdir()), [])
        # Of its own accord, which a fault of its import would change unnoticed.
        self.process.wait_for_line(
            r"reactor class: ingress\.transports\.reactor\.DirectEPollReactor"
        )

    def test_streams(self) -> None:
        """Standard output has the access log and nothing else, standard error the rest."""
        self.process.configure(access_log={"path": "stdout"})
        output, errors = self.folder / "output", self.folder / "errors"
        with output.open("wb") as out, errors.open("wb") as err:
            process = subprocess.Popen(
                [*TWISTD, *self.process.arguments],
                env=ENVIRONMENT,
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=err,
            )
        self.addCleanup(process.kill)
        wait_until(lambda: "listen.https on" in errors.read_text(), "the listeners")
        port = int(errors.read_text().partition("listen.http on 127.0.0.1:")[2].split()[0])
        with HTTPClient(port) as client:
            client.request("/logged")
        process.send_signal(signal.SIGINT)
        self.assertEqual(process.wait(30), 0)
        (line,) = output.read_text().splitlines()
        self.assertIn('"GET /logged HTTP/1.1" 404', line)
        self.assertIn("starting up", errors.read_text())
        self.assertIn("SIGINT: draining", errors.read_text())

    def test_other_reactor(self) -> None:
        """Whoever asks for another reactor gets it, and is served."""
        self.process.spawn("--reactor=poll", *self.process.arguments)
        self.process.wait_for_line(r"reactor class: twisted\.internet\.pollreactor")
        with HTTPClient(self.process.port("http")) as client:
            self.assertEqual(client.request().status, 404)

    def test_daemon(self) -> None:
        """As a daemon it answers when the command has returned, and SIGTERM to its pid ends it."""
        pidfile, log = self.folder / "twistd.pid", self.folder / "twistd.log"
        done = self.run_twistd(
            *(f"--pidfile={pidfile}", f"--logfile={log}"),
            *("ingress", "--config", str(self.process.config)),
        )
        self.assertEqual((done.returncode, done.stdout, done.stderr), (0, "", ""))
        wait_until(pidfile.exists, "the pidfile")
        pid = int(wait_until(pidfile.read_text, "the pid"))
        self.addCleanup(_kill, pid)
        wait_until(lambda: "listen.https on" in log.read_text(), "the listeners")
        port = int(log.read_text().partition("listen.http on 127.0.0.1:")[2].split()[0])
        with HTTPClient(port) as client:
            self.assertEqual(client.request().status, 404)
        self.assertEqual(stat.S_IMODE(log.stat().st_mode), 0o640)
        os.kill(pid, signal.SIGTERM)
        wait_until(lambda: not _is_running(pid), "its end")
        self.assertFalse(pidfile.exists())
        self.assertNotIn("Traceback", log.read_text())

    def test_help(self) -> None:
        """``--help`` tells of the one option and starts nothing."""
        done = self.run_twistd("ingress", "--help")
        self.assertEqual(done.returncode, 0)
        self.assertIn("--config", done.stdout)
        self.assertIn("Ingresses", done.stdout)


class RefusalTests(CommandTestCase):
    """What cannot be served is refused on the terminal, before there is a daemon."""

    def refusal(self) -> list[str]:
        """The lines that say why it does not start."""
        done = self.run_twistd(*self.process.arguments)
        self.assertEqual(done.returncode, 1, done.stderr)
        self.assertEqual(done.stdout, "")
        self.assertNotIn("Traceback", done.stderr)
        return done.stderr.splitlines()

    def test_mistakes(self) -> None:
        """Each mistake of the configuration is a line with file, number, key and value."""
        self.process.config.write_text(
            "listen: {http: tpc:8080}\n"
            "source: {files: [manifests, nowhere]}\n"
            "shutdown-grace: soon\n"
            "ssl-redirct: true\n"
        )
        lines = self.refusal()
        keys = ("listen.http", "source.files", "shutdown-grace", "ssl-redirct")
        self.assertEqual(len(lines), len(keys), lines)
        for number, (key, line) in enumerate(zip(keys, lines, strict=True), 1):
            beginning = f"{self.process.config}, line {number}: {key}"
            self.assertTrue(line.startswith(beginning), line)

    def test_no_configuration(self) -> None:
        """A file that is missing, or that nobody named, is said in a line."""
        self.process.config.unlink()
        self.assertEqual(
            self.refusal(), [f"{self.process.config}: cannot be read: No such file or directory"]
        )
        done = self.run_twistd("-n", "--pidfile=", "ingress")
        self.assertEqual(done.returncode, 1)
        self.assertIn("--config", done.stderr)
        self.assertEqual(len(done.stderr.splitlines()), 1)

    def test_port_taken(self) -> None:
        """A port that another process listens on is said in a line."""
        with socket.create_server(("127.0.0.1", 0)) as taken:
            port = taken.getsockname()[1]
            self.process.configure(
                listen={"http": f"tcp:{port}:interface=127.0.0.1", "https": LOOPBACK}
            )
            (line,) = self.refusal()
        self.assertTrue(line.startswith("listen.http: "), line)
        self.assertIn(str(port), line)
        self.assertIn("Address already in use", line)

    def test_not_as_daemon_either(self) -> None:
        """The same as a daemon, and no pidfile stays."""
        self.process.config.write_text("source: 5\n")
        done = self.run_twistd("ingress", "--config", str(self.process.config))
        self.assertEqual(done.returncode, 1)
        self.assertTrue(done.stderr.startswith(str(self.process.config)), done.stderr)
        self.assertEqual(
            sorted(path.name for path in self.folder.iterdir()), ["ingress.yaml", "manifests"]
        )


class EndTests(CommandTestCase):
    """How signals end it."""

    def test_signals(self) -> None:
        """SIGTERM and SIGINT end it with status 0 and nothing left to say."""
        for number in (signal.SIGTERM, signal.SIGINT):
            self.process.start()
            self.process.signal(number)
            self.assertEqual((number, self.process.wait()), (number, 0))
            self.assertNotIn("Traceback", self.process.log)

    def test_second_signal(self) -> None:
        """A second SIGTERM cuts short what the first one waits for."""
        silent = RawEndpoint(lambda connection: _wait(connection))
        self.addCleanup(silent.stop)
        self.process.configure(shutdown_grace=600)
        self.process.write(
            "web.yaml",
            ingress_manifest("web", "a.example", {"/": "web"}),
            *served_manifests("web", silent.port),
        )
        self.process.start()
        with HTTPClient(self.process.port("http")) as client:
            client.send(b"GET / HTTP/1.1\r\nHost: a.example\r\n\r\n")
            wait_until(lambda: silent.connections, "the request")
            self.process.signal(signal.SIGTERM)
            self.process.wait_for_line("SIGTERM: draining")
            self.assertTrue(self.process.is_running())
            self.process.signal(signal.SIGTERM)
            self.assertEqual(self.process.wait(), 0)
            self.process.wait_for_line("Connections that are cut: 1")
            self.assertTrue(client.is_closed)

    def test_while_starting(self) -> None:
        """A signal while it still reads ends it as well."""
        for number in range(300):
            (self.process.manifests / f"{number}.yaml").write_text(
                yaml.safe_dump(ingress_manifest(f"n{number}", f"n{number}.example", {"/": "n"}))
            )
        self.process.spawn()
        self.process.wait_for_line(r"listen\.admin on ")
        self.process.signal(signal.SIGTERM)
        self.assertEqual(self.process.wait(), 0)
        self.assertNotIn("Traceback", self.process.log)


def _wait(connection: socket.socket) -> None:
    read_head(connection)
    connection.recv(1)


def _is_running(pid: int) -> bool:
    """Whether there is such a process that is no zombie: containers may have nobody to reap it."""
    try:
        status = Path(f"/proc/{pid}/stat").read_text()
    except OSError:
        return False
    return status.rpartition(")")[2].split()[0] != "Z"


def _kill(pid: int) -> None:
    if _is_running(pid):
        os.kill(pid, signal.SIGKILL)
