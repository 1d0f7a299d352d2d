"""
The control plane's view of one worker process, from its fork to its end.
"""

from __future__ import annotations

import json
import pickle
from collections import deque
from collections.abc import Callable
from typing import Any, Final, Protocol

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IReactorTime
from twisted.logger import Logger

from ingress.worker.channel import Channel, Queue
from ingress.worker.feed import Publication, SnapshotFeed
from ingress.worker.log_relay import republish
from ingress.worker.message import Kind

SHARE_SILENCE: Final = 3.0
"""
Seconds without a message, of which there is one every second, until a worker gets no new
connections: the kernel would go on to give it its share, and nobody would serve them.
"""

SILENCE: Final = 15.0
"""Seconds without a message until a worker counts as hanging, and is killed."""


class WorkerObserver(Protocol):
    """Is notified about all workers (`ingress.worker.workers.Workers`)."""

    def accepting(self) -> None:
        """A worker accepts from now on, or no longer does."""

    def cannot_listen(self, reason: str) -> None:
        """A worker found another process listening on an address."""

    def counted(self, value: object) -> None:
        """A worker sent what its `Collector` returned."""

    def ended(self) -> None:
        """A worker has ended; it may have a successor."""


class WorkerLink:
    """
    :param number: of the worker.
    :param over: called when the process has ended and its last message is received.
    """

    log = Logger()

    def __init__(
        self,
        clock: IReactorTime,
        number: int,
        publication: Publication,
        observer: WorkerObserver,
        over: Callable[[], None],
    ) -> None:
        self._clock = clock
        self._number = number
        self._observer = observer
        self._over = over
        self._commands = Queue()
        self._feed = SnapshotFeed(publication)
        self._started = self._excused = clock.seconds()
        self._heard = float("-inf")
        self._asking: list[Deferred[None]] = []
        self._questions: deque[Deferred[Any]] = deque()
        """Those without an answer, the oldest first."""

        self._has_ended = False
        self._has_closed = False
        self.channel = Channel(self._receive, self._closed, (self._commands, self._feed))
        self.pid: int | None = None
        """The process id; None until the fork is reported."""

        self.status: int | None = None
        """The exit status, negative for a signal; None if unknown."""

        self.connections = 0
        """Open client connections at its last message."""

        self.state: Any = None
        """The last result of `DataSide.read_state`; None before the first."""

        self.generation = 0
        """The Snapshot that it serves, counted as in `Publication`."""

        self.is_accepting = False

    def __repr__(self) -> str:
        return f"<WorkerLink {self._number}: pid {self.pid}, generation {self.generation}>"

    @property
    def age(self) -> float:
        """Seconds since its start."""
        return self._clock.seconds() - self._started

    @property
    def silence(self) -> float:
        """Seconds since its last message, its start or `excuse`."""
        return self._clock.seconds() - max(self._heard, self._excused)

    def excuse(self) -> None:
        """Restart the count: this process did not read messages for a while."""
        self._excused = self._clock.seconds()

    def has_spoken_since(self, moment: float) -> bool:
        """Whether there was a message after this time of the clock."""
        return self._heard > moment

    def command(self, kind: Kind, value: object = None) -> None:
        """Send a command."""
        self._commands.put(kind, value)
        self.channel.wake()

    def ask(self) -> Deferred[None]:
        """
        Have it send everything that it has counted, and its `state`.

        :return: fires when it has done so, or never will.
        """
        answered: Deferred[None] = Deferred()
        self._asking.append(answered)
        if self._has_closed:
            self._answer()
        else:
            self.command(Kind.ASK)
        return answered

    def question(self, question: object) -> Deferred[Any]:
        """
        :param question: for `DataSide.answer`.
        :return: fires with the answer; with None if there will never be one.
        """
        answered: Deferred[Any] = Deferred()
        if self._has_closed:
            answered.callback(None)
            return answered
        self._questions.append(answered)
        self._commands.put_content(Kind.QUESTION, pickle.dumps(question, pickle.HIGHEST_PROTOCOL))
        self.channel.wake()
        return answered

    def _answer(self) -> None:
        asking, self._asking = self._asking, []
        for each in asking:
            each.callback(None)

    def _answer_question(self, answer: object) -> None:
        if self._questions:
            answered = self._questions.popleft()
            # One that nobody waits for any more has been cancelled.
            if not answered.called:
                answered.callback(answer)

    def ended(self, status: int | None) -> None:
        """
        The process has ended; its last messages may still be unread.

        :param status: None if it is unknown.
        """
        self.status = status
        self._has_ended = True
        self._look_whether_over()

    def _closed(self) -> None:
        self._has_closed = True
        self._answer()
        while self._questions:
            self._answer_question(None)
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
            # Only our own process can have written it: the socket was passed by the fork.
            self._observer.counted(pickle.loads(content))  # noqa: S301
        elif kind == Kind.STATE:
            self.state = pickle.loads(content)  # noqa: S301
            self._answer()
        elif kind == Kind.ANSWER:
            self._answer_question(pickle.loads(content))  # noqa: S301
        elif kind == Kind.LOG:
            republish(content, self._number)
        elif kind == Kind.PUBLISHED:
            self.generation = json.loads(content)
        elif kind == Kind.ACCEPTING:
            if not self.is_accepting:
                self.is_accepting = True
                self.log.info(
                    "Worker {worker} (pid {pid}) accepts", worker=self._number, pid=self.pid
                )
            self._observer.accepting()
        elif kind == Kind.CANNOT_LISTEN:
            self._observer.cannot_listen(json.loads(content))
