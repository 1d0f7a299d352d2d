"""Tests of the verification of passwords in threads."""

from __future__ import annotations

from collections.abc import Callable

from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.task import Clock
from twisted.python.failure import Failure
from twisted.python.threadpool import ThreadPool
from twisted.trial.unittest import SynchronousTestCase

from ingress.policy.password_checker import (
    MAX_NAMESPACES,
    MAX_RIGHT,
    MAX_WAIT,
    MAX_WAITING,
    MAX_WAITING_OF_CLIENT,
    MAX_WRONG,
    REST,
    Attempt,
    ChecksRefused,
    PasswordChecker,
    ReactorThreads,
    Verified,
)
from tests.support.threaded_clock import ThreadedClock

SLOW = b"$2y$05$7NahAfovruaG6coeLvDSI.kSve4VNEouKByqWECjbOPC4gIMnWRZK"
OTHER = b"$2b$05$7NahAfovruaG6coeLvDSI.kSve4VNEouKByqWECjbOPC4gIMnWRZK"
HOLDING = b"$apr1$97wPE1nU$d9Jb6FAen5Yoz0ybAg5WL/"
QUICK = b"{SHA}5en6G6MezRroT3XKqkdPOmY/BfQ="


class HandThreads:
    """Threads in which nothing happens until the test says so."""

    def __init__(self) -> None:
        self.clock = Clock()
        self.running: list[tuple[bytes, bytes, Deferred[Verified]]] = []

    def run(self, stored: bytes, password: bytes) -> Deferred[Verified]:
        result: Deferred[Verified] = Deferred()
        self.running.append((stored, password, result))
        return result

    def now(self) -> float:
        return self.clock.seconds()

    def call_later(self, delay: float, function: Callable[[], None]) -> object:
        return self.clock.callLater(delay, function)

    @property
    def passwords(self) -> list[bytes]:
        return [password for _, password, _ in self.running]

    def end(self, password: bytes, is_right: bool = False, seconds: float = 0.0) -> None:
        """End the verification of a password."""
        (one,) = (each for each in self.running if each[1] == password)
        self.running.remove(one)
        one[2].callback(Verified(is_right, seconds))


class CheckerCase(SynchronousTestCase):
    def setUp(self) -> None:
        self.threads = HandThreads()
        self.checker = PasswordChecker(self.threads)

    def check(
        self,
        password: bytes,
        namespace: str = "default",
        *,
        rule: str = "rule",
        client: bytes = b"",
        stored: bytes = SLOW,
        counts: bool = True,
    ) -> bool | Deferred[bool]:
        client = client or password
        return self.checker.check(namespace, Attempt(rule, client, stored, password, counts))

    def waiting(self, password: bytes, *arguments: str, **keywords: object) -> Deferred[bool]:
        """A check that does not end at once."""
        result = self.check(password, *arguments, **keywords)  # type: ignore[arg-type]
        assert isinstance(result, Deferred)
        return result


class ResultTests(CheckerCase):
    def test_results(self) -> None:
        """A right password is right, and a wrong one is not."""
        for password, is_right in ((b"a", True), (b"b", False)):
            result = self.waiting(password)
            self.assertNoResult(result)
            self.threads.end(password, is_right)
            self.assertEqual(self.successResultOf(result), is_right)

    def test_quick(self) -> None:
        """A hash that takes microseconds needs no thread."""
        self.assertIs(self.check(b"secret", stored=QUICK), True)
        self.assertIs(self.check(b"Secret", stored=QUICK), False)
        self.assertIs(self.check(b"secret", stored=QUICK, counts=False), False)
        self.assertEqual(self.threads.running, [])

    def test_no_hash(self) -> None:
        """What is no hash lets nobody in."""
        self.assertIs(self.check(b"secret", stored=b"secret"), False)

    def test_nobody(self) -> None:
        """The right password of somebody else is no use to a user who does not exist."""
        result = self.waiting(b"secret", counts=False)
        self.threads.end(b"secret", True)
        self.assertIs(self.successResultOf(result), False)
        self.assertIs(self.check(b"secret", counts=False), False)
        # And it says nothing about the user who has it.
        self.assertNoResult(self.waiting(b"secret"))

    def test_failure(self) -> None:
        """A verification that fails lets nobody in, is not remembered, and others go on."""
        result, other = self.waiting(b"a"), self.waiting(b"b", "other")
        self.threads.running[0][2].errback(Failure(ValueError("broken")))
        self.failureResultOf(result, ValueError)
        del self.threads.running[0]
        self.threads.end(b"b", True)
        self.assertTrue(self.successResultOf(other))
        self.assertNoResult(self.waiting(b"a"))

    def test_shown(self) -> None:
        """Nothing shows a password."""
        self.waiting(b"hunter2")
        self.assertNotIn("hunter2", repr(self.checker))


