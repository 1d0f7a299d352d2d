"""
Tests for `ingress.service`.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import cast

from twisted.internet.defer import Deferred, succeed
from twisted.internet.protocol import Factory
from twisted.internet.testing import MemoryReactorClock
from twisted.logger import capturedLogs, formatEvent
from twisted.trial.unittest import SynchronousTestCase

from ingress.admin.readiness import Readiness
from ingress.config import Config
from ingress.control_plane import ControlPlane
from ingress.downstream.bound_socket import ListenError
from ingress.downstream.listeners import Listener
from ingress.service import Admin, IngressService
from ingress.termination import Termination
from tests.support.hand_observer import HandObserver
from tests.support.hand_serving import HandServing
from tests.support.recording_listener import RecordingListener


@dataclass
class HandControlPlane:
    """A control plane that has started when a test says so."""

    events: list[str]
    started: Deferred[None] = field(default_factory=Deferred)
    stopped: Deferred[None] = field(default_factory=lambda: succeed(None))

    shutdown_delay: float = 0.0

    @property
    def config(self) -> Config:
        return Config(shutdown_grace=7.0, shutdown_delay=self.shutdown_delay)

    async def start(self) -> None:
        self.events.append("control plane starts")
        await self.started

    def stop(self) -> Deferred[None]:
        self.events.append("control plane stops")
        return self.stopped


@dataclass
class HandTermination:
    """Keeps what signals would do."""

    events: list[str]
    cut_short: Callable[[], None] = lambda: None

    def install(self, cut_short: Callable[[], None]) -> None:
        self.cut_short = cut_short

    def fail(self) -> None:
        self.events.append("failure")


class IngressServiceTests(SynchronousTestCase):
    """The order in which things start and stop."""

    def setUp(self) -> None:
        self.events: list[str] = []
        self.reactor = MemoryReactorClock()
        self.admin = RecordingListener("admin", self.events)
        self.control_plane = HandControlPlane(self.events)
        self.serving = HandServing(self.events)
        self.termination = HandTermination(self.events)
        self.observer = HandObserver(self.events)
        self.service = IngressService(
            self.reactor,
            Admin(cast(Listener, self.admin), Factory(), Readiness(start="not published yet")),
            cast(ControlPlane, self.control_plane),
            self.serving,
            cast(Termination, self.termination),
            [self.observer],
        )

    def begin(self) -> None:
        """The service is started, and then the reactor."""
        self.service.startService()
        self.assertEqual(self.events, ["serving launches"])
        self.events.clear()
        for function, arguments, keywords in self.reactor.whenRunningHooks:
            function(*arguments, **keywords)

    def begin_whole(self) -> None:
        self.begin()
        self.control_plane.started.callback(None)
        self.events.clear()

    def test_start(self) -> None:
        """Nothing accepts before the first Snapshot, but for the probes, who learn that."""
        self.begin()
        self.assertEqual(self.events, ["serving prepares", "admin starts", "control plane starts"])
        self.assertEqual(self.service.readiness.reasons, ("not published yet",))
        self.control_plane.started.callback(None)
        self.assertEqual(self.events[3:], ["serving accepts", "observer starts"])
        self.assertEqual(self.service.readiness.reasons, ())

    def test_slow_to_accept(self) -> None:
        """It is ready when the data plane says that it accepts."""
        self.serving.accepted = Deferred()
        self.begin_whole()
        self.assertEqual(self.service.readiness.reasons, ("not published yet",))
        self.assertNotIn("observer starts", self.events)
        self.serving.accepted.callback(None)
        self.assertEqual(self.service.readiness.reasons, ())

    def test_address_taken(self) -> None:
        """An address that somebody else was faster to listen on is a line and a failure."""
        for who in ("admin", "serving"):
            self.setUp()
            if who == "admin":
                self.admin.fault = ListenError("taken")
            else:
                self.serving.accepted = Deferred()
                self.serving.accepted.errback(ListenError("taken"))
            with capturedLogs() as events:
                self.begin()
                if who == "serving":
                    self.control_plane.started.callback(None)
            self.assertEqual([formatEvent(event) for event in events], ["taken"])
            self.assertEqual(self.events[-1], "failure")

    def test_fault_of_ours(self) -> None:
        """What else keeps it from starting is logged whole, and is a failure."""
        self.begin()
        self.control_plane.started.errback(ZeroDivisionError())
        self.assertEqual(self.events[-1], "failure")
        self.assertEqual(len(self.flushLoggedErrors(ZeroDivisionError)), 1)

    def test_stop(self) -> None:
        """First what tells of it and what changes, then what accepts; the probes know to the end."""
        self.serving.drained = Deferred()
        self.begin_whole()
        stopped = self.service.stopService()
        self.assertEqual(
            self.events, ["observer stops", "control plane stops", "serving drains for 7.0"]
        )
        self.assertTrue(self.service.readiness.is_ending)
        self.assertEqual(self.service.readiness.reasons, ("the process is draining",))
        self.serving.drained.callback(None)
        self.successResultOf(stopped)
        self.assertEqual(self.events[-1], "admin stops")
        self.assertEqual(self.reactor.getDelayedCalls(), [])

    def test_delay(self) -> None:
        """Everything serves on for the delay, but the probes know; a second signal ends it."""
        for ends_it in ("time", "signal"):
            self.setUp()
            self.control_plane.shutdown_delay = 5.0
            self.begin_whole()
            stopped = self.service.stopService()
            self.reactor.advance(4.9)
            self.assertEqual(self.events, [])
            self.assertEqual(self.service.readiness.reasons, ("the process is draining",))
            if ends_it == "time":
                self.reactor.advance(0.1)
            else:
                self.termination.cut_short()
            self.assertIn("serving drains for 7.0", self.events)
            self.successResultOf(stopped)
            self.assertEqual(self.reactor.getDelayedCalls(), [])

    def test_delay_before_start(self) -> None:
        """One that does not serve yet ends at once."""
        self.control_plane.shutdown_delay = 5.0
        self.begin()
        self.successResultOf(self.service.stopService())

    def test_slow_end(self) -> None:
        """A slow disk and slow observers are waited for, but nothing else waits for them."""
        self.begin_whole()
        self.control_plane.stopped = Deferred()
        self.observer.stopped = Deferred()
        stopped = self.service.stopService()
        self.assertIn("serving drains for 7.0", self.events)
        self.control_plane.stopped.callback(None)
        self.assertNoResult(stopped)
        self.observer.stopped.callback(None)
        self.successResultOf(stopped)

    def test_cut_short(self) -> None:
        """Who asks a second time does not wait for the grace."""
        self.begin_whole()
        self.termination.cut_short()
        self.assertEqual(self.events, ["cut"])

    def test_stopped_while_starting(self) -> None:
        """One that is stopped before the first Snapshot never accepts, and no observer starts."""
        self.begin()
        self.successResultOf(self.service.stopService())
        self.control_plane.started.callback(None)
        self.assertNotIn("serving accepts", self.events)
        self.assertNotIn("observer stops", self.events)
        self.assertEqual(self.events[-1], "admin stops")
