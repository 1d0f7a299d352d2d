"""
``txingress routes``: all rules, and the ports of TCP and UDP services, as a table.
"""

from __future__ import annotations

import argparse
from typing import Final

from ingress.admin.ports import as_route_row, port_rows
from ingress.admin.routes import all_routes, route_row
from ingress.command.failure import FINE
from ingress.command.live import add_live, live_process
from ingress.command.offline import load
from ingress.command.options import add_format, add_objects, cluster_of, print_rows

EXAMPLES: Final = "example:\n  txingress routes k8s/\n"
HEADS: Final = ("host", "path", "type", "upstream", "ingress", "file", "line", "features")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Subcommand."""
    add_objects(parser)
    add_live(parser)
    add_format(parser, "text", "json")


def run(arguments: argparse.Namespace) -> int:
    """Subcommand."""
    with live_process(arguments) as process:
        if process is not None:
            ports = map(as_route_row, process.rows("ports"))
            print_rows([*process.rows("routes"), *ports], arguments.format, HEADS)
            return FINE
    built = load(arguments.config, arguments.paths, cluster=cluster_of(arguments)).built
    ports = map(as_route_row, port_rows(built.snapshot))
    rows = [*(route_row(built, listed) for listed in all_routes(built.snapshot)), *ports]
    print_rows(rows, arguments.format, HEADS)
    return FINE
