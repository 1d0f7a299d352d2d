"""
``txingress endpoints``: the Service ports that rules lead to, and their endpoints.
"""

from __future__ import annotations

import argparse
from typing import Final

from ingress.admin.route_json import upstream_name
from ingress.command.failure import FINE
from ingress.command.offline import load
from ingress.command.options import add_format, add_objects, cluster_of, print_rows

EXAMPLES: Final = "example:\n  txingress endpoints --config ingress.yaml\n"
HEADS: Final = ("service", "endpoints", "terminating", "fault")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Subcommand."""
    add_objects(parser)
    add_format(parser, "text", "json")


def run(arguments: argparse.Namespace) -> int:
    """Subcommand."""
    built = load(arguments.config, arguments.paths, cluster=cluster_of(arguments)).built
    rows = [
        {
            "service": upstream_name(upstream.key),
            "endpoints": [str(each) for each in upstream.endpoints],
            "terminating": [str(each) for each in upstream.lingering],
            "fault": built.memo.upstreams.faults.get(upstream.key) or "",
        }
        for upstream in sorted(built.snapshot.upstreams.values(), key=lambda each: each.key)
    ]
    print_rows(rows, arguments.format, HEADS)
    return FINE
