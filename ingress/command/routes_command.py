"""
``txingress routes``: all rules, as a table.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from typing import Any, Final

from ingress.admin.route_json import route_json
from ingress.command.failure import FINE
from ingress.command.offline import load
from ingress.command.options import add_format, add_objects, print_rows
from ingress.routing.build import Built

EXAMPLES: Final = "example:\n  txingress routes k8s/\n"
HEADS: Final = ("host", "path", "type", "upstream", "ingress", "features")
_NO_FEATURES: Final = frozenset(
    {"path", "pathType", "namespace", "ingress", "upstream", "proxy", "loadBalance"}
)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Subcommand."""
    add_objects(parser)
    add_format(parser, "text", "json")


def run(arguments: argparse.Namespace) -> int:
    """Subcommand."""
    built = load(arguments.config, arguments.paths).built
    print_rows(list(_rows(built)), arguments.format, HEADS)
    return FINE


def _rows(built: Built) -> Iterator[dict[str, Any]]:
    hosts = built.snapshot.virtual_hosts()
    # The one without a name stays the last: it serves what no other does.
    hosts.sort(key=lambda host: (not host.name, host.name))
    for host in hosts:
        for route in host.routes():
            shown = route_json(route)
            yield {
                "host": host.name or "*",
                "path": route.path,
                "type": "default" if route is host.default else route.path_type,
                "upstream": shown["upstream"],
                "ingress": "/".join(route.ingress),
                "features": [name for name in shown if name not in _NO_FEATURES],
            }
