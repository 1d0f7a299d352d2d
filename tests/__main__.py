"""
Everything that must pass: ruff, mypy, and trial over `tests`.

``python -m tests`` runs all of it, ``python -m tests --lint`` leaves trial out.
The last line on stdout is ``N passed, M failed, K skipped``, where each
complaint of ruff or mypy counts as a failure, and the exit status says the same.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
from dataclasses import dataclass

from twisted.trial.reporter import TextReporter
from twisted.trial.runner import TestLoader, TrialRunner

import tests

COMPLAINT = re.compile(r"\S[^:]*:\d+:(\d+:| error:) ")
"""A line of output that counts: ``FILE:LINE:COLUMN: ...`` of ruff, ``FILE:LINE: error: ...`` of mypy."""


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
        """Wait for the end, print what was said, and count the complaints."""
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


def run_trial() -> Tally:
    """Run every test of `tests` as ``trial tests`` would, and count."""
    suite = TestLoader().loadPackage(tests, recurse=True)
    result = TrialRunner(TextReporter).run(suite)
    assert isinstance(result, TextReporter)
    return Tally(
        passed=result.successes + len(result.expectedFailures),
        failed=len(result.failures) + len(result.errors) + len(result.unexpectedSuccesses),
        skipped=len(result.skips),
    )


def main() -> int:
    checks = start_checks()
    tally = Tally() if "--lint" in sys.argv else run_trial()
    for check in checks:
        tally += check.tally()
    print(tally, flush=True)
    return 1 if tally.failed else 0


if __name__ == "__main__":
    sys.exit(main())
