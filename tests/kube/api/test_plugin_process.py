"""
Tests for `ingress.kube.api.plugin_process`, with processes that misbehave.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.task import Clock
from twisted.trial.unittest import TestCase

from ingress.kube.api.plugin_process import MAX_OUTPUT, TIMEOUT, PluginFailed, run_plugin


class ClockedReactor:
    """The reactor, but for its time, which passes when the test says so."""

    def __init__(self, reactor: Any, clock: Any) -> None:
        self.spawnProcess = reactor.spawnProcess
        self.callLater = clock.callLater


class RunPluginTests(TestCase):
    """A program is run for what it prints, within bounds."""

    timeout = 30.0

    def setUp(self) -> None:
        from twisted.internet import reactor

        self.clock = Clock()
        self.reactor = ClockedReactor(reactor, self.clock)
        self.real: Any = reactor
        self.folder = Path(self.mktemp()).absolute()
        self.folder.mkdir()

    def run_python(self, code: str, **environment: str) -> Deferred[bytes]:
        return run_plugin(self.reactor, sys.executable, ["-c", code], environment)

    async def assert_fails(self, code: str, words: str) -> None:
        error = await self.assertFailure(self.run_python(code), PluginFailed)
        self.assertEqual(str(error), words)
        self.assertEqual(self.clock.getDelayedCalls(), [])

    async def until(self, is_so: Callable[[], bool]) -> None:
        while not is_so():
            turned: Deferred[None] = Deferred()
            self.real.callLater(0.01, turned.callback, None)
            await turned

    def beginning(self, path: Path) -> str:
        """Code that reports that it runs, and its process id."""
        return (
            f"import os; f = open({str(path) + '.new'!r}, 'w'); f.write(str(os.getpid()));"
            f" f.close(); os.rename({str(path) + '.new'!r}, {str(path)!r});"
        )

    def is_gone(self, path: Path) -> bool:
        """Whether the process whose id is in the file has ended, and its parent knows."""
        try:
            os.kill(int(path.read_text()), 0)
        except ProcessLookupError:
            return True
        return False

    async def test_output(self) -> None:
        """It has its arguments and its environment, nothing to read, and is heard to the end."""
        printed = await self.run_python(
            "import os, sys; print(repr(sys.stdin.read()), os.environ['A'], end='');"
            " print('x' * 200000, end='')",
            A="b",
        )
        self.assertEqual(printed, b"'' b" + b"x" * 200_000)

    async def test_failure(self) -> None:
        """A failure is reported with its exit status, and without any output."""
        await self.assert_fails(
            "import sys; print('s3cr3t'); print('s3cr3t', file=sys.stderr); sys.exit(3)",
            "failed with exit status 3",
        )

    async def test_signal(self) -> None:
        """As is one that is ended by somebody else."""
        await self.assert_fails("import os; os.kill(os.getpid(), 15)", "was ended by signal 15")

    async def test_endless(self) -> None:
        """One that prints without end is ended."""
        await self.assert_fails(
            "import sys\nwhile True: sys.stdout.write('x' * 65536)",
            f"prints more than {MAX_OUTPUT} bytes",
        )

    async def test_garbage_beside(self) -> None:
        """Standard error may be long."""
        printed = await self.run_python(
            "import sys; sys.stderr.write('x' * 10_000_000); print('fine')"
        )
        self.assertEqual(printed, b"fine\n")

    async def test_hanging(self) -> None:
        """One that hangs is ended, also if a child of its own holds its output."""
        begun = self.folder / "pid"
        running = self.run_python(
            "import subprocess, sys;"
            " child = subprocess.Popen([sys.executable, '-c', 'import sys; sys.stdin.read()'],"
            " stdin=subprocess.PIPE);" + self.beginning(begun) + "child.wait()"
        )
        await self.until(begun.exists)
        self.clock.advance(TIMEOUT)
        error = await self.assertFailure(running, PluginFailed)
        self.assertEqual(str(error), f"takes more than {TIMEOUT:g} s")
        self.assertTrue(self.is_gone(begun))

    async def test_cancel(self) -> None:
        """A program that is no longer needed is ended."""
        begun = self.folder / "pid"
        running = self.run_python(self.beginning(begun) + "import time; time.sleep(1000)")
        await self.until(begun.exists)
        running.cancel()
        await self.assertFailure(running, CancelledError)
        await self.until(lambda: self.is_gone(begun))
        self.assertEqual(self.clock.getDelayedCalls(), [])

    async def test_not_a_program(self) -> None:
        """A file that is no program fails, and is not run by a shell."""
        path = self.folder / "plugin"
        path.write_text("echo '{}'")
        path.chmod(0o755)
        running = run_plugin(self.reactor, str(path), [], {})
        await self.assertFailure(running, PluginFailed)
        self.assertEqual(self.clock.getDelayedCalls(), [])
