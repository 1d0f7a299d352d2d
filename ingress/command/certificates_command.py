"""
``txingress certificates``: the certificates by host, the first that ends first.
"""

from __future__ import annotations

import argparse
from datetime import UTC
from typing import Final

from ingress.command.failure import FINE
from ingress.command.offline import load
from ingress.command.options import add_format, add_objects, cluster_of, print_rows

EXAMPLES: Final = "example:\n  txingress certificates --config ingress.yaml\n"
HEADS: Final = ("host", "until", "secret", "names", "issuer")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Subcommand."""
    add_objects(parser)
    add_format(parser, "text", "json")


def run(arguments: argparse.Namespace) -> int:
    """Subcommand."""
    snapshot = load(arguments.config, arguments.paths, cluster=cluster_of(arguments)).built.snapshot
    found = list(snapshot.certificates.items())
    if snapshot.default_certificate is not None:
        found.append(("(default)", snapshot.default_certificate))
    found.sort(key=lambda item: (item[1].not_after, item[0]))
    rows = [
        {
            "host": host,
            "until": f"{certificate.not_after.astimezone(UTC):%Y-%m-%d}",
            "secret": "/".join(certificate.identity.secret),
            "names": list(certificate.names),
            "issuer": certificate.identity.issuer,
        }
        for host, certificate in found
    ]
    print_rows(rows, arguments.format, HEADS)
    return FINE
