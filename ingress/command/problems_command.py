"""
``txingress problems``: what is logged as a problem while this is served.
"""

from __future__ import annotations

import argparse
from collections.abc import Mapping
from typing import Any, Final

from ingress.admin.problems import problem_row
from ingress.command.failure import FINE, FOUND
from ingress.command.live import add_live, live_process
from ingress.command.offline import load
from ingress.command.options import add_format, add_objects, cluster_of, print_rows
from ingress.problem import printable

EXAMPLES: Final = "example:\n  txingress problems k8s/\n"
HEADS: Final = ("file", "line", "code", "object", "field", "value", "message")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Subcommand."""
    add_objects(parser)
    add_live(parser)
    add_format(parser, "text", "json")


def run(arguments: argparse.Namespace) -> int:
    """Subcommand."""
    rows = _rows(arguments)
    if arguments.format == "json":
        print_rows(rows, "json", HEADS)
    else:
        for row in rows:
            print(_line(row))
    return FOUND if rows else FINE


def _rows(arguments: argparse.Namespace) -> list[Mapping[str, Any]]:
    with live_process(arguments) as process:
        if process is not None:
            return process.rows("problems")
    offline = load(arguments.config, arguments.paths, cluster=cluster_of(arguments))
    return [problem_row(problem) for problem in offline.problems]


def _line(row: Mapping[str, Any]) -> str:
    """Write a Problem as the log has it."""
    place = f"{row['file']}, line {row['line']}" if row["line"] else row["file"]
    parts = (place, row["object"], row["field"], row["value"], row["message"])
    return printable(f"{row['code']} {': '.join(filter(None, parts))}")
