"""
The interface between the control plane and the data plane.
"""

from __future__ import annotations

from typing import Protocol

from twisted.internet.defer import Deferred

from ingress.routing.snapshot import Snapshot
from ingress.serving.port_failures import PortFailures


class Serving(Protocol):
    """The data plane: in this process, or in several others."""

    @property
    def port_failures(self) -> PortFailures:
        """The ports of TCP and UDP services that cannot be opened."""

    def launch(self) -> None:
        """
        Fork the processes. This one has shed its privileges and is a daemon by now, if
        it becomes one; the reactor does not run yet.
        """

    def prepare(self) -> None:
        """Prepare to serve: the reactor runs, but there is no Snapshot yet."""

    def publish(self, snapshot: Snapshot) -> None:
        """Use `snapshot` for every exchange that begins from now on."""

    def accept(self) -> Deferred[None]:
        """
        Listen and accept, after the first `publish`.

        :return: fires when it does; fails with `ListenError` if another process was
            faster to listen on an address.
        """

    def reopen(self) -> None:
        """Open the log files again, after they were renamed."""

    def drain(self, grace: float) -> Deferred[None]:
        """
        Stop accepting, and let exchanges finish.

        :param grace: seconds after which the remaining connections are cut.
        :return: fires when the last exchange is over.
        """

    def cut(self) -> None:
        """Close all connections at once."""
