"""
``txingress test FILE...``: requests with expected answers as data, without serving anything.
"""

from __future__ import annotations

import argparse
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Final
from xml.sax.saxutils import escape, quoteattr

from ingress.command.bounded_input import STANDARD_INPUT, read_input
from ingress.command.expectation import Expectation, Miss, misses_of, read_expectations
from ingress.command.failure import FINE, FOUND, CannotRun
from ingress.command.offline import load
from ingress.command.options import add_objects, cluster_of
from ingress.counted_noun import counted
from ingress.explain.as_text import as_text
from ingress.explain.explanation import explain
from ingress.problem import printable

EXAMPLES: Final = """examples:
  txingress test tests.yaml -- k8s/
  txingress test tests/*.yaml --config ingress.yaml --junit report.xml

a file is a list such as this; only what is named is compared:
  - request: {url: https://shop.example/cart, method: POST, headers: {Origin: https://a.example}}
    expect: {upstream: shop/cart:80, path: /v2/cart, policy: {cors: passes}}
  - request: {url: http://shop.example/, client: 192.0.2.7}
    expect: {status: 308, redirect: "https://shop.example/"}
"""


@dataclass(frozen=True)
class Verdict:
    """The result of one request."""

    expectation: Expectation
    misses: tuple[Miss, ...]
    explanation: str
    """Why it got its answer; empty if all is as expected."""

    seconds: float


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Subcommand."""
    parser.add_argument(
        "files", metavar="FILE", nargs="+", help="requests and what is expected of their answers"
    )
    parser.add_argument("--junit", metavar="FILE", help="write a report that CI systems read")
    add_objects(parser, behind=True)


def run(arguments: argparse.Namespace) -> int:
    """Subcommand."""
    if arguments.files.count(STANDARD_INPUT) + arguments.paths.count(STANDARD_INPUT) > 1:
        raise CannotRun("standard input can be only one of the files")
    expectations = [
        each for file in arguments.files for each in read_expectations(file, read_input(file))
    ]
    offline = load(
        arguments.config,
        arguments.paths,
        cluster=cluster_of(arguments),
        assumes_endpoints=True,
    )
    verdicts = []
    for each in expectations:
        started = time.perf_counter()
        explanation = explain(offline.built, each.asked, problems=offline.problems)
        misses = tuple(misses_of(each.expected, explanation))
        told = as_text(explanation) if misses else ""
        verdicts.append(Verdict(each, misses, told, time.perf_counter() - started))
    failed = [verdict for verdict in verdicts if verdict.misses]
    for verdict in failed:
        _print(verdict)
    number = counted(len(verdicts), "request")
    print(f"{number}: {len(verdicts) - len(failed)} as expected, {len(failed)} not")
    if arguments.junit is not None:
        _write_report(arguments.junit, verdicts)
    return FOUND if failed else FINE


def _print(verdict: Verdict) -> None:
    expectation = verdict.expectation
    print(f"{expectation.file}:{expectation.line}: {printable(expectation.title)}")
    for miss in verdict.misses:
        print(f"  {printable(str(miss))}")
    print("  because:")
    for line in verdict.explanation.splitlines():
        print(f"    {line}".rstrip())
    print()


# JUnit's XML, as far as CI systems agree on it.


def _write_report(file: str, verdicts: list[Verdict]) -> None:
    """:raises CannotRun: if it cannot be written."""
    failures = sum(bool(verdict.misses) for verdict in verdicts)
    seconds = sum(verdict.seconds for verdict in verdicts)
    lines = [
        '<?xml version="1.0" encoding="UTF-8"?>',
        f'<testsuites tests="{len(verdicts)}" failures="{failures}" time="{seconds:.3f}">',
    ]
    files = dict.fromkeys(verdict.expectation.file for verdict in verdicts)
    for name in files:
        lines += _suite(name, [each for each in verdicts if each.expectation.file == name])
    lines += ["</testsuites>", ""]
    try:
        Path(file).write_text("\n".join(lines), encoding="utf-8")
    except OSError as error:
        raise CannotRun(f"{file}: {error.strerror}") from None


def _suite(file: str, verdicts: list[Verdict]) -> list[str]:
    failures = sum(bool(verdict.misses) for verdict in verdicts)
    seconds = sum(verdict.seconds for verdict in verdicts)
    attributes = f'tests="{len(verdicts)}" failures="{failures}" time="{seconds:.3f}"'
    lines = [f"  <testsuite name={_quoted(file)} {attributes}>"]
    for verdict in verdicts:
        expectation = verdict.expectation
        case = (
            f"    <testcase name={_quoted(expectation.title)} classname={_quoted(file)} "
            f'file={_quoted(file)} line="{expectation.line}" time="{verdict.seconds:.3f}"'
        )
        if not verdict.misses:
            lines.append(f"{case}/>")
            continue
        misses = "; ".join(map(str, verdict.misses))
        text = "\n".join(map(printable, verdict.explanation.splitlines()))
        lines += (
            f"{case}>",
            f"      <failure message={_quoted(misses)}>{escape(text)}</failure>",
            "    </testcase>",
        )
    return [*lines, "  </testsuite>"]


def _quoted(text: str) -> str:
    return quoteattr(printable(text))
