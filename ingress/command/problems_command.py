"""
``txingress problems``: what is logged as a problem while this is served.
"""

from __future__ import annotations

import argparse
from typing import Final

from ingress.command.failure import FINE, FOUND
from ingress.command.offline import load
from ingress.command.options import add_format, add_objects, cluster_of, print_rows

EXAMPLES: Final = "example:\n  txingress problems k8s/\n"
HEADS: Final = ("file", "line", "object", "field", "value", "message")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Subcommand."""
    add_objects(parser)
    add_format(parser, "text", "json")


def run(arguments: argparse.Namespace) -> int:
    """Subcommand."""
    problems = load(arguments.config, arguments.paths, cluster=cluster_of(arguments)).problems
    if arguments.format == "text":
        for problem in problems:
            print(problem)
        return FOUND if problems else FINE
    rows = [
        {
            "file": problem.origin.file or None,
            "line": problem.origin.line or None,
            "object": " ".join(
                filter(
                    None, (problem.kind, "/".join(filter(None, (problem.namespace, problem.name))))
                )
            ),
            "field": problem.field,
            "value": problem.value,
            "message": problem.message,
        }
        for problem in problems
    ]
    print_rows(rows, "json", HEADS)
    return FOUND if problems else FINE
