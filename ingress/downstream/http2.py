"""
A client's connection in HTTP/2: each stream is one exchange.

`ingress.downstream.http2_state` has its states, `ingress.http2.server` the protocol.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar, Final

from twisted.internet.interfaces import IDelayedCall
from twisted.internet.protocol import connectionDone
from twisted.logger import Logger
from twisted.python.failure import Failure

from ingress.deadline import NEVER
from ingress.downstream.clients import Clients
from ingress.downstream.http2_state import CLOSING, LEAVING, LINGERING, LOST, OPEN, idle_time
from ingress.downstream.http2_stream import StreamConnection, StreamWriter, upgrade_request
from ingress.errors import InternalError, PeerError
from ingress.exchange.client import Client
from ingress.exchange.exchange_resources import ExchangeResources
from ingress.exchange.new_exchange import new_exchange
from ingress.exchange.own_answer import refuse_client
from ingress.http2.fault import CANCEL, ENHANCE_YOUR_CALM, ConnectionFault
from ingress.http2.server import ServerConnection, ServerEvents
from ingress.http2.stream import NOBODY, Stream
from ingress.message import Request
from ingress.telemetry.record import ExchangeRecord
from ingress.transports.stream import StreamProtocol
from ingress.transports.turn_end import TurnUser

SWEEP: Final = 1.0
"""Seconds between two looks at the times of open streams."""


class HTTP2Downstream(ServerEvents, StreamProtocol, StreamConnection, TurnUser):
    """
    One client connection.

    :param client: the client at the other end.
    """

    log: ClassVar[Logger] = Logger()

    def __init__(self, clients: Clients, exchanges: ExchangeResources, client: Client) -> None:
        self.deadline = NEVER
        self.state = OPEN
        self.address = client.name
        self._unsent = 0
        self._clients = clients
        self._exchanges = exchanges
        self._deadlines = exchanges.calls.deadlines
        self._now = exchanges.now
        self._client = client
        self._limits = limits = clients.limits
        self._codec = ServerConnection(
            self, limits, limits.http2_streams, exchanges.now, clients.http2
        )
        self._writers: dict[int, StreamWriter] = {}
        """The streams with exchanges, by number."""

        self._request_count = 0
        self._is_busy = False
        """Whether everything that is to be sent will be, at the end of the call under way."""

        self._is_input_over = False
        self._is_stalled = False
        self._idle_since = self._now()
        self._head_since = NEVER
        """When the field block that is incomplete began."""

        self._looks_soon = False
        """Whether the deadline is that of the next look at streams, which there may be or not."""

        self._resuming: list[StreamWriter] = []
        self.awaits_turn = False
        self._leaving: IDelayedCall | None = None

    def __repr__(self) -> str:
        return f"<HTTP2Downstream {self.address} {self.state.name} {self._codec}>"

    @property
    def activity(self) -> str:
        """ClientConnection."""
        return "writing" if self._writers else "waiting"

    def in_flight(self) -> Sequence[ExchangeRecord]:
        """ClientConnection."""
        return [
            each.reader.get_record() for each in self._writers.values() if each.reader is not None
        ]

    @property
    def _has_closed(self) -> bool:
        """Whether nothing is read or answered any more."""
        return self.state is not OPEN and self.state is not LEAVING

    # Twisted's side.

    def connectionMade(self) -> None:
        """IProtocol."""
        self.transport.registerProducer(self, True)
        self._clients.connections.add(self)
        self._clients.http2.opened(self._codec)
        self._deadlines.watch(self)
        self._set_deadline()
        self._flush()

    def dataReceived(self, data: bytes) -> None:
        """IProtocol."""
        if self._has_closed:
            return
        self._is_busy = True
        try:
            self._codec.receive(data)
            self._codec.begin()
        except Exception:
            self.log.failure("The input of {connection} could not be handled", connection=self)
            self.cut()
            return
        finally:
            self._is_busy = False
        self._settle()

    def readConnectionLost(self) -> None:
        """IHalfCloseableProtocol: the client sends no more, and may still read."""
        self._is_input_over = True
        if self._has_closed:
            self._lose_connection()
            return
        self._settle()

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        """IProtocol."""
        self.state = LOST
        self._deadlines.forget(self)
        if self._leaving is not None and self._leaving.active():
            self._leaving.cancel()
        self._lose_streams()
        self._codec.let_go()
        self._resuming.clear()
        self._clients.http2.closed(self._codec)
        # Last: with the last connection the process may end, and take its log with it.
        self._clients.connections.discard(self)

    # ServerEvents.

    def request_received(self, stream: Stream, request: Request) -> None:
        limits = self._clients.limits
        if limits is not self._limits:
            self._limits = self._codec.limits = limits
        self._request_count += 1
        if request.wants_websocket:
            request = upgrade_request(request, self._exchanges.calls.random.randbytes(16))
        writer = StreamWriter(self, stream)
        self._writers[stream.stream_id] = writer
        stream.events = writer
        exchange = new_exchange(self._exchanges, writer, self._client, request)
        writer.reader = exchange
        try:
            exchange.begin()
        except Exception:
            self.log.failure("A request of {connection} could not be served", connection=self)
            writer.refuse(InternalError("The proxy failed."))
        if request.has_body and writer.wants_input and not stream.is_closed:
            stream.resume_input()
            if writer.awaits_body:
                self.restart_body_deadline(writer)

    def request_refused(self, stream: Stream, error: PeerError) -> None:
        writer = StreamWriter(self, stream)
        writer.refused(error)
        line, media_type = stream.line, stream.media_type
        refuse_client(self._exchanges, writer, self._client, error, line, media_type=media_type)

    # StreamConnection.

    def flush_soon(self) -> None:
        if self._is_busy or self.awaits_turn or self._has_closed:
            return
        if len(self._codec.streams) <= 1:
            self._settle()
        else:
            self._deadlines.turn_end.tell(self)

    def resume_soon(self, writer: StreamWriter) -> None:
        self._resuming.append(writer)
        if not self._has_closed:
            self._deadlines.turn_end.tell(self)

    def restart_body_deadline(self, writer: StreamWriter) -> None:
        writer.deadline = self._now() + self._limits.body_timeout

    def stream_ended(self, writer: StreamWriter) -> None:
        stream, writers = writer.stream, self._writers
        stream.events = NOBODY
        if stream.stream_id in writers:
            del writers[stream.stream_id]

    def turn_ended(self) -> None:
        """TurnUser."""
        if self.state is LOST:
            return
        resuming, self._resuming = self._resuming, []
        self._is_busy = True
        try:
            for writer in resuming:
                if writer.wants_input and writer.reader is not None:
                    if not writer.is_tunnel:
                        self.restart_body_deadline(writer)
                    writer.stream.resume_input()
        finally:
            self._is_busy = False
        self._settle()

    # Output.

    def _settle(self) -> None:
        """Send what is to be sent, and begin or end what waited for that."""
        self._flush()
        codec = self._codec
        if self._is_input_over:
            for stream in codec.unfinishable():
                self._lose_stream(stream)
            self._flush()
        if self._has_closed:
            return
        if codec.is_over:
            self._lose_streams()
            self._linger()
            return
        if codec.has_new and not self._is_stalled:
            self._is_busy = True
            codec.begin()
            self._is_busy = False
            self._flush()
        if (
            self._request_count >= self._limits.keep_alive_requests or self._clients.is_draining
        ) and not codec.is_leaving:
            self._leave()
        if (codec.has_left or self._is_input_over) and not codec.streams and not codec.has_new:
            self._finish()
        else:
            self._set_deadline()

    def _flush(self) -> None:
        codec = self._codec
        output = codec.output
        self._is_busy = True
        while output.has_some and not output.is_blocked:
            out = codec.take()
            if not out:
                break
            self.transport.write(out)
            for stream in output.take_drained():
                stream.events.output_drained()
        self._is_busy = False

    # Endings.

    def close_if_idle(self) -> None:
        """ClientConnection: take no further requests, and close after those under way."""
        if self._has_closed:
            self._lose_connection()
        else:
            self._leave()
            self._flush()

    def cut(self) -> None:
        """ClientConnection."""
        self.state = LOST
        self.transport.abortConnection()

    def _leave(self) -> None:
        """Send the first GOAWAY; the second one follows."""
        if not self._codec.is_leaving:
            self.state = LEAVING
            self._codec.leave()
            delay = self._limits.http2_goaway_time
            self._leaving = self._deadlines.clock.callLater(delay, self._finish_leaving)
            self._flush()

    def _finish_leaving(self) -> None:
        self._leaving = None
        if not self._has_closed:
            self._codec.finish_leaving()
            self._settle()

    def _finish(self) -> None:
        """Nothing is under way, and nothing more will be: end the connection."""
        self._codec.close()
        self._flush()
        if not self._has_closed:
            self._linger()

    def _linger(self) -> None:
        """Close once everything has reached the client: unread input would reset the socket."""
        if self._is_input_over:
            self._lose_connection()
            return
        self.state = LINGERING
        if not self._is_stalled:
            self._end_output()

    def _end_output(self) -> None:
        self.deadline = self._now() + self._limits.linger_timeout
        self.transport.unregisterProducer()
        self.transport.loseWriteConnection()

    def _lose_connection(self) -> None:
        self.state = CLOSING
        self.has_peer_read()
        self.deadline = self._now() + self._limits.send_timeout
        self.transport.unregisterProducer()
        self.transport.loseConnection()

    def _lose_streams(self) -> None:
        """The exchanges of all streams end: nobody takes their responses any more."""
        for stream in list(self._codec.streams.values()):
            stream.events.stream_reset(CANCEL)

    def _lose_stream(self, stream: Stream) -> None:
        """End a stream whose client is gone, or does not read."""
        events = stream.events
        stream.reset(CANCEL)
        events.stream_reset(CANCEL)

    # Deadlines.

    def _set_deadline(self) -> None:
        """Bound the current state; that of a stalled client is bounded already."""
        if self._is_stalled or self._has_closed:
            return
        codec = self._codec
        if not codec.is_in_head:
            self._head_since = NEVER
        elif self._head_since == NEVER:
            self._head_since = self._now()
        if codec.streams:
            self._idle_since = NEVER
        elif self._idle_since == NEVER:
            self._idle_since = self._now()
        if self._looks_soon:
            return
        if codec.streams:
            self._looks_soon = True
            # Not later than it is: however much goes on, each stream is looked at.
            self.deadline = min(self.deadline, self._now() + SWEEP)
            return
        self.deadline = self._idle_since + idle_time(self._limits, codec.last_id)
        if self._head_since != NEVER:
            self.deadline = min(self.deadline, self._head_since + self._limits.head_timeout)

    def deadline_passed(self) -> None:
        """Timed."""
        self.deadline, self._looks_soon = NEVER, False
        now = self._now()
        if self._is_stalled or self.state is CLOSING:
            if self.has_peer_read():
                self.deadline = now + self._limits.send_timeout
            else:
                self.cut()
        elif self.state is LINGERING:
            self.cut()
        elif self._head_since + self._limits.head_timeout <= now:
            self._codec.fail(ConnectionFault(ENHANCE_YOUR_CALM, "A head took too long to arrive."))
            self._settle()
        elif self._codec.streams:
            self._look_at_streams(now)
        elif self._idle_since + idle_time(self._limits, self._codec.last_id) <= now:
            self._finish()
        else:
            self._set_deadline()

    def _look_at_streams(self, now: float) -> None:
        """End the streams whose client is too slow."""
        for stream in self._codec.stalled(now - self._limits.send_timeout):
            self._lose_stream(stream)
        for writer in list(self._writers.values()):
            if writer.deadline <= now:
                writer.deadline_passed()
        self._settle()

    # IPushProducer, of responses: the transport's buffer is full, or empty again.

    def pauseProducing(self) -> None:
        self._is_stalled = self._codec.output.is_blocked = True
        self._looks_soon = False
        self.has_peer_read()
        self.deadline = self._now() + self._limits.send_timeout

    def resumeProducing(self) -> None:
        self._is_stalled = self._codec.output.is_blocked = False
        self.deadline = NEVER
        if self.state is LINGERING:
            self._end_output()
        elif not self._has_closed:
            self._settle()
