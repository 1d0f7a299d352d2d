"""
A text that is made once, in slices of time, for all clients who read it.

Each client takes it at its own pace. A piece is kept until the slowest has taken it, so a text that
one client reads is hardly kept at all; how much of one is kept, and for how long, is bounded.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, Final

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IDelayedCall, IReactorTime
from twisted.logger import Logger
from twisted.python.failure import Failure

from ingress.admin.streaming import SLICE, WRITTEN_AT_ONCE, PacedBody

MOST_AHEAD: Final = 8 * 1024 * 1024
"""Bytes by which the making may be ahead of the fastest client while others wait for its end."""

HELD: Final = 60.0
"""Seconds from the end of the making until clients that have not taken everything are cut."""


class _Piece:
    """A piece, and the place behind it: whoever has one keeps what follows."""

    __slots__ = ("data", "next")

    def __init__(self) -> None:
        self.data = b""
        self.next: _Piece | None = None
        """None as long as this one has not been made."""


class SharedText:
    """
    One text while it is made and read.

    :param pieces: of the text, each the work of a millisecond at most; empty ones stand for work
        without a result yet.
    :param clock: schedules the slices.
    :param name: that of the page, for the log.
    :param grown: called after each slice.
    :param rested: called once, as soon as it goes on by itself no more: it is whole or broken,
        nobody reads it any more, or it has to wait for its clients although others wait for it.
    """

    log = Logger()

    def __init__(
        self,
        pieces: Iterator[bytes],
        clock: IReactorTime,
        name: str,
        *,
        grown: Callable[[], None] = lambda: None,
        rested: Callable[[], None] = lambda: None,
    ) -> None:
        self._pieces: Iterator[bytes] | None = pieces
        self._clock = clock
        self._name = name
        self._grown = grown
        self._rested: Callable[[], None] | None = rested
        self._readers: dict[Stream, None] = {}
        self._end = _Piece()
        self._size = 0
        self._most_ahead = WRITTEN_AT_ONCE
        self._is_started = False
        self._call: IDelayedCall | None = None
        """The next slice, or the end of the time for which the text is kept."""

        self.is_whole = False
        self.is_broken = False

    def __repr__(self) -> str:
        state = "whole" if self.is_whole else "broken" if self.is_broken else "made"
        return f"<SharedText of {self._name}, {state}: {len(self._readers)} read it>"

    @property
    def is_read(self) -> bool:
        """Whether anybody reads it."""
        return bool(self._readers)

    @property
    def kept(self) -> int:
        """Bytes that are made and that somebody has not taken yet."""
        taken = (reader.taken for reader in self._readers)
        return self._size - min(taken, default=self._size)

    def join(self, reader: Stream) -> _Piece:
        """
        Let somebody read it, before it is started.

        :return: its beginning.
        """
        assert not self._is_started, "the beginning is gone"
        self._readers[reader] = None
        return self._end

    def leave(self, reader: Stream) -> None:
        """Somebody reads no more. What nobody reads is not made."""
        self._readers.pop(reader, None)
        if self._is_started and not self._readers:
            self._stop()

    def start(self) -> None:
        """Begin to make it, if anybody reads it; nobody joins any more."""
        self._is_started = True
        if self._readers:
            self.go_on()
        else:
            self._stop()

    def hurry(self) -> None:
        """Make it as fast as the bounds allow, because others wait for it to end."""
        self._most_ahead = MOST_AHEAD
        self.go_on()

    def go_on(self) -> None:
        """Plan the next slice, unless all clients have enough to take."""
        if self._pieces is None or self._call is not None:
            return
        fastest = max((reader.taken for reader in self._readers), default=0)
        if self._size - fastest < self._most_ahead:
            self._call = self._clock.callLater(0, self._work)
        elif self._most_ahead == MOST_AHEAD:
            self._most_ahead = WRITTEN_AT_ONCE
            self._rest()

    def cut_slowest(self) -> None:
        """Cut the client that has taken least."""
        if self._readers:
            min(self._readers, key=lambda reader: reader.taken).cut()

    def _work(self) -> None:
        self._call = None
        pieces, made, size = self._pieces, [], 0
        assert pieces is not None
        end = self._clock.seconds() + SLICE
        try:
            while size < WRITTEN_AT_ONCE and self._clock.seconds() < end:
                piece = next(pieces)
                made.append(piece)
                size += len(piece)
        except StopIteration:
            self.is_whole = True
        except Exception:
            self.log.failure("{path} cannot be served to its end", path=self._name)
            self.is_broken = True
        if size:
            self._append(b"".join(made))
        if self.is_whole or self.is_broken:
            self._pieces = None
            self._call = self._clock.callLater(HELD, self._give_up)
            self._rest()
        for reader in list(self._readers):
            reader.go_on()
        self.go_on()
        self._grown()

    def _append(self, data: bytes) -> None:
        last, self._end = self._end, _Piece()
        last.data, last.next = data, self._end
        self._size += len(data)

    def _rest(self) -> None:
        rested, self._rested = self._rested, None
        if rested is not None:
            rested()

    def _give_up(self) -> None:
        self._call = None
        for reader in list(self._readers):
            reader.cut()

    def _stop(self) -> None:
        self._pieces = None
        if self._call is not None:
            self._call.cancel()
            self._call = None
        self._rest()


class Stream(PacedBody):
    """
    The body of one answer: a text as its client takes it.

    :param request: has its status and fields set; it is finished at the end.
    :param text: has not been started.
    :param clock: schedules the writing.
    """

    def __init__(self, request: Any, text: SharedText, clock: IReactorTime) -> None:
        super().__init__(request, clock)
        self._text = text
        self._place = text.join(self)
        self._waits = False
        """Whether it has written everything that there is so far."""

        self.taken = 0
        """Bytes that were written."""

    def start(self) -> None:
        """Write what there is, as soon as there is something."""
        gone: Deferred[Any] = self._request.notifyFinish()
        gone.addErrback(self._client_gone)
        self._request.registerProducer(self, True)
        if self._call is None and not self._is_over:
            self._waits = True

    def resumeProducing(self) -> None:
        """IPushProducer."""
        self._schedule(0, self._work)

    def pauseProducing(self) -> None:
        """IPushProducer: the client reads slower than we write."""
        self._waits = False
        super().pauseProducing()

    def go_on(self) -> None:
        """There is more to write, or nothing will follow."""
        if self._waits:
            self._waits = False
            self.resumeProducing()

    def cut(self) -> None:
        """Abort the connection, because the text is kept for this client no longer."""
        if self._call is not None:
            self._call.cancel()
        self._cut()

    def _work(self) -> None:
        self._call = None
        data = self._take()
        is_last = self._text.is_whole and self._place.next is None
        # Before writing, which may pause us.
        if self._place.next is None and not self._text.is_broken:
            self._waits = not is_last
        elif data:
            self.resumeProducing()
        if data:
            self._request.write(data)
        if is_last:
            self._finish()
        elif data:
            self._text.go_on()
        elif self._text.is_broken:
            self._cut()

    def _take(self) -> bytes:
        taken: list[bytes] = []
        size = 0
        while size < WRITTEN_AT_ONCE and self._place.next is not None:
            taken.append(self._place.data)
            size += len(self._place.data)
            self._place = self._place.next
        self.taken += size
        return taken[0] if len(taken) == 1 else b"".join(taken)

    def _finish(self) -> None:
        if not self._is_over:
            self._end()
            self._request.unregisterProducer()
            self._request.finish()

    def _client_gone(self, failure: Failure) -> None:
        self._end()

    def _end(self) -> None:
        super()._end()
        self._waits = False
        self._place = _Piece()
        self._text.leave(self)
