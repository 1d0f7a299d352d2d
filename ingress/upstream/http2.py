"""
A connection to an endpoint in HTTP/2, which many requests share.

Each request is an `HTTP2Stream`; `ingress.http2.client` has the protocol. The connection belongs to
an `ingress.upstream.shared_pool`.
"""

from __future__ import annotations

from typing import ClassVar, Final

from mypy_extensions import trait
from twisted.internet.protocol import connectionDone
from twisted.logger import Logger
from twisted.python.failure import Failure

from ingress.deadline import NEVER
from ingress.endpoint import Endpoint
from ingress.errors import EndpointClosed, EndpointTimeout, PeerError
from ingress.http2.client import ClientConnection, ClientEvents
from ingress.http2.counts import HTTP2Counts
from ingress.http2.stream import NOBODY, Stream
from ingress.transports.stream import StreamProtocol
from ingress.transports.turn_end import TurnUser
from ingress.upstream.connection import ConnectionOwner
from ingress.upstream.http2_stream import HTTP2Stream, SharedConnection

SWEEP: Final = 1.0
"""Seconds between two looks at the times of open streams."""

EARLY_PINGS: Final = 2
"""
PINGs within `http2-ping-pause` until the endpoint sends something of a response. Servers of gRPC
take two more than they like, and end the connection with the next one ("too many pings").
"""

_PING: Final = b"txingres"
_GONE: Final = "The endpoint closed the connection."
_SILENT: Final = "The endpoint answers no PING."
_NO_PROGRESS: Final = "The endpoint took too long to respond."


@trait
class SharedOwner:
    """What the pool of connections that are shared is, beside a `ConnectionOwner`."""

    def opened(self, connection: HTTP2Upstream) -> None:
        """The connection is made, and takes streams."""
        raise NotImplementedError

    def left(self, connection: HTTP2Upstream) -> None:
        """The connection takes no further stream."""
        raise NotImplementedError


