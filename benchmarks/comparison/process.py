"""
Processes of the benchmark: pinned to a core, accounted for with their children, and ended.
"""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

TICK = os.sysconf("SC_CLK_TCK")

PATIENCE = 10.0
"""Seconds that a process has to end when it is asked to."""


class Failed(Exception):
    """A process did not do what the benchmark needs; its message says what."""


class Process:
    """
    A process with all that it starts, in a session of its own.

    It ends with us, even if we are killed: where there is setpriv (Debian's util-linux),
    the system tells it.

    :param output: where both of its outputs are appended.
    """

    def __init__(
        self,
        command: Sequence[str],
        core: int,
        output: Path,
        environment: Mapping[str, str] | None = None,
    ) -> None:
        self.output = output
        self.name = Path(command[0]).name
        with output.open("ab") as file:
            self._process = subprocess.Popen(
                [*bound_to_us(), *pinned(core), *command],
                stdin=subprocess.DEVNULL,
                stdout=file,
                stderr=subprocess.STDOUT,
                env={**os.environ, **(environment or {})},
                cwd=output.parent,
                start_new_session=True,
            )
        _keep_niceness(self._process.pid)

    @property
    def has_ended(self) -> bool:
        return self._process.poll() is not None

    @property
    def last_words(self) -> str:
        return self.output.read_text(errors="replace")[-2000:]

    @property
    def processor_seconds(self) -> float:
        """That all of it has used so far, in user space and in the system."""
        return sum(int(fields[11]) + int(fields[12]) for _, fields in self._members()) / TICK

    @property
    def memory(self) -> int:
        """KiB resident, of all of it; what several of them share counts for each."""
        page = os.sysconf("SC_PAGE_SIZE")
        return sum(int(fields[21]) for _, fields in self._members()) * page // 1024

    def _members(self) -> Iterator[tuple[int, list[str]]]:
        """Each process of the session, and the fields of its stat after its name."""
        session = str(self._process.pid)
        for folder in os.listdir("/proc"):
            if folder.isdigit():
                try:
                    stat = Path("/proc", folder, "stat").read_text()
                except OSError:
                    continue  # has ended just now
                fields = stat.rpartition(")")[2].split()
                if fields[3] == session:
                    yield int(folder), fields

    def stop(self) -> None:
        """Ask it to end, and kill what is left of it."""
        if not self.has_ended:
            self._process.terminate()
            with suppress(subprocess.TimeoutExpired):
                self._process.wait(PATIENCE)
        for pid, _ in list(self._members()):
            os.kill(pid, signal.SIGKILL)
        self._process.wait()


def bound_to_us() -> list[str]:
    """What goes in front of a command, so that it gets SIGTERM when we end."""
    return ["setpriv", "--pdeathsig", "TERM", "--"] if shutil.which("setpriv") else []


def pinned(core: int) -> list[str]:
    """What goes in front of a command, so that it runs on that core only."""
    return ["taskset", "--cpu-list", str(core)]


@contextmanager
def niceness(value: int) -> Iterator[None]:
    """Of ourselves and of what we start meanwhile; only root may have less than there was."""
    before = os.getpriority(os.PRIO_PROCESS, 0)
    _set_niceness(value)
    try:
        yield
    finally:
        _set_niceness(before)


def _set_niceness(value: int) -> None:
    if value != os.getpriority(os.PRIO_PROCESS, 0):
        os.setpriority(os.PRIO_PROCESS, 0, value)
        _keep_niceness(os.getpid())


def _keep_niceness(pid: int) -> None:
    """Where the scheduler groups by session, a group has a niceness of its own."""
    with suppress(FileNotFoundError):
        group = Path("/proc", str(pid), "autogroup")
        group.write_text(str(os.getpriority(os.PRIO_PROCESS, 0)))


def run(command: Sequence[str], core: int, patience: float) -> str:
    """
    :return: what it wrote to its standard output.
    :raises Failed: if it takes longer than that many seconds, or its exit status is not 0.
    """
    process = subprocess.Popen(
        [*bound_to_us(), *pinned(core), *command],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    try:
        _keep_niceness(process.pid)
        output, errors = process.communicate(timeout=patience)
    except subprocess.TimeoutExpired:
        raise Failed(f"{command[0]} took longer than {patience:.0f} s") from None
    finally:
        process.kill()
        process.wait()
    if process.returncode:
        raise Failed(f"{' '.join(command)}: exit status {process.returncode}\n{errors}")
    return output


def wait_until(condition: Callable[[], bool], process: Process, patience: float) -> None:
    """:raises Failed: if the process ends before the condition holds, or it takes too long."""
    end = time.monotonic() + patience
    while not condition():
        if process.has_ended:
            raise Failed(f"{process.name} ended at once:\n{process.last_words}")
        if time.monotonic() > end:
            raise Failed(f"{process.name} is not ready:\n{process.last_words}")
        time.sleep(0.05)
