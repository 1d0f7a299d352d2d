"""
The place of one worker, for one process after the other.
"""

from __future__ import annotations

import os
import signal
from typing import Any, Final, Protocol

from twisted.internet.defer import Deferred, succeed
from twisted.internet.interfaces import IDelayedCall
from twisted.logger import Logger

from ingress.downstream.listeners import Listeners
from ingress.growing_delay import growing_delay
from ingress.worker.channel import Channel
from ingress.worker.feed import Publication
from ingress.worker.link import SHARE_SILENCE, SILENCE, WorkerLink, WorkerObserver
from ingress.worker.message import Kind

STABLE: Final = 60.0
"""Seconds of life after which the end of a worker is not counted as a failed start."""

MAX_PAUSE: Final = 30.0
"""The longest pause before the next attempt, if one worker after the other ends."""


class Forks(Protocol):
    """`ForkClient`."""

    def fork(self, number: int, channel: Channel) -> bool: ...

    def kill(self, pid: int) -> None: ...


class Slot:
    """
    Keeps one worker alive.

    :param reactor: provides time.
    :param number: counted from 1.
    :param listeners: those of the worker, which this process holds as well.
    """

    log = Logger()

    def __init__(
        self,
        reactor: Any,
        number: int,
        listeners: Listeners,
        forks: Forks,
        publication: Publication,
        observer: WorkerObserver,
    ) -> None:
        self.number = number
        self._reactor = reactor
        self._listeners = listeners
        self._forks = forks
        self._publication = publication
        self._observer = observer
        self._may_accept = False
        self._is_ending = False
        self._has_forks = True
        self._restart: IDelayedCall | None = None
        self._ended: list[Deferred[None]] = []
        self._emptied = float(reactor.seconds())
        """When the last process was gone."""

        self._withdrawn: float | None = None
        """When the worker lost its share of new connections; None if it has one."""

        self.link: WorkerLink | None = None
        """None if there is no process."""

        self.losses = 0
        """The number of processes that ended soon after their start, in a row."""

        self.all_losses = 0
        """The number of processes that ended unexpectedly."""

    def __repr__(self) -> str:
        return f"<Slot {self.number}: {self.link or 'empty'}>"

    @property
    def is_accepting(self) -> bool:
        return self.link is not None and self.link.is_accepting

    @property
    def is_given_up(self) -> bool:
        """Whether there is no process, and none will be started."""
        return self.link is None and self._restart is None

    @property
    def is_withdrawn(self) -> bool:
        """Whether the worker has lost its share of new connections."""
        return self._withdrawn is not None

    @property
    def silence(self) -> float:
        """Seconds without a worker that gives signs of life."""
        if self.link is not None:
            return self.link.silence
        return float(self._reactor.seconds()) - self._emptied

    # Commands of the control plane.

    def start(self) -> None:
        """Start a process."""
        self._restart = None
        link = WorkerLink(self._reactor, self.number, self._publication, self._observer, self._over)
        if self._may_accept:
            link.command(Kind.ACCEPT)
        if self._forks.fork(self.number, link.channel):
            self.link = link
        else:
            self._observer.ended()

    def wake(self) -> None:
        """There is another Snapshot."""
        if self.link is not None:
            self.link.channel.wake()

    def accept(self) -> None:
        """Have the process of this slot accept, and its successors."""
        self._may_accept = True
        self._command(Kind.ACCEPT)

    def reopen(self) -> None:
        """Have the process open its log files again."""
        self._command(Kind.REOPEN)

    def drain(self, grace: float) -> Deferred[None]:
        """
        Have the process drain, and start no other.

        :return: fires when the process has ended.
        """
        self._is_ending = True
        if self._restart is not None:
            self._restart.cancel()
            self._restart = None
        if self.link is None:
            return succeed(None)
        self._command(Kind.DRAIN, grace)
        ended: Deferred[None] = Deferred()
        self._ended.append(ended)
        return ended

    def cut(self) -> None:
        """Have the process close all connections."""
        self._command(Kind.CUT)

    def kill(self) -> None:
        """Kill the process."""
        if self.link is not None and self.link.pid is not None:
            self._forks.kill(self.link.pid)

    def give_up(self) -> None:
        """Stop waiting for the end of the process, which was not reported."""
        link, self.link = self.link, None
        if link is not None:
            self.log.error(
                "Worker {worker} (pid {pid}) was killed, but its end was not reported: "
                "it is left behind",
                worker=self.number,
                pid=link.pid,
            )
            # A worker without a control plane ends by itself.
            link.channel.close()
            self._go_on(0)

    def look(self) -> None:
        """
        Take the share of new connections from a worker that is silent, stopped or dead, and
        give it back when it speaks. Kill a process that has been silent for too long.
        """
        link = self.link
        if self._withdrawn is None:
            if self._may_accept and not self._is_ending and self.silence > SHARE_SILENCE:
                self._withdraw()
        elif link is not None and link.has_spoken_since(self._withdrawn):
            self._withdrawn = None
            link.command(Kind.LISTEN)
        if link is None or link.silence <= SILENCE:
            return
        self.log.error(
            "Worker {worker} (pid {pid}) has said nothing for {silence:.0f} s: it is killed",
            worker=self.number,
            pid=link.pid,
            silence=link.silence,
        )
        link.excuse()
        self.kill()

    def _withdraw(self) -> None:
        self.log.warn(
            "Worker {worker} has been silent for {silence:.0f} s: it gets no new connections",
            worker=self.number,
            silence=self.silence,
        )
        self._withdrawn = self._reactor.seconds()
        self._listeners.withdraw()
        if self.link is not None:
            self.link.is_accepting = False
        self._observer.accepting()

    def _command(self, kind: Kind, value: object = None) -> None:
        if self.link is not None:
            self.link.command(kind, value)

    # Events of the process.

    def cannot_fork(self, error: int) -> None:
        """
        The fork failed.

        :param error: an errno.
        """
        link, self.link = self.link, None
        if link is not None:
            link.channel.close()
        pause = max(self._count_loss(), 1.0)
        self.log.error(
            "Worker {worker} cannot be forked: {reason}; the next attempt is in {pause:.0f} s",
            worker=self.number,
            reason=os.strerror(error),
            pause=pause,
        )
        self._go_on(pause)

    def lose_forks(self) -> None:
        """The fork server is gone: ends are no longer reported, and no fork is possible."""
        self._has_forks = False
        if self.link is not None:
            self.link.ended(None)

    def _over(self) -> None:
        """The process has ended."""
        link, self.link = self.link, None
        if link is None:
            return  # It was given up before.
        if self._is_ending and link.status == 0:
            self._go_on(0)
            return
        if link.age >= STABLE:
            self.losses = 0
        self.all_losses += 1
        pause = self._count_loss()
        self.log.error(
            "Worker {worker} (pid {pid}) {how} after {age:.0f} s, with {connections} connections "
            "open; {next}",
            worker=self.number,
            pid=link.pid,
            how=_spell_status(link.status),
            age=link.age,
            connections=link.connections,
            next=self._spell_next(pause),
        )
        self._go_on(pause)

    def _count_loss(self) -> float:
        """:return: seconds until another process is started."""
        self.losses += 1
        return growing_delay(1.0, MAX_PAUSE, self.losses - 1) if self.losses > 1 else 0.0

    def _spell_next(self, pause: float) -> str:
        if self._is_ending or not self._has_forks:
            return "it is not replaced"
        return f"it is replaced in {pause:.0f} s" if pause else "it is replaced now"

    def _go_on(self, pause: float) -> None:
        self._emptied = self._reactor.seconds()
        if self._is_ending:
            ended, self._ended = self._ended, []
            for each in ended:
                each.callback(None)
        elif not self._has_forks:
            pass
        elif pause:
            self._restart = self._reactor.callLater(pause, self.start)
        else:
            self.start()
        self._observer.ended()


def _spell_status(status: int | None) -> str:
    if status is None:
        return "is gone"
    if status >= 0:
        return f"ended with status {status}"
    try:
        return f"was killed by {signal.Signals(-status).name}"
    except ValueError:
        return f"was killed by signal {-status}"