class MemoryTests(CheckerCase):
    def settle(self, password: bytes, is_right: bool, **keywords: object) -> None:
        result = self.waiting(password, **keywords)
        self.threads.end(password, is_right)
        self.successResultOf(result)

    def test_remembered(self) -> None:
        """A result is remembered, for every rule of the namespace."""
        for password, is_right in ((b"a", True), (b"b", False)):
            self.settle(password, is_right)
            self.assertIs(self.check(password, rule="another", client=b"x"), is_right)

    def test_other_hash(self) -> None:
        """The result for one hash is not that for another: a password that changed is old."""
        self.settle(b"a", True)
        self.assertNoResult(self.waiting(b"a", stored=OTHER))

    def test_other_namespace(self) -> None:
        """Namespaces remember for themselves."""
        self.settle(b"a", True)
        self.assertNoResult(self.waiting(b"a", "other"))

    def test_bounded(self) -> None:
        """The results used last are kept; wrong passwords drive out no right ones."""
        self.settle(b"first", True)
        for number in range(MAX_RIGHT - 1):
            self.settle(b"right %d" % number, True)
        for number in range(MAX_WRONG + 1):
            self.settle(b"wrong %d" % number, False)
        self.assertIs(self.check(b"first"), True)
        self.assertNoResult(self.waiting(b"wrong 0"))
        self.threads.end(b"wrong 0")
        self.settle(b"one more", True)
        self.assertIs(self.check(b"first"), True)
        self.assertNoResult(self.waiting(b"right 0"))

    def test_namespaces(self) -> None:
        """So are namespaces; one in which something runs is never forgotten."""
        running = self.waiting(b"running", "busy")
        self.settle(b"a", True)
        for number in range(MAX_NAMESPACES):
            self.check(b"x", f"other {number}", client=b"y", stored=QUICK)
            result = self.waiting(b"a", f"other {number}")
            self.threads.end(b"a", True)
            self.assertTrue(self.successResultOf(result))
        self.assertNoResult(self.waiting(b"a"))
        self.threads.end(b"running", True)
        self.assertTrue(self.successResultOf(running))

    def test_together(self) -> None:
        """Requests with the same password, as browsers send them, wait for one verification."""
        results = [self.waiting(b"a") for _ in range(100)]
        self.assertEqual(self.threads.passwords, [b"a"])
        self.threads.end(b"a", True)
        self.assertEqual([self.successResultOf(result) for result in results], [True] * 100)


