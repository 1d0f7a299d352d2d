"""
Tests for `ingress.dns.system_files`.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from twisted.internet.defer import CancelledError, Deferred, execute
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from ingress.dns.system_files import LOOK_INTERVAL, SystemConfig, SystemFiles


class SystemFilesTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.clock = Clock()
        folder = Path(self.mktemp())
        folder.mkdir()
        self.resolv_conf, self.hosts = folder / "resolv.conf", folder / "hosts"
        self.files = SystemFiles(self.clock, execute, self.resolv_conf, self.hosts)

    def current(self) -> SystemConfig:
        return self.successResultOf(Deferred.fromCoroutine(self.files.current()))

    def test_missing(self) -> None:
        """Missing files are empty."""
        self.assertEqual(self.current(), SystemConfig())

    def test_read(self) -> None:
        """Both files count."""
        self.resolv_conf.write_text("nameserver 10.0.0.1\n")
        self.hosts.write_bytes(b"10.0.0.2 web \xff\n")
        config = self.current()
        self.assertEqual(config.resolv_conf.nameservers, ("10.0.0.1",))
        self.assertEqual(config.hosts.addresses["web"], ("10.0.0.2",))

    def test_changed(self) -> None:
        """A file that changes, comes or goes is noticed after some seconds."""
        self.current()
        self.resolv_conf.write_text("nameserver 10.0.0.1\n")
        self.assertEqual(self.current(), SystemConfig())
        self.clock.advance(LOOK_INTERVAL)
        before = self.current()
        self.assertEqual(before.resolv_conf.nameservers, ("10.0.0.1",))
        self.clock.advance(LOOK_INTERVAL)
        self.assertIs(self.current(), before)
        self.resolv_conf.unlink()
        self.clock.advance(LOOK_INTERVAL)
        self.assertEqual(self.current(), SystemConfig())

    def test_together(self) -> None:
        """Callers during a read share it, and cancelling one does not affect the others."""
        reading: Deferred[None] = Deferred()
        asked: list[object] = []

        def run(function: Any, *args: Any) -> Deferred[Any]:
            asked.append(function)
            return reading.addCallback(lambda _: function(*args))

        self.hosts.write_text("10.0.0.2 web")
        files = SystemFiles(self.clock, run, self.resolv_conf, self.hosts)
        first, second, third = (Deferred.fromCoroutine(files.current()) for _ in range(3))
        second.addErrback(lambda failure: failure.trap(CancelledError))
        second.cancel()
        reading.callback(None)
        for each in (first, third):
            self.assertIn("web", self.successResultOf(each).hosts.addresses)
        self.assertEqual(len(asked), 1)

    def test_folder(self) -> None:
        """A folder in place of a file is empty."""
        self.resolv_conf.mkdir()
        self.assertEqual(self.current(), SystemConfig())
