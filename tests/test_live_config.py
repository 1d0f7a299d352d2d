"""
Tests for `ingress.live_config`.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import yaml
from twisted.internet.defer import Deferred, maybeDeferred
from twisted.logger import capturedLogs, formatEvent
from twisted.trial.unittest import SynchronousTestCase

from ingress.config import Config
from ingress.config_file import load_config
from ingress.live_config import LiveConfig


class HandThread:
    """Runs functions when a test says so."""

    def __init__(self) -> None:
        self._waiting: list[tuple[Callable[..., Any], tuple[object, ...], Deferred[Any]]] = []

    def __len__(self) -> int:
        """How many wait."""
        return len(self._waiting)

    def run(self, function: Callable[..., Any], *arguments: object) -> Deferred[Any]:
        result: Deferred[Any] = Deferred()
        self._waiting.append((function, arguments, result))
        return result

    def go_on(self) -> None:
        """Run the function that waits longest."""
        function, arguments, result = self._waiting.pop(0)
        maybeDeferred(function, *arguments).chainDeferred(result)


class LiveConfigTests(SynchronousTestCase):
    """The file changes while the process runs."""

    def setUp(self) -> None:
        self.folder = Path(self.mktemp())
        (self.folder / "manifests").mkdir(parents=True)
        self.path = (self.folder / "ingress.yaml").absolute()
        self.write()
        self.applied: list[Config] = []
        self.thread = HandThread()
        self.live = LiveConfig(load_config(self.path), self.applied.append, self.thread.run)

    def write(self, **settings: object) -> None:
        document = {"source": {"files": "manifests"}} | {
            key.replace("_", "-"): value for key, value in settings.items()
        }
        self.path.write_text(yaml.safe_dump(document))

    def look(self, look: Callable[[], None] | None = None) -> list[str]:
        """:return: what is logged."""
        with capturedLogs() as events:
            (look or self.live.look)()
            while len(self.thread):
                self.thread.go_on()
        return [formatEvent(event) for event in events]

    def test_applied(self) -> None:
        """A change applies, is said once and is current from then on."""
        self.write(ssl_redirect=False, shutdown_grace=3)
        self.assertEqual(self.look(), [f"{self.path}: the changed configuration is applied"])
        (applied,) = self.applied
        self.assertEqual((applied.ssl_redirect, applied.shutdown_grace), (False, 3.0))
        self.assertIs(self.live.current, applied)

    def test_reread(self) -> None:
        """A reading that somebody asked for says what came of it, also if it is nothing new."""
        unchanged = f"{self.path}: the configuration is unchanged"
        self.assertEqual(self.look(self.live.reread), [unchanged])
        self.write(workers="many")
        mistakes = self.look()
        self.assertEqual(self.look(self.live.reread), mistakes)
        self.assertEqual(self.look(), [])

    def test_reread_done(self) -> None:
        """Whoever asked is told once, when the file is applied, or refused."""
        done: list[bool] = []
        self.write(ssl_redirect=False)
        self.look(lambda: self.live.reread(lambda: done.append(self.live.current.ssl_redirect)))
        self.write(workers="many")
        self.look(lambda: self.live.reread(lambda: done.append(self.live.has_mistakes)))
        self.look()
        self.assertEqual(done, [False, True])

    def test_nothing_changed(self) -> None:
        """A file that says the same applies nothing and is no line of the log."""
        self.write()
        self.assertEqual(self.look(), [])
        self.assertEqual(self.applied, [])

    def test_restart_needed(self) -> None:
        """Keys that need a restart are named and keep their value; the others apply."""
        listen = self.live.current.listen
        self.write(listen={"http": "tcp:1"}, ssl_redirect=False)
        lines = self.look()
        self.assertEqual(lines[0], f"{self.path}: the change of listen needs a restart")
        self.assertEqual(self.live.current.listen, listen)
        self.assertFalse(self.live.current.ssl_redirect)

    def test_only_restart_needed(self) -> None:
        """Where nothing else changed nothing is applied."""
        self.write(source={"files": ["manifests", "."]})
        self.assertEqual(self.look(), [f"{self.path}: the change of source.files needs a restart"])
        self.assertEqual(self.applied, [])

    def test_mistake(self) -> None:
        """A file with mistakes changes nothing; each mistake is a line."""
        self.path.write_text("source: {files: manifests}\nworkers: many\nsnippets: maybe\n")
        lines = self.look()
        self.assertEqual(len(lines), 2)
        for number, line in enumerate(lines, 2):
            self.assertTrue(line.startswith(f"{self.path}, line {number}: "), line)
            self.assertTrue(line.endswith("; the running configuration stays"), line)
        self.assertEqual(self.applied, [])

    def test_same_mistake(self) -> None:
        """The same mistakes are not said again, unless the file was good in between."""
        self.write(workers="many")
        self.assertEqual(len(self.look()), 1)
        self.assertEqual(self.look(), [])
        self.assertTrue(self.live.has_mistakes)
        self.write()
        self.assertEqual(self.look(), [])
        self.assertFalse(self.live.has_mistakes)
        self.write(workers="many")
        self.assertEqual(len(self.look()), 1)

    def test_gone(self) -> None:
        """A file that is gone is a mistake like others."""
        self.path.unlink()
        (line,) = self.look()
        self.assertIn("cannot be read: No such file or directory", line)

    def test_pipe(self) -> None:
        """A pipe in the file's place is not waited for."""
        self.path.unlink()
        os.mkfifo(self.path)
        self.assertEqual(
            self.look(), [f"{self.path}: is not a regular file; the running configuration stays"]
        )

    def test_changed_while_read(self) -> None:
        """A change while the file is read is read after that, and many changes are once."""
        self.live.look()
        for _ in range(3):
            self.live.look()
        self.assertEqual(len(self.thread), 1)
        self.thread.go_on()
        self.write(ssl_redirect=False)
        self.assertEqual(len(self.thread), 1)
        self.thread.go_on()
        self.assertEqual(len(self.thread), 0)
        self.assertFalse(self.live.current.ssl_redirect)

    def test_stopped(self) -> None:
        """What is being read when it is stopped neither applies nor is told."""
        for settings in ({"ssl_redirect": False}, {"workers": "many"}):
            self.setUp()
            self.write(**settings)
            with capturedLogs() as events:
                self.live.look()
                self.live.look()
                self.live.stop()
                self.thread.go_on()
            self.assertEqual((len(self.thread), self.applied, events), (0, [], []))

    def test_fault_of_ours(self) -> None:
        """An error that is no mistake of the file is logged, and the next change is read."""
        faults = [ZeroDivisionError()]

        def apply(config: Config) -> None:
            if faults:
                raise faults.pop()
            self.applied.append(config)

        self.live = LiveConfig(self.live.current, apply, self.thread.run)
        self.write(ssl_redirect=False)
        self.look()
        self.assertEqual(len(self.flushLoggedErrors(ZeroDivisionError)), 1)
        self.write(ssl_redirect=False, shutdown_grace=3)
        self.look()
        self.assertEqual(len(self.applied), 1)

    def test_repr(self) -> None:
        """It shows its file, and whether that is being read."""
        self.assertEqual(repr(self.live), f"<LiveConfig of {self.path}>")
        self.live.look()
        self.assertEqual(repr(self.live), f"<LiveConfig of {self.path}, reading>")
