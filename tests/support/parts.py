"""
Runs tests in one of several processes, which share them; `tests.__main__` adds the results up.
"""

from __future__ import annotations

import fcntl
import json
import os
import sys
import time
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from unittest import TestCase, TestSuite

from twisted.trial.reporter import TextReporter
from twisted.trial.runner import TestLoader, TrialRunner

import tests

USES_SOCKETS = (
    "tests.chart",
    "tests.command.test_live",
    "tests.command.test_main.CommandTests.test_broken_pipe",
    "tests.command.test_main.CommandTests.test_completion",
    "tests.command.test_main.CommandTests.test_completed",
    "tests.command.test_main.CommandTests.test_light",
    "tests.command.test_main.CommandTests.test_light_check",
    "tests.command.test_manual.ManualTests.test_formatted",
    "tests.config.test_file_value.AcceptTests.test_log_file_that_may_not_be_written",
    "tests.dns.test_client",
    "tests.dns.test_route",
    "tests.downstream.test_accepting_port",
    "tests.downstream.test_bound_socket",
    "tests.downstream.test_listeners",
    "tests.downstream.test_opening",
    "tests.downstream.test_passthrough",
    "tests.downstream.test_tls",
    "tests.downstream.test_tls_parameters",
    "tests.e2e",
    "tests.fake_api",
    "tests.kube.api.test_connect",
    "tests.kube.api.test_connection",
    "tests.kube.api.test_plugin_process",
    "tests.kube.api.test_tls",
    "tests.kube.test_resolved_names.NameServerTests",
    "tests.policy.test_in_flight.SharedTests",
    "tests.policy.test_password_hash.VerifyTests.test_htpasswd",
    "tests.policy.test_process_lock",
    "tests.real_cluster",
    "tests.telemetry.test_access_log.StdoutTests",
    "tests.telemetry.test_log_writer",
    "tests.telemetry.test_vitals",
    "tests.test_build",
    "tests.test_ci_example",
    "tests.test_comparison",
    "tests.test_container.ChrootTests",
    "tests.test_container.EntryPointTests",
    "tests.test_contributing",
    "tests.test_demo.RunTests",
    "tests.test_deploy.KustomizeTests",
    "tests.test_documentation",
    "tests.test_embedding",
    "tests.test_examples",
    "tests.test_layers.LayerTests.test_no_reactor",
    "tests.test_local_addresses.ReadTests",
    "tests.test_openssl",
    "tests.test_packaging.RequirementsTests",
    "tests.test_service_manager.SenderTests",
    "tests.test_tap",
    "tests.test_termination",
    "tests.transports",
    "tests.upstream.test_tls",
    "tests.worker.test_fork_client",
    "tests.worker.test_fork_server",
    "tests.worker.test_process",
)
"""Packages, modules, classes and tests that open sockets or start processes; ``--unit`` skips them."""

LONG = ("tests.e2e", "tests.test_documentation", "tests.test_examples", "tests.worker")
"""Packages and modules with classes of tests that take long."""


@dataclass(frozen=True, slots=True)
class Tally:
    """How many passed, failed and were skipped."""

    passed: int = 0
    failed: int = 0
    skipped: int = 0

    def __add__(self, other: Tally) -> Tally:
        return Tally(
            self.passed + other.passed, self.failed + other.failed, self.skipped + other.skipped
        )

    def __str__(self) -> str:
        return f"{self.passed} passed, {self.failed} failed, {self.skipped} skipped"


@dataclass(frozen=True)
class Part:
    """
    The result of a part.

    :ivar seconds: of each test, with its name.
    """

    tally: Tally
    seconds: tuple[tuple[float, str], ...]

    def write(self, file: Path) -> None:
        tally = (self.tally.passed, self.tally.failed, self.tally.skipped)
        file.write_text(json.dumps([tally, self.seconds]))

    @classmethod
    def read(cls, file: Path) -> Part | None:
        """:return: None if the process has not written it."""
        if not file.exists():
            return None
        tally, seconds = json.loads(file.read_text())
        return cls(Tally(*tally), tuple((spent, name) for spent, name in seconds))


