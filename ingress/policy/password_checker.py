"""
Verifies passwords in threads, so that no hash holds up other requests, and remembers the results.

Clients decide how much there is to verify. So what waits is bounded for each rule and for each
client of a rule, and namespaces take turns, each with one verification at a time. Results are
kept by a keyed digest of hash and password, whose key only this process has: the
result for a hash that has changed is never found again (docs/adr/0034-passwords.md).
"""

from __future__ import annotations

import os
from collections import Counter, OrderedDict, deque
from collections.abc import Callable, Hashable
from functools import partial
from hashlib import blake2b
from time import thread_time
from typing import Any, Final, NamedTuple, Protocol

from ingress import late
from ingress.errors import IngressError
from ingress.policy.password_hash import is_quick, kind_of, verify

THREADS: Final = 2
"""How many verifications run at once in a process."""

MAX_WAITING: Final = 64
"""How many verifications of one rule may wait."""

MAX_WAITING_OF_CLIENT: Final = 32
"""How many of these may be of one client, so that others have a chance."""

MAX_WAIT: Final = 10.0
"""Seconds after which nothing is verified any more: clients have given up, or are to retry."""

REST: Final = 5.0
"""
How many times as long as a verification has held the interpreter its thread rests, so that
requests are served meanwhile.
"""

MAX_NAMESPACES: Final = 1024
"""How many namespaces have results that are remembered."""

MAX_RIGHT: Final = 1024
"""How many right passwords are remembered for each namespace."""

MAX_WRONG: Final = 256
"""How many wrong ones: those of clients that repeat them."""


class ChecksRefused(IngressError):
    """Too many verifications wait already, or this one has waited for too long."""


class Verified(NamedTuple):
    """The result of a verification."""

    is_right: bool
    seconds: float
    """The time of the processor that it took."""


def verify_timed(stored: bytes, password: bytes) -> Verified:
    """Verify a password, as `ingress.policy.password_hash.verify` does."""
    began_at = thread_time()
    is_right = verify(stored, password)
    return Verified(is_right, thread_time() - began_at)


class Threads(Protocol):
    """Where verifications run; a reactor with its thread pool is one (`ReactorThreads`)."""

    def run(self, stored: bytes, password: bytes) -> late.Deferred[Verified]:
        """Call `verify_timed` in a thread."""

    def now(self) -> float:
        """:return: seconds on the clock of the process."""

    def call_later(self, delay: float, function: Callable[[], None]) -> object:
        """Call a function after some seconds."""


class Attempt(NamedTuple):
    """A password that a client sent."""

    rule: Hashable
    """The identity of the rule."""

    client: bytes
    """The address of the client."""

    stored: bytes
    """The hash to verify it with."""

    password: bytes

    counts: bool = True
    """False if the user does not exist: the work is the same, and the result False."""


class _Job:
    """A verification that waits or runs, and those who want its result."""

    __slots__ = ("attempt", "began_at", "digest", "is_running", "waiters")

    def __init__(self, attempt: Attempt, digest: bytes, began_at: float) -> None:
        self.attempt = attempt
        self.digest = digest
        self.began_at = began_at
        self.is_running = False
        self.waiters: list[late.Deferred[bool]] = []

    def __repr__(self) -> str:
        return f"<_Job of {len(self.waiters)} requests>"

    def finish(self, result: bool | late.Failure) -> None:
        waiters, self.waiters = self.waiters, []
        for waiter in waiters:
            if waiter.called:
                continue  # Cancelled by what another one led to.
            if isinstance(result, late.Failure):
                waiter.errback(result)
            else:
                waiter.callback(result)