class FairnessTests(CheckerCase):
    def test_one_for_each(self) -> None:
        """A namespace has one verification at a time, so that others find a thread."""
        for password in (b"a", b"b", b"c"):
            self.waiting(password)
        self.assertEqual(self.threads.passwords, [b"a"])
        self.waiting(b"x", "other")
        self.assertEqual(self.threads.passwords, [b"a", b"x"])

    def test_turns(self) -> None:
        """Namespaces take turns, and so do the rules of each, however many each has waiting."""
        for number in range(5):
            self.waiting(b"a%d" % number, "a", rule="1")
        for number in range(2):
            self.waiting(b"A%d" % number, "a", rule="2")
            self.waiting(b"b%d" % number, "b")
            self.waiting(b"c%d" % number, "c")
        order: list[bytes] = []
        while self.threads.running:
            password = self.threads.passwords[0]
            order.append(password)
            self.threads.end(password)
        self.assertEqual(
            order, [b"a0", b"b0", b"c0", b"a1", b"b1", b"c1", b"A0", b"a2", b"A1", b"a3", b"a4"]
        )

    def test_full(self) -> None:
        """A rule has so many waiting and no more; others are not concerned."""
        self.waiting(b"running")
        for number in range(MAX_WAITING):
            self.waiting(b"%d" % number)
        self.assertRaises(ChecksRefused, self.check, b"more")
        self.waiting(b"more", rule="another")
        self.waiting(b"more", "other")
        self.threads.end(b"running")
        self.waiting(b"more")

    def test_client(self) -> None:
        """A client cannot take all the places of a rule."""
        self.waiting(b"running")
        for number in range(MAX_WAITING_OF_CLIENT):
            self.waiting(b"%d" % number, client=b"192.0.2.1")
        self.assertRaises(ChecksRefused, self.check, b"more", client=b"192.0.2.1")
        self.waiting(b"more", client=b"192.0.2.2")
        for password in (b"running", b"0"):
            self.threads.end(password)
        self.waiting(b"again", client=b"192.0.2.1")

    def test_too_late(self) -> None:
        """What has waited for too long is refused, and may be tried again."""
        running, late = self.waiting(b"running"), self.waiting(b"late")
        self.threads.clock.advance(MAX_WAIT + 1)
        new = self.waiting(b"new")
        self.threads.end(b"running", True)
        self.assertTrue(self.successResultOf(running))
        self.failureResultOf(late, ChecksRefused)
        self.assertEqual(self.threads.passwords, [b"new"])
        self.threads.end(b"new", True)
        self.assertTrue(self.successResultOf(new))
        self.assertNoResult(self.waiting(b"late"))

    def test_rest(self) -> None:
        """A verification that holds the interpreter is followed by a rest, but not its result."""
        result = self.waiting(b"a", stored=HOLDING)
        self.waiting(b"b", stored=HOLDING)
        self.threads.end(b"a", True, seconds=0.01)
        self.assertTrue(self.successResultOf(result))
        self.assertEqual(self.threads.passwords, [])
        self.threads.clock.advance(0.01 * REST)
        self.assertEqual(self.threads.passwords, [b"b"])


class CancelTests(CheckerCase):
    def test_waiting(self) -> None:
        """Nothing is verified for clients that are gone."""
        self.waiting(b"running")
        gone, last = self.waiting(b"gone"), self.waiting(b"last", rule="another")
        gone.cancel()
        self.failureResultOf(gone, CancelledError)
        last.cancel()
        self.failureResultOf(last, CancelledError)
        self.threads.end(b"running")
        self.assertEqual(self.threads.running, [])
        self.waiting(b"gone")
        self.assertEqual(self.threads.passwords, [b"gone"])

    def test_one_of_many(self) -> None:
        """A client that leaves takes nothing from others with the same password."""
        self.waiting(b"running")
        gone, other = self.waiting(b"a"), self.waiting(b"a")
        gone.cancel()
        self.failureResultOf(gone, CancelledError)
        self.threads.end(b"running")
        self.threads.end(b"a", True)
        self.assertTrue(self.successResultOf(other))

    def test_running(self) -> None:
        """What runs already goes on, and its result is remembered."""
        gone = self.waiting(b"a")
        gone.cancel()
        self.failureResultOf(gone, CancelledError)
        self.threads.end(b"a", True)
        self.assertIs(self.check(b"a"), True)

    def test_by_another(self) -> None:
        """A result may lead to the end of others that wait for it."""
        first, second = self.waiting(b"a"), self.waiting(b"a")
        first.addCallback(lambda result: second.cancel())
        self.threads.end(b"a", True)
        self.failureResultOf(second, CancelledError)


class ReactorThreadsTests(SynchronousTestCase):
    def test_run(self) -> None:
        """Passwords are verified in a thread of the reactor's pool."""

        class Reactor(ThreadedClock):
            def getThreadPool(self) -> ThreadPool:
                return pool

        pool = ThreadPool(0, 2)
        pool.start()
        self.addCleanup(pool.stop)
        reactor = Reactor()
        checker = PasswordChecker(ReactorThreads(reactor))
        for password, is_right in ((b"secret", True), (b"Secret", False)):
            for stored in (SLOW, HOLDING):
                result = checker.check("default", Attempt("rule", b"", stored, password))
                assert isinstance(result, Deferred)
                results: list[bool] = []
                result.addCallback(results.append)
                reactor.run_until(lambda found=results: found, "the result")  # type: ignore[misc]
                self.assertEqual(results, [is_right])
                reactor.advance(1)
