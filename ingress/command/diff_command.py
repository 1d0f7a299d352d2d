"""
``txingress diff``: what changes for whom between two sets of manifests.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterator, Sequence
from typing import Final

from ingress.command.differences import Difference, find_differences
from ingress.command.failure import FINE, FOUND, CannotRun
from ingress.command.offline import STANDARD_INPUT, load
from ingress.command.options import add_format

EXAMPLES: Final = """examples:
  txingress diff released/ k8s/
  helm template shop | txingress diff k8s/ - --format markdown
  txingress diff --config ingress.yaml old/ new/ --fail-on access
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Subcommand."""
    parser.add_argument("--config", metavar="FILE", help="the configuration, but for its objects")
    parser.add_argument(
        "old", metavar="OLD", help="a file or folder of manifests; - is standard input"
    )
    parser.add_argument("new", metavar="NEW", help="another")
    add_format(parser, "text", "json", "markdown")
    parser.add_argument(
        "--fail-on",
        choices=("any", "access", "none"),
        default="any",
        help="what makes the exit status 1: any difference, or only those that may open access",
    )


def run(arguments: argparse.Namespace) -> int:
    """Subcommand."""
    if arguments.old == arguments.new == STANDARD_INPUT:
        raise CannotRun("standard input can be only one of the two")
    old, new = (load(arguments.config, [path]).built for path in (arguments.old, arguments.new))
    found = find_differences(old, new)
    write = {"text": _as_text, "json": _as_json, "markdown": _as_markdown}[arguments.format]
    for line in write(found):
        print(line)
    failing = {
        "any": bool(found),
        "access": any(difference.opens for difference in found),
        "none": False,
    }
    return FOUND if failing[arguments.fail_on] else FINE


def _summary(found: Sequence[Difference]) -> str:
    if not found:
        return "Nothing changes for clients."
    opened = sum(difference.opens for difference in found)
    return f"Differences: {len(found)}, of which {opened} may open access."


def _as_text(found: Sequence[Difference]) -> Iterator[str]:
    for difference in found:
        mark = "! " if difference.opens else "  "
        first, *others = difference.changes
        yield f"{mark}{difference.subject}: {first}"
        for change in others:
            yield f"      {change}"
    yield _summary(found)


def _as_json(found: Sequence[Difference]) -> Iterator[str]:
    content = {
        "differences": [difference.as_json() for difference in found],
        "opens": any(difference.opens for difference in found),
    }
    yield json.dumps(content, indent=2, ensure_ascii=False)


def _as_markdown(found: Sequence[Difference]) -> Iterator[str]:
    """A table for a comment on a pull request."""
    yield f"**{_summary(found)}**"
    if found:
        yield ""
        yield "| what | change |"
        yield "| --- | --- |"
    for difference in found:
        mark = "⚠ access: " if difference.opens else ""
        changes = "<br>".join(map(_cell, difference.changes))
        yield f"| {mark}{_cell(difference.subject)} | {changes} |"


def _cell(text: str) -> str:
    return text.replace("&", "&amp;").replace("<", "&lt;").replace("|", "\\|")
