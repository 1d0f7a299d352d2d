"""
Answers that go on until the client leaves: a little more once a second.

What comes next is made only while the client takes it, so nothing is kept for a slow one.
"""

from __future__ import annotations

from typing import Any, Final

from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.interfaces import IReactorTime
from twisted.python.failure import Failure

from ingress.admin.page import LiveContent
from ingress.admin.streaming import PacedBody

INTERVAL: Final = 1.0
"""Seconds between two pieces."""

SILENCE: Final = 15.0
"""Seconds without a piece until a client is told that the stream still lives."""


class LiveStream(PacedBody):
    """
    The body of one answer that does not end by itself.

    :param request: has its status and fields set.
    :param content: makes the pieces.
    :param clock: schedules them.
    """

    def __init__(self, request: Any, content: LiveContent, clock: IReactorTime) -> None:
        super().__init__(request, clock)
        self._content = content
        self._making: Deferred[None] | None = None
        self._spoken = clock.seconds()
        self._is_paused = False

    def __repr__(self) -> str:
        return f"<LiveStream {'over' if self._is_over else 'paused' if self._is_paused else 'on'}>"

    def start(self) -> None:
        """Send the first piece."""
        gone: Deferred[Any] = self._request.notifyFinish()
        gone.addBoth(lambda _: self._end())
        self._request.registerProducer(self, True)
        if not self._is_paused and not self._is_over:
            self._make()

    def resumeProducing(self) -> None:
        """IPushProducer."""
        self._is_paused = False
        if self._making is None:
            self._schedule(0, self._make)

    def pauseProducing(self) -> None:
        """IPushProducer: the client reads slower than we write."""
        self._is_paused = True
        super().pauseProducing()

    def _make(self) -> None:
        self._call = None
        making = Deferred.fromCoroutine(self._make_next())
        making.addErrback(self._failed)
        if not making.called:
            self._making = making

    async def _make_next(self) -> None:
        piece = await self._content.next()
        self._making = None
        now = self._clock.seconds()
        if not piece and now - self._spoken >= SILENCE:
            piece = self._content.heartbeat
        # Before writing, which may pause us.
        if not self._is_paused:
            self._schedule(INTERVAL, self._make)
        if piece and not self._is_over:
            self._spoken = now
            self._request.write(piece)

    def _failed(self, failure: Failure) -> None:
        self._making = None
        if failure.check(CancelledError):
            return
        self.log.failure("{path} cannot go on", failure, path=self._request.path)
        self._cut()

    def _end(self) -> None:
        if not self._is_over:
            self._content.ended()
        super()._end()
        making, self._making = self._making, None
        if making is not None:
            making.cancel()
