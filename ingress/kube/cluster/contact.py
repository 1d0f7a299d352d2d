"""
The state of one connection to the API server, for readiness, metrics and Problems.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from twisted.internet.interfaces import IReactorTime

from ingress.kube.api.refusals import Refusals, is_refusal
from ingress.kube.cluster.liveness import Liveness
from ingress.kube.cluster.resource import Target

MAX_SILENCE: Final = 20.0
"""
Seconds without a word of the server after which the known objects count as stale. A silent server
is asked within this time (`Probe`), so this is the time in which a dead one is found out.
"""

MAX_WATCH: Final = 660.0
"""
Seconds without a word on a watch after which the known objects count as stale, even if the server
is alive: it ends a watch after ten minutes at the latest.
"""

MAX_FAILING: Final = 5.0
"""
Seconds of failures after which the known objects count as stale. A server that restarts is
often back by then.
"""


class Contact:
    """
    What is known of one list and watch of the API server.

    :param clock: for all times.
    :param changed: called when `has_synced` or `error` has changed.
    :param liveness: of the server.
    :param period: seconds between two reads of an object that is not watched.
    """

    def __init__(
        self,
        target: Target,
        clock: IReactorTime,
        changed: Callable[[], None],
        liveness: Liveness,
        period: float = 0.0,
    ) -> None:
        self.target = target
        self._liveness = liveness
        self._period = period
        self._clock = clock
        self._changed = changed
        self._heard_at: float | None = None
        self._began_at = clock.seconds()
        self._failing_since: float | None = None
        self._refusals = Refusals()
        self._is_watch_forbidden = False
        self.has_synced = False
        """Whether everything has been read once."""

        self.synced_at = float("inf")
        """When everything had been read for the first time."""

        self.error: Exception | None = None
        """The last failure; None after a success."""

        self.refused_verb = ""
        """What was refused last: ``list``, ``watch`` or ``get``; empty if nothing was."""

        self.lists = 0
        """How many lists were read completely."""

        self.watch_failures = 0
        """How many watches ended in another way than by the server's timeout."""

    def __repr__(self) -> str:
        state = self.error or ("synced" if self.has_synced else "not synced")
        return f"<Contact with {self.target}: {state}>"

    @property
    def relists(self) -> int:
        """How often everything was listed again because changes were missed."""
        return max(0, self.lists - 1)

    @property
    def heard_at(self) -> float:
        """When something came over this connection; the begin if nothing ever did."""
        return self._began_at if self._heard_at is None else self._heard_at

    @property
    def staleness(self) -> float:
        """
        Seconds since the known objects were those of the server.

        An open watch brings all changes, so they are up to date as long as the server is alive.
        """
        since = self.heard_at
        if self.has_synced and self.error is None and not self._period:
            since = max(since, self._liveness.heard_at)
        return self._clock.seconds() - since

    @property
    def fault(self) -> Exception | None:
        """Why the known objects may be out of date; None if nothing is known to be wrong."""
        return self.error or self._liveness.error

    @property
    def is_stale(self) -> bool:
        """Whether the known objects may be out of date."""
        now = self._clock.seconds()
        if not self.has_synced or self.staleness > MAX_SILENCE + self._period:
            return True
        if now - self.heard_at > MAX_WATCH:
            return True
        since = self._failing_since
        return since is not None and now - since >= MAX_FAILING

    @property
    def is_forbidden(self) -> bool:
        """Whether the last request was refused, perhaps only by a server that starts."""
        return is_refusal(self.error)

    @property
    def refused_at(self) -> float:
        """When a request was refused last."""
        return self._refusals.last

    @property
    def is_done_without(self) -> bool:
        """Whether the objects were refused, were never read, and the proxy can do without them."""
        is_refused = self.refused_at > float("-inf")
        return self.target.resource.is_optional and is_refused and not self.has_synced

    @property
    def lacks_right(self) -> bool:
        """Whether requests were refused for so long that a right must be missing."""
        return self._refusals.are_lasting

    def heard(self, *, by_watch: bool = False) -> None:
        """
        The server has answered a request.

        :param by_watch: whether the answer is a watch's; a list does not show that we may watch.
        """
        self._heard_at = self._clock.seconds()
        self._liveness.heard(self._heard_at)
        if self.error is None or (self._is_watch_forbidden and not by_watch):
            return
        self._failing_since = self.error = None
        self._refusals.end()
        self.refused_verb = ""
        self._is_watch_forbidden = False
        self._changed()

    def listed(self) -> None:
        """A list was read completely."""
        self.lists += 1
        if not self.has_synced:
            self.has_synced, self.synced_at = True, self._clock.seconds()
        self._changed()

    def failed(self, error: Exception, verb: str = "list") -> None:
        """
        A request has failed.

        :param verb: what was asked for: ``list``, ``watch`` or ``get``.
        """
        now = self._clock.seconds()
        if self._failing_since is None:
            self._failing_since = now
        self.error = error
        if self.is_forbidden:
            self._refusals.add(now)
        else:
            self._refusals.end()
        self.refused_verb = verb if self.is_forbidden else ""
        self._is_watch_forbidden = self.refused_verb == "watch"
        self._changed()