class HTTP2Upstream(ClientEvents, StreamProtocol, SharedConnection, TurnUser):
    """
    One connection to an endpoint.

    :param owner: the pool.
    :param shared: the pool as well.
    :param counts: those of the connections to all endpoints.
    :param streams_at_first: how many are opened before the endpoint's settings come.
    """

    log: ClassVar[Logger] = Logger()

    def __init__(
        self,
        owner: ConnectionOwner,
        shared: SharedOwner,
        counts: HTTP2Counts,
        streams_at_first: int = 1,
    ) -> None:
        self.deadline = NEVER
        self._unsent = 0
        self._owner = owner
        self._shared = shared
        self._deadlines = owner.deadlines
        self._now = owner.deadlines.now
        self._codec = ClientConnection(self, owner.limits, self._now, counts, streams_at_first)
        self._counts = counts
        self._users: dict[int, HTTP2Stream] = {}
        """The open streams, by number."""

        self._touched: list[HTTP2Stream] = []
        """Streams that have got a piece of a body since the last flush."""

        self._is_busy = False
        self._is_stalled = False
        self._stalled_until = NEVER
        """When the endpoint must have read some of what waits; of a connection that is stalled."""

        self._is_lost = False
        self._is_closing = False
        self._is_leaving = False
        """Whether no further stream is opened."""

        self.at = self._input_at = self._ended_at = self._now()
        self._looks_soon = False
        """Whether the deadline is that of the next look at streams, which there may be or not."""

        self._has_untried = False
        """Whether a request was begun since the last PING, so that silence is suspicious."""

        self._early_pings = 0
        self._ping_at = NEVER
        """When the answer to a PING must have come."""

        self.awaits_turn = False
        self._resuming: list[HTTP2Stream] = []

    def __repr__(self) -> str:
        return f"<HTTP2Upstream {self._owner.endpoint} {self._codec}>"

    @property
    def endpoint(self) -> Endpoint:
        """The endpoint at the other end."""
        return self._owner.endpoint

    @property
    def stream_count(self) -> int:
        """OpenConnection."""
        return len(self._users)

    # The pool's side.

    @property
    def room(self) -> int:
        """How many more streams may be opened now."""
        return 0 if self._is_leaving or self._is_lost else self._codec.room

    @property
    def max_streams(self) -> int:
        """How many streams the endpoint takes at once, as far as it has said."""
        return self._codec.settings.max_streams

    @property
    def is_in_use(self) -> bool:
        """Whether a request is in flight."""
        return bool(self._users)

    def leave(self) -> None:
        """Open no further stream, and close after those that are open."""
        self._is_leaving = True
        self._close_if_done()

    # SharedConnection.

    def open(
        self,
        user: HTTP2Stream,
        block: bytes,
        *,
        is_end: bool,
        is_of_head: bool,
    ) -> Stream:
        stream = self._codec.open(user, block, is_end=is_end, is_of_head=is_of_head)
        self._users[stream.stream_id] = user
        self._has_untried = True
        if not self._looks_soon:
            self._set_deadline()
        self.flush_soon()
        return stream

    def touched(self, user: HTTP2Stream) -> None:
        self._touched.append(user)
        self._early_pings = 0

    def resume_soon(self, user: HTTP2Stream) -> None:
        self._resuming.append(user)
        self._plan_turn()

    def closed(self, user: HTTP2Stream, stream: Stream) -> None:
        if stream.stream_id in self._users:
            del self._users[stream.stream_id]
        stream.events = NOBODY
        if not self._is_busy:
            self._ended_at = self._now()
            self._close_if_done()
            self._set_deadline()

    def flush_soon(self) -> None:
        if not self._is_busy:
            self._plan_turn()

    def _plan_turn(self) -> None:
        if self._resuming or not self._is_lost:
            # Other streams will have something to send in this turn, too: one write for all.
            self._deadlines.turn_end.tell(self)

    def turn_ended(self) -> None:
        """TurnUser."""
        if self._is_lost and not self._resuming:
            return
        if self._resuming:
            resuming, self._resuming = self._resuming, []
            self.at = self._now()
            for user in resuming:
                user.resume()
            self._tell_touched()
        self._settle()

    # Twisted's side.

    def connectionMade(self) -> None:
        """IProtocol."""
        self.transport.registerProducer(self, True)
        self._deadlines.watch(self)
        self._counts.opened(self)
        self._set_deadline()
        self._flush()
        self._shared.opened(self)

    def dataReceived(self, data: bytes) -> None:
        """IProtocol."""
        if self._is_closing:
            return
        self.at = self._input_at = self._now()
        self._is_busy = True
        try:
            self._codec.receive(data)
        except Exception:
            self.log.failure("The input of {connection} could not be handled", connection=self)
            self._is_busy = False
            self._fail(EndpointClosed("The proxy failed."))
            return
        self._is_busy = False
        self._tell_touched()
        self._settle()

    def _tell_touched(self) -> None:
        touched, self._touched = self._touched, []
        for user in touched:
            user.flush()

    def readConnectionLost(self) -> None:
        """IHalfCloseableProtocol: the endpoint sends no more."""
        self._fail(EndpointClosed(_GONE))

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        """IProtocol."""
        self._is_lost = True
        self._deadlines.forget(self)
        self._counts.closed(self)
        self._shared.left(self)
        self._fail_streams(EndpointClosed(_GONE))

    # ClientEvents.

    def going_away(self, code: int) -> None:
        self._is_leaving = True
        self._shared.left(self)

    def ping_answered(self, data: bytes) -> None:
        self._ping_at = NEVER

    # Output and endings.

    def _settle(self) -> None:
        """Send what is to be sent, and end the connection if it is over."""
        self._flush()
        codec = self._codec
        if codec.is_over and not self._is_closing:
            detail = str(codec.fault) if codec.fault is not None else _GONE
            self._fail(EndpointClosed(f"The endpoint broke the protocol: {detail}"))
            return
        self._close_if_done()
        self._set_deadline()

    def _flush(self) -> None:
        codec = self._codec
        output = codec.output
        while output.has_some and not output.is_blocked and not self._is_lost:
            out = codec.take()
            if not out:
                break
            self.transport.write(out)
            for stream in output.take_drained():
                stream.events.output_drained()

    def _close_if_done(self) -> None:
        if self._is_leaving and not self._users and not self._is_closing and not self._is_lost:
            self._codec.close()
            self._flush()
            self._close()

    def _close(self) -> None:
        self._is_closing = True
        self._shared.left(self)
        self.deadline = self._now() + self._owner.limits.upstream_send_timeout
        self.transport.unregisterProducer()
        self.transport.loseConnection()

    def _fail(self, error: PeerError) -> None:
        """End the connection, and all of its streams."""
        if self._is_closing or self._is_lost:
            return
        self._is_closing = self._is_leaving = True
        self._shared.left(self)
        self._flush()
        self.deadline = NEVER
        self.transport.abortConnection()
        self._fail_streams(error)

    def _fail_streams(self, error: PeerError) -> None:
        for user in list(self._users.values()):
            if not user.has_all:
                user.fail(error)

    # Deadlines.

    def _set_deadline(self) -> None:
        # Not later than it is: however much goes on, each stream is looked at.
        if self._looks_soon or self._is_closing or self._is_lost:
            return
        if self._users:
            self._looks_soon = True
            self.deadline = min(self.deadline, self._now() + SWEEP)
        elif not self._is_stalled:
            self.deadline = max(self._input_at, self._ended_at) + self._owner.idle_timeout

    def deadline_passed(self) -> None:
        """Timed."""
        now = self._now()
        if self._is_closing:
            self.deadline = NEVER
            self.transport.abortConnection()
            return
        if self._is_stalled and self._stalled_until <= now:
            if not self.has_peer_read():
                self._fail(EndpointTimeout("The endpoint does not read."))
                return
            self._stalled_until = now + self._owner.limits.upstream_send_timeout
        if self._users:
            self._look_at_streams(now)
        elif self._is_stalled:
            self._looks_soon = False
            self.deadline = self._stalled_until
        else:
            self._looks_soon = False
            self._set_deadline()
            if self.deadline <= now:
                # At once, because a call could take it until the reactor has closed it.
                self.leave()

    def _look_at_streams(self, now: float) -> None:
        self._looks_soon = True
        self.deadline = now + SWEEP
        # A PING would wait behind what one that is stalled has yet to read.
        if not self._is_stalled and self._is_silent(now):
            self._fail(EndpointTimeout(_SILENT))
            return
        for user in list(self._users.values()):
            if user.has_expired(now):
                user.expire(EndpointTimeout(_NO_PROGRESS))
        self._settle()

    def _is_silent(self, now: float) -> bool:
        """Return whether a PING was not answered in time; send one if it is time for that."""
        if self._ping_at <= now:
            return True
        if self._ping_at == NEVER and self._is_ping_due(now - self._input_at):
            self._ping_at = now + self._owner.limits.http2_ping_timeout
            self._codec.ping(_PING)
        return False

    def _is_ping_due(self, silence: float) -> bool:
        """:param silence: seconds without input."""
        limits = self._owner.limits
        if silence > limits.http2_ping_pause:
            return True
        if silence <= limits.http2_ping_interval or not self._has_untried:
            return False
        self._has_untried = False
        self._early_pings += 1
        return self._early_pings <= EARLY_PINGS

    # IPushProducer, of request bodies: the transport's buffer is full, or empty again.

    def pauseProducing(self) -> None:
        self._is_stalled = self._codec.output.is_blocked = True
        self.has_peer_read()
        now = self._now()
        self._stalled_until = now + self._owner.limits.upstream_send_timeout
        self._looks_soon = True
        self.deadline = min(self._stalled_until, now + SWEEP)

    def resumeProducing(self) -> None:
        self._is_stalled = self._codec.output.is_blocked = False
        if not self._is_closing:
            self._settle()
