"""
Locks between processes that share memory, each for a stripe of it.

The kernel releases them when a process dies (fcntl(2)), so that none is ever left locked.
"""

from __future__ import annotations

import errno
import fcntl
import os
import tempfile
import time
from typing import Final

PATIENCE: Final = 0.05
"""
Seconds to wait for a lock. It is held for microseconds, and for some milliseconds by a process that
loses its core meanwhile. One that holds it for longer is stopped, and must not stop all others.
"""

_SPINS: Final = 50
"""How often to give the core to others before sleeping."""

_NAP: Final = 0.0002

MISTRUST: Final = 1.0
"""Seconds for which a stripe is used without its lock after waiting for it in vain."""

_TAKEN: Final = (errno.EACCES, errno.EAGAIN)
_CLAIMS: Final = 1 << 30
"""Where the stripes of `claim` begin, which no other stripe reaches."""


class ProcessLock:
    """
    The locks of all stripes.

    :param descriptor: of a file that all processes have, from `open_lock_file`.
    :param patience: seconds to wait for a lock.
    :param mistrust: seconds for which a stripe is used without its lock after a wait in vain.
    """

    def __init__(
        self, descriptor: int, patience: float = PATIENCE, mistrust: float = MISTRUST
    ) -> None:
        self._descriptor = descriptor
        self._patience = patience
        self._mistrust = mistrust
        self._mistrusted: dict[int, float] = {}
        self.given_up = 0
        """How often a lock was waited for in vain."""

    def __repr__(self) -> str:
        return f"<ProcessLock on {self._descriptor}>"

    def take(self, stripe: int) -> bool:
        """
        Wait for a lock, but not for long.

        :return: False if another process holds it and does not go on.
        """
        if self._try(stripe):
            return True
        until = self._mistrusted.get(stripe, 0.0)
        began = time.monotonic()
        if began < until:
            return False
        spins = 0
        while time.monotonic() < began + self._patience:
            spins += 1
            if spins < _SPINS:
                os.sched_yield()
            else:
                time.sleep(_NAP)
            if self._try(stripe):
                self._mistrusted.pop(stripe, None)
                return True
        self._mistrusted[stripe] = began + self._mistrust
        self.given_up += 1
        return False

    def give_back(self, stripe: int) -> None:
        """Release a lock that was taken."""
        fcntl.lockf(self._descriptor, fcntl.LOCK_UN, 1, stripe)

    def claim(self, most: int) -> int | None:
        """
        Claim a number for as long as this process lives.

        :return: the least below `most` that no other process has; None if there is none.
        """
        for number in range(most):
            if self._try(_CLAIMS + number):
                return number
        return None

    def _try(self, stripe: int) -> bool:
        try:
            fcntl.lockf(self._descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB, 1, stripe)
        except OSError as error:
            if error.errno in _TAKEN:
                return False
            raise
        return True


def open_lock_file() -> int:
    """:return: the descriptor of a file without a name, for `ProcessLock`."""
    if hasattr(os, "memfd_create"):
        return os.memfd_create("txingress-limits")
    with tempfile.TemporaryFile() as file:
        return os.dup(file.fileno())