class TimingReporter(TextReporter):
    """Remembers how long each test took."""

    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self.seconds: list[tuple[float, str]] = []
        self._began = 0.0

    def startTest(self, test: Any) -> None:
        self._began = time.monotonic()
        super().startTest(test)

    def stopTest(self, test: Any) -> None:
        super().stopTest(test)
        self.seconds.append((time.monotonic() - self._began, test.id()))


@dataclass(frozen=True)
class Choice:
    """
    Which tests run.

    :ivar names: of packages, modules, classes or tests; without any, all.
    :ivar is_unit: whether those that use sockets are left out, and no other may use any.
    """

    names: tuple[str, ...] = ()
    is_unit: bool = False

    def has(self, test: str) -> bool:
        if self.is_unit and _is_below(test, USES_SOCKETS):
            return False
        return not self.names or _is_below(test, self.names)


def _is_below(test: str, names: Iterable[str]) -> bool:
    return any(test == name or test.startswith(f"{name}.") for name in names)


class Turns:
    """
    Numbers that several processes take in turn, each number once.

    :param file: where the next number is; it begins at 0 if there is no such file.
    """

    def __init__(self, file: Path) -> None:
        self._file = os.open(file, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC)

    def take(self) -> int:
        """:return: a number that no other process has."""
        fcntl.flock(self._file, fcntl.LOCK_EX)
        try:
            number = int(os.pread(self._file, 20, 0) or b"0")
            os.pwrite(self._file, str(number + 1).encode(), 0)
        finally:
            fcntl.flock(self._file, fcntl.LOCK_UN)
        return number

    def close(self) -> None:
        """Take no more."""
        os.close(self._file)


class NextGroup(TestCase):
    """
    Runs whichever group of tests is next, so that no process is idle while another one has
    several groups left.
    """

    def __init__(self, groups: Sequence[list[Any]], turns: Turns) -> None:
        super().__init__("run")
        self._groups = groups
        self._turns = turns

    def run(self, result: Any = None) -> Any:
        """Run it; nothing if no group is left."""
        number = self._turns.take()
        if number < len(self._groups):
            TestSuite(self._groups[number]).run(result)
        return result


def run_part(turns: Path, file: Path, choice: Choice) -> None:
    """
    Run tests until none are left, and write the result.

    :param turns: the file of the `Turns` of all processes.
    :param file: of the result.
    """
    found = TestLoader().loadPackage(tests, recurse=True)
    groups = group_by_class(test for test in find_tests(found) if choice.has(test.id()))
    # What takes long comes first, so that the processes end at about the same time.
    groups.sort(key=lambda group: not _is_below(group[0].id(), LONG))
    if choice.is_unit:
        forbid_sockets()
    numbers = Turns(turns)
    suite = TestSuite(NextGroup(groups, numbers) for _ in groups)
    result: Any = TrialRunner(TimingReporter).run(suite)
    numbers.close()
    tally = Tally(
        passed=result.successes + len(result.expectedFailures),
        failed=len(result.failures) + len(result.errors) + len(result.unexpectedSuccesses),
        skipped=len(result.skips),
    )
    Part(tally, tuple(result.seconds)).write(file)


def group_by_class(found: Iterable[Any]) -> list[list[Any]]:
    """:return: the tests of each class, in the order of their names."""
    by_class: dict[str, list[Any]] = {}
    for test in found:
        # A module that cannot be imported is a test as well, which has its name.
        by_class.setdefault(test.id().rpartition(".")[0], []).append(test)
    return [group for _, group in sorted(by_class.items())]


def find_tests(suite: Iterable[Any]) -> Iterator[Any]:
    for each in suite:
        if hasattr(each, "__iter__"):
            yield from find_tests(each)
        else:
            yield each


def forbid_sockets() -> None:
    """Have every test fail that binds or connects a socket, or starts a process."""
    forbidden = {"socket.bind", "socket.connect", "subprocess.Popen", "os.fork", "os.posix_spawn"}

    def watch(event: str, arguments: object) -> None:
        if event in forbidden:
            raise AssertionError(f"{event} in a unit test; see USES_SOCKETS in {__file__}")

    sys.addaudithook(watch)
