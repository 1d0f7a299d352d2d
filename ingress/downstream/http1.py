"""
A client's connection in HTTP/1.1: requests in, responses out, in order.

`ingress.downstream.http1_state` has its states and how they follow one another.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar, Final

from twisted.internet.protocol import connectionDone
from twisted.logger import Logger
from twisted.python.failure import Failure

from ingress.deadline import NEVER
from ingress.downstream.clients import Clients
from ingress.downstream.http1_state import (
    ANSWERING,
    CLOSING,
    LINGERING,
    LOST,
    TUNNELLING,
    WAITING,
    patience,
)
from ingress.downstream.input_gate import InputGate
from ingress.downstream.prior_knowledge import hand_over, speaks_http2
from ingress.encoded_fields import FieldLines
from ingress.errors import InternalError, PeerError, RequestTimeout
from ingress.exchange.client import Client
from ingress.exchange.exchange_resources import ExchangeResources
from ingress.exchange.fields import interim_fields
from ingress.exchange.new_exchange import new_exchange
from ingress.exchange.own_answer import refuse_client
from ingress.exchange.response_writer import RequestReader, ResponseWriter
from ingress.http1.decoder import RequestDecoder
from ingress.http1.encoder import ResponseEncoder
from ingress.message import Request, Response
from ingress.telemetry.record import ExchangeRecord
from ingress.transports.stream import StreamProtocol

MAX_PIPELINED: Final = 64 * 1024
"""Bytes of further requests that are kept while one is answered. Beyond them reading stops."""


class HTTP1Downstream(ResponseWriter, StreamProtocol):
    """
    One client connection. It is the ResponseWriter of the exchange under way.

    :param client: the client at the other end.
    """

    log: ClassVar[Logger] = Logger()

    def __init__(self, clients: Clients, exchanges: ExchangeResources, client: Client) -> None:
        self.deadline = NEVER
        self.state = WAITING
        self.address = client.name
        self._unsent = 0
        self._clients = clients
        self._exchanges = exchanges
        self._deadlines = exchanges.calls.deadlines
        self._time = exchanges.time
        self._client = client
        self._limits = clients.limits
        self._decoder = RequestDecoder()
        self._encoder = ResponseEncoder()
        self._exchange: RequestReader | None = None
        """Takes what comes from the client: an exchange, or the tunnel that it has become."""

        self._request: Request | None = None
        self._request_count = 0
        self._is_last = False
        """Whether the connection ends with the response under way."""

        self._is_advancing = False
        self._gate = InputGate()
        self._is_stalled = False
        """Whether the send buffer is full because the client does not read."""

    def __repr__(self) -> str:
        return f"<HTTP1Downstream {self.address} {self.state.name} {self._exchange}>"

    @property
    def activity(self) -> str:
        """ClientConnection."""
        idle = "reading" if self._decoder.waiting else "waiting"
        return idle if self._exchange is None else "writing"

    def in_flight(self) -> Sequence[ExchangeRecord]:
        """ClientConnection."""
        return () if self._exchange is None else (self._exchange.get_record(),)

    @property
    def _has_closed(self) -> bool:
        """Whether nothing is read or answered any more."""
        state = self.state
        return state is LINGERING or state is CLOSING or state is LOST

    # Twisted's side.

    def connectionMade(self) -> None:
        """IProtocol."""
        self.transport.registerProducer(self, True)
        self._clients.connections.add(self)
        self._deadlines.watch(self)
        self._restart_deadline()

    def dataReceived(self, data: bytes) -> None:
        """IProtocol."""
        state = self.state
        if state is WAITING or state is ANSWERING:
            self._decoder.waiting += data
            self._advance()
        elif state is TUNNELLING and self._exchange is not None:
            self._exchange.tunnel_sent(data)

    def readConnectionLost(self) -> None:
        """IHalfCloseableProtocol: the client sends no more, and may still read."""
        self._gate.is_over = True
        if self._has_closed:
            self._lose_connection()
        elif self._decoder.is_in_body:
            # The request is not whole, and will not be.
            self.cut()
        elif self._exchange is not None:
            self._exchange.client_finished()
        else:
            self._advance()

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        """IProtocol."""
        self.state = LOST
        self._deadlines.forget(self)
        exchange, self._exchange = self._exchange, None
        if exchange is not None:
            exchange.client_lost()
        # Last: with the last connection the process may end, and take its log with it.
        self._clients.connections.discard(self)

    # Requests.

    def _advance(self) -> None:
        """Handle as much of the input as possible now, and keep the rest."""
        decoder, self._is_advancing = self._decoder, True
        try:
            while decoder.waiting and not self._has_closed:
                if not (self._take_body() if decoder.is_in_body else self._take_head()):
                    break
        except PeerError as error:
            self._refuse(error)
        except Exception:
            self.log.failure("A request of {connection} could not be served", connection=self)
            self._refuse(InternalError("The proxy failed."))
        finally:
            self._is_advancing = False
        if self._has_closed:
            return
        # An incomplete head has a limit of its own.
        is_full = len(decoder.waiting) > MAX_PIPELINED and not decoder.is_in_head
        if is_full is not self._gate.is_full:
            self._gate.is_full = is_full
            self._gate.apply(self.transport)
        if self._gate.is_over and self._exchange is None and not self._is_stalled:
            self._lose_connection()
        elif self._clients.is_draining:
            self.close_if_idle()

    def _take_head(self) -> bool:
        """:return: whether more of the input may be handled at once."""
        # A client that leaves responses unread gets no further one.
        if self._exchange is not None or self._is_stalled:
            return False
        decoder = self._decoder
        was_in_head = decoder.is_in_head
        if (request := decoder.take_head(self._limits)) is not None:
            self._begin(request)
            return True
        if decoder.is_in_head and not was_in_head:
            self._restart_deadline()
        return False

    def _begin(self, request: Request) -> None:
        self._limits, self._request = self._clients.limits, request
        self._request_count += 1
        exchange = self._exchange = new_exchange(self._exchanges, self, self._client, request)
        self.state = ANSWERING
        self.deadline = NEVER
        if self._decoder.is_in_body:
            self._restart_deadline()
        exchange.begin()

    def _take_body(self) -> bool:
        exchange, body = self._exchange, self._decoder.take_body()
        assert exchange is not None
        if body:
            exchange.body_received(body)
        if not self._decoder.is_in_body:
            exchange.body_ended(self._decoder.trailers)
        self._restart_deadline()
        return not self._decoder.is_in_body

    def _refuse(self, error: PeerError) -> None:
        """Answer a client that broke the rules, if that is still possible, and close."""
        waiting = self._decoder.waiting
        if not self._request_count and speaks_http2(waiting, self._client, self._limits):
            self.state = LOST
            hand_over(self, self._clients, self._exchanges, self._client, waiting)
            return
        self._is_last = True
        if self._exchange is not None:
            self._exchange.refuse(error)
            return
        seen, timeout = self._decoder.first_line(), self._limits.head_timeout
        refuse_client(self._exchanges, self, self._client, error, seen, len(waiting), timeout)

    # ResponseWriter.

    def send_interim(self, response: Response) -> None:
        # RFC 9110 section 15.2: HTTP/1.0 has no interim responses.
        if self._request is not None and not self._request.is_http_10:
            self._encoder.interim(response.status, response.reason, interim_fields(response))
            self.flush()

    def send_head(
        self, status: int, reason: bytes, fields: FieldLines, body_length: int | None
    ) -> None:
        request = self._request
        is_http_10 = request is not None and request.is_http_10
        if (
            request is None
            or not request.keep_alive
            # The rest of an unread body could not be told from the next head.
            or self._decoder.is_in_body
            or (body_length is None and is_http_10)
            or self._request_count >= self._limits.keep_alive_requests
            or (self._gate.is_over and not self._decoder.waiting)
            or self._clients.is_draining
        ):
            self._is_last = True
        self._encoder.head(
            status, reason, fields, body_length, is_http_10=is_http_10, closes=self._is_last
        )

    def send_body(self, data: bytes) -> None:
        self._encoder.body(data)

    def flush(self) -> None:
        if out := self._encoder.take():
            self.transport.write(out)

    def end(self, trailers: FieldLines) -> None:
        decoder = self._decoder
        self.transport.write(self._encoder.end(trailers))
        self._exchange = self._request = None
        if self.state is LOST:
            return  # It was cut in the same turn: nothing that waits behind is answered.
        if self._is_last or self.state is TUNNELLING or decoder.is_in_body:
            self._close()
            return
        self.state = WAITING
        if self._gate.is_paused:
            self.resume_request()
        elif not self._is_stalled:
            self.deadline = self._time.now + self._limits.keep_alive_timeout
        if not self._is_advancing and (
            decoder.waiting or self._gate.is_over or self._clients.is_draining
        ):
            self._advance()

    def switch(self, fields: FieldLines, tunnel: RequestReader) -> None:
        self._exchange = tunnel
        self.state = TUNNELLING
        self._encoder.switched(fields)
        self.flush()
        if rest := self._decoder.take_rest():
            tunnel.tunnel_sent(rest)
        self._gate.is_full = False
        self._gate.apply(self.transport)
        if self._gate.is_over:
            tunnel.client_finished()

    def send_raw(self, data: bytes) -> None:
        self.transport.write(data)

    def end_raw(self) -> None:
        self.transport.loseWriteConnection()

    def abort(self, code: int = 0) -> None:
        self._exchange = None
        if self._encoder.ends_with_connection:
            # Only a reset tells such a client that this is not the end of the body.
            self.cut()
        else:
            self.flush()
            self._lose_connection()

    def pause_request(self) -> None:
        self._gate.is_paused = True
        self._gate.apply(self.transport)
        self._restart_deadline()

    def resume_request(self) -> None:
        if self._gate.is_paused:
            self._gate.is_paused = False
            self._gate.apply(self.transport)
            self._restart_deadline()

    # Endings.

    def close_if_idle(self) -> None:
        """ClientConnection: wait neither for another request nor for the rest of a refused one."""
        if self._exchange is None and (self._has_closed or not self._decoder.waiting):
            self._lose_connection()

    def cut(self) -> None:
        """ClientConnection."""
        self.state = LOST
        self.transport.abortConnection()

    def _lose_connection(self) -> None:
        """Close once everything written has been sent, within the time that a send may take."""
        self.state = CLOSING
        self.has_peer_read()
        self.deadline = self._time.now + self._patience()
        self.transport.unregisterProducer()
        self.transport.loseConnection()

    def _close(self) -> None:
        """
        Close once everything written has reached the client.

        Closing a socket with unread input resets it, and the reset can overtake the response. The
        write side therefore closes first, and input is discarded for a while (RFC 9112, 9.6).
        """
        # In `_advance` it is not known yet what the client sent behind this request.
        is_input_left = self._decoder.is_in_body or self._decoder.take_rest()
        if not is_input_left and not self._is_advancing:
            self._lose_connection()
            return
        self.state = LINGERING
        self.transport.resumeProducing()
        if not self._is_stalled:
            self._linger()

    def _linger(self) -> None:
        self.deadline = self._time.now + self._patience()
        self.transport.unregisterProducer()
        self.transport.loseWriteConnection()

    # Deadlines.

    def _patience(self) -> float:
        """Return for how many seconds the current state may last."""
        return patience(
            self.state,
            self._limits,
            is_stalled=self._is_stalled,
            is_in_head=self._decoder.is_in_head,
            is_in_body=self._decoder.is_in_body and not self._gate.is_paused,
        )

    def _restart_deadline(self) -> None:
        """Give the current state its whole time; that of a stalled client goes on running."""
        if not self._is_stalled and not self._has_closed:
            self.deadline = self._time.now + self._patience()

    def deadline_passed(self) -> None:
        """Timed."""
        self.deadline = NEVER
        if self._has_closed or self._is_stalled:
            if self.has_peer_read():
                self.deadline = self._time.now + self._limits.send_timeout
            else:
                self.cut()
        elif self._exchange is not None or self._decoder.waiting:
            self._refuse(RequestTimeout("The request took too long to arrive."))
        else:
            self._lose_connection()

    # IPushProducer, of responses: the transport's buffer is full, or empty again.

    def pauseProducing(self) -> None:
        self._is_stalled = True
        self.has_peer_read()
        self.deadline = self._time.now + self._patience()
        if self._exchange is not None:
            self._exchange.pause_response()

    def resumeProducing(self) -> None:
        self._is_stalled = False
        if self._has_closed:
            self._linger()
            return
        self._restart_deadline()
        if self._exchange is not None:
            self._exchange.resume_response()
        else:
            self._advance()
