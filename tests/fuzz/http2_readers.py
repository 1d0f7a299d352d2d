"""
The same frames as our connection, `h2` and `ngh2` read them, in both roles.

Each reader takes bytes and says what it objects to: with the end of the connection, with the reset
of a stream, or (ours) with an answer that refuses a request.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import h2.config
import h2.connection
import h2.errors
import h2.events
import h2.exceptions
import hpack
import hyperframe.exceptions
import ngh2

from ingress.config import Limits
from ingress.errors import PeerError
from ingress.http1.body import Trailers
from ingress.http2.client import ClientConnection, ClientEvents
from ingress.http2.counts import HTTP2Counts
from ingress.http2.frame import GOAWAY, PREFACE, RST_STREAM
from ingress.http2.hpack_encoder import encode_fields
from ingress.http2.stream import Stream, StreamUser
from ingress.message import Response
from tests.support.http2_client import GET, POST, Client, Frame, read_frames

Fields = list[tuple[bytes, bytes]]

REQUESTS = (GET, POST, GET, POST)
"""What a client has asked for before the server says anything: streams 1, 3, 5, 7."""

ANY_CODE = -1
"""The code of an objection of a library that failed instead."""


@dataclass(frozen=True)
class Objection:
    """
    :ivar stream_id: what is reset; 0 for the connection.
    :ivar detail: ours: why.
    """

    stream_id: int
    code: int
    detail: str = ""


@dataclass
class Message:
    """A message as far as it has come."""

    fields: Fields = field(default_factory=list)
    interim: int = 0
    body: bytes = b""
    trailers: Fields = field(default_factory=list)
    is_whole: bool = False

    def take_ngh2(self, event: Any) -> None:
        """Add what an event of ngh2 says of it; others are passed over."""
        kind = type(event)
        if kind in (ngh2.RequestReceived, ngh2.ResponseReceived):
            self.fields = [(each[0], each[1]) for each in event.headers]
            self.is_whole = event.end_stream
        elif kind is ngh2.InformationalResponseReceived:
            self.interim += 1
        elif kind is ngh2.DataReceived:
            self.body += event.data
            self.is_whole |= event.end_stream
        elif kind is ngh2.TrailersReceived:
            self.trailers = [(each[0], each[1]) for each in event.headers]
            self.is_whole = True


NGH2_MESSAGE_EVENTS = (
    *(ngh2.RequestReceived, ngh2.ResponseReceived, ngh2.InformationalResponseReceived),
    *(ngh2.DataReceived, ngh2.TrailersReceived),
)
"""The events that are about a message."""


class Reader:
    """One reader of a conversation."""

    def __init__(self) -> None:
        self.messages: dict[int, Message] = {}

    def feed(self, data: bytes) -> list[Objection]:
        """:return: what it objects to now."""
        raise NotImplementedError

    def message(self, stream_id: int) -> Message:
        return self.messages.setdefault(stream_id, Message())


def objections(frames: Sequence[Frame], detail: str = "") -> list[Objection]:
    """:return: the resets and the end among frames that were sent."""
    found = [
        Objection(each.stream_id, each.code, detail)
        for each in frames
        if each.kind in (RST_STREAM, GOAWAY)
    ]
    return [each for each in found if each.stream_id or each.code]


def request_fields(fields: Sequence[tuple[bytes, bytes]]) -> Fields:
    """:return: the fields of a request in the form that ours has, without Host."""
    pseudo = dict(fields)
    plain: Fields = [(b":method", pseudo[b":method"]), (b":path", pseudo.get(b":path", b""))]
    return plain + [each for each in fields if not each[0].startswith(b":") and each[0] != b"host"]


# Ours.


class OurServer(Reader):
    """
    :param answers: whether each request is answered as soon as it has begun.
    """

    def __init__(self, *, answers: bool) -> None:
        super().__init__()
        self.client = Client(b"" if answers else None)
        self.client.connection.receive(PREFACE)
        self.client.read()

    @property
    def is_in_frame(self) -> bool:
        """Whether a frame, or a field block, is incomplete."""
        connection = self.client.connection
        return bool(connection.is_in_head or connection._waiting)

    def feed(self, data: bytes) -> list[Objection]:
        refused = sum(each.refusal is not None for each in self.client.site.received)
        sent = self.client.send(data)
        fault = self.client.connection.fault
        found = objections(sent, "" if fault is None else str(fault))
        refusals = [each for each in self.client.site.received if each.refusal is not None]
        for each in refusals[refused:]:
            stream_id = each.stream.stream_id
            found = [one for one in found if one.stream_id != stream_id]
            found.append(Objection(stream_id, 1, str(each.refusal)))
        self._collect()
        return found

    def _collect(self) -> None:
        for each in self.client.site.received:
            if each.request is not None:
                request = each.request
                plain = [(name, value) for name, _, value in request.fields]
                fields = [(b":method", request.method), (b":path", request.target), *plain]
                is_whole = each.trailers is not None or request.body_length == 0
                trailers = list(each.trailers or ())
                message = Message(fields, 0, each.body, trailers, is_whole)
                self.messages[each.stream.stream_id] = message


class _User(StreamUser):
    """Keeps a response."""

    def __init__(self, reader: OurClient, message: Message) -> None:
        self.reader = reader
        self.message = message
        self.stream_id = 0

    def interim_received(self, response: Response) -> None:
        self.message.interim += 1

    def response_received(self, response: Response) -> None:
        plain = [(name, value) for name, _, value in response.fields]
        self.message.fields = [(b":status", b"%d" % response.status), *plain]

    def body_received(self, data: bytes) -> None:
        self.message.body += data

    def body_ended(self, trailers: Trailers) -> None:
        self.message.trailers = list(trailers)
        self.message.is_whole = True

    def message_refused(self, error: PeerError) -> None:
        self.reader.details[self.stream_id] = str(error)


class OurClient(Reader):
    """Ours in the client's role."""

    def __init__(self) -> None:
        super().__init__()
        self.details: dict[int, str] = {}
        self.connection = ClientConnection(ClientEvents(), Limits(), lambda: 1000.0, HTTP2Counts())
        for number, fields in enumerate(REQUESTS):
            user = _User(self, self.message(2 * number + 1))
            block = encode_fields(fields)
            stream: Stream = self.connection.open(user, block, is_end=fields is GET)
            user.stream_id = stream.stream_id
        self._take()

    @property
    def is_in_frame(self) -> bool:
        """Whether a frame, or a field block, is incomplete."""
        return bool(self.connection.is_in_head or self.connection._waiting)

    def feed(self, data: bytes) -> list[Objection]:
        self.connection.receive(data)
        fault = self.connection.fault
        found = objections(self._take(), "" if fault is None else str(fault))
        return [
            Objection(each.stream_id, each.code, self.details.get(each.stream_id, each.detail))
            for each in found
        ]

    def _take(self) -> list[Frame]:
        sent = b""
        while data := self.connection.take():
            sent += data
        return read_frames(sent.removeprefix(PREFACE))


