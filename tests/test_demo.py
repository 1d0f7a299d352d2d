"""
The demo: its manifests through the real code, and its commands as a newcomer types them.
"""

from __future__ import annotations

import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
from contextlib import redirect_stdout
from io import StringIO
from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

from ingress.command.main import main
from ingress.config_file import load_config
from ingress.document import load_documents
from ingress.kube.manifest import read_objects
from ingress.kube.store import ObjectStore
from ingress.routing.build import Built, build
from tests.support.objects import NOW
from tests.support.process import CHECKOUT, wait_until
from tests.support.route_table import render

DEMO = CHECKOUT / "etc" / "demo"

CONSOLE = re.compile(r"```console\n(.*?)```", re.DOTALL)
COMMAND = re.compile(r"^\$ ((?:.*\\\n)*.*)\n((?:(?!\$ ).*\n)*)", re.MULTILINE)

ROUTES = """\
host bar.example.com
  Prefix                 / -> default-bar-80 (Ingress default/hosts)
host foo.example.com
  Prefix                 / -> default-foo-80 (Ingress default/hosts)
host kubia.example.com
  Prefix                 / -> default-kubia-nodeport-80 (Ingress default/kubia)
host paths.example.com
  Prefix                 /foo   -> default-foo-80 (Ingress default/paths)
  Prefix                 /kubia -> default-kubia-nodeport-80 (Ingress default/paths)
host secure.example.com
  Prefix                 / -> default-kubia-nodeport-80 (Ingress default/secure; to https:8443)
host sticky.example.com
  Prefix                 / -> default-kubia-nodeport-80 (Ingress default/sticky; \
cookie route at /, balanced)
upstream default-bar-80: 127.0.0.1:18012
upstream default-foo-80: 127.0.0.1:18011
upstream default-kubia-nodeport-80: 127.0.0.1:18001, 127.0.0.1:18002, 127.0.0.1:18003
"""


def build_demo() -> Built:
    """What the demo's configuration and manifests come to, without its certificate."""
    store = ObjectStore()
    for path in sorted((DEMO / "manifests").iterdir()):
        for document in load_documents(path.read_text()):
            for reading in read_objects(document, path.name):
                assert reading.item is not None, reading
                store.apply([reading.item])
    return build(store.view(), load_config(DEMO / "ingress.yaml"), now=NOW)


class ManifestTests(SynchronousTestCase):
    """The files of etc/demo."""

    def test_routes(self) -> None:
        """The manifests come to the routes and endpoints that the demo promises."""
        self.assertEqual(render(build_demo().snapshot), ROUTES)

    def test_only_certificate_is_missing(self) -> None:
        """Nothing is at fault but the Secret, which `run.py` makes."""
        problems = list(build_demo().all_problems())
        self.assertEqual([problem.field for problem in problems], ["spec.tls[0].secretName"])


class ReadmeTests(SynchronousTestCase):
    """The beginning of README.md."""

    def test_explanation(self) -> None:
        """The explanation of a 404 is the one that the command gives."""
        readme = (CHECKOUT / "README.md").read_text(encoding="utf-8")
        found = re.search(r"^\$ txingress (explain .*)\n((?:.*\n)*?)```", readme, re.MULTILINE)
        assert found is not None
        written = StringIO()
        arguments = found[1].replace("etc/demo", str(DEMO)).split()
        with redirect_stdout(written):
            self.assertEqual(main(arguments), 0)
        self.assertEqual(found[2], written.getvalue().replace(f"{CHECKOUT}/", ""))
        self.assertIn("404", found[2])


