"""
A client's connection in HTTP/1.1: requests in, responses out, in order.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from twisted.internet.interfaces import IAddress, IPushProducer
from twisted.internet.protocol import Factory, Protocol, connectionDone
from twisted.logger import Logger
from twisted.python.failure import Failure
from zope.interface import implementer

from ingress.answer import Answer
from ingress.deadline import NEVER
from ingress.errors import InternalError, PeerError, RequestTimeout
from ingress.frontend.data_plane import DataPlane
from ingress.frontend.exchange import Exchange
from ingress.frontend.headers import Client, FieldLines, answer_fields, interim_fields, set_hsts
from ingress.http1.body import BodyDecoder
from ingress.http1.encoder import ResponseEncoder
from ingress.http1.head import (
    HEAD_END,
    check_unfinished_request_head,
    parse_request_head,
    skip_empty_lines,
)
from ingress.message import Request, Response

if TYPE_CHECKING:
    from twisted.internet.tcp import Connection

HEAD_TIMEOUT = 60.0
"""Seconds for the TLS handshake and the first head, or for a head once it has begun."""

BODY_TIMEOUT = 60.0
"""Seconds between two reads of a request's body: ``client-body-timeout``."""

KEEP_ALIVE_TIMEOUT = 75.0
"""Seconds that a connection may be idle between requests: nginx's ``keep-alive``."""

SEND_TIMEOUT = 60.0
"""Seconds that a client may leave a full send buffer as it is: ``send_timeout``."""

LINGER_TIMEOUT = 5.0
"""Seconds that a refused client has to read the answer (RFC 9112 section 9.6)."""

MAX_PIPELINED = 64 * 1024
"""Bytes of further requests that are kept while one is answered; then reading stops."""


