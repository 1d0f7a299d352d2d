"""
Tests for `ingress.controller`.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Collection, Generator, Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import msgspec
from twisted.internet.defer import Deferred
from twisted.trial.unittest import SynchronousTestCase

from ingress.config import Config
from ingress.controller import (
    HOLDOFF_DELAY,
    HOLDOFF_MAX_DELAY,
    MAX_TIMER,
    SLICE,
    Controller,
)
from ingress.kube.objects import Ingress, ObjectName, Objects
from ingress.kube.store import ObjectStore
from ingress.memory import LARGE_WORK
from ingress.problem_log import ProblemLog
from ingress.routing.build import Built, build_steps
from ingress.routing.snapshot import Snapshot
from tests.support.objects import FILES, ingress, ingress_class, resolved_name, service
from tests.support.turn_clock import TurnClock


class Workshop:
    """
    Stands in for the build: the real one, with steps that take time before it, or failing.

    :ivar steps: how many steps are put before the real ones.
    :ivar step_time: seconds that each of them takes.
    """

    def __init__(self, clock: TurnClock) -> None:
        self._clock = clock
        self.steps = 0
        self.step_time = 0.0
        self.failure: Exception | None = None
        self.next_change: datetime | None = None
        self.begun = 0
        self.done = 0

    def __call__(
        self, objects: Objects, config: Config, previous: Built | None, *, now: datetime
    ) -> Generator[None, None, Built]:
        self.begun += 1
        for _ in range(self.steps):
            # Not `advance`, which would run what is due in the middle of a slice.
            self._clock.rightNow += self.step_time
            self.done += 1
            yield
        if self.failure is not None:
            raise self.failure
        built = yield from build_steps(objects, config, previous, now=now)
        return built


class ControllerTestCase(SynchronousTestCase):
    """A controller on a store, with a clock that the test advances."""

    def setUp(self) -> None:
        self.clock = TurnClock()
        self.store = ObjectStore()
        self.workshop = Workshop(self.clock)
        self.snapshots: list[Snapshot] = []
        self.problems = ProblemLog(self.clock)
        self.settled = 0
        self.served: list[Mapping[ObjectName, Ingress]] = []
        self.wanted: list[set[str]] = []
        self.resolved: Deferred[None] = Deferred()
        self.controller = Controller(
            self.store,
            FILES,
            self.snapshots.append,
            self.problems,
            clock=self.clock,
            now=self.now,
            build=self.workshop,
            settle=self.settle,
            on_served=self.served.append,
            resolve_names=self.resolve,
        )

    def now(self) -> datetime:
        return datetime(2026, 1, 1, tzinfo=UTC) + timedelta(seconds=self.clock.seconds())

    def settle(self) -> None:
        self.settled += 1

    def resolve(self, names: Collection[str]) -> Deferred[None]:
        self.wanted.append(set(names))
        return self.resolved

    def change(self, *hosts: str) -> None:
        """An Ingress for each host comes into the store, all at once."""
        self.store.apply(
            ingress(host, {"/": "web:80"}, name=host.partition(".")[0]) for host in hosts
        )

    def hosts(self) -> list[set[str]]:
        """The hosts of each Snapshot that was published."""
        return [{host.decode() for host in each.hosts} for each in self.snapshots]


class PublishTests(ControllerTestCase):
    """What is in the store is built and published."""

    def test_first(self) -> None:
        """What is there at the start is published, once, and told."""
        self.change("a.example", "b.example")
        published = self.controller.published
        self.assertNoResult(published)
        self.controller.start()
        self.assertEqual(self.hosts(), [{"a.example", "b.example"}])
        self.assertIsNone(self.successResultOf(published))
        self.assertIsNone(self.successResultOf(self.controller.published))

    def test_state(self) -> None:
        """What was published, how often and when can be asked for."""
        self.assertIsNone(self.controller.built)
        self.assertIsNone(self.controller.published_at)
        self.controller.start()
        self.clock.advance(1)
        self.change("a.example")
        self.clock.advance(HOLDOFF_DELAY)
        assert self.controller.built is not None
        self.assertEqual(self.controller.built.snapshot, self.snapshots[-1])
        self.assertEqual([each.generation for each in self.snapshots], [1, 2])
        self.assertEqual(self.controller.generation, 2)
        self.assertEqual(self.controller.published_at, self.now())

    def test_not_before_start(self) -> None:
        """Nothing is built before the start, whatever changes."""
        self.change("a.example")
        self.controller.reconfigure(FILES)
        self.clock.advance(1)
        self.assertEqual(self.workshop.begun, 0)

    def test_change(self) -> None:
        """A change is published a moment later."""
        self.controller.start()
        self.change("a.example")
        self.assertEqual(len(self.snapshots), 1)
        self.clock.advance(HOLDOFF_DELAY)
        self.assertEqual(self.hosts(), [set(), {"a.example"}])

    def test_configuration(self) -> None:
        """A new configuration is published with the same objects."""
        self.change("a.example")
        self.controller.start()
        config = replace(FILES, ssl_redirect=False)
        self.controller.reconfigure(config)
        self.clock.advance(HOLDOFF_DELAY)
        self.assertEqual([each.config for each in self.snapshots], [FILES, config])
        self.assertEqual(self.hosts()[1], {"a.example"})

    def test_rebuild(self) -> None:
        """What is built from beside objects and configuration can ask for a build."""
        self.controller.rebuild()
        self.assertEqual(self.workshop.begun, 0)
        self.controller.start()
        self.controller.rebuild()
        self.clock.advance(HOLDOFF_DELAY)
        self.assertEqual(self.workshop.begun, 2)

    def test_nothing_new(self) -> None:
        """A change that makes no difference to the routes publishes nothing."""
        self.controller.start()
        self.controller.reconfigure(FILES)
        self.clock.advance(HOLDOFF_DELAY)
        self.assertEqual(self.workshop.begun, 2)
        self.assertEqual(len(self.snapshots), 1)

    def test_problems(self) -> None:
        """The Problems of each build are handed on; those of the build before are gone."""
        self.change("a.example")
        self.controller.start()
        self.assertEqual({problem.name for problem in self.problems}, {"a"})
        self.store.apply(deletes=[("Ingress", "default", "a")])
        self.clock.advance(HOLDOFF_DELAY)
        self.assertEqual(len(self.problems), 0)

    def test_stop(self) -> None:
        """After the stop nothing is built, not even what was under way."""
        self.controller.start()
        self.workshop.steps, self.workshop.step_time = 2, SLICE
        self.change("a.example")
        self.clock.advance(HOLDOFF_DELAY)
        self.change("b.example")
        self.controller.stop()
        self.change("c.example")
        self.clock.pump([SLICE] * 10)
        self.assertEqual(len(self.snapshots), 1)
        self.assertEqual(self.clock.getDelayedCalls(), [])


class ServedTests(ControllerTestCase):
    """Which Ingresses are served is told apart from how."""

    def names(self) -> list[list[str]]:
        return [sorted(name for _, name in each) for each in self.served]

    def test_told(self) -> None:
        """They are told after the first build, and after each one that changed them."""
        self.change("a.example")
        self.controller.start()
        self.change("b.example")
        self.clock.advance(HOLDOFF_DELAY)
        self.assertEqual(self.names(), [["a"], ["a", "b"]])
        self.assertIs(self.served[1]["default", "a"], self.store.view().ingresses["default", "a"])

    def test_unchanged(self) -> None:
        """A change that makes no Ingress another one is not told."""
        self.change("a.example")
        self.controller.start()
        self.store.apply([service("web")])
        self.clock.advance(HOLDOFF_DELAY)
        self.assertEqual(self.workshop.begun, 2)
        self.assertEqual(self.names(), [["a"]])

    def test_gone(self) -> None:
        """One that is deleted, or has the class of another, is not among them any more."""
        self.change("a.example", "b.example")
        self.controller.start()
        self.store.apply(deletes=[("Ingress", "default", "a")])
        self.clock.advance(HOLDOFF_DELAY)
        self.store.apply([ingress_class("other", controller="example.com/other")])
        self.clock.advance(HOLDOFF_DELAY)
        self.assertEqual(self.names(), [["a", "b"], ["b"], []])

    def test_met_by_nobody(self) -> None:
        """A canary is served; what is only there to guard is not."""
        canary = ingress("a.example", {"/": "web:80"}, name="a", annotations={"canary": "true"})
        guard = ingress("b.example", {"/": "web:80"}, name="b", annotations={"auth-type": "basic"})
        self.store.apply([canary, msgspec.structs.replace(guard, only_guards=True)])
        self.controller.start()
        self.assertEqual(self.names(), [["a"]])


class NamesTests(ControllerTestCase):
    """Names that have to be resolved before there are endpoints."""

    def setUp(self) -> None:
        super().setUp()
        self.change("a.example")
        self.lead("x.example")

    def lead(self, name: str) -> None:
        self.store.apply([service("web", kind="ExternalName", external=name)])

    def put(self, name: str) -> None:
        self.store.apply([resolved_name(name, "192.0.2.1")])

    def endpoints(self) -> list[str]:
        """Of the last Snapshot."""
        return [str(endpoint) for endpoint in self.snapshots[-1].endpoints()]

    def test_first(self) -> None:
        """The first Snapshot waits for them, whatever else changes meanwhile."""
        self.controller.start()
        self.assertEqual(self.wanted, [{"x.example"}])
        self.change("b.example")
        self.clock.advance(1)
        self.assertEqual((self.snapshots, self.served), ([], []))
        self.put("x.example")
        self.resolved.callback(None)
        self.clock.advance(HOLDOFF_DELAY)
        self.assertEqual(self.hosts(), [{"a.example", "b.example"}])
        self.assertEqual(self.endpoints(), ["192.0.2.1:80"])
        self.assertEqual(len(self.served), 1)
        self.successResultOf(self.controller.published)

    def test_no_answer(self) -> None:
        """It does not wait for longer than whoever resolves them thinks right."""
        self.controller.start()
        self.resolved.callback(None)
        self.clock.advance(HOLDOFF_DELAY)
        self.assertEqual(self.hosts(), [{"a.example"}])
        self.assertEqual(self.endpoints(), [])

    def test_known(self) -> None:
        """It does not wait for what is known, nor does a later one for what is not."""
        self.put("x.example")
        self.controller.start()
        self.assertEqual(self.endpoints(), ["192.0.2.1:80"])
        self.lead("y.example")
        self.clock.advance(HOLDOFF_DELAY)
        self.assertEqual(self.wanted, [{"x.example"}, {"y.example"}])
        self.assertEqual(self.endpoints(), [])
        self.put("y.example")
        self.clock.advance(HOLDOFF_DELAY)
        self.assertEqual(self.endpoints(), ["192.0.2.1:80"])
        self.assertEqual(len(self.wanted), 2)

    def test_stopped(self) -> None:
        """Once it is stopped no name is resolved any more, and nobody is waited for."""
        self.controller.start()
        self.controller.stop()
        self.resolved.callback(None)
        self.clock.advance(1)
        self.assertEqual((self.wanted[-1], self.snapshots), (set(), []))


class HoldoffTests(ControllerTestCase):
    """Several changes within a moment are one build."""

    def setUp(self) -> None:
        super().setUp()
        self.controller.start()

    def test_several(self) -> None:
        """The build begins a moment after the last of several changes."""
        self.change("a.example")
        self.clock.advance(HOLDOFF_DELAY * 0.8)
        self.change("b.example")
        self.clock.advance(HOLDOFF_DELAY * 0.8)
        self.assertEqual(len(self.snapshots), 1)
        self.clock.advance(HOLDOFF_DELAY * 0.2)
        self.assertEqual(self.hosts()[1:], [{"a.example", "b.example"}])

    def test_no_end(self) -> None:
        """Changes without end are built all the same, soon after the first one."""
        step = HOLDOFF_DELAY / 2
        for number in range(int(HOLDOFF_MAX_DELAY / step) + 1):
            self.assertEqual(len(self.snapshots), 1, number)
            self.change(f"a{number}.example")
            self.clock.advance(step)
        self.assertEqual(len(self.snapshots), 2)

    def test_again(self) -> None:
        """The change after a build has a holdoff of its own."""
        for host in ("a.example", "b.example"):
            self.change(host)
            self.clock.advance(HOLDOFF_DELAY)
        self.assertEqual(len(self.snapshots), 3)


class SliceTests(ControllerTestCase):
    """A long build runs in slices."""

    def setUp(self) -> None:
        super().setUp()
        self.controller.start()
        self.workshop.steps, self.workshop.step_time = 10, SLICE / 2

    def test_slices(self) -> None:
        """A build stops after each slice until the reactor has had its turn."""
        self.change("a.example")
        self.clock.advance(HOLDOFF_DELAY)
        self.assertEqual(self.workshop.done, 2)
        self.clock.advance(0)
        self.assertEqual(self.workshop.done, 4)
        self.clock.pump([0] * 4)
        self.assertEqual(self.hosts()[1:], [{"a.example"}])

    def test_change_meanwhile(self) -> None:
        """A change during a build is for the next one, which follows at once."""
        self.change("a.example")
        self.clock.advance(HOLDOFF_DELAY)
        self.change("b.example")
        self.clock.pump([0] * 6)
        self.clock.advance(HOLDOFF_DELAY)
        self.clock.pump([0] * 12)
        self.assertEqual(self.hosts()[1:], [{"a.example"}, {"a.example", "b.example"}])
        self.assertEqual(self.workshop.begun, 3)

    def test_time(self) -> None:
        """The time of a build is that of its slices, without what happens between them."""
        self.assertEqual((self.controller.builds, self.controller.build_seconds), (1, 0.0))
        self.change("a.example")
        self.clock.advance(HOLDOFF_DELAY)
        self.clock.pump([100.0] * 12)
        self.assertEqual(self.controller.builds, 2)
        self.assertAlmostEqual(self.controller.build_seconds, 10 * SLICE / 2)

    def test_no_starvation(self) -> None:
        """Builds come to their end although something changes during each slice."""
        for number in range(30):
            self.change(f"a{number}.example")
            self.clock.advance(HOLDOFF_DELAY)
        self.assertGreater(len(self.snapshots), 3)


class FailureTests(ControllerTestCase):
    """A build that fails ends nothing."""

    def test_last_good(self) -> None:
        """What was published stays, the failure is logged, and the next change is built."""
        self.change("a.example")
        self.controller.start()
        self.workshop.failure = RuntimeError("a bug")
        self.change("b.example")
        self.clock.advance(HOLDOFF_DELAY)
        self.assertEqual(len(self.flushLoggedErrors(RuntimeError)), 1)
        self.assertEqual(self.hosts(), [{"a.example"}])
        self.assertEqual((self.controller.generation, self.controller.failures), (1, 1))
        self.assertEqual(self.controller.builds, 1)
        self.workshop.failure = None
        self.change("c.example")
        self.clock.advance(HOLDOFF_DELAY)
        self.assertEqual(self.hosts()[1:], [{"a.example", "b.example", "c.example"}])

    def test_first(self) -> None:
        """If the first build fails, what is published first is the first that succeeds."""
        self.workshop.failure = RuntimeError("a bug")
        published = self.controller.published
        self.controller.start()
        self.assertEqual(len(self.flushLoggedErrors(RuntimeError)), 1)
        self.assertNoResult(published)
        self.workshop.failure = None
        self.change("a.example")
        self.clock.advance(HOLDOFF_DELAY)
        self.successResultOf(published)

    def test_change_meanwhile(self) -> None:
        """A change during a build that fails is built none the less."""
        self.controller.start()
        self.workshop.steps, self.workshop.step_time = 3, SLICE
        self.workshop.failure = RuntimeError("a bug")
        self.change("a.example")
        self.clock.advance(HOLDOFF_DELAY)
        self.change("b.example")
        self.clock.advance(HOLDOFF_DELAY)
        self.clock.pump([0] * 2)
        self.workshop.failure = None
        self.clock.pump([0] * 8)
        self.flushLoggedErrors(RuntimeError)
        self.assertEqual(self.hosts()[-1], {"a.example", "b.example"})


class SettleTests(ControllerTestCase):
    """The collector is told when many objects have come to stay."""

    def test_first(self) -> None:
        """After the first build, however small, and not after a small change."""
        self.controller.start()
        self.assertEqual(self.settled, 1)
        self.change("a.example")
        self.clock.advance(HOLDOFF_DELAY)
        self.assertEqual(self.settled, 1)

    def test_large(self) -> None:
        """After each slice of a build from the moment on that it is large."""
        self.controller.start()
        before = int(LARGE_WORK / SLICE)
        self.workshop.steps, self.workshop.step_time = before + 3, SLICE * 1.01
        self.change("a.example")
        self.clock.advance(HOLDOFF_DELAY)
        self.clock.pump([0] * (before - 2))
        self.assertEqual(self.settled, 1)
        self.clock.pump([0] * 10)
        self.assertEqual(self.settled, 1 + 4 + 1)

    def test_replaced(self) -> None:
        """What a large build replaces is freed in turns of its own, not with the last reference."""
        self.change("a.example")
        self.controller.start()
        [host] = self.snapshots.pop().hosts.values()
        self.workshop.steps, self.workshop.step_time = int(LARGE_WORK / SLICE) + 1, SLICE * 1.01
        self.controller.reconfigure(replace(FILES, ssl_redirect=False))
        self.clock.advance(HOLDOFF_DELAY)
        while not self.snapshots:
            self.clock.advance(0)
        nobody_elses = object()
        ours = sys.getrefcount(nobody_elses)
        self.assertGreater(sys.getrefcount(host), ours)
        self.clock.advance(0)
        self.assertEqual(sys.getrefcount(host), ours)
        self.assertEqual(self.clock.getDelayedCalls(), [])


class TimeTests(ControllerTestCase):
    """Time alone changes what is a Problem: certificates begin and end."""

    def build_due(self, delay: timedelta) -> Callable[[], int]:
        """Start with a build that says when the next one is due; how many there were."""
        inner = self.workshop

        def build(
            objects: Objects, config: Config, previous: Built | None, *, now: datetime
        ) -> Generator[None, None, Built]:
            built = yield from inner(objects, config, previous, now=now)
            return Dated(built.snapshot, built.problems, built.memo)

        moment = self.now() + delay

        class Dated(Built):
            @property
            def next_change(self) -> datetime | None:
                return moment

        controller = Controller(
            self.store,
            FILES,
            self.snapshots.append,
            self.problems,
            clock=self.clock,
            now=self.now,
            build=build,
            settle=self.settle,
        )
        controller.start()
        return lambda: inner.begun

    def test_due(self) -> None:
        """A build follows when the moment has come."""
        builds = self.build_due(timedelta(hours=1))
        self.clock.advance(3599)
        self.assertEqual(builds(), 1)
        self.clock.pump([1, HOLDOFF_DELAY])
        self.assertEqual(builds(), 2)

    def test_far(self) -> None:
        """A moment that is far away is looked at again in between."""
        builds = self.build_due(timedelta(days=3650))
        self.clock.pump([MAX_TIMER, HOLDOFF_DELAY])
        self.assertEqual(builds(), 2)

    def test_past(self) -> None:
        """A moment that is past does not keep the process busy."""
        builds = self.build_due(timedelta(days=-1))
        self.clock.pump([0.1] * 5)
        self.assertEqual(builds(), 1)
