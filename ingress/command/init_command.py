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
  txingress init --service /etc/txingress
"""
NAME: Final = "ingress.yaml"
MANIFESTS: Final = "manifests"
SECRETS: Final = "secrets"
_FIRST_PORT: Final = 3000
_LISTEN: Final = """\
listen:
  http: tcp:8080
  https: tcp:8443
"""
_LISTEN_AS_SERVICE: Final = """\
# The sockets of txingress.socket and txingress-https.socket. Without them: "*:80" and "*:443".
listen:
  http: systemd:domain=INET6:name=http
  https: systemd:domain=INET6:name=https
"""
_AS_SERVICE: Final = f"""
tls:
  # {SECRETS}/NAMESPACE/NAME/tls.crt and tls.key
  secrets: {SECRETS}

access-log:
  path: /var/log/txingress/access.log
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Subcommand."""
    parser.add_argument("folder", metavar="FOLDER", nargs="?", default=".", help="where to write")
    parser.add_argument("--force", action="store_true", help="overwrite a file that exists")
    parser.add_argument(
        "--service",
        action="store_true",
        help=f"for the service of systemd: with the folders {MANIFESTS} and {SECRETS}",
    )


def run(arguments: argparse.Namespace) -> int:
    """Subcommand."""
    folder = Path(arguments.folder)
    if not folder.is_dir():
        raise CannotRun(f"{folder}: there is no such folder")
    file = folder / NAME
    if file.exists() and not arguments.force:
        raise CannotRun(f"{file} exists; --force overwrites it")
    if arguments.service:
        for name in (MANIFESTS, SECRETS):
            (folder / name).mkdir(mode=0o750, exist_ok=True)
        content = propose(folder, [MANIFESTS], is_service=True)
        serve = "systemctl start txingress"
    else:
        content = propose(folder, ["."])
        serve = f"txingress run --config {file}"
    file.write_text(content)
    print(f"{file} is written; serve it: {serve}", file=sys.stderr)
    return FINE


def propose(folder: Path, files: Sequence[str], *, is_service: bool = False) -> str:
    """
    :param folder: with manifests in it.
    :param files: the paths of manifests, relative to the folder.
    :param is_service: whether etc/systemd has the unit that serves it.
    :return: a configuration with an address for each Service that has no endpoints.
    """
    offline = load(None, [str(folder / file) for file in files])
    upstreams = offline.built.snapshot.upstreams.values()
    services = sorted({each.key[:2] for each in upstreams if not each.endpoints})
    lines = [
        "# The configuration of txingress for the manifests of this folder.",
        "# `txingress config --defaults` prints every key with its default.",
        "",
        *(_LISTEN_AS_SERVICE if is_service else _LISTEN).splitlines(),
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
    return "".join(f"{line}\n" for line in lines) + (_AS_SERVICE if is_service else "")