class _Tenant:
    """The verifications of one namespace, and the results that are remembered."""

    def __init__(self) -> None:
        self.is_busy = False
        self.by_rule: OrderedDict[Hashable, deque[_Job]] = OrderedDict()
        """What waits, the rule whose turn is next first."""

        self.clients: Counter[tuple[Hashable, bytes]] = Counter()
        self.jobs: dict[bytes, _Job] = {}
        self._right: OrderedDict[bytes, None] = OrderedDict()
        self._wrong: OrderedDict[bytes, None] = OrderedDict()

    def __repr__(self) -> str:
        return f"<_Tenant with {len(self.jobs)} verifications>"

    @property
    def is_idle(self) -> bool:
        """Whether there is nothing to verify, and nothing that rests."""
        return not self.jobs and not self.is_busy

    def known(self, digest: bytes) -> bool | None:
        """:return: the result that is remembered, if any."""
        if digest in self._right:
            self._right.move_to_end(digest)
            return True
        if digest in self._wrong:
            self._wrong.move_to_end(digest)
            return False
        return None

    def remember(self, digest: bytes, result: bool) -> None:
        results, most = (self._right, MAX_RIGHT) if result else (self._wrong, MAX_WRONG)
        results[digest] = None
        if len(results) > most:
            results.popitem(last=False)

    def put(self, job: _Job) -> None:
        """:raises ChecksRefused: if too much waits already."""
        rule, client = job.attempt.rule, (job.attempt.rule, job.attempt.client)
        waiting = self.by_rule.setdefault(rule, deque())
        if len(waiting) >= MAX_WAITING or self.clients[client] >= MAX_WAITING_OF_CLIENT:
            raise ChecksRefused("too many passwords wait")
        waiting.append(job)
        self.clients[client] += 1
        self.jobs[job.digest] = job

    def take(self) -> _Job:
        """:return: the next one; the rule that it is of has its turn behind all others."""
        rule, waiting = next(iter(self.by_rule.items()))
        job = waiting[0]
        self.discard(job)
        if waiting:
            self.by_rule.move_to_end(rule)
        return job

    def discard(self, job: _Job) -> None:
        """Let a verification wait no more."""
        rule, client = job.attempt.rule, (job.attempt.rule, job.attempt.client)
        waiting = self.by_rule[rule]
        waiting.remove(job)
        if not waiting:
            del self.by_rule[rule]
        self.clients[client] -= 1
        if not self.clients[client]:
            del self.clients[client]


