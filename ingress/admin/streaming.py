"""
Answers that are made in slices, between which the reactor serves others.
"""

from __future__ import annotations

import zlib
from collections.abc import Iterator
from typing import Any, Final

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IDelayedCall, IPushProducer, IReactorTime
from twisted.logger import Logger
from twisted.python.failure import Failure
from zope.interface import implementer

SLICE: Final = 0.001
"""
Seconds of work before others get their turn. Whoever asks for metrics has time;
requests that come meanwhile wait for a slice, at most two.
"""

WRITTEN_AT_ONCE: Final = 64 * 1024
"""Bytes after which a slice ends as well: so much is kept in memory."""

STALL_TIMEOUT: Final = 60.0
"""Seconds for which a client may leave a full send buffer as it is."""

_REFUSED: Final = frozenset({b"q=0", b"q=0.0", b"q=0.00", b"q=0.000"})
_MAX_FIELD: Final = 1024
"""Bytes of an Accept-Encoding field that are looked at."""

_GZIP: Final = 16 + zlib.MAX_WBITS
_FASTEST: Final = 1


def takes_gzip(accept_encoding: bytes | None) -> bool:
    """Whether a client asks for compression (RFC 9110 section 12.5.3)."""
    for part in (accept_encoding or b"")[:_MAX_FIELD].lower().split(b","):
        coding, *parameters = (piece.strip() for piece in part.split(b";"))
        if coding == b"gzip":
            return _REFUSED.isdisjoint(parameters)
    return False


def compressed(pieces: Iterator[bytes]) -> Iterator[bytes]:
    """The same as one gzip stream."""
    compressor = zlib.compressobj(_FASTEST, wbits=_GZIP)
    for piece in pieces:
        yield compressor.compress(piece)
    yield compressor.flush()


@implementer(IPushProducer)
class Stream:
    """
    The body of one answer while it is made and sent.

    :param request: whose head is set; it is finished at the end.
    :param pieces: of the body, each the work of a millisecond at most; empty ones
        where there was work, but nothing to send yet.
    :param clock: for the slices.
    """

    log = Logger()

    def __init__(self, request: Any, pieces: Iterator[bytes], clock: IReactorTime) -> None:
        self._request = request
        self._pieces = pieces
        self._clock = clock
        self._call: IDelayedCall | None = None
        """The next slice, or while the client does not read, the end of our patience."""

        self._is_over = False

    def start(self) -> None:
        """Begin with the first slice, in a turn of its own."""
        gone: Deferred[Any] = self._request.notifyFinish()
        gone.addErrback(self._client_gone)
        self._request.registerProducer(self, True)
        if self._call is None and not self._is_over:
            self.resumeProducing()

    def resumeProducing(self) -> None:
        """IPushProducer."""
        self._schedule(0, self._work)

    def pauseProducing(self) -> None:
        """IPushProducer: the client reads slower than we write."""
        self._schedule(STALL_TIMEOUT, self._cut)

    def stopProducing(self) -> None:
        """IPushProducer."""
        self._end()

    def _schedule(self, delay: float, work: Any) -> None:
        if self._call is not None:
            self._call.cancel()
            self._call = None
        if not self._is_over:
            self._call = self._clock.callLater(delay, work)

    def _work(self) -> None:
        self._call = None
        end = self._clock.seconds() + SLICE
        made: list[bytes] = []
        size = 0
        is_last = False
        try:
            while size < WRITTEN_AT_ONCE and self._clock.seconds() < end:
                piece = next(self._pieces)
                made.append(piece)
                size += len(piece)
        except StopIteration:
            is_last = True
        except Exception:
            self.log.failure("What {path} answers cannot be told", path=self._request.path)
            self._cut()
            return
        # Before writing, which may pause us.
        if not is_last:
            self.resumeProducing()
        if size:
            self._request.write(b"".join(made))
        if is_last:
            self._finish()

    def _finish(self) -> None:
        if not self._is_over:
            self._end()
            self._request.unregisterProducer()
            self._request.finish()

    def _cut(self) -> None:
        """Have the client see that this is not the end of the body."""
        self._call = None
        if not self._is_over:
            self._end()
            self._request.unregisterProducer()
            self._request.transport.abortConnection()

    def _client_gone(self, failure: Failure) -> None:
        self._end()

    def _end(self) -> None:
        self._is_over = True
        if self._call is not None:
            self._call.cancel()
            self._call = None
        self._pieces = iter(())
