"""
How a Reflector fares with the API server: for readiness, metrics, and Problems.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from twisted.internet.interfaces import IReactorTime

from ingress.kube.api.errors import APIError
from ingress.kube.cluster.resource import Target

MAX_SILENCE: Final = 660.0
"""
Seconds without a word after which what is known counts as stale even though nothing
has failed: a watch ends after ten minutes at the latest.
"""

MAX_TROUBLE: Final = 5.0
"""
Seconds of failures in a row from which on what is known counts as stale. A server that
restarts is often back by then.
"""


class Contact:
    """
    What is known of one way to the API server.

    :param clock: whose seconds all times here are.
    :param changed: called when `has_synced` or `error` has changed.
    """

    def __init__(self, target: Target, clock: IReactorTime, changed: Callable[[], None]) -> None:
        self.target = target
        self._clock = clock
        self._changed = changed
        self._heard_at: float | None = None
        self._began_at = clock.seconds()
        self._failing_since: float | None = None
        self._is_watch_forbidden = False
        self.has_synced = False
        """Whether all that there is has been read once."""

        self.error: Exception | None = None
        """What went wrong last, if nothing went well since."""

        self.lists = 0
        """How many lists were read to their end."""

        self.watch_failures = 0
        """How many watches ended otherwise than in order."""

    def __repr__(self) -> str:
        state = self.error or ("synced" if self.has_synced else "not synced")
        return f"<Contact with {self.target}: {state}>"

    @property
    def relists(self) -> int:
        """How often all was read once more, because changes were missed."""
        return max(0, self.lists - 1)

    @property
    def staleness(self) -> float:
        """Seconds since the server was last heard of; since the begin if it never was."""
        since = self._began_at if self._heard_at is None else self._heard_at
        return self._clock.seconds() - since

    @property
    def is_stale(self) -> bool:
        """Whether what is known may be another by now, and nobody would have told us."""
        if not self.has_synced or self.staleness > MAX_SILENCE:
            return True
        since = self._failing_since
        return since is not None and self._clock.seconds() - since >= MAX_TROUBLE

    @property
    def is_forbidden(self) -> bool:
        """Whether what was asked for last is not ours to ask for."""
        return isinstance(self.error, APIError) and self.error.code == 403

    def heard(self, *, by_watch: bool = False) -> None:
        """
        The server has sent something that it was asked for.

        :param by_watch: what a list gives does not show that we may watch.
        """
        self._heard_at = self._clock.seconds()
        if self.error is None or (self._is_watch_forbidden and not by_watch):
            return
        self._failing_since = self.error = None
        self._is_watch_forbidden = False
        self._changed()

    def listed(self) -> None:
        """A list was read to its end."""
        self.lists += 1
        self.has_synced = True
        self._changed()

    def failed(self, error: Exception, *, is_watch: bool = False) -> None:
        """It has not sent it."""
        if self._failing_since is None:
            self._failing_since = self._clock.seconds()
        self.error = error
        self._is_watch_forbidden = is_watch and self.is_forbidden
        self._changed()
