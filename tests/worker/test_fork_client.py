"""
Tests for `ingress.worker.fork_client`; `fork_program` has a real fork server.
"""

from __future__ import annotations

import contextlib
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
from ingress.worker.fork_server import ORDER, Order, Report, WorkerEvent
from ingress.worker.link import SHARE_SILENCE
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

    def test_ping(self) -> None:
        """A fork server is silent from a question on until it answers."""
        self.client.start()
        self.client.ping()
        self.assertEqual(self.server.recv(100), ORDER.pack(Order.PING, 0))
        self.reactor.advance(5)
        self.assertEqual(self.client.silence, 5)
        self.client.ping()
        self.server.setblocking(False)
        self.assertRaises(BlockingIOError, self.server.recv, 1)
        self.server.send(Report(WorkerEvent.ALIVE, 0, 0, 0).pack())
        self.client.doRead()
        self.assertEqual((self.client.silence, self.reports), (0, []))
        self.reactor.advance(1)
        self.assertEqual(self.client.silence, 0)

    def test_ping_without_room(self) -> None:
        """A question that found no room is asked later, and counts from when it was due."""
        with self.assertRaises(BlockingIOError):
            for _ in range(1 << 20):
                self.control.send(bytes(1000))
        self.client.ping()
        self.reactor.advance(5)
        self.assertEqual(self.client.silence, 5)
        self.server.setblocking(False)
        with contextlib.suppress(BlockingIOError):
            while self.server.recv(1 << 20):
                pass
        self.client.ping()
        self.assertEqual(self.server.recv(100), ORDER.pack(Order.PING, 0))
        self.assertEqual(self.client.silence, 5)

    def test_excuse(self) -> None:
        """When this process read nothing itself, the count starts again."""
        self.client.ping()
        self.reactor.advance(5)
        self.client.excuse()
        self.assertEqual(self.client.silence, 0)

    def test_end_of_a_silent_one(self) -> None:
        """A fork server that does not answer at the end is killed: it holds the listeners."""
        stopped = subprocess.Popen(
            [sys.executable, "-c", "import sys; sys.stdin.read()"], stdin=subprocess.PIPE
        )
        with stopped:
            control, server = socket.socketpair()
            self.addCleanup(server.close)
            client = ForkClient(
                self.reactor, control, self.reports.append, lambda: None, stopped.pid
            )
            client.start()
            client.ping()
            self.reactor.advance(SHARE_SILENCE + 1)
            client.close()
            self.assertEqual(stopped.wait(PATIENCE), -signal.SIGKILL)

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