class RunTests(SynchronousTestCase):
    """`etc/demo/run.py` as a process, from a copy with other ports."""

    def setUp(self) -> None:
        if shutil.which("curl") is None:
            self.skipTest("curl is not here")
        self.folder = Path(tempfile.mkdtemp())
        self.addCleanup(shutil.rmtree, self.folder)
        self.demo = self.folder / "etc" / "demo"
        shutil.copytree(DEMO, self.demo, ignore=shutil.ignore_patterns("secrets", "__pycache__"))
        self.ports = give_other_ports(self.demo)
        self.output = self.folder / "output"

    def start(self) -> subprocess.Popen[bytes]:
        """Start it from another folder than its own."""
        with open(self.output, "wb") as output:
            process = subprocess.Popen(
                [sys.executable, self.demo / "run.py"],
                cwd=self.folder,
                env=os.environ | {"PYTHONPATH": str(CHECKOUT)},
                stdout=output,
                stderr=subprocess.STDOUT,
            )
        self.addCleanup(process.wait)
        self.addCleanup(process.terminate)
        return process

    def test_commands(self) -> None:
        """Every command that it prints works as printed, and SIGTERM ends all of it."""
        process = self.start()
        wait_until(
            lambda: process.poll() is not None or "^C ends it." in self.output.read_text(),
            "the demo to be ready",
        )
        text = self.output.read_text()
        commands = re.findall(r"^  (curl .*)$", text.replace("\\\n", " "), re.MULTILINE)
        outputs = [self.shell(command) for command in commands]
        page = f"http://localhost:{self.ports['10254']}/"
        self.assertIn(f"  {page}\n", text)
        self.assertIn("<!DOCTYPE html>", self.shell(f"curl -H 'Accept: text/html' {page}"))
        kubia, by_path, foo, no_path, other_foo, bar, redirect, secure, sticky = outputs
        self.assertEqual(sorted(kubia), [f"You've hit kubia-{number}" for number in (1, 2, 3)])
        self.assertIn("You've hit kubia-", by_path[0])
        self.assertEqual(no_path[0], "404 Not Found")
        self.assertEqual((foo, other_foo), (["You've hit foo-1"], ["You've hit foo-1"]))
        self.assertEqual(bar, ["You've hit bar-1"])
        self.assertIn(f"Location: https://secure.example.com:{self.ports['8443']}", redirect)
        self.assertIn("You've hit kubia-", secure[0])
        self.assertEqual((len(sticky), len(set(sticky))), (3, 1), sticky)
        missing = self.try_pages()
        process.send_signal(signal.SIGTERM)
        self.assertEqual(process.wait(), 0)
        self.assertEqual([port for port in self.ports.values() if accepts(port)], [])
        if missing:
            self.skipTest(f"all passed but for {' and '.join(sorted(missing))}, which is not here")

    def try_pages(self) -> set[str]:
        """
        Type what README.md and the quick start say.

        :return: programs that are not installed.
        """
        missing: set[str] = set()
        readme = (CHECKOUT / "README.md").read_text(encoding="utf-8")
        part = readme.partition("## Try it")[2].partition("\n## ")[0]
        page = (CHECKOUT / "docs" / "quick-start.md").read_text(encoding="utf-8")
        shown = CONSOLE.findall(part) + CONSOLE.findall(page.partition("\n## ")[0])
        commands = [found for block in shown for found in COMMAND.findall(block)]
        self.assertGreater(len(commands), 5)
        for command, output in commands:
            printed = "\n".join(self.shell(self.with_ports(command)))
            self.assertEqual(timeless(printed), timeless(self.with_ports(output)), command)
        plain = re.findall(r"^    ((?:curl|nghttp|h2load) .*)$", part, re.MULTILINE)
        self.assertEqual(len(plain), 4)
        for command in plain:
            program = command.split()[0]
            if shutil.which(program) is None:
                missing.add(program)
                continue
            printed = "\n".join(self.shell(self.with_ports(command)))
            self.assertIn("1000 succeeded" if program == "h2load" else "You've hit kubia-", printed)
        return missing

    def with_ports(self, text: str) -> str:
        return re.sub(r"\b(8080|8443)\b", lambda match: self.ports[match[1]], text)

    def test_taken_port(self) -> None:
        """Where something else has a port, it says which one and starts nothing."""
        with socket.create_server(("127.0.0.1", int(self.ports["8443"]))):
            process = self.start()
            self.assertEqual(process.wait(), 1)
        self.assertIn(f"port {self.ports['8443']}.", self.output.read_text())
        self.assertFalse(accepts(self.ports["18001"]))

    def shell(self, command: str) -> list[str]:
        """The lines that a command prints; it must end well."""
        done = subprocess.run(command, shell=True, cwd=self.folder, capture_output=True, text=True)
        self.assertEqual(done.returncode, 0, f"{command}\n{done.stderr}")
        return done.stdout.splitlines()


def timeless(text: str) -> str:
    """An output without times and ids; endpoints are named in the order of their answers."""
    names: dict[str, str] = {}
    text = re.sub(r"kubia-\d", lambda match: names.setdefault(match[0], f"pod {len(names)}"), text)
    return re.sub(r"[0-9a-f]{32}|(?<=Date: ).*", "N", text).replace("\r", "").strip()


def give_other_ports(demo: Path) -> dict[str, str]:
    """
    Replace every port in the files of the demo by one that is free.

    :return: the new port by the old one.
    """
    with_ports = ("8080", "8443", "10254", "18001", "18002", "18003", "18011", "18012")
    free = [socket.create_server(("127.0.0.1", 0)) for _ in with_ports]
    ports = {old: str(new.getsockname()[1]) for old, new in zip(with_ports, free, strict=True)}
    for held in free:
        held.close()
    pattern = re.compile(rf"\b({'|'.join(with_ports)})\b")
    for path in (demo / "run.py", demo / "ingress.yaml", *(demo / "manifests").iterdir()):
        path.write_text(pattern.sub(lambda match: ports[match[1]], path.read_text()))
    return ports


def accepts(port: str) -> bool:
    """Whether something listens there."""
    with socket.socket() as client:
        return client.connect_ex(("127.0.0.1", int(port))) == 0
