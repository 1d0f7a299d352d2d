"""
``txingress wait-shutdown``: the preStop hook of ingress-nginx's Deployment, ``/wait-shutdown``.

It ends the process that serves, the first of its container, and comes back when that is gone. The
container goes with that process, so that mostly nobody is left to see it come back.
"""

from __future__ import annotations

import argparse
import os
import signal
import time
from pathlib import Path
from typing import Final

from ingress.command.failure import FINE, CannotRun

NAME: Final = "wait-shutdown"

EXAMPLES: Final = """example:
  txingress wait-shutdown               in a container whose first process is txingress
"""

_FIRST: Final = 1
_PERIOD: Final = 0.1
"""Seconds between two looks."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Subcommand."""
    parser.add_argument(
        "--pid", type=int, metavar="N", default=_FIRST, help="the process (default: %(default)s)"
    )


def run(arguments: argparse.Namespace) -> int:
    """
    Subcommand.

    :raises CannotRun: if the first process is another program, as where the containers of a Pod
        share their processes. The kubelet ends it.
    """
    pid: int = arguments.pid
    if not _is_ours(pid):
        raise CannotRun(f"process {pid} is not txingress; the kubelet will end the container")
    os.kill(pid, signal.SIGTERM)
    while _is_ours(pid):
        time.sleep(_PERIOD)
    return FINE


def _is_ours(pid: int) -> bool:
    try:
        words = Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0")
    except OSError:
        return False
    return any(os.path.basename(word) in _PROGRAMS for word in words[:3])


_PROGRAMS: Final = (b"txingress", b"nginx-ingress-controller")
