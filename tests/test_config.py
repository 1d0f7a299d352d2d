"""
Tests for `ingress.config`.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

from ingress.config import (
    Cluster,
    Config,
    FilesSource,
    Listen,
    ListenerKind,
    PublicPorts,
    changed_needing_restart,
    with_restart_fields,
)

ENDPOINTS = {("default", "web", ""): (("127.0.0.1", 3000),)}


class ListenTests(SynchronousTestCase):
    def test_by_kind(self) -> None:
        """Every kind of listener has its addresses, in the order of the kinds."""
        listen = Listen(http=("tcp:80",), https=(), admin=("tcp:9000",))
        self.assertEqual(list(listen.by_kind), list(ListenerKind))
        self.assertEqual(list(listen.by_kind.values()), [("tcp:80",), (), ("tcp:9000",)])
        clients = [kind.value for kind in ListenerKind if kind.is_for_clients]
        self.assertEqual(clients, ["http", "https"])


class ChangedNeedingRestartTests(SynchronousTestCase):
    """Some keys do not apply to a process that runs."""

    def test_restart(self) -> None:
        """A change to listeners, files, cluster, installation or workers needs a restart."""
        new = Config(
            listen=Listen(http=("tcp:80",)),
            source=FilesSource(paths=(Path("/"),)),
            cluster=Cluster(),
            installation="edge",
            workers=2,
        )
        self.assertEqual(
            changed_needing_restart(Config(), new),
            ("listen", "source.files", "source.kubernetes", "installation", "workers"),
        )

    def test_live(self) -> None:
        """Every other change applies live, and so does none."""
        old = Config()
        new = replace(old, public_ports=PublicPorts(http=8080), hsts=None, ssl_redirect=False)
        new = replace(new, source=FilesSource(endpoints=ENDPOINTS))
        self.assertEqual(changed_needing_restart(old, new), ())
        self.assertEqual(changed_needing_restart(old, old), ())


class WithRestartFieldsTests(SynchronousTestCase):
    """What a running process takes over of a changed configuration."""

    def test_endpoints(self) -> None:
        """The local endpoints apply, the files do not."""
        running = Config(source=FilesSource(paths=(Path("/a"),)))
        read = Config(source=FilesSource(paths=(Path("/b"),), endpoints=ENDPOINTS))
        applied = with_restart_fields(read, running)
        self.assertEqual(applied.source, FilesSource((Path("/a"),), ENDPOINTS))

    def test_installation(self) -> None:
        """The name of the installation stays: requests under way have it."""
        running = Config(installation="a")
        self.assertEqual(with_restart_fields(Config(installation="b"), running), running)

    def test_other_source(self) -> None:
        """A change from files to a cluster leaves the files and their endpoints."""
        running = Config(source=FilesSource((Path("/a"),), ENDPOINTS))
        self.assertEqual(with_restart_fields(Config(cluster=Cluster()), running), running)
        in_cluster = Config(cluster=Cluster())
        self.assertEqual(with_restart_fields(running, in_cluster), in_cluster)