@implementer(IPushProducer)
class HTTP1Downstream(Protocol):
    """
    One client connection. It is the ResponseWriter of the exchange under way.

    :param client: who is at the other end.
    """

    log = Logger()
    transport: Connection

    def __init__(self, plane: DataPlane, client: Client) -> None:
        self.deadline = NEVER
        self._plane = plane
        self._client = client
        self._buffer = b""
        """What has come and cannot be taken yet: part of a head, or further requests."""

        self._exchange: Exchange | None = None
        self._request: Request | None = None
        self._body: BodyDecoder | None = None
        self._encoder = ResponseEncoder()
        self._is_advancing = False
        self._is_in_head = True
        """Whether a head is waited for that has begun; the first begins with the connection."""

        self._is_request_paused = False
        """Whether the exchange wants no more of the request's body for now."""

        self._is_stalled = False
        """Whether the client has left a full send buffer as it is."""

        self._is_closing = False
        """Whether the connection ends with the response under way."""

        self._has_closed = False
        """Whether nothing is read or answered any more."""

    def __repr__(self) -> str:
        peer = self._client.address.decode("ascii")
        return f"<HTTP1Downstream {peer} exchange={self._exchange}>"

    # Twisted's side.

    def connectionMade(self) -> None:
        """IProtocol."""
        self.transport.registerProducer(self, True)
        self._plane.connections.add(self)
        self._plane.deadlines.watch(self)
        self._set_deadline(HEAD_TIMEOUT)

    def dataReceived(self, data: bytes) -> None:
        """IProtocol."""
        if self._has_closed:
            return
        self._advance(self._buffer + data if self._buffer else data)

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        """IProtocol."""
        self._has_closed = True
        self._plane.deadlines.forget(self)
        self._plane.connections.discard(self)
        exchange, self._exchange = self._exchange, None
        if exchange is not None:
            exchange.client_lost()

    # Requests.

    def _advance(self, data: bytes) -> None:
        """Take from `data` what can be taken now; keep the rest."""
        self._is_advancing = True
        try:
            while data and not self._has_closed:
                if self._body is not None:
                    data = self._read_body(self._body, data)
                elif self._exchange is None and not self._is_stalled:
                    head, data = self._cut_head(data)
                    if head is None:
                        break
                    self._begin(head)
                else:
                    # While the client leaves answers unread there is no next one for it.
                    break
        except PeerError as error:
            self._refuse(error)
        except Exception:
            self.log.failure("A request of {connection} could not be served", connection=self)
            self._refuse(InternalError("The proxy failed."))
        finally:
            self._is_advancing = False
        self._keep(data)

    def _keep(self, data: bytes) -> None:
        """Keep what cannot be taken yet; read no more than that while it is too much."""
        if self._has_closed:
            return
        was_full, self._buffer = len(self._buffer) > MAX_PIPELINED, data
        if (len(data) > MAX_PIPELINED) is not was_full:
            self._update_reading()
        if self._plane.is_draining:
            self.close_if_idle()

    def _update_reading(self) -> None:
        if self._is_request_paused or len(self._buffer) > MAX_PIPELINED:
            self.transport.pauseProducing()
        else:
            self.transport.resumeProducing()

    def _cut_head(self, data: bytes) -> tuple[bytes | None, bytes]:
        if data.startswith(b"\r\n"):
            data = skip_empty_lines(data)
            if not data:
                return None, data
        end = data.find(HEAD_END)
        if end >= 0:
            end += len(HEAD_END)
            return data[:end], data[end:]
        check_unfinished_request_head(data)
        if not self._is_in_head:
            self._is_in_head = True
            self._restart_deadline()
        return None, data

    def _begin(self, head: bytes) -> None:
        request, body = parse_request_head(head)
        self._is_in_head = False
        self._request = request
        self._body = None if body.is_complete else body
        self.deadline = NEVER
        if self._body is not None:
            self._set_deadline(BODY_TIMEOUT)
        exchange = self._exchange = Exchange(self._plane, self, self._client, request)
        exchange.begin()

    def _read_body(self, decoder: BodyDecoder, data: bytes) -> bytes:
        body, rest = decoder.feed(data)
        exchange = self._exchange
        assert exchange is not None
        if decoder.is_complete:
            self._body = None
        if body:
            exchange.body_received(body)
        if decoder.is_complete:
            exchange.body_ended()
        self._restart_deadline()
        return rest

    def _refuse(self, error: PeerError) -> None:
        """The client broke the rules: answer if that is still possible, and close."""
        self._is_closing = True
        if self._exchange is not None:
            self._exchange.refuse(error)
            return
        answer = Answer.from_error(error)
        identity = self._plane.make_request_id().encode("ascii")
        fields, body = answer_fields(answer, None, identity)
        snapshot = self._plane.snapshot
        if self._client.is_secure and snapshot is not None:
            set_hsts(fields, snapshot.config)
        self.send_head(answer.status, answer.phrase, fields, len(body))
        self.send_body(body)
        self.end()

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
            or self._body is not None
            or (body_length is None and is_http_10)
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

    def end(self) -> None:
        self._encoder.end()
        self.flush()
        self._exchange = None
        self._request = None
        if self._is_closing or self._body is not None:
            self._close()
            return
        self.resume_request()
        self._restart_deadline()
        if not self._is_advancing:
            if self._buffer:
                self._advance(self._buffer)
            elif self._plane.is_draining:
                self.close_if_idle()

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
        """ClientConnection: no further request is waited for."""
        if self._exchange is None and not self._buffer and not self._has_closed:
            self._lose_connection()

    def cut(self) -> None:
        """ClientConnection."""
        self._has_closed = True
        self.transport.abortConnection()

    def _lose_connection(self) -> None:
        """Close when what is written has been sent, within the time that a send may take."""
        self._has_closed = True
        self._set_deadline(SEND_TIMEOUT)
        self.transport.unregisterProducer()
        self.transport.loseConnection()

    def _close(self) -> None:
        """
        Close after what is written has reached the client.

        Closing a socket with unread input resets the connection, and the reset
        can overtake the answer; so the write side closes first and input is read
        and forgotten for a while (RFC 9112 section 9.6).
        """
        # While advancing, what the client sent behind this request is not known yet.
        may_have_input = self._is_advancing or self._body is not None or self._buffer
        self._buffer = b""
        if not may_have_input:
            self._lose_connection()
            return
        self._has_closed = True
        self.transport.resumeProducing()
        if not self._is_stalled:
            self._linger()

    def _linger(self) -> None:
        self._set_deadline(LINGER_TIMEOUT)
        self.transport.unregisterProducer()
        self.transport.loseWriteConnection()

    def deadline_passed(self) -> None:
        """Timed."""
        self.deadline = NEVER
        if self._has_closed or self._is_stalled:
            self.transport.abortConnection()
        elif self._exchange is not None or self._buffer:
            self._refuse(RequestTimeout("The request took too long to arrive."))
        else:
            self._lose_connection()

    def _set_deadline(self, timeout: float) -> None:
        self.deadline = self._plane.deadlines.now() + timeout

    def _restart_deadline(self) -> None:
        """Give what is waited for now its whole time; a stalled client keeps its own."""
        if self._is_stalled or self._has_closed:
            return
        if self._exchange is None:
            self._set_deadline(HEAD_TIMEOUT if self._is_in_head else KEEP_ALIVE_TIMEOUT)
        elif self._body is not None and not self._is_request_paused:
            self._set_deadline(BODY_TIMEOUT)
        else:
            self.deadline = NEVER

    # IPushProducer, of responses: the transport's own buffer is full, or empty again.

    def pauseProducing(self) -> None:
        self._is_stalled = True
        self._set_deadline(SEND_TIMEOUT)
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
        elif self._buffer:
            self._advance(self._buffer)

    def stopProducing(self) -> None:
        """The connection is lost, which `connectionLost` handles."""


class HTTP1Factory(Factory):
    """
    Makes the protocols of one listener.

    :param is_secure: whether its clients come over TLS.
    """

    noisy = False

    def __init__(self, plane: DataPlane, *, is_secure: bool) -> None:
        self._plane = plane
        self._is_secure = is_secure

    def buildProtocol(self, addr: IAddress | None) -> HTTP1Downstream:
        """IProtocolFactory."""
        address = getattr(addr, "host", "")
        client = Client(address, is_secure=self._is_secure)
        return HTTP1Downstream(self._plane, client)
