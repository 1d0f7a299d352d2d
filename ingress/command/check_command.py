"""
``txingress check``: all that is wrong, or will behave differently, with a code each.
"""

from __future__ import annotations

import argparse
import json
from collections import Counter
from collections.abc import Iterable, Iterator
from typing import Any, Final

from ingress.command.failure import FINE, FOUND
from ingress.command.findings import Finding, findings_of
from ingress.command.offline import Offline, load
from ingress.command.options import add_format, add_objects
from ingress.problem_code import Severity

EXAMPLES: Final = """examples:
  txingress check k8s/
  helm template shop | txingress check -
  txingress check k8s/ --format github --fail-on error
"""
_WORST_FIRST: Final = tuple(Severity)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Subcommand."""
    add_objects(parser)
    add_format(parser, "text", "json", "github", "sarif", "markdown")
    parser.add_argument(
        "--fail-on",
        default="error,differs,ignored",
        metavar="SEVERITIES",
        help="those that make the exit status 1, with commas between them; none of error, "
        "differs, ignored and note is also accepted",
    )


def run(arguments: argparse.Namespace) -> int:
    """Subcommand."""
    offline = load(arguments.config, arguments.paths)
    findings = findings_of(offline)
    write = {
        "text": _as_text,
        "json": _as_json,
        "github": _as_github,
        "sarif": _as_sarif,
        "markdown": _as_markdown,
    }[arguments.format]
    for line in write(findings, offline):
        print(line)
    failing = set(arguments.fail_on.split(","))
    return FOUND if any(finding.severity in failing for finding in findings) else FINE


def summary(findings: Iterable[Finding], offline: Offline) -> dict[str, int]:
    """:return: the number of Ingresses by the worst that is found of them."""
    worst: dict[str, int] = {}
    for finding in findings:
        if finding.kind == "Ingress":
            rank = _WORST_FIRST.index(finding.severity)
            worst[finding.object] = min(rank, worst.get(finding.object, rank))
    served = {f"Ingress {'/'.join(name)}" for name in offline.built.served}
    counts = Counter(_WORST_FIRST[rank] for rank in worst.values())
    total = len(served | worst.keys())
    changed = counts[Severity.ERROR] + counts[Severity.DIFFERS] + counts[Severity.IGNORED]
    return {
        "ingresses": total,
        "same": total - changed,
        "differ": counts[Severity.DIFFERS],
        "ignored": counts[Severity.IGNORED],
        "error": counts[Severity.ERROR],
    }


def _sentence(counts: dict[str, int]) -> str:
    return (
        f"{counts['ingresses']} Ingresses: {counts['same']} as written, {counts['differ']} differ, "
        f"{counts['ignored']} with something ignored, {counts['error']} with an error"
    )


def _as_text(findings: list[Finding], offline: Offline) -> Iterator[str]:
    yield from map(str, findings)
    yield _sentence(summary(findings, offline))


def _as_json(findings: list[Finding], offline: Offline) -> Iterator[str]:
    content = {
        "findings": [finding.as_json() for finding in findings],
        "summary": summary(findings, offline),
    }
    yield json.dumps(content, indent=2, ensure_ascii=False)


_GITHUB: Final = {
    Severity.ERROR: "error",
    Severity.DIFFERS: "warning",
    Severity.IGNORED: "warning",
    Severity.NOTE: "notice",
}


def _as_github(findings: list[Finding], offline: Offline) -> Iterator[str]:
    """Workflow commands, which GitHub shows beside the lines of a pull request."""
    for finding in findings:
        place = ",".join(
            f"{name}={_escaped(str(value), is_property=True)}"
            for name, value in (
                ("file", finding.file),
                ("line", finding.line),
                ("title", f"{finding.code} {finding.object}"),
            )
            if value
        )
        yield f"::{_GITHUB[finding.severity]} {place}::{_escaped(finding.text)}"


def _escaped(text: str, *, is_property: bool = False) -> str:
    text = text.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")
    return text.replace(":", "%3A").replace(",", "%2C") if is_property else text


def _as_sarif(findings: list[Finding], offline: Offline) -> Iterator[str]:
    """SARIF 2.1.0, which code scanners exchange."""
    levels = {
        Severity.ERROR: "error",
        Severity.DIFFERS: "warning",
        Severity.IGNORED: "warning",
        Severity.NOTE: "note",
    }
    used = {finding.code: finding for finding in findings}
    rules = [
        {
            "id": code,
            "shortDescription": {"text": finding.title},
            "defaultConfiguration": {"level": levels[finding.severity]},
        }
        for code, finding in sorted(used.items())
    ]
    results: list[dict[str, Any]] = []
    for finding in findings:
        result: dict[str, Any] = {
            "ruleId": finding.code,
            "level": levels[finding.severity],
            "message": {"text": f"{finding.object}: {finding.text}"},
        }
        if finding.file:
            place: dict[str, Any] = {"artifactLocation": {"uri": finding.file}}
            if finding.line:
                place["region"] = {"startLine": finding.line}
            result["locations"] = [{"physicalLocation": place}]
        results.append(result)
    run_of_tool = {"tool": {"driver": {"name": "txingress", "rules": rules}}, "results": results}
    yield json.dumps(
        {
            "$schema": "https://json.schemastore.org/sarif-2.1.0.json",
            "version": "2.1.0",
            "runs": [run_of_tool],
        },
        indent=2,
        ensure_ascii=False,
    )


def _as_markdown(findings: list[Finding], offline: Offline) -> Iterator[str]:
    """A table for a comment on a pull request."""
    yield f"**{_sentence(summary(findings, offline))}**"
    if findings:
        yield ""
        yield "| severity | where | what |"
        yield "| --- | --- | --- |"
    for finding in findings:
        where = f"{finding.file}:{finding.line}" if finding.file else finding.object
        text = f"{finding.object}: {finding.text}".replace("|", "\\|").replace("<", "&lt;")
        yield f"| {finding.severity} {finding.code} | {where} | {text} |"
