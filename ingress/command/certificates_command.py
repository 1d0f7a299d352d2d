"""
``txingress certificates``: the certificates by host, the first that ends first.
"""

from __future__ import annotations

import argparse
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, Final

from ingress.admin.certificates import all_certificates, certificate_row
from ingress.command.failure import FINE
from ingress.command.live import add_live, live_process
from ingress.command.offline import load
from ingress.command.options import add_format, add_objects, cluster_of, print_rows

EXAMPLES: Final = "example:\n  txingress certificates --config ingress.yaml\n"
HEADS: Final = ("host", "until", "secret", "names", "issuer")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Subcommand."""
    add_objects(parser)
    add_live(parser)
    add_format(parser, "text", "json")


def run(arguments: argparse.Namespace) -> int:
    """Subcommand."""
    rows = [{**row, "until": row["notAfter"].partition("T")[0]} for row in _rows(arguments)]
    print_rows(rows, arguments.format, HEADS)
    return FINE


def _rows(arguments: argparse.Namespace) -> list[Mapping[str, Any]]:
    with live_process(arguments) as process:
        if process is not None:
            return process.rows("certificates")
    offline = load(arguments.config, arguments.paths, cluster=cluster_of(arguments))
    now = datetime.now(UTC)
    return [certificate_row(item, now) for item in all_certificates(offline.built.snapshot)]
