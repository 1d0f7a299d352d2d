"""
What all bodies of answers have in common that are made in slices of time, between which the reactor
serves traffic.
"""

from __future__ import annotations

import zlib
from collections.abc import Iterator
from typing import Any, Final

from twisted.internet.interfaces import IDelayedCall, IPushProducer, IReactorTime
from twisted.logger import Logger
from zope.interface import implementer

SLICE: Final = 0.001
"""
Seconds of work in one turn of the reactor. Scrapes can wait; requests that come
meanwhile wait for one slice, two at most.
"""

WRITTEN_AT_ONCE: Final = 64 * 1024
"""Bytes after which a slice ends as well, and that are written in one, to bound memory."""

STALL_TIMEOUT: Final = 60.0
"""Seconds that a client may take nothing from a full send buffer."""

_REFUSED: Final = frozenset({b"q=0", b"q=0.0", b"q=0.00", b"q=0.000"})
_MAX_FIELD: Final = 1024
"""Bytes of an Accept-Encoding field that are parsed."""

_GZIP: Final = 16 + zlib.MAX_WBITS
_FASTEST: Final = 1


def takes_gzip(accept_encoding: bytes | None) -> bool:
    """Whether a client accepts gzip (RFC 9110 section 12.5.3)."""
    for part in (accept_encoding or b"")[:_MAX_FIELD].lower().split(b","):
        coding, *parameters = (piece.strip() for piece in part.split(b";"))
        if coding == b"gzip":
            return _REFUSED.isdisjoint(parameters)
    return False


def compressed(pieces: Iterator[bytes]) -> Iterator[bytes]:
    """The pieces as one gzip stream."""
    compressor = zlib.compressobj(_FASTEST, wbits=_GZIP)
    for piece in pieces:
        yield compressor.compress(piece)
    yield compressor.flush()


@implementer(IPushProducer)
class PacedBody:
    """
    The body of one answer, which is cut if its client takes nothing for `STALL_TIMEOUT`.

    :param request: has its status and fields set.
    :param clock: schedules the work.
    """

    log = Logger()

    def __init__(self, request: Any, clock: IReactorTime) -> None:
        self._request = request
        self._clock = clock
        self._call: IDelayedCall | None = None
        """The next work, or the timeout while the client does not read."""

        self._is_over = False

    def resumeProducing(self) -> None:
        """IPushProducer."""
        raise NotImplementedError

    def pauseProducing(self) -> None:
        """IPushProducer: the client reads slower than we write."""
        self._schedule(STALL_TIMEOUT, self._cut)

    def stopProducing(self) -> None:
        """IPushProducer."""
        self._end()

    def _schedule(self, delay: float, work: Any) -> None:
        """Do this next, in place of what was scheduled before."""
        if self._call is not None:
            self._call.cancel()
            self._call = None
        if not self._is_over:
            self._call = self._clock.callLater(delay, work)

    def _cut(self) -> None:
        """Abort the connection, so that the client sees an incomplete body."""
        self._call = None
        if not self._is_over:
            self._end()
            self._request.unregisterProducer()
            self._request.transport.abortConnection()

    def _end(self) -> None:
        """Do nothing more."""
        self._is_over = True
        if self._call is not None:
            self._call.cancel()
            self._call = None
