"""
The data plane as several processes that share the listeners.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Final, Protocol

from twisted.internet.defer import Deferred, DeferredList
from twisted.internet.interfaces import IDelayedCall
from twisted.logger import Logger

from ingress.downstream.bound_socket import ListenError
from ingress.downstream.listeners import Listeners
from ingress.routing.snapshot import Snapshot
from ingress.serving.port_failures import PortFailures
from ingress.worker.feed import Publication
from ingress.worker.fork_server import Report, WorkerEvent
from ingress.worker.link import SHARE_SILENCE, WorkerLink
from ingress.worker.port_claims import PortClaims
from ingress.worker.slot import Forks, Slot

WATCH_INTERVAL: Final = 1.0
"""Seconds between two checks for silent processes."""

PATIENCE: Final = 1.0
"""Seconds to wait for the answer of a worker, which may be stopped."""

OVERTIME: Final = 5.0
"""Seconds to wait for the end of a worker after its grace, and again after killing it."""


class ForkServerEnd(Forks, Protocol):
    """`ForkClient`."""

    @property
    def silence(self) -> float: ...

    def start(self) -> None: ...

    def ping(self) -> None: ...

    def excuse(self) -> None: ...

    def close_listeners(self) -> None: ...

    def close(self) -> None: ...


LaunchForkServer = Callable[[Callable[[Report], None], Callable[[], None]], ForkServerEnd]
"""
Forks the fork server.

