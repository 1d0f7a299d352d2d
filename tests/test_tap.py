"""
Tests for `ingress.tap`.
"""

from __future__ import annotations

import socket
import sys
from contextlib import redirect_stdout
from io import StringIO
from pathlib import Path
from typing import Any, cast

import yaml
from twisted.application.service import MultiService
from twisted.python.reflect import namedAny
from twisted.python.usage import UsageError
from twisted.trial.unittest import SynchronousTestCase

from ingress.installation import describe
from ingress.process_log import PROCESS_LOG
from ingress.service import IngressService
from ingress.tap import SWITCH_INTERVAL, Options, makeService
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
        self.assertIn("--config FILE is required", line)

    def test_version(self) -> None:
        """``--version`` says which of our versions it is, and whether it is compiled."""
        with redirect_stdout(StringIO()) as said:
            ending = self.assertRaises(SystemExit, self.parse, "--version")
        self.assertEqual(ending.code, 0)
        self.assertEqual(said.getvalue(), f"{describe()}\n")

    def test_unknown(self) -> None:
        """Unknown options and arguments are twistd's to refuse."""
        self.assertRaises(UsageError, self.parse, "--confg", str(self.path))
        self.assertRaises(UsageError, self.parse, "--config", str(self.path), "more")

    def test_mistakes(self) -> None:
        """Each mistake of the file is a line."""
        self.write(workers="many", snippets="maybe")
        self.assertEqual(len(self.refusal()), 2)

    def test_cluster(self) -> None:
        """A cluster whose API server cannot be found out is a mistake as well."""
        kubeconfig = self.folder / "kubeconfig"
        kubeconfig.write_text("{}")
        self.write(
            listen=LOCAL | {"http": f"unix:{self.folder}/socket"},
            source={"kubernetes": {"kubeconfig": "kubeconfig"}},
        )
        (line,) = self.refusal()
        self.assertIn(str(kubeconfig), line)
        self.assertFalse((self.folder / "socket").exists())

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


class TwistdOptions(dict[str, object]):
    """The options before the command's name."""

    subCommand = "ingress"


class ProcessLogTests(TapTestCase):
    """The log file is ours to open, where twistd would open one."""

    def factory(self, **twistd: object) -> object:
        options = Options()
        options.parent = cast(Any, TwistdOptions(twistd))
        options.parseOptions(["--config", str(self.path)])
        self.addCleanup(options["listeners"].stop)
        return options.parent.get("logger")

    def test_taken_over(self) -> None:
        """twistd finds our factory by its name."""
        name = self.factory(logfile="twistd.log", nodaemon=1)
        self.assertEqual(namedAny(cast(str, name)), PROCESS_LOG.open)


class MakeServiceTests(TapTestCase):
    """The parts put together."""

    def test_made(self) -> None:
        """The service that is made is not ready before it has been started."""
        process = cast(MultiService, makeService(self.parse()))
        (service,) = (one for one in process if isinstance(one, IngressService))
        self.assertFalse(service.running)
        self.assertNotEqual(service.readiness.reasons, ())

    def test_threads_give_way(self) -> None:
        """Threads keep the interpreter for a short time only."""
        self.addCleanup(sys.setswitchinterval, sys.getswitchinterval())
        makeService(self.parse())
        self.assertAlmostEqual(sys.getswitchinterval(), SWITCH_INTERVAL)

    def test_workers(self) -> None:
        """Each of several workers has sockets of its own, bound as soon as all others."""
        self.write(listen=LOCAL, workers=3)
        options = self.parse()
        for twin in options["twins"]:
            self.addCleanup(twin.stop)
        self.assertEqual(
            [twin.http.addresses for twin in options["twins"]],
            [options["listeners"].http.addresses] * 3,
        )
        makeService(options)

    def test_cluster(self) -> None:
        """With a cluster there is an API server to ask, and nobody asks it before the start."""
        with socket.create_server(("127.0.0.1", 0)) as api:
            server = f"https://127.0.0.1:{api.getsockname()[1]}"
            kubeconfig = {
                "clusters": [{"name": "c", "cluster": {"server": server}}],
                "users": [{"name": "u", "user": {"token": "t"}}],
                "contexts": [{"name": "x", "context": {"cluster": "c", "user": "u"}}],
                "current-context": "x",
            }
            (self.folder / "kubeconfig").write_text(yaml.safe_dump(kubeconfig))
            self.write(source={"kubernetes": {"kubeconfig": "kubeconfig"}}, listen=LOCAL)
            process = cast(MultiService, makeService(self.parse()))
            (service,) = (one for one in process if isinstance(one, IngressService))
            self.assertIn("ingresses.networking.k8s.io", service.readiness.notes[0])
            api.settimeout(0)
            self.assertRaises(BlockingIOError, api.accept)

    def test_one_worker(self) -> None:
        """One process has the sockets that it had without workers."""
        self.assertEqual(self.parse()["twins"], ())
