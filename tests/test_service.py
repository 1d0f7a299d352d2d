"""
Tests for `ingress.service`.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from random import Random
from typing import Any, cast

import yaml
from twisted.internet.defer import Deferred, execute, succeed
from twisted.internet.task import Clock
from twisted.internet.testing import MemoryReactorClock
from twisted.logger import capturedLogs, formatEvent
from twisted.trial.unittest import SynchronousTestCase

from ingress.config import Config
from ingress.config.file import load_config
from ingress.controller import Controller
from ingress.deadline import Deadlines
from ingress.frontend.bound_socket import ListenError
from ingress.frontend.data_plane import DataPlane
from ingress.frontend.listeners import Listeners
from ingress.frontend.tls import TLSContexts
from ingress.kube.files import FilesSource
from ingress.kube.store import ObjectStore
from ingress.problem_log import ProblemLog
from ingress.routing.snapshot import Snapshot
from ingress.service import ControlPlane, IngressService
from ingress.termination import Termination
from ingress.upstream.registry import EndpointRegistry
from tests.support.manifest import ingress_manifest, served_manifests
from tests.support.process import replace_file


class ControlPlaneTests(SynchronousTestCase):
    """From files to Snapshots, on a clock, with real files."""

    def setUp(self) -> None:
        self.folder = Path(self.mktemp()).absolute()
        (self.folder / "manifests").mkdir(parents=True)
        self.path = self.folder / "ingress.yaml"
        self.configure()
        self.write("a.example", "web")
        self.clock = Clock()
        self.published: list[Snapshot] = []
        config = load_config(self.path)
        self.store = ObjectStore()
        log = ProblemLog(self.clock)
        self.plane = ControlPlane(
            self.clock,
            config,
            FilesSource(self.clock, self.store, config.source.paths, config.tls.secrets, execute),
            Controller(self.store, config, self.published.append, log, clock=self.clock),
            log,
            execute,
        )
        self.addCleanup(self.plane.stop)

    def configure(self, **settings: object) -> None:
        document = {"source": {"files": "manifests"}} | settings
        replace_file(self.path, yaml.safe_dump(document))

    def write(self, host: str, service: str) -> None:
        objects = [ingress_manifest("web", host, {"/": service}), *served_manifests("web", 1)]
        replace_file(self.folder / "manifests" / "web.yaml", yaml.safe_dump_all(objects))

    def start(self) -> Deferred[None]:
        started = Deferred.fromCoroutine(self.plane.start())
        self.clock.pump([0] * 100)
        return started

    def wait(self) -> None:
        """Let a few seconds pass."""
        self.clock.pump([0.05] * 60)

    def hosts(self) -> set[bytes]:
        return set(self.published[-1].hosts)

    def test_started(self) -> None:
        """It has started when the first Snapshot is published, with everything in it."""
        started = Deferred.fromCoroutine(self.plane.start())
        self.assertNoResult(started)
        self.assertEqual(self.published, [])
        self.clock.pump([0] * 100)
        self.successResultOf(started)
        self.assertEqual(self.hosts(), {b"a.example"})

    def test_manifests(self) -> None:
        """A manifest that changes comes to a new Snapshot."""
        self.start()
        self.write("b.example", "web")
        self.wait()
        self.assertEqual(self.hosts(), {b"b.example"})

    def test_configuration(self) -> None:
        """A configuration that changes comes to a new Snapshot."""
        self.start()
        self.configure(snippets="ignore")
        self.wait()
        self.assertEqual(self.published[-1].config.snippets, "ignore")

    def test_changed_before_start(self) -> None:
        """A configuration that changed between its reading and the start applies, too."""
        self.configure(snippets="ignore")
        self.start()
        self.wait()
        self.assertEqual(self.published[-1].config.snippets, "ignore")

    def test_secrets(self) -> None:
        """Another folder for PEM files applies as well."""
        self.start()
        pair = self.folder / "other" / "default" / "name"
        pair.mkdir(parents=True)
        for name in ("tls.crt", "tls.key"):
            (pair / name).write_text("PEM")
        self.configure(tls={"secrets": "other"})
        self.wait()
        self.assertEqual(list(self.store.view().secrets), [("default", "name")])

    def test_problems(self) -> None:
        """What is wrong with files and with objects is told, at the start as well as later."""
        (self.folder / "manifests" / "bad.yaml").write_text("{")
        with capturedLogs() as events:
            self.start()
        text = "\n".join(formatEvent(event) for event in events)
        self.assertIn("bad.yaml, line 1: ", text)
        with capturedLogs() as events:
            (self.folder / "manifests" / "bad.yaml").unlink()
            self.write("a.example", "nowhere")
            self.wait()
        text = "\n".join(formatEvent(event) for event in events)
        self.assertIn("gone: ", text)
        self.assertIn("Service default/nowhere does not exist", text)

    def test_stopped(self) -> None:
        """Once it is stopped nothing is published, nor waited for."""
        self.start()
        count = len(self.published)
        self.plane.stop()
        self.write("b.example", "web")
        self.configure(snippets="ignore")
        self.wait()
        self.assertEqual(len(self.published), count)
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_stopped_while_starting(self) -> None:
        """One that is stopped while it loads builds nothing any more."""
        Deferred.fromCoroutine(self.plane.start())
        self.plane.stop()
        self.wait()
        self.assertEqual(self.published, [])
        self.assertEqual(self.clock.getDelayedCalls(), [])


@dataclass
class RecordingListener:
    """Tells when it is started and stopped, in the order of all listeners."""

    name: str
    events: list[str]
    fault: ListenError | None = None

    def start(self, *_: object, **__: object) -> None:
        if self.fault is not None:
            raise self.fault
        self.events.append(f"{self.name} starts")

    def stop(self) -> Deferred[None]:
        self.events.append(f"{self.name} stops")
        stopped: Deferred[None] = Deferred()
        stopped.callback(None)
        return stopped


@dataclass
class HandControlPlane:
    """A control plane that has started when a test says so."""

    events: list[str]
    started: Deferred[None] = field(default_factory=Deferred)
    stopped: Deferred[None] = field(default_factory=lambda: succeed(None))

    @property
    def live_config(self) -> Any:
        return type("LiveConfig", (), {"current": Config(shutdown_grace=7.0)})

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


@dataclass
class HandConnection:
    """A client's connection, idle or not."""

    plane: DataPlane
    is_idle: bool
    events: list[str]
    address: str = ""

    __hash__ = object.__hash__

    def close_if_idle(self) -> None:
        if self.is_idle:
            self.plane.connections.discard(self)

    def cut(self) -> None:
        self.events.append("cut")
        self.plane.connections.discard(self)


