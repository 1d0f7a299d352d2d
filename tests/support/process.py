"""
A real ``twistd ingress`` process, for end-to-end tests.
"""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TypeVar

import yaml

CHECKOUT = Path(__file__).resolve().parents[2]

TWISTD = (sys.executable, "-c", "from twisted.scripts.twistd import run; run()")
"""The command of the ``twistd`` script, with the interpreter and packages of the tests."""

ENVIRONMENT = os.environ | {"PYTHONPATH": str(CHECKOUT), "PYTHONUNBUFFERED": "1"}

PATIENCE = 120.0
"""Seconds to wait for a condition that is normally met at once; machines may be busy."""

LOOPBACK = "tcp:0:interface=127.0.0.1"
"""A listener on any free port."""

T = TypeVar("T")


def wait_until(condition: Callable[[], T], what: str, patience: float = PATIENCE) -> T:
    """
    :return: the first true value of `condition`.
    :raises AssertionError: if there is none in time; `what` names the condition.
    """
    end = time.monotonic() + patience
    while True:
        value = condition()
        if value:
            return value
        if time.monotonic() > end:
            raise AssertionError(f"waited {patience} s in vain for {what}")
        time.sleep(0.01)


class IngressProcess:
    """
    :param folder: the folder for its configuration and manifests; made if it does not exist.
    :param settings: the configuration besides listeners and ``source.files``; keys have
        ``_`` for ``-``. The access log is off, because it would mix with the log.
    :ivar command: the command to run; a test may replace it, and the environment, before
        the start.
    :ivar inherited: descriptors that it gets from this process.
    """

    def __init__(self, folder: Path, **settings: object) -> None:
        self.folder = folder
        self.command: tuple[str, ...] = TWISTD
        self.environment: Mapping[str, str] = ENVIRONMENT
        self.inherited: tuple[int, ...] = ()
        self.manifests = folder / "manifests"
        self.manifests.mkdir(parents=True, exist_ok=True)
        self.config = folder / "ingress.yaml"
        self._lines: list[str] = []
        self._process: subprocess.Popen[str] | None = None
        self._reader: threading.Thread | None = None
        self.configure(**settings)

    @property
    def pid(self) -> int:
        assert self._process is not None
        return self._process.pid

    @property
    def log(self) -> str:
        """Its whole output since it was started."""
        return "\n".join(self._lines)

    def use_installation(self, twistd: str) -> None:
        """
        Run what is installed in place of the checkout.

        :param twistd: the path of its program, from the folder of this process.
        """
        self.command = (str(Path(twistd).absolute()),)

    # What it reads.

    def configure(self, **settings: object) -> None:
        """Replace its configuration."""
        document: dict[str, object] = {
            "listen": {"http": LOOPBACK, "https": LOOPBACK, "admin": LOOPBACK},
            "source": {"files": ["manifests"]},
            "access-log": "off",
            "shutdown-grace": 5,
        }
        document.update((key.replace("_", "-"), value) for key, value in settings.items())
        replace_file(self.config, yaml.safe_dump(document))

    def write(self, name: str, *objects: object) -> None:
        """Replace the manifest file `name` by one with these objects."""
        replace_file(self.manifests / name, yaml.safe_dump_all(objects))

    # How it lives.

    def start(self) -> None:
        """Start it, and wait until it accepts."""
        self.spawn()
        self.wait_for_line(r"listen\.https on ")

    def spawn(self, *arguments: str, folder: Path | None = None) -> None:
        """
        Start it.

        :param arguments: the arguments, in place of those that serve its configuration.
        :param folder: the working folder.
        """
        self._lines = []
        self._process = subprocess.Popen(
            [*self.command, *(arguments or self.arguments)],
            cwd=folder or self.folder,
            env=self.environment,
            pass_fds=self.inherited,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        self._reader = threading.Thread(target=self._read, args=(self._process,), daemon=True)
        self._reader.start()

    @property
    def arguments(self) -> tuple[str, ...]:
        """Return the arguments of ``twistd`` to serve its configuration in the foreground."""
        return ("-n", "--pidfile=", "ingress", "--config", str(self.config))

    def _read(self, process: subprocess.Popen[str]) -> None:
        assert process.stdout is not None
        with process.stdout:
            for line in process.stdout:
                self._lines.append(line.rstrip("\n"))

    def port(self, listener: str) -> int:
        """Return the port of ``http``, ``https`` or ``admin``."""
        match = self.wait_for_line(rf"listen\.{listener} on \S*:(\d+)")
        return int(match[1])

    def mark(self) -> int:
        """:return: the current end of the log, for `wait_for_line`."""
        return len(self._lines)

    def wait_for_line(
        self, pattern: str, patience: float = PATIENCE, since: int = 0
    ) -> re.Match[str]:
        """
        :param since: a result of `mark`.
        :return: the match in the first line of its log that contains the pattern.
        :raises AssertionError: with the whole log, if none comes in time or the process ends.
        """
        expression = re.compile(pattern)

        def find() -> re.Match[str] | None:
            has_ended = not self.is_running() and not self._is_being_read()
            for line in self._lines[since:]:
                if match := expression.search(line):
                    return match
            if has_ended:
                raise AssertionError(f"it ended without {pattern!r}")
            return None

        try:
            found = wait_until(find, repr(pattern), patience)
        except AssertionError as error:
            raise AssertionError(f"{error}\n{self.log}") from None
        assert found is not None
        return found

    def is_running(self) -> bool:
        return self._process is not None and self._process.poll() is None

    def _is_being_read(self) -> bool:
        return self._reader is not None and self._reader.is_alive()

    def signal(self, number: signal.Signals) -> None:
        assert self._process is not None
        self._process.send_signal(number)

    def wait(self) -> int:
        """Wait for its end; return its exit status."""
        assert self._process is not None
        status = self._process.wait(PATIENCE)
        if self._reader is not None:
            self._reader.join(PATIENCE)
        return status

    def stop(self) -> None:
        """End it if it is running; for `addCleanup`."""
        if self._process is None:
            return
        if self.is_running():
            self._process.terminate()
            try:
                self._process.wait(PATIENCE)
            except subprocess.TimeoutExpired:
                self._process.kill()
        self.wait()

    # What the system says about it.

    @property
    def descriptors(self) -> int:
        """Count its open file descriptors."""
        return len(os.listdir(f"/proc/{self.pid}/fd"))

    @property
    def memory(self) -> int:
        """Return its current memory in KiB."""
        return self._memory("VmRSS")

    @property
    def peak_memory(self) -> int:
        """Return the peak of its memory since `forget_peak`, in KiB."""
        return self._memory("VmHWM")

    def forget_peak(self) -> None:
        """Reset the peak to the current memory."""
        Path(f"/proc/{self.pid}/clear_refs").write_text("5")

    def _memory(self, field: str) -> int:
        status = Path(f"/proc/{self.pid}/status").read_text()
        match = re.search(rf"^{field}:\s+(\d+) kB", status, re.MULTILINE)
        assert match is not None
        return int(match[1])


def replace_file(path: Path, text: str) -> None:
    """Write a temporary file and rename it over `path`, as careful programs do."""
    beside = path.with_name(f".{path.name}.new")
    beside.write_text(text)
    beside.rename(path)


class ModuleProcess:
    """
    A module as a process of its own, which prints the port that it listens on.

    :param command: its name, and its arguments.
    """

    def __init__(self, *command: str) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-m", *command],
            cwd=CHECKOUT,
            env=ENVIRONMENT,
            stdout=subprocess.PIPE,
            text=True,
        )
        assert self._process.stdout is not None
        self.port = int(self._process.stdout.readline())

    def stop(self) -> None:
        self._process.kill()
        self._process.communicate()
