"""
``txingress init``: a configuration for the manifests of a folder.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from ingress.command.failure import FINE, CannotRun
from ingress.command.offline import load

EXAMPLES: Final = """examples:
  txingress init                        writes ingress.yaml beside the manifests
  txingress init k8s --force
"""
NAME: Final = "ingress.yaml"
_FIRST_PORT: Final = 3000


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Subcommand."""
    parser.add_argument("folder", metavar="FOLDER", nargs="?", default=".", help="where to write")
    parser.add_argument("--force", action="store_true", help="overwrite a file that exists")


def run(arguments: argparse.Namespace) -> int:
    """Subcommand."""
    folder = Path(arguments.folder)
    if not folder.is_dir():
        raise CannotRun(f"{folder}: there is no such folder")
    file = folder / NAME
    if file.exists() and not arguments.force:
        raise CannotRun(f"{file} exists; --force overwrites it")
    content = propose(folder, ["."])
    file.write_text(content)
    print(f"{file} is written; serve it: txingress run --config {file}", file=sys.stderr)
    return FINE


def propose(folder: Path, files: Sequence[str]) -> str:
    """
    :param folder: with manifests in it.
    :param files: the paths of manifests, relative to the folder.
    :return: a configuration with an address for each Service that has no endpoints.
    """
    offline = load(None, [str(folder / file) for file in files])
    upstreams = offline.built.snapshot.upstreams.values()
    services = sorted({each.key[:2] for each in upstreams if not each.endpoints})
    lines = [
        "# The configuration of txingress for the manifests of this folder.",
        "# `txingress config --defaults` prints every key with its default.",
        "",
        "listen:",
        "  http: tcp:8080",
        "  https: tcp:8443",
        "",
        "source:",
        "  # Files and folders of manifests; they are watched.",
        f"  files: [{', '.join(files)}]",
    ]
    if services:
        lines += [
            "",
            "  # The programs that stand in for the Services: write their ports.",
            "  endpoints:",
        ]
        lines += [
            f"    {namespace}/{name}: 127.0.0.1:{_FIRST_PORT + number}"
            for number, (namespace, name) in enumerate(services)
        ]
    return "".join(f"{line}\n" for line in lines)
