"""
Tests for `ingress.command.main`, and of what each subcommand prints.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from configparser import ConfigParser
from pathlib import Path
from shutil import which

import yaml
from twisted.trial.unittest import SynchronousTestCase

from ingress.command.main import SUBCOMMANDS
from ingress.installation import describe
from tests.support.command import run
from tests.support.process import CHECKOUT

DEMO = str(CHECKOUT / "etc" / "demo" / "ingress.yaml")


class CommandTests(SynchronousTestCase):
    """The command line."""

    def test_help(self) -> None:
        """Each subcommand has help with an example of its own."""
        self.assertEqual(run("--help")[0], 0)
        for each in SUBCOMMANDS:
            status, text, _ = run(each.name, "--help")
            self.assertEqual(status, 0, each)
            self.assertIn(f"txingress {each.name}", text.partition("xample")[2], each)

    def test_unable(self) -> None:
        """What cannot run ends with 2 and says why."""
        for arguments in ((), ("nonsense",), ("routes",), ("routes", "/nowhere"), ("explain",)):
            status, _, remark = run(*arguments)
            self.assertEqual(status, 2, arguments)
            self.assertTrue(remark or not arguments)

    def test_version(self) -> None:
        """The version is that of twistd ingress, by whatever name the command is called."""
        self.assertEqual(run("--version")[1], f"{describe()}\n")
        scripts = ConfigParser()
        scripts.read(CHECKOUT / "setup.cfg")
        named = scripts["options.entry_points"]["console_scripts"].split("\n")
        self.assertEqual(
            sorted(filter(None, named)),
            [
                "kubectl-txingress = ingress.command.main:main",
                "txingress = ingress.command.main:main",
            ],
        )

    def test_explain(self) -> None:
        """An explanation is text or JSON, and ends with 0 whatever the answer is."""
        status, text, _ = run("explain", "http://paths.example.com/", "--config", DEMO)
        self.assertEqual(status, 0)
        self.assertIn("404 no_route", text)
        status, text, _ = run(
            "explain", "--json", "https://foo.example.com/", "--", str(CHECKOUT / "etc/demo/manifests")
        )  # fmt: skip
        found = json.loads(text)
        self.assertEqual((found["status"], found["upstream"]), (503, "default/foo:80"))
        self.assertEqual((Path(found["file"]).name, found["line"]), ("hosts.yaml", 5))

    def test_tables(self) -> None:
        """Each table has its heads, and as JSON the same columns."""
        for name in ("routes", "endpoints", "certificates"):
            status, text, _ = run(name, "--config", DEMO)
            self.assertEqual(status, 0)
            heads = text.splitlines()[0].lower().split()
            rows = json.loads(run(name, "--config", DEMO, "--format", "json")[1])
            self.assertEqual(len(rows), len(text.splitlines()) - 1)
            for row in rows:
                self.assertLessEqual(set(heads), set(row))

    def test_problems(self) -> None:
        """Problems are lines as in the log; any of them makes the status 1."""
        manifests = str(CHECKOUT / "etc/demo/manifests")
        status, text, _ = run("problems", manifests)
        self.assertEqual(status, 1)
        self.assertIn("Service default/foo has no endpoints", text)
        rows = json.loads(run("problems", manifests, "--format", "json")[1])
        self.assertEqual(len(rows), len(text.splitlines()))
        self.assertEqual(rows[0]["object"], "Ingress default/hosts")

    def test_config(self) -> None:
        """The defaults are the documented file."""
        text = (CHECKOUT / "etc" / "ingress.yaml").read_text()
        self.assertEqual(run("config", "--defaults")[1], text)

    def test_init(self) -> None:
        """A configuration is written that serves the folder, and never over another one."""
        folder = Path(self.mktemp())
        folder.mkdir()
        (folder / "web.yaml").write_text((CHECKOUT / "etc/demo/manifests/paths.yaml").read_text())
        self.assertEqual(run("init", str(folder))[0], 0)
        file = folder / "ingress.yaml"
        self.assertIn("default/foo: 127.0.0.1:3000", file.read_text())
        status, text, _ = run("problems", "--config", str(file))
        self.assertEqual((status, text), (0, ""))
        status, _, remark = run("init", str(folder))
        self.assertEqual(status, 2)
        self.assertIn("--force", remark)

    def test_init_service(self) -> None:
        """The folders of the service are made once, and what they have is read."""
        folder = Path(self.mktemp())
        folder.mkdir()
        self.assertEqual(run("init", "--service", str(folder))[0], 0)
        file = folder / "ingress.yaml"
        self.assertEqual(
            sorted(each.name for each in folder.iterdir()), ["ingress.yaml", "manifests", "secrets"]
        )
        text = (CHECKOUT / "etc/demo/manifests/paths.yaml").read_text()
        (folder / "manifests" / "paths.yaml").write_text(text)
        self.assertEqual(run("init", "--service", "--force", str(folder))[0], 0)
        written = yaml.safe_load(file.read_text())
        self.assertEqual(written["listen"]["https"], "systemd:domain=INET6:name=https")
        self.assertEqual(written["source"]["endpoints"]["default/foo"], "127.0.0.1:3000")
        self.assertEqual(written["source"]["files"], ["manifests"])

    def test_completion(self) -> None:
        """Each shell takes its completion, which knows the options of each subcommand."""
        for shell, check in (("bash", ("-n",)), ("zsh", ("-n",)), ("fish", ("--no-execute",))):
            status, text, _ = run("completion", shell)
            self.assertEqual(status, 0)
            self.assertIn("explain", text)
            self.assertIn("client", text)
            try:
                done = subprocess.run([shell, *check], input=text, text=True, capture_output=True)
            except FileNotFoundError:
                continue
            self.assertEqual(done.returncode, 0, done.stderr)

    def test_completed(self) -> None:
        """Bash and fish complete commands, options, and names of files with blanks."""
        folder = Path(self.mktemp())
        folder.mkdir(parents=True)
        (folder / "a b.yaml").touch()
        words = (("che", "check"), ("check --fo", "check --format"), ("check a", "check a b.yaml"))
        for shell, complete in (
            ("bash", 'read -ra COMP_WORDS <<< "txingress $1"; COMP_CWORD=$((${#COMP_WORDS[@]}-1))\n'
                     'source ./script; _txingress; printf "%s\\n" "${COMPREPLY[@]}"'),
            ("fish", 'source ./script; complete -C "txingress $argv[1]" | string split -f1 \\t'),
        ):  # fmt: skip
            if which(shell) is None:
                continue
            (folder / "script").write_text(run("completion", shell)[1])
            for written, completed in words:
                done = subprocess.run(
                    [shell, "-c", complete, *(["-"] if shell == "bash" else []), written],
                    cwd=folder, text=True, capture_output=True,
                    env={**os.environ, "HOME": str(folder.absolute())},
                )  # fmt: skip
                expected = completed.partition(" ")[2] or completed
                self.assertEqual((done.stdout.splitlines(), done.stderr), ([expected], ""), shell)

    def test_broken_pipe(self) -> None:
        """A reader that has seen enough is no failure."""
        command = f"{sys.executable} -m ingress config --defaults | head -n 1"
        done = subprocess.run(
            ["bash", "-o", "pipefail", "-c", command],
            cwd=CHECKOUT,
            env={**os.environ, "PYTHONPATH": str(CHECKOUT)},
            capture_output=True,
            text=True,
        )
        self.assertEqual((done.returncode, done.stderr), (0, ""))

    def test_light(self) -> None:
        """Help imports nothing that takes long."""
        code = (
            "import sys\nfrom ingress.command.main import main\nmain(['--help'])\n"
            "heavy = {'twisted', 'cryptography', 'OpenSSL', 'yaml', 'msgspec'} & set(sys.modules)\n"
            "sys.exit(str(heavy) if heavy else 0)"
        )
        done = subprocess.run(
            [sys.executable, "-c", code], cwd=CHECKOUT, capture_output=True, text=True
        )
        self.assertEqual((done.returncode, done.stderr), (0, ""))

    def test_light_check(self) -> None:
        """
        Checking files imports what reads and builds, nothing of Twisted or TLS, and no class in it
        has methods that nobody calls compiled (`ingress.late`, `ingress.frozen`).
        """
        code = (
            "import sys\nfrom ingress.command.main import main\n"
            "main(['check', 'etc/demo', '--show', 'error'])\nprint(*sys.modules)"
        )
        done = subprocess.run(
            [sys.executable, "-c", code], cwd=CHECKOUT, capture_output=True, text=True
        )
        self.assertEqual(done.stderr, "")
        imported = set(done.stdout.splitlines()[-1].split())
        self.assertIn("ingress.policy.registry", imported)
        heavy = {
            *("OpenSSL", "asyncio", "attr", "cryptography", "email.message", "http.client"),
            *("jwt", "logging", "re2", "ssl", "twisted", "urllib.request", "zope.interface"),
        }
        self.assertEqual(heavy & imported, set())
        compiled = (CHECKOUT / "setup.py").read_text()
        for name in sorted(each for each in imported if each.startswith("ingress.")):
            file = Path(*name.split(".")).with_suffix(".py")
            if f'"{file}"' not in compiled and (CHECKOUT / file).exists():
                text = (CHECKOUT / file).read_text()
                if "\n@dataclass(frozen=True, slots=True)\n" in text:
                    self.assertIn("\nfrom ingress.frozen import dataclass\n", text, name)
