"""
Fuzzing by numbered cases: a case is what `random.Random` makes of its number, so that a finding is
one number, and the tests can try the first cases again.

The commands ``python -m tests.fuzz.http2_frames`` and its siblings try cases for a given time.
"""

from __future__ import annotations

import argparse
import sys
import time
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from random import Random

from twisted.logger import ILogObserver, LogEvent, globalLogPublisher
from zope.interface import implementer

Check = Callable[[Random], object]
"""Tries one case; raises what is a finding."""

REPORT_INTERVAL = 60.0
"""Seconds between two lines that tell how far a run is."""


def try_case(check: Check, number: int) -> None:
    """Try the case of this number."""
    try:
        check(Random(number))
    except Exception as error:
        error.add_note(f"case {number}")
        raise


@contextmanager
def no_failures() -> Iterator[None]:
    """:raises AssertionError: if a failure is logged meanwhile: what it interrupts may look fine."""
    observer = _FailureObserver()
    globalLogPublisher.addObserver(observer)
    try:
        yield
    finally:
        globalLogPublisher.removeObserver(observer)
    assert not observer.failures, observer.failures[0]


@implementer(ILogObserver)
class _FailureObserver:
    """Keeps the tracebacks of failures."""

    def __init__(self) -> None:
        self.failures: list[str] = []

    def __call__(self, event: LogEvent) -> None:
        if "log_failure" in event:
            self.failures.append(event["log_failure"].getTraceback())


def run(name: str, check: Check) -> int:
    """
    Try cases as the command line says.

    :return: the exit status, which is 1 if there was a finding.
    """
    parser = argparse.ArgumentParser(prog=f"python -m tests.fuzz.{name}")
    parser.add_argument("--seconds", type=float, default=60.0)
    parser.add_argument("--first", type=int, default=0, help="the number of the first case")
    parser.add_argument("--case", type=int, help="try this case alone")
    parser.add_argument("--findings", type=int, default=1, help="stop after so many")
    arguments = parser.parse_args()
    if arguments.case is not None:
        try_case(check, arguments.case)
        return 0
    began = said = time.monotonic()
    number, findings = arguments.first, 0
    while time.monotonic() - began < arguments.seconds and findings < arguments.findings:
        try:
            try_case(check, number)
        except Exception:
            findings += 1
            traceback.print_exc()
        number += 1
        if time.monotonic() - said > REPORT_INTERVAL:
            said = time.monotonic()
            _report(name, said - began, number - arguments.first, findings)
    _report(name, time.monotonic() - began, number - arguments.first, findings)
    return 1 if findings else 0


def _report(name: str, seconds: float, cases: int, findings: int) -> None:
    print(f"{name}: {seconds:.0f} s, {cases} cases, {findings} findings", flush=True)
    sys.stderr.flush()