class PasswordChecker:
    """
    The verifications of a process.

    :param threads: where they run.
    """

    def __init__(self, threads: Threads) -> None:
        self._threads = threads
        self._key = os.urandom(32)
        self._idle = THREADS
        self._tenants: dict[str, _Tenant] = {}
        self._turns: OrderedDict[str, None] = OrderedDict()
        """The namespaces in which something waits, the one whose turn is next first."""

    def __repr__(self) -> str:
        return f"<PasswordChecker {len(self._turns)} namespaces wait>"

    def number(self, user: bytes) -> int:
        """:return: a number that is always the same for a user, and that nobody can predict."""
        return int.from_bytes(blake2b(user, digest_size=8, key=self._key, person=b"user").digest())

    def recall(
        self, namespace: str, stored: bytes, password: bytes, *, counts: bool
    ) -> bool | None:
        """
        Find out about a password in microseconds; the arguments are as in `Attempt`.

        :return: None if it has to be verified in a thread (`check`).
        """
        if is_quick(stored):
            return verify(stored, password) and counts
        tenant = self._tenants.get(namespace)
        return None if tenant is None else tenant.known(self._digest(stored, password, counts))

    def _digest(self, stored: bytes, password: bytes, counts: bool) -> bytes:
        text = b"%d %d %b%b" % (counts, len(stored), stored, password)
        return blake2b(text, digest_size=32, key=self._key).digest()

    def check(self, namespace: str, attempt: Attempt) -> bool | late.Deferred[bool]:
        """
        Verify a password.

        :param namespace: the namespace of the rule, which is answered for as a whole.
        :return: whether it is right, or a Deferred for that, which fails with `ChecksRefused` if
            it is not verified in time. It can be cancelled.
        :raises ChecksRefused: if too many wait already.
        """
        stored, password, counts = attempt.stored, attempt.password, attempt.counts
        known = self.recall(namespace, stored, password, counts=counts)
        if known is not None:
            return known
        digest = self._digest(stored, password, counts)
        tenant = self._tenants.get(namespace) or self._add(namespace)
        job = tenant.jobs.get(digest)
        if job is None:
            if kind_of(stored) is None:
                return False
            job = _Job(attempt, digest, self._threads.now())
            tenant.put(job)
            if not tenant.is_busy:
                self._turns[namespace] = None
        waiter: late.Deferred[bool] = late.Deferred(partial(self._forget, namespace, job))
        job.waiters.append(waiter)
        self._start()
        return waiter

    def _add(self, namespace: str) -> _Tenant:
        """Add a namespace; the oldest one with nothing to do is forgotten if there are too many."""
        if len(self._tenants) >= MAX_NAMESPACES:
            idle = (name for name, tenant in self._tenants.items() if tenant.is_idle)
            self._tenants.pop(next(idle, ""), None)
        added = self._tenants[namespace] = _Tenant()
        return added

    def _forget(self, namespace: str, job: _Job, waiter: late.Deferred[bool]) -> None:
        """Drop a verification that nobody waits for any more; one that runs goes on."""
        if waiter in job.waiters:
            job.waiters.remove(waiter)
        tenant = self._tenants[namespace]
        if not job.waiters and not job.is_running and tenant.jobs.get(job.digest) is job:
            tenant.discard(job)
            del tenant.jobs[job.digest]
            if not tenant.by_rule:
                self._turns.pop(namespace, None)

    def _start(self) -> None:
        """Start as many verifications as may run."""
        while self._idle and self._turns:
            namespace, _ = self._turns.popitem(last=False)
            tenant = self._tenants[namespace]
            job = tenant.take()
            if self._threads.now() - job.began_at > MAX_WAIT:
                del tenant.jobs[job.digest]
                self._wait_for_turn(namespace, tenant)
                job.finish(late.Failure(ChecksRefused("a password has waited for too long")))
                continue
            self._idle -= 1
            tenant.is_busy = job.is_running = True
            running = self._threads.run(job.attempt.stored, job.attempt.password)
            running.addBoth(self._ended, namespace, job)

    def _ended(self, result: Verified | late.Failure, namespace: str, job: _Job) -> None:
        tenant = self._tenants[namespace]
        del tenant.jobs[job.digest]
        if isinstance(result, late.Failure):
            self._rested(namespace)
            job.finish(result)
            return
        is_right = result.is_right and job.attempt.counts
        tenant.remember(job.digest, is_right)
        kind = kind_of(job.attempt.stored)
        if kind is not None and kind.holds_interpreter:
            rest = result.seconds * REST
            self._threads.call_later(rest, partial(self._rested, namespace))
        else:
            self._rested(namespace)
        job.finish(is_right)

    def _rested(self, namespace: str) -> None:
        self._idle += 1
        tenant = self._tenants[namespace]
        tenant.is_busy = False
        self._wait_for_turn(namespace, tenant)
        self._start()

    def _wait_for_turn(self, namespace: str, tenant: _Tenant) -> None:
        if tenant.by_rule:
            self._turns[namespace] = None


class ReactorThreads:
    """
    The threads of a reactor, and its clock.

    :param reactor: the reactor of the process.
    """

    def __init__(self, reactor: Any) -> None:
        self._reactor = reactor

    def __repr__(self) -> str:
        return f"<ReactorThreads of {self._reactor}>"

    def run(self, stored: bytes, password: bytes) -> late.Deferred[Verified]:
        """Threads."""
        # Commands, which verify nothing, import this module as well.
        from twisted.internet.threads import deferToThreadPool

        pool = self._reactor.getThreadPool()
        return deferToThreadPool(self._reactor, pool, verify_timed, stored, password)

    def now(self) -> float:
        """Threads."""
        return float(self._reactor.seconds())

    def call_later(self, delay: float, function: Callable[[], None]) -> object:
        """Threads."""
        return self._reactor.callLater(delay, function)
