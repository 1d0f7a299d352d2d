"""
Findings in the formats in which people and programs read them.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any, Final
from urllib.parse import quote

from ingress.command.findings import Finding
from ingress.counted_noun import counted
from ingress.problem_code import Severity

Counts = Mapping[str, int]
"""
The number of Ingresses, and of those that are served as written, differ, have something ignored,
or an error: ``ingresses``, ``same``, ``differ``, ``ignored`` and ``error``.
"""


def _sentence(counts: Counts) -> str:
    parts = (
        f"{counts['same']} as written",
        f"{counts['differ']} differ",
        f"{counts['ignored']} with something ignored",
        f"{counts['error']} with an error",
    )
    return f"{counted(counts['ingresses'], 'Ingress')}: {', '.join(parts)}"


def _as_text(findings: list[Finding], counts: Counts) -> Iterator[str]:
    yield from map(str, findings)
    yield _sentence(counts)


def _as_json(findings: list[Finding], counts: Counts) -> Iterator[str]:
    content = {
        "findings": [finding.as_json() for finding in findings],
        "summary": counts,
    }
    yield json.dumps(content, indent=2, ensure_ascii=False)


_GITHUB: Final = {
    Severity.ERROR: "error",
    Severity.DIFFERS: "warning",
    Severity.IGNORED: "warning",
    Severity.NOTE: "notice",
}


def _as_github(findings: list[Finding], counts: Counts) -> Iterator[str]:
    """Workflow commands, which GitHub shows beside the lines of a pull request."""
    for finding in findings:
        place = ",".join(
            f"{name}={_escaped(str(value), is_property=True)}"
            for name, value in (
                ("file", finding.file),
                ("line", finding.line),
                ("title", f"{finding.code} {finding.object}".strip()),
            )
            if value
        )
        yield f"::{_GITHUB[finding.severity]} {place}::{_escaped(finding.text)}"


def _escaped(text: str, *, is_property: bool = False) -> str:
    text = text.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")
    return text.replace(":", "%3A").replace(",", "%2C") if is_property else text


def _as_sarif(findings: list[Finding], counts: Counts) -> Iterator[str]:
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
        location = _location(finding)
        if location:
            result["locations"] = [location]
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


def _location(finding: Finding) -> dict[str, Any]:
    """:return: the file with the line, and the object; an object of a cluster has no file."""
    location: dict[str, Any] = {}
    if finding.file:
        place: dict[str, Any] = {"artifactLocation": {"uri": _as_uri(finding.file)}}
        if finding.line:
            place["region"] = {"startLine": finding.line}
        location["physicalLocation"] = place
    if finding.object:
        location["logicalLocations"] = [{"fullyQualifiedName": finding.object}]
    return location


def _as_uri(file: str) -> str:
    """A relative reference, as code scanning wants it, or a ``file:`` URI (RFC 3986, RFC 8089)."""
    return Path(file).as_uri() if os.path.isabs(file) else quote(file)


def _as_markdown(findings: list[Finding], counts: Counts) -> Iterator[str]:
    """A table for a comment on a pull request."""
    yield f"**{_sentence(counts)}**"
    if findings:
        yield ""
        yield "| severity | where | what |"
        yield "| --- | --- | --- |"
    for finding in findings:
        where = f"{finding.file}:{finding.line}" if finding.file else finding.object
        text = f"{finding.object}: {finding.text}".replace("|", "\\|").replace("<", "&lt;")
        text = text.replace("](", "]\\(")  # No value makes a link or shows an image.
        yield f"| {finding.severity} {finding.code} | {where} | {text} |"


FORMATS: Final[Mapping[str, Callable[[list[Finding], Counts], Iterator[str]]]] = {
    "text": _as_text,
    "json": _as_json,
    "github": _as_github,
    "sarif": _as_sarif,
    "markdown": _as_markdown,
}
"""By name, what makes lines of findings and counts; the first is the one that people read."""