class IngressServiceTests(SynchronousTestCase):
    """The order in which things start and stop."""

    def setUp(self) -> None:
        self.events: list[str] = []
        self.reactor = MemoryReactorClock()
        deadlines = Deadlines(self.reactor)
        self.plane = DataPlane(
            EndpointRegistry(cast(Any, None), cast(Any, None), deadlines),
            deadlines,
            Random(0),
            wall_clock=self.reactor.seconds,
            process=1,
        )
        self.http, self.https, self.admin = (
            RecordingListener(name, self.events) for name in ("http", "https", "admin")
        )
        self.control_plane = HandControlPlane(self.events)
        self.termination = HandTermination(self.events)
        self.service = IngressService(
            self.reactor,
            cast(Listeners, type("Listeners", (), vars(self) | {})),
            cast(ControlPlane, self.control_plane),
            self.plane,
            cast(TLSContexts, type("TLSContexts", (), {"open_connection": None})),
            cast(Termination, self.termination),
        )

    def begin(self) -> None:
        """The service is started, and then the reactor."""
        self.service.startService()
        self.assertEqual(self.events, [])
        for function, arguments, keywords in self.reactor.whenRunningHooks:
            function(*arguments, **keywords)

    def begin_whole(self) -> None:
        self.begin()
        self.control_plane.started.callback(None)
        self.events.clear()

    def connect(self, *, is_idle: bool) -> HandConnection:
        connection = HandConnection(self.plane, is_idle, self.events)
        self.plane.connections.add(connection)
        return connection

    def test_start(self) -> None:
        """Nothing accepts before the first Snapshot, but for the probes, who learn that."""
        self.begin()
        self.assertEqual(self.events, ["admin starts", "control plane starts"])
        self.assertEqual(
            self.service.readiness.reasons, ("the first snapshot is not published yet",)
        )
        self.control_plane.started.callback(None)
        self.assertEqual(self.events[2:], ["http starts", "https starts"])
        self.assertEqual(self.service.readiness.reasons, ())

    def test_address_taken(self) -> None:
        """An address that somebody else was faster to listen on is a line and a failure."""
        for listener in (self.admin, self.https):
            self.setUp()
            (self.admin if listener.name == "admin" else self.https).fault = ListenError("taken")
            with capturedLogs() as events:
                self.begin()
                if listener.name == "https":
                    self.control_plane.started.callback(None)
            self.assertEqual([formatEvent(event) for event in events], ["taken"])
            self.assertEqual(self.events[-1], "failure")

    def test_fault_of_ours(self) -> None:
        """What else keeps it from starting is logged whole, and is a failure."""
        self.begin()
        self.control_plane.started.errback(ZeroDivisionError())
        self.assertEqual(self.events[-1], "failure")
        self.assertEqual(len(self.flushLoggedErrors(ZeroDivisionError)), 1)

    def test_stop_when_idle(self) -> None:
        """Without connections it stops at once: first what changes, then what accepts."""
        self.begin_whole()
        stopped = self.service.stopService()
        self.successResultOf(stopped)
        self.assertEqual(
            self.events, ["control plane stops", "http stops", "https stops", "admin stops"]
        )
        self.assertEqual(self.reactor.getDelayedCalls(), [])

    def test_drain(self) -> None:
        """Idle connections end, others are waited for; meanwhile the probes know."""
        self.begin_whole()
        self.connect(is_idle=True)
        busy = self.connect(is_idle=False)
        stopped = self.service.stopService()
        self.assertNoResult(stopped)
        self.assertEqual(len(self.plane.connections), 1)
        self.assertTrue(self.plane.is_draining)
        self.assertTrue(self.service.readiness.is_ending)
        self.assertEqual(self.service.readiness.reasons, ("the process is draining",))
        self.assertNotIn("admin stops", self.events)
        self.plane.connections.discard(busy)
        self.successResultOf(stopped)
        self.assertEqual(self.events[-1], "admin stops")
        self.assertEqual(self.reactor.getDelayedCalls(), [])

    def test_slow_disk(self) -> None:
        """What is still read from a slow disk is waited for, but nothing else waits for that."""
        self.begin_whole()
        self.control_plane.stopped = Deferred()
        stopped = self.service.stopService()
        self.assertNoResult(stopped)
        self.assertIn("https stops", self.events)
        self.control_plane.stopped.callback(None)
        self.successResultOf(stopped)

    def test_grace(self) -> None:
        """After shutdown-grace what is still open is cut."""
        self.begin_whole()
        self.connect(is_idle=False)
        stopped = self.service.stopService()
        self.reactor.advance(6.9)
        self.assertNoResult(stopped)
        with capturedLogs() as events:
            self.reactor.advance(0.2)
        self.assertEqual([formatEvent(event) for event in events], ["Connections that are cut: 1"])
        self.assertIn("cut", self.events)
        self.successResultOf(stopped)

    def test_cut_short(self) -> None:
        """Who asks a second time does not wait for the grace."""
        self.begin_whole()
        self.connect(is_idle=False)
        stopped = self.service.stopService()
        self.termination.cut_short()
        self.successResultOf(stopped)
        self.assertEqual(self.reactor.getDelayedCalls(), [])

    def test_nothing_to_cut(self) -> None:
        """Where nothing is open, asking twice says nothing."""
        self.begin_whole()
        with capturedLogs() as events:
            self.termination.cut_short()
        self.assertEqual(events, [])

    def test_stopped_while_starting(self) -> None:
        """One that is stopped before the first Snapshot never accepts."""
        self.begin()
        self.successResultOf(self.service.stopService())
        self.control_plane.started.callback(None)
        self.assertNotIn("http starts", self.events)
        self.assertEqual(self.events[-1], "admin stops")
