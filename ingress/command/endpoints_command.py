"""
``txingress endpoints``: the Service ports that rules lead to, and their endpoints.
"""

from __future__ import annotations

import argparse
from collections.abc import Mapping
from typing import Any, Final

from ingress.admin.endpoints import upstream_row
from ingress.command.failure import FINE
from ingress.command.live import add_live, live_process
from ingress.command.offline import load
from ingress.command.options import add_format, add_objects, cluster_of, print_rows

EXAMPLES: Final = """examples:
  txingress endpoints --config ingress.yaml
  txingress endpoints --deployment txingress --namespace ingress
"""
HEADS: Final = ("service", "endpoints", "terminating", "fault")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Subcommand."""
    add_objects(parser)
    add_live(parser)
    add_format(parser, "text", "json")


def run(arguments: argparse.Namespace) -> int:
    """Subcommand."""
    rows = _rows(arguments)
    if arguments.format == "text":
        rows = [
            {
                **row,
                "endpoints": [_shown(each) for each in row["endpoints"] if not each["terminating"]],
                "terminating": [_shown(each) for each in row["endpoints"] if each["terminating"]],
            }
            for row in rows
        ]
    print_rows(rows, arguments.format, HEADS)
    return FINE


def _rows(arguments: argparse.Namespace) -> list[Mapping[str, Any]]:
    with live_process(arguments) as process:
        if process is not None:
            return process.rows("endpoints")
    built = load(arguments.config, arguments.paths, cluster=cluster_of(arguments)).built
    upstreams = built.snapshot.upstreams
    return [upstream_row(built, upstreams[key], None) for key in sorted(upstreams)]


def _shown(endpoint: Mapping[str, Any]) -> str:
    """Name an endpoint, with its state unless it is as it should be."""
    state = endpoint["state"]
    return endpoint["address"] if state in (None, "ok") else f"{endpoint['address']} {state}"
