"""
The start and the end of everything that follows an API server.
"""

from __future__ import annotations

from twisted.internet.defer import CancelledError, Deferred
from twisted.logger import Logger
from twisted.python.failure import Failure

from ingress.kube.slices import Stopped


class Follower:
    """
    A coroutine that runs from `start` until `stop`.

    A base class and not an object with a callback: the callback would be a cycle of references for
    each Secret that is followed.
    """

    log: Logger

    _running: Deferred[None] | None = None

    @property
    def followed(self) -> str:
        """What is followed, for the log."""
        raise NotImplementedError

    @property
    def is_running(self) -> bool:
        """Whether it has been started, and not stopped since."""
        return self._running is not None

    def start(self) -> None:
        """Read what there is, then follow changes until `stop`."""
        self._running = running = Deferred.fromCoroutine(self._run())
        running.addErrback(self._ended)

    def stop(self) -> None:
        """Stop following; what is known stays."""
        running, self._running = self._running, None
        if running is not None:
            running.cancel()

    async def _run(self) -> None:
        """Follow, without an end."""
        raise NotImplementedError

    def _ended(self, failure: Failure) -> None:
        if not failure.check(CancelledError, Stopped):
            followed = self.followed
            self.log.failure("{followed} cannot be followed any longer", failure, followed=followed)
