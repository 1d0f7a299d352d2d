"""
Functions that run in processes of their own, forked from the one that tests.
"""

from __future__ import annotations

import os
import pickle
import select
import signal
from collections.abc import Callable
from typing import Any, Final

PATIENCE: Final = 60.0
"""Seconds to wait for a process; machines may be busy."""


class Forked:
    """
    A process that runs a function.

    :param function: its result is pickled; it may take a while.
    """

    def __init__(self, function: Callable[[], object]) -> None:
        self._result, theirs = os.pipe()
        self.pid = os.fork()
        if self.pid == 0:
            status = 1
            try:
                os.write(theirs, pickle.dumps(function()))
                status = 0
            finally:
                os._exit(status)
        os.close(theirs)

    def result(self) -> Any:
        """:return: what the function returned, after the process has ended."""
        is_ready, _, _ = select.select([self._result], [], [], PATIENCE)
        if not is_ready:
            os.kill(self.pid, signal.SIGKILL)
        data = b""
        while piece := os.read(self._result, 1 << 16):
            data += piece
        self._end()
        return pickle.loads(data)

    def kill(self) -> None:
        """Kill the process, and wait for its end."""
        os.kill(self.pid, signal.SIGKILL)
        self._end()

    def _end(self) -> None:
        os.close(self._result)
        os.waitpid(self.pid, 0)


def waiting(function: Callable[[], object]) -> tuple[Forked, Callable[[], None]]:
    """
    Run a function in a process that then does nothing more until it is killed.

    :return: the process, and a function that waits until it has run.
    """
    ours, theirs = os.pipe()

    def run() -> None:
        function()
        os.write(theirs, b"x")
        signal.pause()

    process = Forked(run)
    os.close(theirs)

    def wait() -> None:
        assert os.read(ours, 1) == b"x"
        os.close(ours)

    return process, wait
