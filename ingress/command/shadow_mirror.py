"""
A listener for copies of requests: each is decided about, and none is ever passed on.

ingress-nginx waits for the answer to a copy before it takes the next request of a client's
connection. So copies are answered before anything is decided, and those that come faster than
decisions are made are dropped and counted.
"""

from __future__ import annotations

import re
from collections import deque
from collections.abc import Callable
from typing import Any, Final

from twisted.internet.interfaces import IAddress, IDelayedCall
from twisted.internet.protocol import Factory, Protocol, connectionDone
from twisted.python.failure import Failure

from ingress.command.shadow_record import ShadowRecord
from ingress.errors import RequestError
from ingress.explain.decider import LoggedRequest
from ingress.http1.decoder import RequestDecoder
from ingress.http1.head import DEFAULT_LIMITS
from ingress.message import Request

MOST_CONNECTIONS: Final = 512
MOST_WAITING: Final = 10_000
"""Copies that wait for their decision; each has some KiB of fields."""

MAX_BODY: Final = 64 << 20
"""Bytes of a body that are read, and thrown away."""

MAX_FIELDS: Final = 16 << 10
"""Bytes of fields that a decision may depend on; what is beyond is left out."""

TIMEOUT: Final = 30.0
"""Seconds for a copy; those of its connection end with it."""

SLICE: Final = 0.005
"""Seconds of decisions in one turn of the reactor."""

_ANSWER: Final = b"HTTP/1.1 204 No Content\r\nConnection: close\r\n\r\n"
_REFUSAL: Final = b"HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"
_OWN: Final = frozenset(
    {
        b"host", b"content-length", b"transfer-encoding", b"connection", b"expect", b"upgrade",
        b"te", b"trailer", b"keep-alive",
    }
)  # fmt: skip
"""Fields of the copy's connection, or of its body."""

_DESCRIBED: Final = re.compile(
    rb"/\.shadow/(https?)/([^/]{1,255})/([0-9A-Fa-f.:]{2,45})(/.*)", re.DOTALL
)
"""What ``mirror-target: http://ADDRESS/.shadow/$scheme/$host/$remote_addr$request_uri`` makes."""


class CopyQueue:
    """
    Copies that wait for their decisions, which are made in slices.

    :param clock: for slices.
    :param answer_field: the field that says what ingress-nginx has answered; empty for none.
    :param is_secure: whether copies whose target does not say so came over TLS.
    """

    def __init__(
        self, clock: Any, record: ShadowRecord, answer_field: str = "", *, is_secure: bool = True
    ) -> None:
        self._clock = clock
        self.record = record
        self._answer_field = answer_field.lower().encode("ascii", "replace")
        self._is_secure = is_secure
        self._waiting: deque[tuple[LoggedRequest, str]] = deque()
        self._call: IDelayedCall | None = None
        self.dropped = 0
        """Copies that were answered and not decided about."""

    def __repr__(self) -> str:
        return f"<CopyQueue {len(self._waiting)} waiting, {self.dropped} dropped>"

    def add(self, request: Request, client: str) -> None:
        """
        :param client: the peer; not who sent the request, unless the target says so.
        """
        if len(self._waiting) >= MOST_WAITING:
            self.dropped += 1
            return
        self._waiting.append(self._described(request, client))
        if self._call is None:
            self._call = self._clock.callLater(0, self._decide)

    def stop(self) -> None:
        """Decide about no more."""
        if self._call is not None:
            self._call.cancel()
            self._call = None

    def _described(self, request: Request, client: str) -> tuple[LoggedRequest, str]:
        answer, lines, size = "", [], 0
        for lower, name, value in request.fields:
            if lower == self._answer_field:
                answer = value.decode("ascii", "replace")
            elif lower not in _OWN and size + len(name) + len(value) < MAX_FIELDS:
                lines.append(b"%b: %b\r\n" % (name, value))
                size += len(lines[-1])
        host, target, is_secure = request.authority, request.target, self._is_secure
        match = _DESCRIBED.fullmatch(target)
        if match is not None:
            host, target = match[2], match[4]
            is_secure, client = match[1] == b"https", match[3].decode("ascii")
        fields = b"".join(lines)
        return LoggedRequest(request.method, target, host, is_secure, client, fields), answer

    def _decide(self) -> None:
        self._call = None
        end = self._clock.seconds() + SLICE
        while self._waiting and self._clock.seconds() < end:
            self.record.take_copy(*self._waiting.popleft())
        if self._waiting:
            self._call = self._clock.callLater(0, self._decide)


class CopyProtocol(Protocol):
    """One connection, with one copy of a request."""

    def __init__(self, clock: Any, queue: CopyQueue, ended: Callable[[], None]) -> None:
        self._clock = clock
        self._queue = queue
        self._ended = ended
        self._decoder = RequestDecoder()
        self._timeout: IDelayedCall | None = None
        self._size = 0
        self._has_head = False

    def __repr__(self) -> str:
        return f"<CopyProtocol {self._decoder}>"

    def connectionMade(self) -> None:
        """Twisted: a connection was accepted."""
        self._timeout = self._clock.callLater(TIMEOUT, self._give_up)

    def dataReceived(self, data: bytes) -> None:
        """Twisted: a piece has come."""
        self._decoder.waiting += data
        try:
            if not self._has_head and not self._take_head():
                return
            while self._decoder.is_in_body:
                taken = self._decoder.take_body()
                self._size += len(taken)
                if self._size > MAX_BODY:
                    self._give_up()
                    return
                if not taken:
                    break
            if not self._decoder.is_in_body:
                self._finish(_ANSWER)
        except RequestError:
            self._queue.record.refused += 1
            self._finish(_REFUSAL)

    def _take_head(self) -> bool:
        """:return: whether the head is complete."""
        request = self._decoder.take_head(DEFAULT_LIMITS)
        if request is None:
            return False
        self._has_head = True
        peer = getattr(self.transport.getPeer(), "host", "") if self.transport is not None else ""
        self._queue.add(request, peer)
        if any(lower == b"expect" for lower, _, _ in request.fields):
            # The body is not needed, and the peer waits before it sends any.
            self._finish(_ANSWER)
        return True

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        """Twisted: the connection is closed."""
        if self._timeout is not None and self._timeout.active():
            self._timeout.cancel()
        self._ended()

    def _finish(self, answer: bytes) -> None:
        if self.transport is not None:
            self.transport.write(answer)
            self.transport.loseConnection()

    def _give_up(self) -> None:
        self._queue.record.refused += 1
        if self.transport is not None:
            self.transport.abortConnection()  # type: ignore[attr-defined]  # Of TCP and UNIX.


class CopyFactory(Factory):
    """
    Accepts connections with copies, up to a bound.

    :param clock: for timeouts.
    """

    noisy = False

    def __init__(self, clock: Any, queue: CopyQueue) -> None:
        self._clock = clock
        self._queue = queue
        self._connections = 0

    def __repr__(self) -> str:
        return f"<CopyFactory {self._connections} connections>"

    def buildProtocol(self, addr: IAddress | None) -> CopyProtocol | None:
        """Twisted: None closes the connection."""
        if self._connections >= MOST_CONNECTIONS:
            self._queue.record.refused += 1
            return None
        self._connections += 1
        return CopyProtocol(self._clock, self._queue, self._closed)

    def _closed(self) -> None:
        self._connections -= 1
