"""
Tests for `ingress.tap`.
"""

from __future__ import annotations

import socket
from pathlib import Path

import yaml
from twisted.python.usage import UsageError
from twisted.trial.unittest import SynchronousTestCase

from ingress.service import IngressService
from ingress.tap import Options, makeService
from tests.support.process import LOOPBACK

LOCAL = {"http": LOOPBACK, "https": LOOPBACK, "admin": LOOPBACK}


class TapTestCase(SynchronousTestCase):
    """A configuration in a folder of its own."""

    def setUp(self) -> None:
        self.folder = Path(self.mktemp()).absolute()
        (self.folder / "manifests").mkdir(parents=True)
        self.path = self.folder / "ingress.yaml"
        self.write(listen=LOCAL)

    def write(self, **settings: object) -> None:
        document = {"source": {"files": "manifests"}} | settings
        self.path.write_text(yaml.safe_dump(document))

    def parse(self, *arguments: str) -> Options:
        """The options as ``twistd ingress`` parses them, with nothing bound at the end."""
        options = Options()
        options.parseOptions(arguments or ["--config", str(self.path)])
        self.addCleanup(options["listeners"].stop)
        return options


class OptionsTests(TapTestCase):
    """The command line."""

    def refusal(self, *arguments: str) -> list[str]:
        """The lines with which it ends; a text as the exit's code is status 1."""
        ending = self.assertRaises(SystemExit, self.parse, *arguments)
        self.assertIsInstance(ending.code, str)
        return str(ending.code).splitlines()

    def test_good(self) -> None:
        """The configuration is read and its addresses are bound, but nothing is accepted yet."""
        options = self.parse()
        self.assertEqual(options["loaded"].path, self.path)
        port = options["listeners"].http.port
        with socket.socket() as client:
            self.assertNotEqual(client.connect_ex(("127.0.0.1", port)), 0)

    def test_short(self) -> None:
        """``-c`` is short for ``--config``."""
        self.assertEqual(self.parse("-c", str(self.path))["loaded"].path, self.path)

    def test_missing(self) -> None:
        """Without --config there is nothing to serve."""
        (line,) = self.refusal("--")
        self.assertIn("--config FILE is needed", line)

    def test_unknown(self) -> None:
        """Unknown options and arguments are twistd's to refuse."""
        self.assertRaises(UsageError, self.parse, "--confg", str(self.path))
        self.assertRaises(UsageError, self.parse, "--config", str(self.path), "more")

    def test_mistakes(self) -> None:
        """Each mistake of the file is a line."""
        self.write(workers="many", snippets="maybe")
        self.assertEqual(len(self.refusal()), 2)

    def test_taken(self) -> None:
        """Each address that cannot be bound is a line."""
        with socket.create_server(("127.0.0.1", 0)) as taken:
            address = f"tcp:{taken.getsockname()[1]}:interface=127.0.0.1"
            self.write(listen=LOCAL | {"http": address, "admin": address})
            lines = self.refusal()
        self.assertEqual(
            [line.partition(": ")[0] for line in lines], ["listen.http", "listen.admin"]
        )

    def test_nothing_bound_for_mistakes(self) -> None:
        """A configuration with mistakes binds nothing: its addresses may be wrong, too."""
        self.write(listen=LOCAL | {"http": f"unix:{self.folder}/socket"}, workers="many")
        self.refusal()
        self.assertFalse((self.folder / "socket").exists())


class MakeServiceTests(TapTestCase):
    """The parts put together."""

    def test_made(self) -> None:
        """The service that is made is not ready before it has been started."""
        service = makeService(self.parse())
        assert isinstance(service, IngressService)
        self.assertFalse(service.running)
        self.assertNotEqual(service.readiness.reasons, ())
