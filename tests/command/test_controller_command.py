"""
Tests for `ingress.command.controller_command`.
"""

from __future__ import annotations

import os
from contextlib import redirect_stdout
from io import StringIO
from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

from ingress.command.controller_command import write
from ingress.command.failure import CannotRun
from ingress.command.main import main
from ingress.config_file import load_config
from ingress.installation import describe
from ingress.migration.flags import read


class WriteTests(SynchronousTestCase):
    """The configuration of flags."""

    def setUp(self) -> None:
        self.folder = Path(self.mktemp())
        self.folder.mkdir()
        self.environment = {"TMPDIR": str(self.folder), "POD_NAMESPACE": "edge"}

    def write(self, *words: str) -> Path:
        return write(read(words, self.environment), self.environment)

    def test_written(self) -> None:
        """It is a file that only we can read, and the configuration of the flags."""
        file = self.write("--configmap=$(POD_NAMESPACE)/settings", "--http-port=8080")
        self.assertEqual(file.stat().st_mode & 0o777, 0o600)
        config = load_config(file)
        self.assertEqual(
            (config.config_map, config.listen.http), (("edge", "settings"), ("*:8080",))
        )

    def test_refused(self) -> None:
        """What the configuration does not accept is told by the names of flags; no file stays."""
        for words, message in (
            (["--watch-namespace=A B"], '--watch-namespace: "A B": the name of a namespace'),
            (["--controller-class=x"], '--controller-class: "x": the name of a controller'),
            (["--publish-status-address=-,a"], '--publish-status-address: "-"'),
            (["--kubeconfig=/nowhere"], '--kubeconfig: "/nowhere": an existing file'),
            (["--health-check-path=/readyz"], '--health-check-path: "/readyz": a path such as'),
            (["--annotations-prefix=x.example"], "--annotations-prefix=x.example: stops the start"),
        ):
            error = self.assertRaises(CannotRun, self.write, *words)
            self.assertIn(message, str(error))
        self.assertEqual(list(self.folder.iterdir()), [])

    def test_relative(self) -> None:
        """A kubeconfig is looked for in our folder, not beside the configuration."""
        kubeconfig = self.folder / "kubeconfig"
        kubeconfig.write_text("{}")
        name = os.path.relpath(kubeconfig)
        cluster = load_config(self.write(f"--kubeconfig={name}")).cluster
        assert cluster is not None
        self.assertEqual(cluster.kubeconfig, kubeconfig.absolute())

    def test_nowhere(self) -> None:
        """Where no file can be made it is in memory."""
        self.environment["TMPDIR"] = str(self.folder / "absent")
        file = self.write("--configmap=a/b")
        self.addCleanup(os.close, int(file.name))
        self.assertEqual(load_config(file).config_map, ("a", "b"))


class NameTests(SynchronousTestCase):
    """The names of the program."""

    def test_version(self) -> None:
        """Each name, and the path in the container, takes the flags of ingress-nginx."""
        for name in ("nginx-ingress-controller", "/nginx-ingress-controller"):
            out = StringIO()
            with redirect_stdout(out):
                self.assertEqual(main([name, "--version", "--configmap=x"]), 0)
            self.assertEqual(out.getvalue(), f"{describe()}\n")
