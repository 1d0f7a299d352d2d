"""
What joins the store and the build: objects changed, hold off, build, publish.

A build runs in slices between which the reactor serves. What changes meanwhile
is for the next build: each one comes to its end and is published, so that a
stream of changes starves nobody, and the next one costs only what changed. A
build that fails leaves what was published last in place.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Generator, Mapping
from dataclasses import replace
from datetime import UTC, datetime
from typing import Final, Protocol

from twisted.internet.defer import Deferred, succeed
from twisted.internet.interfaces import IDelayedCall, IReactorTime
from twisted.logger import Logger

from ingress.config import Config, IngressClassFilter
from ingress.kube.objects import Ingress, ObjectName, Objects
from ingress.kube.store import ObjectStore
from ingress.memory import LARGE_WORK, SlowRelease, settle_objects
from ingress.problem_log import ProblemLog
from ingress.routing.build import Built, build_steps
from ingress.routing.snapshot import Snapshot

HOLDOFF_DELAY: Final = 0.005
"""
Seconds from the last change to the build: an editor, `kubectl apply` or a rename
of a folder change several objects within a millisecond or two, which should be one build.
"""

HOLDOFF_MAX_DELAY: Final = 0.025
"""
Seconds from the first change to the build, however many follow: a change among
10,000 objects has to be served within 50 ms, and the build takes the other half.
"""

SLICE: Final = 0.005
"""Seconds that a build runs before the reactor serves: a quarter of what a request may wait."""

MIN_TIMER: Final = 1.0
MAX_TIMER: Final = 86400.0
"""Seconds between looks at the time of day: what is due later is looked at again then."""


OnForeign = Callable[[Mapping[str, int], IngressClassFilter], None]


class BuildSteps(Protocol):
    """`ingress.routing.build.build_steps`."""

    def __call__(
        self, objects: Objects, config: Config, previous: Built | None, *, now: datetime
    ) -> Generator[None, None, Built]: ...


def utc_now() -> datetime:
    """This moment."""
    return datetime.now(UTC)


class Controller:
    """
    Keeps the published Snapshot up to date with store and configuration.

    :param publish: takes each new Snapshot; one assignment.
    :param problems: gets those of each build, as the source ``build``.
    :param clock: for holdoff and slices.
    :param now: the time of day, which decides whether certificates are valid.
    :param settle: called after the first build, and after each slice of a large one.
    :param on_foreign: takes the number of Ingresses that are not ours, by class, and the
        classes that are ours, whenever the numbers changed.
    :param on_served: takes the Ingresses that requests can meet, whenever they changed.
    :param resolve_names: takes the names that have to be resolved, whenever they changed; what
        comes of it is to be put into the store. What it returns fires when that is so of all,
        or nobody should wait any longer: the first Snapshot does.
    """

    log = Logger()

    def __init__(
        self,
        store: ObjectStore,
        config: Config,
        publish: Callable[[Snapshot], None],
        problems: ProblemLog,
        *,
        clock: IReactorTime,
        now: Callable[[], datetime] = utc_now,
        build: BuildSteps = build_steps,
        settle: Callable[[], None] = settle_objects,
        on_foreign: OnForeign = lambda counts, ours: None,
        on_served: Callable[[Mapping[ObjectName, Ingress]], None] = lambda served: None,
        resolve_names: Callable[[Collection[str]], Deferred[None]] = lambda names: succeed(None),
    ) -> None:
        self._store = store
        self._config = config
        self._publish = publish
        self._problems = problems
        self._clock = clock
        self._now = now
        self._build = build
        self._settle = settle
        self._on_served = on_served
        self._on_foreign = on_foreign
        self._resolve_names = resolve_names
        self._waits_for_names = False
        self._release = SlowRelease(clock)
        self._unsubscribe: Callable[[], None] | None = None
        self._built: Built | None = None
        self._holdoff: IDelayedCall | None = None
        self._first_change = 0.0
        self._slice: IDelayedCall | None = None
        self._is_due = False
        self._timer: IDelayedCall | None = None
        self._published: Deferred[None] = Deferred()
        self.generation = 0
        """How many Snapshots have been published."""

        self.published_at: datetime | None = None
        """When the last one was."""

        self.failures = 0
        """Builds that came to nothing, for a fault of ours."""

        self.builds = 0
        """Builds that came to an end, whether they changed anything or not."""

        self.build_seconds = 0.0
        """How long these took together, without the turns of others in between."""

    def __repr__(self) -> str:
        state = "building" if self._slice else "waiting" if self._holdoff else "idle"
        return f"<Controller {state}, {self.generation} published>"

    @property
    def built(self) -> Built | None:
        """What the last build came to."""
        return self._built

    @property
    def published(self) -> Deferred[None]:
        """A new Deferred that fires once the first Snapshot is published."""
        fired: Deferred[None] = Deferred()

        def pass_on(result: None) -> None:
            fired.callback(None)

        self._published.addCallback(pass_on)
        return fired

    def start(self) -> None:
        """
        Build now, and after each change from now on.

        To be called once the store has all that there is, because what is
        published first is what the process is ready with.
        """
        self._unsubscribe = self._store.subscribe(self._changed)
        self._begin()

    def stop(self) -> None:
        """Build no more, and have no name resolved; what is published stays."""
        if self._unsubscribe is not None:
            self._unsubscribe()
            self._unsubscribe = None
        for call in (self._holdoff, self._slice, self._timer):
            if call is not None:
                call.cancel()
        self._holdoff = self._slice = self._timer = None
        self._release.stop()
        self._resolve_names(())

    def reconfigure(self, config: Config) -> None:
        """Build with another configuration from now on."""
        self._config = config
        self.rebuild()

    def rebuild(self) -> None:
        """Build again soon, because something beside store and configuration has changed."""
        if self._unsubscribe is not None:
            self._changed()

    def _changed(self) -> None:
        """Build after the last of several changes, but soon after the first one."""
        now = self._clock.seconds()
        if self._holdoff is None:
            self._first_change = now
            self._holdoff = self._clock.callLater(HOLDOFF_DELAY, self._holdoff_ended)
        else:
            left = self._first_change + HOLDOFF_MAX_DELAY - now
            self._holdoff.reset(max(0.0, min(HOLDOFF_DELAY, left)))

    def _holdoff_ended(self) -> None:
        self._holdoff = None
        if self._slice is None:
            self._begin()
        else:
            self._is_due = True

    def _begin(self) -> None:
        self._is_due = False
        steps = self._build(self._store.view(), self._config, self._built, now=self._now())
        self._run(steps, 0.0)

    def _run(self, steps: Generator[None, None, Built], spent: float) -> None:
        """
        Run a slice of a build.

        :param spent: seconds that its slices took so far.
        """
        self._slice = None
        started = self._clock.seconds()
        took = 0.0
        try:
            while took < SLICE:
                next(steps)
                took = self._clock.seconds() - started
        except StopIteration as end:
            self._finish(end.value, spent + self._clock.seconds() - started)
        except Exception:
            self.failures += 1
            self.log.failure("The routes cannot be built; those that are published stay")
            self._ended()
        else:
            if spent + took >= LARGE_WORK:
                self._settle()
            self._slice = self._clock.callLater(0, self._run, steps, spent + took)

    def _finish(self, built: Built, spent: float) -> None:
        self.builds += 1
        self.build_seconds += spent
        previous, self._built = self._built, built
        if previous is None or built.names is not previous.names:
            self._request_names(built, is_first=previous is None)
        if self._waits_for_names:
            self._ended()
            return
        is_first, is_large = not self.generation, spent >= LARGE_WORK
        if previous is None or is_first or built.snapshot is not previous.snapshot:
            self.generation += 1
            self._publish(replace(built.snapshot, generation=self.generation))
            self.published_at = self._now()
        self._problems.report("build", built.problems)
        if previous is None or is_first or built.served is not previous.served:
            self._on_served(built.served)
        if previous is None or built.foreign_classes is not previous.foreign_classes:
            self._on_foreign(built.foreign_classes, built.snapshot.config.ingress_class)
        if previous is not None and is_large:
            # All of it, freed with the last reference to it, would take too long.
            for mapping in previous.mappings():
                self._release.hold(mapping)
        if is_first or is_large:
            self._settle()
        self._watch_time(built)
        if is_first:
            self._log_first(built)
            self._published.callback(None)
        self._ended()

    def _request_names(self, built: Built, *, is_first: bool) -> None:
        """Have names resolved; before that nothing is published that needs them, at first."""
        known = self._resolve_names(built.names)
        if is_first and built.has_unresolved_names:
            self._waits_for_names = True
            known.addCallback(self._names_known)

    def _names_known(self, result: object) -> None:
        self._waits_for_names = False
        if self._unsubscribe is not None:
            self._changed()

    def _log_first(self, built: Built) -> None:
        snapshot = built.snapshot
        self.log.info(
            "The first routes are published: hosts {hosts}, Service ports {upstreams}, "
            "problems {problems}",
            hosts=len(snapshot.hosts) + len(snapshot.wildcard_hosts),
            upstreams=len(snapshot.upstreams),
            problems=self._problems.count_reported(),
        )

    def _ended(self) -> None:
        if self._is_due:
            self._begin()

    def _watch_time(self, built: Built) -> None:
        """A certificate that begins or ends is a change that nobody tells us."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if built.next_change is not None:
            delay = (built.next_change - self._now()).total_seconds()
            delay = max(MIN_TIMER, min(delay, MAX_TIMER))
            self._timer = self._clock.callLater(delay, self._time_changed)

    def _time_changed(self) -> None:
        self._timer = None
        self._changed()
