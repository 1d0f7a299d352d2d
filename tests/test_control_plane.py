"""
Tests for `ingress.control_plane`.
"""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from random import Random

import yaml
from twisted.internet.defer import Deferred, execute, maybeDeferred
from twisted.internet.task import Clock
from twisted.logger import capturedLogs, formatEvent
from twisted.trial.unittest import SynchronousTestCase

from ingress.config import Cluster
from ingress.config_file import load_config
from ingress.control_plane import ControlPlane
from ingress.controller import Controller
from ingress.kube.files import FilesSource
from ingress.kube.ingress_status import IngressStatuses
from ingress.kube.store import ObjectStore
from ingress.kube.writing.cluster_writer import ClusterWriter, Runtime
from ingress.problem_log import ProblemLog
from ingress.routing.snapshot import Snapshot
from tests.support.fake_api import FakeAPI, Fault
from tests.support.manifest import ingress_manifest, served_manifests
from tests.support.memory_client import memory_client
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
        self.config = config = load_config(self.path)
        self.store = ObjectStore()
        self.log = ProblemLog(self.clock)
        self.source = FilesSource(
            self.clock, self.store, config.source.paths, config.tls.secrets, execute
        )
        self.controller = Controller(
            self.store, config, self.published.append, self.log, clock=self.clock
        )
        self.plane = ControlPlane(
            self.clock, config, self.source, self.controller, self.log, execute
        )
        self.addCleanup(lambda: self.plane.stop())

    def write_to(self, api: FakeAPI) -> None:
        """Have the control plane write to a cluster."""
        self.closed: list[float] = []
        self.plane = ControlPlane(
            self.clock,
            self.config,
            self.source,
            self.controller,
            self.log,
            execute,
            ClusterWriter(
                memory_client(api, self.clock),
                Cluster(),
                self.store,
                IngressStatuses(),
                self.log,
                Runtime(
                    clock=self.clock,
                    random=Random(1),
                    environment={},
                    now=lambda: datetime.fromtimestamp(self.clock.seconds(), UTC),
                    monotonic=self.clock.seconds,
                ),
            ),
            close=lambda: maybeDeferred(self.closed.append, self.clock.seconds()),
        )

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

    def test_writer(self) -> None:
        """
        It writes to its cluster from when it serves. The end waits for what it writes; then
        what leads to the cluster is closed.
        """
        api = FakeAPI(self.clock, Random(1))
        self.write_to(api)
        started = Deferred.fromCoroutine(self.plane.start())
        self.assertEqual(api.requests, [])
        self.clock.pump([0] * 100)
        self.successResultOf(started)
        lease = ("coordination.k8s.io/v1", "Lease", "txingress-leader")
        held = api.get(*lease)
        assert held is not None
        self.assertTrue(held["spec"]["holderIdentity"])
        api.fail(Fault(0))
        stopped = self.plane.stop()
        self.clock.pump([0] * 10)
        self.assertNoResult(stopped)
        self.assertEqual(self.closed, [])
        self.clock.pump([1] * 10)
        self.successResultOf(stopped)
        self.assertEqual(len(self.closed), 1)