The first argument takes its reports; the second one is called if it is gone.
"""


@dataclass(frozen=True, slots=True)
class WorkersCallbacks:
    """Called for events of the workers."""

    merge: Callable[[Any], None]
    """Adds up the results of the `Collector` of each worker."""

    fail: Callable[[], None]
    """Ends the process: no worker is left, and none can be started."""

    starve: Callable[[bool], None]
    """Called with whether no worker accepts, after the first ones did."""


class Workers:
    """
    The data plane in other processes (`Serving`).

    :param listeners: the workers have twins of these.
    :param twins: those of each worker, by its number less one.
    :param launch: forks the fork server.
    """

    log = Logger()

    def __init__(
        self,
        reactor: Any,
        listeners: Listeners,
        twins: Sequence[Listeners],
        launch: LaunchForkServer,
        callbacks: WorkersCallbacks,
    ) -> None:
        self._reactor = reactor
        self._listeners = listeners
        self._twins = tuple(twins)
        self._count = len(self._twins)
        self._launch = launch
        self._callbacks = callbacks
        self._publication = Publication()
        self._ports = PortClaims(reactor, self._publish)
        self._forks: ForkServerEnd | None = None
        self._slots: list[Slot] = []
        self._watch: IDelayedCall | None = None
        self._watched = 0.0
        self._late: IDelayedCall | None = None
        self._accepted: Deferred[None] | None = None
        self._has_accepted = self._is_starving = False
        self._is_draining = False
        self._has_lost_forks = self._are_forks_silent = False

    def __repr__(self) -> str:
        return (
            f"<Workers: {sum(slot.is_accepting for slot in self._slots)} of {self._count} accept>"
        )

    @property
    def states(self) -> list[Any]:
        """The last result of `DataSide.read_state` of each worker that has sent one."""
        return [link.state for link in self._links() if link.state is not None]

    def notes(self) -> Iterator[str]:
        """A line for each worker that should accept and does not, and for a lost fork server."""
        if self._has_lost_forks and not self._is_draining:
            yield "the fork server is gone: workers that end cannot be replaced"
        if self._are_forks_silent and not self._is_draining:
            yield "the fork server does not answer: workers that end are not replaced"
        if self._has_accepted and not self._is_draining:
            for slot in self._slots:
                worker = f"worker {slot.number} of {self._count}"
                if slot.is_withdrawn:
                    yield f"{worker} is silent for {slot.silence:.0f} s: it gets no new connections"
                elif not slot.is_accepting:
                    yield f"{worker} does not accept at the moment"

    @property
    def lost(self) -> int:
        """The number of workers that ended unexpectedly."""
        return sum(slot.all_losses for slot in self._slots)

    @property
    def generation(self) -> int:
        """The oldest Snapshot that a worker serves; each `publish` counts."""
        return min((link.generation for link in self._links()), default=0)

    def ask(self) -> Deferred[None]:
        """
        Bring `states` up to date, and merge all counts.

        :return: fires when every worker has answered, or after `PATIENCE`.
        """
        answers = [link.ask().addTimeout(PATIENCE, self._reactor) for link in self._links()]
        asked = DeferredList(answers, consumeErrors=True)
        return asked.addCallback(lambda _: None)

    def question(self, question: object) -> Deferred[list[Any]]:
        """
        :param question: for `DataSide.answer` of each worker.
        :return: fires with the answers of those that answer within `PATIENCE`.
        """
        answers = [
            link.question(question).addTimeout(PATIENCE, self._reactor) for link in self._links()
        ]
        asked = DeferredList(answers, consumeErrors=True)
        return asked.addCallback(
            lambda results: [
                answer for is_given, answer in results if is_given and answer is not None
            ]
        )

    def _links(self) -> list[WorkerLink]:
        return [slot.link for slot in self._slots if slot.link is not None]

    # Serving.

    @property
    def port_failures(self) -> PortFailures:
        """Serving."""
        return self._ports.failures

    def launch(self) -> None:
        """Serving."""
        self._forks = self._launch(self._report, self._lose_forks)
        self._slots = [
            Slot(self._reactor, number, twin, self._forks, self._publication, self)
            for number, twin in enumerate(self._twins, 1)
        ]

    def prepare(self) -> None:
        """Serving."""
        assert self._forks is not None, "launched before"
        self._forks.start()
        for slot in self._slots:
            slot.start()
        self._watch_later()

    def publish(self, snapshot: Snapshot) -> None:
        """Serving."""
        self._ports.publish(snapshot)

    def _publish(self, snapshot: Snapshot) -> None:
        self._publication.publish(snapshot)
        for slot in self._slots:
            slot.wake()

    def accept(self) -> Deferred[None]:
        """Serving: fires when every worker that can accept does."""
        self._accepted = Deferred()
        accepted = self._accepted
        try:
            for listener in self._listeners.for_clients:
                listener.claim()
        except ListenError as error:
            self.cannot_listen(str(error))
            return accepted
        for slot in self._slots:
            slot.accept()
        return accepted

    def reopen(self) -> None:
        """Serving."""
        for slot in self._slots:
            slot.reopen()

    def drain(self, grace: float) -> Deferred[None]:
        """Serving."""
        return Deferred.fromCoroutine(self._drain(grace))

    async def _drain(self, grace: float) -> None:
        self._is_draining = True
        self._ports.stop()
        if self._forks is not None:
            # First, or connections would wait in queues that no worker accepts from.
            self._forks.close_listeners()
        for twin in self._twins:
            if self._are_forks_silent:
                # It would keep the socket open, and clients waiting in its queue.
                twin.withdraw()
            twin.stop()
        ending = [slot.drain(grace) for slot in self._slots]
        for listener in self._listeners.for_clients:
            await listener.stop()
        self._late = self._reactor.callLater(grace + OVERTIME, self._kill)
        for ended in ending:
            await ended
        if self._late.active():
            self._late.cancel()
        if self._watch is not None:
            self._watch.cancel()
            self._watch = None
        if self._forks is not None:
            self._forks.close()

    def cut(self) -> None:
        """Serving."""
        for slot in self._slots:
            slot.cut()
        if self._late is not None and self._late.active():
            remaining = self._late.getTime() - self._reactor.seconds()
            self._late.reset(min(remaining, OVERTIME))

    def _kill(self) -> None:
        for slot in self._slots:
            slot.kill()
        self._late = self._reactor.callLater(OVERTIME, self._give_up)

    def _give_up(self) -> None:
        """Stop waiting: a fork server that is gone or hangs reports no ends."""
        for slot in self._slots:
            slot.give_up()

    # Events of workers (`WorkerObserver`).

    def accepting(self) -> None:
        """WorkerObserver."""
        self._look_who_accepts()

    def cannot_listen(self, reason: str) -> None:
        """WorkerObserver."""
        accepted, self._accepted = self._accepted, None
        if accepted is not None:
            accepted.errback(ListenError(reason))
        else:
            self.log.error("{reason}", reason=reason)

    def counted(self, value: object) -> None:
        """WorkerObserver."""
        self._callbacks.merge(value)

    def ended(self) -> None:
        """WorkerObserver."""
        self._look_who_accepts()
        is_over = all(slot.is_given_up for slot in self._slots)
        if is_over and not self._is_draining:
            self.log.critical("No worker is left, and none can be started")
            self._callbacks.fail()

    def _look_who_accepts(self) -> None:
        """Notice who accepts; a worker that keeps ending does not delay the start."""
        slots = self._slots
        is_starving = not any(slot.is_accepting for slot in slots)
        is_changed = self._has_accepted and is_starving != self._is_starving
        if is_changed and not self._is_draining:
            self._is_starving = is_starving
            self._callbacks.starve(is_starving)
        is_done = all(slot.is_accepting or slot.losses for slot in slots)
        if self._accepted is not None and is_done and not is_starving:
            accepted, self._accepted = self._accepted, None
            self._has_accepted = True
            for listener in self._listeners.for_clients:
                listener.log_addresses()
            accepted.callback(None)

    # Events of processes.

    def _report(self, report: Report) -> None:
        slot = self._slots[report.number - 1]
        if report.event == WorkerEvent.CANNOT_FORK:
            slot.cannot_fork(report.status)
        elif slot.link is not None and report.event == WorkerEvent.FORKED:
            slot.link.pid = report.pid
        elif slot.link is not None:
            slot.link.ended(report.status)

    def _lose_forks(self) -> None:
        self.log.critical("The fork server is gone: workers that end cannot be replaced")
        self._has_lost_forks = True
        for slot in self._slots:
            slot.lose_forks()

    def _watch_later(self) -> None:
        self._watched = self._reactor.seconds()
        self._watch = self._reactor.callLater(WATCH_INTERVAL, self._look)

    def _look(self) -> None:
        was_away = self._reactor.seconds() > self._watched + 2 * WATCH_INTERVAL
        if self._forks is not None:
            self._look_at_forks(self._forks, was_away=was_away)
        for slot in self._slots:
            if was_away and slot.link is not None:
                slot.link.excuse()
            slot.look()
        self._watch_later()

    def _look_at_forks(self, forks: ForkServerEnd, *, was_away: bool) -> None:
        if was_away:
            forks.excuse()
        is_silent = not self._has_lost_forks and forks.silence > SHARE_SILENCE
        if is_silent and not self._are_forks_silent:
            self.log.critical(
                "The fork server does not answer: workers that end are not replaced until it does"
            )
        elif self._are_forks_silent and not is_silent and not self._has_lost_forks:
            self.log.info("The fork server answers again")
        self._are_forks_silent = is_silent
        forks.ping()
