"""
Joins the store and the build: something changed, hold off, build, publish.

A build that fails leaves what is served as it is.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IDelayedCall, IReactorTime
from twisted.logger import Logger

from ingress.config import Config
from ingress.kube.store import ObjectStore
from ingress.problem_log import ProblemLog
from ingress.routing.build import Built, build_steps
from ingress.routing.build.change import Steps
from ingress.routing.snapshot import Snapshot

HOLDOFF = 0.005
"""Seconds without a further change before a build: changes come in bursts."""

MAX_HOLDOFF = 0.025
"""Seconds from the first change until a build, however many follow."""

SLICE = 0.005
"""Seconds that a build may keep requests waiting before they get their turn."""

LARGE_BUILD = 0.2
"""Seconds of building that make so many objects that the collector should be told."""


class Controller:
    """
    :param store: what to build from.
    :param config: what to build by; `configure` changes it.
    :param publish: takes each new Snapshot.
    :param utc_now: the time with its zone, for certificates that expire.
    :param freeze: called after a large build, to keep the garbage collector from
        walking what is there to stay (`gc.freeze`): with 10,000 Ingresses a full
        collection would stop the process for a tenth of a second.
    """

    log = Logger()

    def __init__(
        self,
        clock: IReactorTime,
        store: ObjectStore,
        config: Config,
        publish: Callable[[Snapshot], None],
        problem_log: ProblemLog,
        *,
        utc_now: Callable[[], datetime],
        freeze: Callable[[], None],
    ) -> None:
        self.published: Deferred[None] = Deferred()
        """Fires when the first Snapshot is published."""

        self._clock = clock
        self._store = store
        self._config = config
        self._publish = publish
        self._problem_log = problem_log
        self._utc_now = utc_now
        self._freeze = freeze
        self._built: Built | None = None
        self._steps: Steps[Built] | None = None
        self._time_building = 0.0
        self._first_change: float | None = None
        self._next_call: IDelayedCall | None = None
        self._due: IDelayedCall | None = None
        self._unsubscribe: Callable[[], None] | None = None

    def __repr__(self) -> str:
        state = "building" if self._steps is not None else "waiting"
        return f"<Controller {state}: {self._built}>"

    def start(self) -> None:
        """Build now, and after each change."""
        self._unsubscribe = self._store.subscribe(self.changed)
        self._start_build()

    def stop(self) -> None:
        """Build no more; what was published is served on."""
        if self._unsubscribe is not None:
            self._unsubscribe()
        for call in (self._next_call, self._due):
            if call is not None and call.active():
                call.cancel()
        self._steps = None

    def configure(self, config: Config) -> None:
        """Build by another configuration from now on."""
        self._config = config
        self.changed()

    def changed(self) -> None:
        """Something is different: a build is due after the holdoff."""
        now = self._clock.seconds()
        if self._first_change is None:
            self._first_change = now
        if self._steps is not None:
            # The build under way is finished first, or changes that come faster
            # than it could keep it from ever being published.
            return
        delay = min(HOLDOFF, self._first_change + MAX_HOLDOFF - now)
        self._call_later(max(0.0, delay), self._start_build)

    def _call_later(self, delay: float, call: Callable[[], None]) -> None:
        if self._next_call is not None and self._next_call.active():
            self._next_call.cancel()
        self._next_call = self._clock.callLater(delay, call)

    def _start_build(self) -> None:
        self._first_change = None
        self._time_building = 0.0
        self._steps = build_steps(
            self._store.view(), self._config, self._built, now=self._utc_now()
        )
        self._build_slice()

    def _build_slice(self) -> None:
        """Build for a moment, then let requests have their turn."""
        assert self._steps is not None
        start = now = self._clock.seconds()
        try:
            while now < start + SLICE:
                next(self._steps)
                now = self._clock.seconds()
        except StopIteration as stop:
            self._time_building += self._clock.seconds() - start
            self._steps = None
            self._finish(stop.value)
        except Exception:
            self.log.failure("The build failed; what is served stays as it is")
            self._steps = None
        else:
            self._time_building += now - start
            self._call_later(0, self._build_slice)
        if self._steps is None and self._first_change is not None:
            self.changed()

    def _finish(self, built: Built) -> None:
        previous, self._built = self._built, built
        if previous is None or built.snapshot is not previous.snapshot:
            self._publish(built.snapshot)
        self._problem_log.replace("build", dict[Any, Any](built.problems))
        if previous is None or self._time_building > LARGE_BUILD:
            self._freeze()
        self._schedule_next_change(built)
        if not self.published.called:
            self.published.callback(None)

    def _schedule_next_change(self, built: Built) -> None:
        """Time alone changes some Problems: a certificate begins or ends."""
        if self._due is not None and self._due.active():
            self._due.cancel()
        self._due = None
        if built.next_change is not None:
            delay = (built.next_change - self._utc_now()).total_seconds()
            self._due = self._clock.callLater(max(1.0, delay), self.changed)
