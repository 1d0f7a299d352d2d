"""
One worker process as the control plane sees it, from its fork to its end.
"""

from __future__ import annotations

import json
import pickle
from collections.abc import Callable
from typing import Any, Final, Protocol

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IReactorTime
from twisted.logger import Logger

from ingress.worker.channel import Channel, Queue
from ingress.worker.feed import Publication, SnapshotFeed
from ingress.worker.log_relay import republish
from ingress.worker.message import Kind

SILENCE: Final = 15.0
"""
Seconds without a word from a worker, which has one every second, until it counts as
one that hangs: nobody serves the connections that the kernel gives it meanwhile.
"""


class Crew(Protocol):
    """What hears of all workers."""

    def accepting(self) -> None:
        """One accepts from now on."""

    def cannot_listen(self, reason: str) -> None:
        """One found somebody else on an address."""

    def counted(self, value: object) -> None:
        """What a `Collector` gave."""

    def ended(self) -> None:
        """One has ended, and may have a successor."""


class WorkerLink:
    """
    :param number: of the worker.
    :param over: called when the process has ended and all that it said is heard.
    """

    log = Logger()

    def __init__(
        self,
        clock: IReactorTime,
        number: int,
        publication: Publication,
        crew: Crew,
        over: Callable[[], None],
    ) -> None:
        self._clock = clock
        self._number = number
        self._crew = crew
        self._over = over
        self._commands = Queue()
        self._feed = SnapshotFeed(publication)
        self._started = self._heard = clock.seconds()
        self._asking: list[Deferred[None]] = []
        self._has_ended = False
        self._has_closed = False
        self.channel = Channel(self._receive, self._closed, (self._commands, self._feed))
        self.pid: int | None = None
        """None until the fork is reported."""

        self.status: int | None = None
        """With which it ended, below zero for a signal; None if nobody knows."""

        self.connections = 0
        """Of clients, that were open at its last word."""

        self.state: Any = None
        """What `DataSide.read_state` gave when it was asked last; None before."""

        self.generation = 0
        """What it serves, counted as `Publication` does."""

        self.is_accepting = False

    def __repr__(self) -> str:
        return f"<WorkerLink {self._number}: pid {self.pid}, generation {self.generation}>"

    @property
    def age(self) -> float:
        """Seconds since its start."""
        return self._clock.seconds() - self._started

    @property
    def silence(self) -> float:
        """Seconds since its last word."""
        return self._clock.seconds() - self._heard

    def excuse(self) -> None:
        """Nobody listened for a while: what it may have said is still to be heard."""
        self._heard = self._clock.seconds()

    def command(self, kind: Kind, value: object = None) -> None:
        """Have it do something."""
        self._commands.put(kind, value)
        self.channel.wake()

    def ask(self) -> Deferred[None]:
        """
        Have it tell all that it has counted, and `state`.

        :return: fires when it has, or will not any more.
        """
        answered: Deferred[None] = Deferred()
        self._asking.append(answered)
        if self._has_closed:
            self._answer()
        else:
            self.command(Kind.ASK)
        return answered

    def _answer(self) -> None:
        asking, self._asking = self._asking, []
        for each in asking:
            each.callback(None)

    def ended(self, status: int | None) -> None:
        """
        The process has ended; what it said last may still be under way.

        :param status: None if nobody knows, and nobody will tell.
        """
        self.status = status
        self._has_ended = True
        self._look_whether_over()

    def _closed(self) -> None:
        self._has_closed = True
        self._answer()
        self._look_whether_over()

    def _look_whether_over(self) -> None:
        if self._has_ended and self._has_closed:
            self.is_accepting = False
            self._over()

    def _receive(self, kind: Kind, content: bytes) -> None:
        self._heard = self._clock.seconds()
        if kind == Kind.WELL:
            self.connections = json.loads(content)
        elif kind == Kind.COUNTS:
            # Our own process wrote it, and no other could: there is no way in but the fork.
            self._crew.counted(pickle.loads(content))  # noqa: S301
        elif kind == Kind.STATE:
            self.state = pickle.loads(content)  # noqa: S301
            self._answer()
        elif kind == Kind.LOG:
            republish(content, self._number)
        elif kind == Kind.PUBLISHED:
            self.generation = json.loads(content)
        elif kind == Kind.ACCEPTING:
            self.is_accepting = True
            self.log.info("Worker {worker} (pid {pid}) accepts", worker=self._number, pid=self.pid)
            self._crew.accepting()
        elif kind == Kind.CANNOT_LISTEN:
            self._crew.cannot_listen(json.loads(content))
