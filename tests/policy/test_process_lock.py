"""Tests of locks between processes."""

from __future__ import annotations

import os

from twisted.trial.unittest import SynchronousTestCase

from ingress.policy.process_lock import ProcessLock, open_lock_file
from tests.support.forked import PATIENCE, Forked, waiting


class ProcessLockTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.descriptor = open_lock_file()
        self.addCleanup(os.close, self.descriptor)
        self.lock = ProcessLock(self.descriptor)

    def can_take(self, stripe: int) -> object:
        """Whether another process can have the lock of a stripe."""
        return Forked(lambda: ProcessLock(self.descriptor).take(stripe)).result()

    def test_exclusion(self) -> None:
        """Nobody else gets a lock until it is given back; other stripes have other locks."""
        self.assertTrue(self.lock.take(7))
        self.assertFalse(self.can_take(7))
        self.assertTrue(self.can_take(8))
        self.lock.give_back(7)
        self.assertTrue(self.can_take(7))

    def test_death(self) -> None:
        """The lock of a process that is killed is free."""
        process, wait = waiting(lambda: ProcessLock(self.descriptor).take(7))
        wait()
        self.assertFalse(self.lock.take(7))
        process.kill()
        self.assertTrue(ProcessLock(self.descriptor).take(7))

    def test_stopped(self) -> None:
        """A process that holds a lock and does not go on is waited for once in a while."""
        process, wait = waiting(lambda: ProcessLock(self.descriptor).take(7))
        wait()
        self.addCleanup(process.kill)
        trusting = ProcessLock(self.descriptor, mistrust=0)
        mistrusting = ProcessLock(self.descriptor, mistrust=PATIENCE)
        for _ in range(3):
            self.assertFalse(trusting.take(7))
            self.assertFalse(mistrusting.take(7))
        self.assertEqual((trusting.given_up, mistrusting.given_up), (3, 1))
        self.assertTrue(mistrusting.take(8))

    def test_claim(self) -> None:
        """Each process claims another number; that of one that has ended is free again."""
        self.assertEqual(self.lock.claim(2), 0)
        process, wait = waiting(lambda: ProcessLock(self.descriptor).claim(2))
        wait()
        self.assertIsNone(Forked(lambda: ProcessLock(self.descriptor).claim(2)).result())
        process.kill()
        self.assertEqual(Forked(lambda: ProcessLock(self.descriptor).claim(2)).result(), 1)