# h2.

_FAILURES = (
    hpack.HPACKError,
    hyperframe.exceptions.HyperframeError,
    ValueError,
    KeyError,
    IndexError,
)


class H2Reader(Reader):
    """`h2` in either role."""

    def __init__(self, *, is_client: bool, answers: bool = False) -> None:
        super().__init__()
        self._answers = answers
        self.h2 = h2.connection.H2Connection(
            h2.config.H2Configuration(client_side=is_client, header_encoding=None)
        )
        self.h2.initiate_connection()
        if is_client:
            for number, fields in enumerate(REQUESTS):
                self.h2.send_headers(2 * number + 1, fields, end_stream=fields is GET)
                self.message(2 * number + 1)
        else:
            self.h2.receive_data(PREFACE)
        self.h2.data_to_send()

    def feed(self, data: bytes) -> list[Objection]:
        try:
            for event in self.h2.receive_data(data):
                self._take(event)
        except h2.exceptions.ProtocolError as error:
            return [Objection(0, int(error.error_code))]
        except _FAILURES:
            return [Objection(0, ANY_CODE)]
        return objections(read_frames(self.h2.data_to_send().removeprefix(PREFACE)))

    def _take(self, event: Any) -> None:
        if isinstance(event, h2.events.RequestReceived):
            self.message(event.stream_id).fields = request_fields(list(event.headers))
            if self._answers:
                self.h2.send_headers(event.stream_id, [(b":status", b"200")], end_stream=True)
        elif isinstance(event, h2.events.ResponseReceived):
            self.message(event.stream_id).fields = [(each[0], each[1]) for each in event.headers]
        elif isinstance(event, h2.events.InformationalResponseReceived):
            self.message(event.stream_id).interim += 1
        elif isinstance(event, h2.events.DataReceived):
            self.message(event.stream_id).body += event.data
        elif isinstance(event, h2.events.TrailersReceived):
            self.message(event.stream_id).trailers = [(each[0], each[1]) for each in event.headers]
        elif isinstance(event, h2.events.StreamEnded):
            self.message(event.stream_id).is_whole = True


# ngh2.


class NGH2Reader(Reader):
    """`ngh2` in either role."""

    def __init__(self, *, is_client: bool, answers: bool = False) -> None:
        super().__init__()
        self._answers = answers
        self.ngh2 = ngh2.Connection(ngh2.Role.CLIENT if is_client else ngh2.Role.SERVER)
        self.ngh2.initiate_connection({})
        if is_client:
            for number, fields in enumerate(REQUESTS):
                self.ngh2.send_request(fields, end_stream=fields is GET)
                self.message(2 * number + 1)
        else:
            self.ngh2.receive_data(PREFACE)
        self.ngh2.data_to_send()

    def feed(self, data: bytes) -> list[Objection]:
        try:
            self.ngh2.receive_data(data)
            for event in self.ngh2.events():
                self._take(event)
        except ngh2.ConnectionStateError:
            return [Objection(0, ANY_CODE)]
        return objections(read_frames(self.ngh2.data_to_send().removeprefix(PREFACE)))

    def _take(self, event: Any) -> None:
        kind = type(event)
        if kind not in NGH2_MESSAGE_EVENTS:
            return
        message = self.message(event.stream_id)
        message.take_ngh2(event)
        if kind is ngh2.RequestReceived:
            message.fields = request_fields(message.fields)
            if self._answers:
                self.ngh2.send_response(event.stream_id, [(b":status", b"200")], end_stream=True)
