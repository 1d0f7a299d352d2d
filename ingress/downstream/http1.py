"""
A client's connection in HTTP/1.1: requests in, responses out, in order.
"""

from __future__ import annotations

from typing import ClassVar, Final

from twisted.internet.interfaces import IHandshakeListener
from twisted.internet.protocol import connectionDone
from twisted.logger import Logger
from twisted.python.failure import Failure
from zope.interface import classImplements

from ingress.deadline import NEVER
from ingress.encoded_fields import FieldLines
from ingress.errors import InternalError, PeerError, RequestTimeout
from ingress.exchange.client import Client
from ingress.exchange.data_plane import DataPlane
from ingress.exchange.exchange import Exchange
from ingress.exchange.headers import interim_fields
from ingress.exchange.own_answer import refuse_client
from ingress.exchange.tunnel import Tunnel
from ingress.http1.decoder import RequestDecoder
from ingress.http1.encoder import ResponseEncoder
from ingress.message import Request, Response
from ingress.stream_protocol import StreamProtocol

MAX_PIPELINED: Final = 64 * 1024
"""Bytes of further requests that are kept while one is answered; then reading stops."""


class HTTP1Downstream(StreamProtocol):
    """
    One client connection. It is the ResponseWriter of the exchange under way.

    :param client: who is at the other end.
    """

    log: ClassVar[Logger] = Logger()
    _is_advancing = False

    def __init__(self, plane: DataPlane, client: Client) -> None:
        self.deadline = NEVER
        self.address = client.address.decode("ascii")
        self._plane = plane
        self._now = plane.deadlines.now
        self._client = client
        self._limits = plane.limits
        self._decoder = RequestDecoder()
        self._encoder = ResponseEncoder()
        self._exchange: Exchange | Tunnel | None = None
        self._request: Request | None = None
        self._request_count = 0
        self._tunnel: Tunnel | None = None
        """What the exchange has turned into; it is in `_exchange`, too."""

        self._is_request_paused = False
        """Whether the exchange wants no more from the client for now."""

        self._is_full = False
        """Whether more has come than is kept while a request is answered."""

        self._is_stalled = False
        """Whether the client has left a full send buffer as it is."""

        self._is_input_over = False
        self._is_closing = False
        """Whether the connection ends with the response under way."""

        self._has_closed = False
        """Whether nothing is read or answered any more."""

    def __repr__(self) -> str:
        return f"<HTTP1Downstream {self.address} exchange={self._exchange}>"

    @property
    def activity(self) -> str:
        """ClientConnection."""
        idle = "reading" if self._decoder.waiting else "waiting"
        return idle if self._exchange is None else "writing"

    # Twisted's side.

    def connectionMade(self) -> None:
        """IProtocol."""
        self.transport.registerProducer(self, True)
        self._plane.connections.add(self)
        self._plane.deadlines.watch(self)
        limits, is_secure = self._limits, self._client.is_secure
        self._set_deadline(limits.tls_handshake_timeout if is_secure else limits.head_timeout)

    def handshakeCompleted(self) -> None:
        """IHandshakeListener."""
        self._restart_deadline()

    def dataReceived(self, data: bytes) -> None:
        """IProtocol."""
        if self._has_closed:
            return
        if self._tunnel is not None:
            self._tunnel.tunnel_sent(data)
            return
        self._decoder.waiting += data
        self._advance()

    def readConnectionLost(self) -> None:
        """IHalfCloseableProtocol: the client sends no more, and may still read."""
        self._is_input_over = True
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
        self._has_closed = True
        self._plane.deadlines.forget(self)
        exchange, self._exchange, self._tunnel = self._exchange, None, None
        if exchange is not None:
            exchange.client_lost()
        # Last: with the last connection the process may end, and take its log with it.
        self._plane.connections.discard(self)

    # Requests.

    def _advance(self) -> None:
        """Take what can be taken now; the rest is kept."""
        decoder = self._decoder
        self._is_advancing = True
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
        # A head that is waited for has a limit of its own.
        is_full = len(decoder.waiting) > MAX_PIPELINED and not decoder.is_in_head
        if is_full is not self._is_full:
            self._is_full = is_full
            self._update_reading()
        if self._is_input_over and self._exchange is None and not self._is_stalled:
            self._lose_connection()
        elif self._plane.is_draining:
            self.close_if_idle()

    def _take_head(self) -> bool:
        """:return: whether there may be more to take."""
        # While the client leaves answers unread there is no next one for it.
        if self._exchange is not None or self._is_stalled:
            return False
        decoder = self._decoder
        was_in_head = decoder.is_in_head
        request = decoder.take_head(self._limits)
        if request is not None:
            self._begin(request)
            return True
        if decoder.is_in_head and not was_in_head:
            self._restart_deadline()
        return False

    def _begin(self, request: Request) -> None:
        plane = self._plane
        self._limits = plane.limits
        self._request = request
        self._request_count += 1
        exchange = self._exchange = Exchange(plane, self, self._client, request)
        self.deadline = NEVER
        if self._decoder.is_in_body:
            self._restart_deadline()
        exchange.begin()

    def _take_body(self) -> bool:
        exchange = self._exchange
        assert isinstance(exchange, Exchange)
        body = self._decoder.take_body()
        if body:
            exchange.body_received(body)
        if not self._decoder.is_in_body:
            exchange.body_ended()
        self._restart_deadline()
        return not self._decoder.is_in_body

    def _refuse(self, error: PeerError) -> None:
        """The client broke the rules: answer if that is still possible, and close."""
        self._is_closing = True
        exchange = self._exchange
        if exchange is not None:
            assert isinstance(exchange, Exchange), "a tunnel has no rules"
            exchange.refuse(error)
            return
        answer, fields, body = refuse_client(self._plane, self._client, error, self._decoder)
        self.send_head(answer.status, answer.phrase, fields, len(body))
        self.send_body(body)
        self.end([])

    def _update_reading(self) -> None:
        if self._is_request_paused or self._is_full:
            self.transport.pauseProducing()
        elif not self._is_input_over:
            # Else the transport would tell of the end once more.
            self.transport.resumeProducing()

    # ResponseWriter.

    def send_interim(self, response: Response) -> None:
        # RFC 9110 section 15.2: a client of HTTP/1.0 cannot take one.
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
            # With an unread body, the next head could not be told from the body's rest.
            or self._decoder.is_in_body
            or (body_length is None and is_http_10)
            or self._request_count >= self._limits.keep_alive_requests
            or (self._is_input_over and not self._decoder.waiting)
            or self._plane.is_draining
        ):
            self._is_closing = True
        self._encoder.head(
            status, reason, fields, body_length, is_http_10=is_http_10, closes=self._is_closing
        )

    def send_body(self, data: bytes) -> None:
        self._encoder.body(data)

    def flush(self) -> None:
        out = self._encoder.take()
        if out:
            self.transport.write(out)

    def end(self, trailers: FieldLines) -> None:
        decoder = self._decoder
        self.transport.write(self._encoder.end(trailers))
        self._exchange = self._request = None
        if self._is_closing or self._tunnel is not None or decoder.is_in_body:
            self._close()
            return
        if self._is_request_paused:
            self.resume_request()
        elif not self._is_stalled:
            self.deadline = self._now() + self._limits.keep_alive_timeout
        if not self._is_advancing and (
            decoder.waiting or self._is_input_over or self._plane.is_draining
        ):
            self._advance()

    def switch(self, fields: FieldLines, tunnel: Tunnel) -> None:
        self._exchange = self._tunnel = tunnel
        self._encoder.switched(fields)
        self.flush()
        rest = self._decoder.take_rest()
        if rest:
            tunnel.tunnel_sent(rest)
        self._is_full = False
        self._update_reading()
        if self._is_input_over:
            tunnel.client_finished()

    def send_raw(self, data: bytes) -> None:
        self.transport.write(data)

    def end_raw(self) -> None:
        self.transport.loseWriteConnection()

    def abort(self) -> None:
        self._exchange = None
        self._has_closed = True
        if self._encoder.ends_with_connection:
            # Only a reset tells such a client that this is not the end of the body.
            self.transport.abortConnection()
        else:
            self.flush()
            self._lose_connection()

    def pause_request(self) -> None:
        self._is_request_paused = True
        self._update_reading()
        self._restart_deadline()

    def resume_request(self) -> None:
        if self._is_request_paused:
            self._is_request_paused = False
            self._update_reading()
            self._restart_deadline()

    # Endings.

    def close_if_idle(self) -> None:
        """ClientConnection: no further request is waited for, nor the rest of a refused one."""
        if self._exchange is None and (self._has_closed or not self._decoder.waiting):
            self._lose_connection()

    def cut(self) -> None:
        """ClientConnection."""
        self._has_closed = True
        self.transport.abortConnection()

    def _lose_connection(self) -> None:
        """Close when what is written has been sent, within the time that a send may take."""
        self._has_closed = True
        self.has_peer_read()
        self._set_deadline(self._limits.send_timeout)
        self.transport.unregisterProducer()
        self.transport.loseConnection()

    def _close(self) -> None:
        """
        Close after what is written has reached the client.

        Closing a socket with unread input resets it, and the reset can overtake the answer:
        so the write side closes first, and input is forgotten for a while (RFC 9112, 9.6).
        """
        # While advancing, what the client sent behind this request is not known yet.
        is_input_left = self._decoder.is_in_body or self._decoder.take_rest()
        if not is_input_left and not self._is_advancing:
            self._lose_connection()
            return
        self._has_closed = True
        self.transport.resumeProducing()
        if not self._is_stalled:
            self._linger()

    def _linger(self) -> None:
        self._set_deadline(self._limits.linger_timeout)
        self.transport.unregisterProducer()
        self.transport.loseWriteConnection()

    def deadline_passed(self) -> None:
        """Timed."""
        self.deadline = NEVER
        if self._has_closed or self._is_stalled:
            if self.has_peer_read():
                self._set_deadline(self._limits.send_timeout)
            else:
                self.transport.abortConnection()
        elif self._exchange is not None or self._decoder.waiting:
            self._refuse(RequestTimeout("The request took too long to arrive."))
        else:
            self._lose_connection()

    def _set_deadline(self, timeout: float) -> None:
        self.deadline = self._now() + timeout

    def _restart_deadline(self) -> None:
        """Give what is waited for now its whole time; a stalled client keeps its own."""
        if self._is_stalled or self._has_closed:
            return
        limits = self._limits
        if self._exchange is None:
            is_in_head = self._decoder.is_in_head
            self._set_deadline(limits.head_timeout if is_in_head else limits.keep_alive_timeout)
        elif self._decoder.is_in_body and not self._is_request_paused:
            self._set_deadline(limits.body_timeout)
        else:
            self.deadline = NEVER

    # IPushProducer, of responses: the transport's own buffer is full, or empty again.

    def pauseProducing(self) -> None:
        self._is_stalled = True
        self.has_peer_read()
        self._set_deadline(self._limits.send_timeout)
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


# Not as a decorator, for the class is compiled.
classImplements(HTTP1Downstream, IHandshakeListener)
