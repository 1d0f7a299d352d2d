"""
``txingress run``: ``twistd -n ingress`` under another name.
"""

from __future__ import annotations

import argparse
import os
import sys
from pathlib import Path
from typing import Final

import yaml

from ingress.command.failure import FINE
from ingress.command.init_command import propose

EXAMPLES: Final = """examples:
  txingress run --config ingress.yaml
  txingress run                         the YAML of this folder on 8080 and 8443
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Subcommand."""
    parser.add_argument("--config", metavar="FILE", help="the configuration")


def run(arguments: argparse.Namespace) -> int:
    """Subcommand."""
    serve(arguments.config or _written_for(Path.cwd()))
    return FINE


def serve(config: str) -> None:
    """
    Serve until a signal ends the process.

    :param config: the configuration file.
    """
    from twisted.scripts.twistd import run as run_twistd

    sys.argv = ["twistd", "-n", "--pidfile=", "ingress", "--config", config]
    run_twistd()


def _written_for(folder: Path) -> str:
    """Write a configuration for the manifests of a folder where nobody else looks."""
    import tempfile

    content = propose(folder, ["."])
    written = yaml.safe_load(content)
    written["source"]["files"] = [str(folder)]
    descriptor, name = tempfile.mkstemp(prefix="txingress-", suffix=".yaml")
    with os.fdopen(descriptor, "w") as stream:
        yaml.safe_dump(written, stream)
    print(f"Serving the manifests of {folder} on 8080 and 8443, by {name}", file=sys.stderr)
    return name
