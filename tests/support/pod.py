"""
An endpoint in its own process, which can die as pods do: ``python -m tests.support.pod``.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

CHECKOUT = Path(__file__).resolve().parents[2]


class Pod:
    """
    A running `EchoEndpoint`.

    :param name: tells a test which endpoint answered.
    :param port: 0 for any free port.
    """

    def __init__(self, name: str, port: int = 0) -> None:
        self.name = name
        self._process = subprocess.Popen(
            [sys.executable, "-m", "tests.support.pod", name, str(port)],
            cwd=CHECKOUT,
            env=os.environ | {"PYTHONPATH": str(CHECKOUT)},
            stdout=subprocess.PIPE,
            text=True,
        )
        assert self._process.stdout is not None
        self.port = int(self._process.stdout.readline())

    def kill(self) -> None:
        """End it at once, with all of its connections; also for `addCleanup`."""
        self._process.kill()
        self._process.wait()
        if self._process.stdout is not None:
            self._process.stdout.close()


def main(name: str, port: str) -> None:
    from tests.support.endpoints import EchoEndpoint

    print(EchoEndpoint(name, int(port)).port, flush=True)
    signal.pause()


if __name__ == "__main__":
    main(*sys.argv[1:])
