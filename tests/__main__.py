"""
Everything that must pass: ruff, mypy, and trial over `tests`.

``python -m tests`` runs all of it, with the tests in as many processes as there are cores.
``--lint`` leaves the tests out; ``--unit`` runs only tests without sockets and processes, and
no tools; ``--ci`` adds what takes longer. Names of packages, modules or tests choose those.
The last line on stdout is ``N passed, M failed, K skipped``, where each complaint of ruff or
mypy counts as a failure, and the exit status says the same.
"""

from __future__ import annotations

import argparse
import os
import re
import subprocess
import sys
import tempfile
from pathlib import Path

from tests.support.parts import Choice, Part, Tally, run_part

COMPLAINT = re.compile(r"\S[^:]*:\d+:(\d+:| error:) ")
"""A line of output that counts: ``FILE:LINE:COLUMN: ...`` of ruff, ``FILE:LINE: error: ...`` of mypy."""

CLOSING_LINE = re.compile(r"(\d+) passed, (\d+) failed, (\d+) skipped")

COMPILED_TESTS = (
    *("tests.data_path", "tests.downstream", "tests.exchange", "tests.fuzz", "tests.http1"),
    *("tests.upstream", "tests.e2e.test_http", "tests.e2e.test_hostile", "tests.e2e.test_tls"),
)
"""What ``--ci`` runs on compiled modules, as users have them."""

SHOWN = 10
"""The slowest tests, which are printed with their seconds."""

FASTEST = 1.0
"""Seconds below which no test is shown."""


class Check:
    """
    A tool that runs beside the tests, at a lower priority so that it disturbs
    none that listens for something within a given time.
    """

    def __init__(self, *arguments: str) -> None:
        """:param arguments: the tool's module and its arguments."""
        self._process = subprocess.Popen(
            (sys.executable, "-m", *arguments),
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            preexec_fn=lambda: os.nice(10),
        )

    def tally(self) -> Tally:
        """Wait for the end, print the output, and count the complaints."""
        output, _ = self._process.communicate()
        if not self._process.returncode:
            return Tally()
        sys.stdout.write(output)
        complaints = sum(1 for line in output.splitlines() if COMPLAINT.match(line))
        return Tally(failed=max(1, complaints))


def start_checks() -> list[Check]:
    """Start ruff and mypy."""
    return [
        Check("ruff", "check", "--output-format=concise"),
        Check("ruff", "format", "--check", "--output-format=concise"),
        Check("mypy", "--no-error-summary"),
    ]


def run_parts(jobs: int, arguments: list[str]) -> Tally:
    """Run the tests in so many processes, and print what each of them reports."""
    seconds: list[tuple[float, str]] = []
    tally = Tally()
    with tempfile.TemporaryDirectory(prefix="tests-") as folder:
        started = []
        for number in range(jobs):
            file = Path(folder, str(number))
            command = [sys.executable, "-m", "tests", *arguments]
            command += ["--part", str(file), "--turns", str(Path(folder, "turns"))]
            with file.with_suffix(".out").open("wb") as out:
                started.append((subprocess.Popen(command, stdout=out, stderr=out), file))
        for process, file in started:
            status = process.wait()
            sys.stdout.write(file.with_suffix(".out").read_text(errors="replace"))
            part = Part.read(file)
            if part is None:
                print(f"A process of the tests ended with status {status}")
                part = Part(Tally(failed=1), ())
            tally += part.tally
            seconds.extend(part.seconds)
    for spent, name in sorted(seconds, reverse=True)[:SHOWN]:
        if spent >= FASTEST:
            print(f"{spent:6.1f} s  {name}")
    return tally


def run_compiled() -> Tally:
    """Run the tests of the data path and of the wire on compiled modules."""
    command = [sys.executable, ".ci/test_compiled.py", *COMPILED_TESTS]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        last = ""
        for last in process.stdout:
            sys.stdout.write(last)
    counted = CLOSING_LINE.fullmatch(last.rstrip())
    if counted is None:
        return Tally(failed=1)
    passed, failed, skipped = map(int, counted.groups())
    return Tally(passed, failed, skipped)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("names", nargs="*", help="which tests; without any, all")
    parser.add_argument("--lint", action="store_true", help="ruff and mypy alone")
    parser.add_argument("--unit", action="store_true", help="no sockets, processes or tools")
    parser.add_argument("--no-lint", action="store_true", help="tests alone")
    parser.add_argument("--ci", action="store_true", help="also on compiled modules")
    parser.add_argument("--jobs", type=int, default=len(os.sched_getaffinity(0)))
    parser.add_argument("--part", type=Path, help=argparse.SUPPRESS)
    parser.add_argument("--turns", type=Path, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.part is not None:
        run_part(arguments.turns, arguments.part, Choice(tuple(arguments.names), arguments.unit))
        return 0
    if arguments.ci:
        os.environ["TXINGRESS_TEST_CONTAINER"] = "1"
        os.environ["TXINGRESS_TEST_DASHBOARDS"] = "1"
        os.environ["TXINGRESS_REAL_SERVERS"] = "1"
        os.environ["TXINGRESS_TEST_OVERLOAD"] = "1"
    checks = [] if arguments.unit or arguments.no_lint else start_checks()
    tally = Tally()
    if not arguments.lint:
        passed_on = [*arguments.names, *(["--unit"] if arguments.unit else [])]
        tally += run_parts(arguments.jobs, passed_on)
    for check in checks:
        tally += check.tally()
    if arguments.ci:
        tally += run_compiled()
    print(tally, flush=True)
    return 1 if tally.failed else 0


if __name__ == "__main__":
    sys.exit(main())
