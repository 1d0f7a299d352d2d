"""
The seam between what decides what is served and what serves it.
"""

from __future__ import annotations

from typing import Protocol

from twisted.internet.defer import Deferred

from ingress.routing.snapshot import Snapshot


class Serving(Protocol):
    """The data plane: in this process, or in several others."""

    def launch(self) -> None:
        """
        Fork what has to be forked. The process has its privileges no more and is a
        daemon if it comes to be one; the reactor does not run yet.
        """

    def prepare(self) -> None:
        """Get ready, the reactor runs; there is no Snapshot yet, so that nothing accepts."""

    def publish(self, snapshot: Snapshot) -> None:
        """Serve every exchange that begins from now on from `snapshot`."""

    def accept(self) -> Deferred[None]:
        """
        Listen and accept, after the first `publish`.

        :return: fires when it does; fails with `ListenError` if another process was
            faster to listen on an address.
        """

    def reopen(self) -> None:
        """Open the files again that are written to: they were moved away."""

    def drain(self, grace: float) -> Deferred[None]:
        """
        Accept no more, and let exchanges under way finish.

        :param grace: seconds from when nothing accepts; what is left then is cut.
        :return: fires when the last exchange is over.
        """

    def cut(self) -> None:
        """End what is still under way, at once."""
