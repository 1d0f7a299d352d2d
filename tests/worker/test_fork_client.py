"""
Tests for `ingress.worker.fork_client`; `fork_program` has a real fork server.
"""

from __future__ import annotations

import errno
import os
import signal
import socket
import subprocess
import sys
from typing import Any

from twisted.internet.testing import MemoryReactorClock, StringTransport
from twisted.trial.unittest import SynchronousTestCase

from ingress.worker.channel import Channel
from ingress.worker.fork_client import ForkClient
from ingress.worker.fork_server import Report, WorkerEvent
from tests.support.process import PATIENCE


class AdoptingReactor(MemoryReactorClock):
    """Adopts sockets as far as there are descriptors."""

    fault: OSError | None = None

    def adoptStreamConnection(self, descriptor: int, family: int, factory: Any) -> None:
        if self.fault is not None:
            raise self.fault
        factory.buildProtocol(None).makeConnection(StringTransport())


class ForkClientTests(SynchronousTestCase):
    """Orders where not all is well."""

    def setUp(self) -> None:
        self.reactor: Any = AdoptingReactor()
        self.reports: list[Report] = []
        self.control, self.server = socket.socketpair()
        self.addCleanup(self.server.close)
        self.client = ForkClient(self.reactor, self.control, self.reports.append, lambda: None)
        self.addCleanup(self.client.close)

    def fork(self) -> bool:
        self.channel = Channel(lambda kind, content: None, lambda: None, ())
        return self.client.fork(1, self.channel)

    def test_no_descriptors(self) -> None:
        """Where we have no descriptor left a report says so: another time there may be one."""
        self.reactor.fault = OSError(errno.EMFILE, os.strerror(errno.EMFILE))
        self.assertTrue(self.fork())
        self.assertEqual(self.reports, [])
        self.reactor.advance(0)
        self.assertEqual(self.reports, [Report(WorkerEvent.CANNOT_FORK, 1, 0, errno.EMFILE)])
        self.server.setblocking(False)
        self.assertRaises(BlockingIOError, self.server.recv, 1)

    def test_hanging(self) -> None:
        """The same where the fork server takes nothing at the moment."""
        with self.assertRaises(BlockingIOError):
            for _ in range(1 << 20):
                self.control.send(bytes(1000))
        self.assertTrue(self.fork())
        self.reactor.advance(0)
        self.assertEqual(self.reports, [Report(WorkerEvent.CANNOT_FORK, 1, 0, errno.EAGAIN)])
        self.assertEqual(repr(self.channel), "<Channel: closed>")

    def test_gone(self) -> None:
        """A fork server that is gone forks nobody; it is as good as told not to."""
        self.server.close()
        self.assertFalse(self.fork())
        self.assertEqual(repr(self.channel), "<Channel: closed>")
        self.client.close_listeners()
        self.reactor.advance(0)
        self.assertEqual(self.reports, [])

    def test_kill_alone(self) -> None:
        """Without the fork server a worker can be killed all the same, and be gone already."""
        self.server.close()
        worker = subprocess.Popen(
            [sys.executable, "-c", "import sys; sys.stdin.read()"], stdin=subprocess.PIPE
        )
        with worker:
            self.client.kill(worker.pid)
            self.assertEqual(worker.wait(PATIENCE), -signal.SIGKILL)
        self.client.kill(worker.pid)
