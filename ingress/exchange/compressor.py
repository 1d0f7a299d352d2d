"""
The stage that compresses a response while it passes.

What the coder keeps is flushed when the endpoint pauses, so that events and slow streams are not
held back. A coder that could hold the reactor works in a thread, one piece at a time; meanwhile the
endpoint is not read.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any, ClassVar, Final

from twisted.internet.threads import deferToThreadPool
from twisted.logger import Logger
from twisted.python.failure import Failure

from ingress.answer import Answer
from ingress.content_coding import Coder
from ingress.errors import Outcome
from ingress.exchange.call_receiver import CallReceiver
from ingress.exchange.stage import Flow, Stage
from ingress.http1.body import Trailers

FLUSH_DELAY: Final = 0.01
"""Seconds after which what has been kept is sent even if no more comes."""

_FAILED: Final = Answer(500, Outcome.INTERNAL_ERROR, "The response could not be compressed.")


class MemoryBudget:
    """
    The memory that coders may use together.

    :ivar maximum: in bytes.
    :ivar used: by all coders at work.
    """

    __slots__ = ("maximum", "used")

    def __init__(self, maximum: int) -> None:
        self.maximum = maximum
        self.used = 0

    def __repr__(self) -> str:
        return f"<MemoryBudget {self.used} of {self.maximum}>"

    def has_room(self, size: int) -> bool:
        """Return whether this many bytes more may be used."""
        return self.used + size <= self.maximum


class Compressor(Stage):
    """
    Compresses one response.

    :param source: what the response comes from.
    :param receiver: what it goes to.
    :param coder: compresses it.
    :param reactor: its threads and its timers.
    :param budget: has room for the coder.
    """

    log: ClassVar[Logger] = Logger()

    def __init__(
        self, source: Flow, receiver: CallReceiver, coder: Coder, reactor: Any, budget: MemoryBudget
    ) -> None:
        super().__init__(source, receiver)
        self._coder: Coder | None = coder
        self._is_slow = bool(coder.is_slow)
        self._reactor = reactor
        self._budget = budget
        budget.used += coder.memory
        self._waiting: list[bytes] = []
        """What has come while a thread was at work."""

        self._is_working = False
        """Whether a thread is at work."""

        self._is_unflushed = False
        """Whether the coder may keep something."""

        self._trailers: Trailers | None = None
        """The trailers of a response that has come to its end; None before."""

        self._is_finished = False
        """Whether the coder has been told of the end."""

    def __repr__(self) -> str:
        return f"<Compressor {self._coder} waiting={len(self._waiting)}>"

    def send_to(self, receiver: CallReceiver) -> None:
        """Replace the receiver, before anything has come."""
        self._receiver = receiver

    # CallReceiver.

    def call_body(self, data: bytes) -> None:
        if self._is_working:
            self._waiting.append(data)
        elif self._coder is not None:
            self._is_unflushed = True
            self._run(partial(self._coder.compress, data))

    def call_flush(self) -> None:
        self._receiver.call_flush()
        self._start_timer()

    def call_ended(self, trailers: Trailers) -> None:
        self._trailers = trailers
        if not self._is_working:
            self._finish()

    # Stage.

    def hold(self) -> None:
        self._is_held = True
        self._hold_source()

    def release(self) -> None:
        self._is_held = False
        if not self._is_working:
            self._release_source()

    # The coder's work.

    def _run(self, job: Callable[[], bytes]) -> None:
        """Do a piece of work, here or in a thread."""
        if not self._is_slow:
            try:
                out = job()
            except Exception:
                self._fail(Failure())
                return
            if out:
                self._receiver.call_body(out)
            return
        self._is_working = True
        self._stop_timer()
        self._hold_source()
        working = deferToThreadPool(self._reactor, self._reactor.getThreadPool(), job)
        working.addCallbacks(self._worked, self._fail)

    def _worked(self, out: bytes) -> None:
        """Go on after the work of a thread."""
        self._is_working = False
        if self._source is None:
            return
        if out:
            self._receiver.call_body(out)
            self._receiver.call_flush()
        if self._source is None or self._coder is None:
            return
        if self._is_finished:
            self._close()
        elif self._waiting:
            waiting, self._waiting = self._waiting, []
            self._run(partial(self._coder.compress, b"".join(waiting)))
        elif self._trailers is not None:
            self._finish()
        else:
            self._start_timer()
            if self._is_source_held and not self._is_held:
                self._release_source()

    def _flush(self) -> None:
        """Send on what the coder keeps, because the endpoint has paused."""
        self._timer = None
        if self._coder is not None and self._is_unflushed and not self._is_working:
            self._is_unflushed = False
            self._run(self._coder.flush)
            self._receiver.call_flush()

    def _finish(self) -> None:
        coder = self._coder
        if coder is not None:
            self._is_finished = True
            self._run(coder.finish)
            if not self._is_slow:
                self._close()

    def _close(self) -> None:
        trailers = self._trailers
        self._end().call_ended(trailers if trailers is not None else ())

    def _fail(self, failure: Failure) -> None:
        self.log.failure("A response could not be compressed", failure)
        self._end().call_failed(_FAILED)

    # Timer, end.

    def _start_timer(self) -> None:
        if self._is_unflushed and self._timer is None and not self._is_working:
            self._timer = self._reactor.callLater(FLUSH_DELAY, self._flush)

    def _end(self) -> CallReceiver:
        coder, self._coder = self._coder, None
        if coder is not None:
            self._budget.used -= coder.memory
        self._waiting = []
        return super()._end()
