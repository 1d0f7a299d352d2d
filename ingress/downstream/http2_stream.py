"""
One stream of a client's connection in HTTP/2: the seam between its exchange and the codec.
"""

from __future__ import annotations

from base64 import b64encode
from typing import Final

from mypy_extensions import trait

from ingress.deadline import NEVER
from ingress.encoded_fields import FieldLines
from ingress.errors import PeerError, RequestTimeout
from ingress.exchange.fields import interim_fields
from ingress.exchange.response_writer import RequestReader, ResponseWriter
from ingress.http1.body import Trailers
from ingress.http2.fault import INTERNAL_ERROR, NO_ERROR, REFUSED_STREAM
from ingress.http2.hpack_encoder import encode_fields, encode_status
from ingress.http2.server import refusal_code
from ingress.http2.stream import Stream, StreamEvents
from ingress.message import Request, Response

_KEY: Final = b"sec-websocket-key"
_HANDSHAKE: Final = frozenset({_KEY, b"sec-websocket-accept"})
"""Fields that the CONNECT of RFC 8441 has no use for."""


def upgrade_request(request: Request, octets: bytes) -> Request:
    """
    Make the request for a WebSocket that HTTP/1.1 has (RFC 6455 section 4.1).

    :param request: the request of RFC 8441.
    :param octets: 16 random bytes.
    """
    fields = [field for field in request.fields if field[0] != _KEY]
    return Request(
        request.method,
        request.target,
        request.path,
        request.authority,
        request.host,
        [*fields, (_KEY, b"Sec-WebSocket-Key", b64encode(octets))],
        0,
        is_http_2=True,
        wants_websocket=True,
    )


@trait
class StreamConnection:
    """The connection, as its streams see it."""

    def flush_soon(self) -> None:
        """Something is to be sent: now, or in one write with that of other streams in this turn."""
        raise NotImplementedError

    def resume_soon(self, writer: StreamWriter) -> None:
        """Pass on what a stream has held, but not before the caller has returned."""
        raise NotImplementedError

    def restart_body_deadline(self, writer: StreamWriter) -> None:
        """Give the client its whole time for the next piece of a body."""
        raise NotImplementedError

    def stream_ended(self, writer: StreamWriter) -> None:
        """The exchange of a stream is over."""
        raise NotImplementedError


class StreamWriter(ResponseWriter, StreamEvents):
    """
    Writes the response of one stream, and takes what comes on the stream to its exchange.

    Both are one object, which costs less than two.

    :param connection: the client's connection.
    :param stream: the stream.
    :ivar reader: takes what comes from the client: the exchange, or the tunnel that it has become;
        None when it is over.
    :ivar deadline: when the next piece of the body must have come.
    """

    def __init__(self, connection: StreamConnection, stream: Stream) -> None:
        self.stream = stream
        self.reader: RequestReader | None = None
        self.deadline = NEVER
        self.is_tunnel = False
        self.wants_input = True
        """Whether the exchange takes the body as it comes."""

        self._connection = connection
        self._head = b""
        """The head of the response, which waits for what follows it."""

        self._refusal = NO_ERROR
        """The code to reset the stream with if the request is not whole at the end."""

    def __repr__(self) -> str:
        return f"<StreamWriter {self.stream} {self.reader}>"

    # The client's side.

    @property
    def awaits_body(self) -> bool:
        """Whether the next piece of the body must come in time."""
        return self.reader is not None and self.wants_input and not self.stream.is_remote_closed

    def refuse(self, error: PeerError) -> None:
        """Refuse a request that turned out to be bad, or too slow."""
        self._refusal = refusal_code(error)
        reader = self.reader
        if reader is not None:
            reader.refuse(error)

    def deadline_passed(self) -> None:
        """The next piece of the body has not come in time."""
        self.deadline = NEVER
        self.refuse(RequestTimeout("The request took too long to arrive."))

    def refused(self, error: PeerError) -> None:
        """The request is refused before there is an exchange."""
        self._refusal = refusal_code(error)

    # StreamEvents.

    def body_received(self, data: bytes) -> None:
        reader = self.reader
        if reader is None:
            return
        if self.is_tunnel:
            reader.tunnel_sent(data)
            return
        reader.body_received(data)
        if self.awaits_body:
            self._connection.restart_body_deadline(self)

    def body_ended(self, trailers: Trailers) -> None:
        reader = self.reader
        self.deadline = NEVER
        if reader is None:
            return
        if self.is_tunnel:
            reader.client_finished()
        else:
            reader.body_ended(trailers)

    def message_refused(self, error: PeerError) -> None:
        self.refuse(error)

    def stream_reset(self, code: int) -> None:
        reader, self.reader = self.reader, None
        self.deadline = NEVER
        self._connection.stream_ended(self)
        if reader is not None:
            reader.client_lost()

    def output_drained(self) -> None:
        reader = self.reader
        if reader is not None:
            reader.resume_response()

    # ResponseWriter.

    def send_interim(self, response: Response) -> None:
        block = encode_status(response.status) + encode_fields(interim_fields(response))
        self.stream.send_head(block, is_end=False)
        self._connection.flush_soon()

    def send_head(
        self, status: int, reason: bytes, fields: FieldLines, body_length: int | None
    ) -> None:
        self._head = encode_status(status) + encode_fields(fields)

    def send_body(self, data: bytes) -> None:
        if self.deadline != NEVER:
            # Who is being answered may have nothing to say for a while, as in a call of gRPC.
            self._connection.restart_body_deadline(self)
        self._send_head()
        if not self.stream.send_data(data) and self.reader is not None:
            self.reader.pause_response()

    def flush(self) -> None:
        self._send_head()
        self._connection.flush_soon()

    def end(self, trailers: FieldLines) -> None:
        stream = self.stream
        if self._head and not trailers:
            # A response without a body ends with its head.
            head, self._head = self._head, b""
            stream.reset_after = self._refusal
            stream.send_head(head, is_end=True)
        else:
            self._send_head()
            block = encode_fields(trailers) if trailers else b""
            stream.end(block, reset_after=self._refusal)
        self._ended()

    def abort(self, code: int = 0) -> None:
        self.stream.reset(self._refusal or code or INTERNAL_ERROR)
        self._ended()

    def refuse_unprocessed(self) -> bool:
        self.stream.reset(REFUSED_STREAM)
        self._ended()
        return True

    def pause_request(self) -> None:
        self.wants_input = False
        self.deadline = NEVER
        self.stream.pause_input()

    def resume_request(self) -> None:
        if not self.wants_input:
            self.wants_input = True
            self._connection.resume_soon(self)

    # The tunnel of a WebSocket (RFC 8441).

    def switch(self, fields: FieldLines, tunnel: RequestReader) -> None:
        self.reader = tunnel
        self.is_tunnel = True
        kept = [field for field in fields if field[0].lower() not in _HANDSHAKE]
        self.stream.send_head(encode_status(200) + encode_fields(kept), is_end=False)
        self._connection.flush_soon()
        self.wants_input = True
        self._connection.resume_soon(self)

    def send_raw(self, data: bytes) -> None:
        if not self.stream.send_data(data) and self.reader is not None:
            self.reader.pause_response()
        self._connection.flush_soon()

    def end_raw(self) -> None:
        self.stream.end()
        self._connection.flush_soon()

    def _send_head(self) -> None:
        if self._head:
            head, self._head = self._head, b""
            self.stream.send_head(head, is_end=False)

    def _ended(self) -> None:
        self.reader = None
        self.deadline = NEVER
        self._connection.stream_ended(self)
        self._connection.flush_soon()
