"""
An endpoint that is told to speak HTTP/1.1, and speaks HTTP/2: tests of the data path hold for both.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from ingress.http1.body import BodyDecoder, UntilCloseBody
from ingress.http2.frame import PREFACE
from ingress.routing.snapshot import Snapshot
from tests.support.h2_endpoint import H2Endpoint, H2Request
from tests.support.translated_message import ToldMessage, body_of, kept_fields
from tests.support.wire import Dial, Message, Peer, Wire


class PeekedPeer:
    """A `Peer` of which some has been read."""

    def __init__(self, peer: Peer, received: bytes) -> None:
        self._peer = peer
        self._received = received

    def read(self) -> bytes:
        received, self._received = self._received, b""
        return received + self._peer.read()

    def receive(self) -> Message:
        return Message.parse(self.read())

    def __getattr__(self, name: str) -> Any:
        return getattr(self._peer, name)


class Streams:
    """The streams of one connection, which are handed out in their order."""

    def __init__(self, peer: PeekedPeer) -> None:
        self.endpoint = H2Endpoint(peer, is_lenient=True)  # type: ignore[arg-type]
        self.endpoint.acknowledges = False
        self._taken: set[int] = set()

    def take(self) -> H2Request | None:
        """:return: a request that nobody has; None if there is none."""
        for asked in self.endpoint.look():
            if asked.stream_id not in self._taken:
                self._taken.add(asked.stream_id)
                return asked
        return None


class StreamPeer:
    """
    What tests use of a `Peer`: a stream, and when it is over the next one of its connection.

    :param streams: those of the connection.
    """

    def __init__(self, streams: Streams) -> None:
        self._streams = streams
        self._endpoint = streams.endpoint
        self._request = streams.take()
        self._told: ToldMessage | None = None
        self._waiting = b""
        self._body: BodyDecoder | None = None
        """Of the response that is being sent."""

        self._unsent = b""
        self._untold = b""
        """What has not been read of the requests before."""

        self._is_answered = False

    def read(self) -> bytes:
        told = b""
        while piece := self._read():
            told += piece
        return told

    def receive(self) -> Message:
        return Message.parse(self.read())

    def _read(self) -> bytes:
        self._endpoint.look()
        self._push()
        if self._request is None:
            self._request = self._streams.take()
        request = self._request
        if request is None:
            told, self._untold = self._untold, b""
            return told
        if self._told is None:
            self._told = _told(request)
        told = self._take(request, self._told)
        self._endpoint.give_back(request)
        if self._is_answered and request.is_whole:
            self._next()
        return told

    def _take(self, request: H2Request, told: ToldMessage) -> bytes:
        before, self._untold = self._untold, b""
        return before + told.take(
            request.body, is_whole=request.is_whole, trailers=request.trailers
        )

    def _next(self) -> None:
        """Go on with the next stream; what has not been read of this one is kept."""
        request, told = self._request, self._told
        if request is not None:
            self._untold = self._take(request, told or _told(request))
        self._request = self._told = None
        self._is_answered = False

    def send(self, data: bytes) -> None:
        self._endpoint.look()
        if self._request is None:
            self._request = self._streams.take()
        self._waiting += data
        while self._waiting:
            if self._body is None:
                head, end, rest = self._waiting.partition(b"\r\n\r\n")
                if not end:
                    break
                self._waiting = rest
                self._begin(Message.parse(head + end))
            else:
                piece, self._waiting = self._body.feed(self._waiting)
                self._unsent += piece
            self._push()

    def send_some(self, data: bytes) -> int:
        self.send(data)
        return len(data)

    def send_bytewise(self, data: bytes) -> None:
        for index in range(len(data)):
            self.send(data[index : index + 1])

    def _begin(self, message: Message) -> None:
        request = self._request
        if request is None or request.reset_code is not None:
            self._waiting = b""
            return
        head = [(b":status", b"%d" % message.status), *kept_fields(message)]
        if message.status < 200:
            self._endpoint.h2.send_headers(request.stream_id, head)
        elif request.field(b":method") == b"HEAD" or message.status in (204, 304):
            self._endpoint.h2.send_headers(request.stream_id, head, end_stream=True)
            self._answered()
        else:
            self._body = body_of(message, until_close=True)
            is_bare = self._body.is_complete
            self._endpoint.h2.send_headers(request.stream_id, head, end_stream=is_bare)
            if is_bare:
                self._answered()
        self._endpoint.flush()

    def _answered(self) -> None:
        self._body = None
        self._is_answered = True
        if self._request is not None and self._request.is_whole:
            self._next()

    def _push(self) -> None:
        """Send what the windows have room for."""
        request, body = self._request, self._body
        if request is None or body is None:
            return
        if request.reset_code is not None:
            self._unsent = b""
            self._answered()
            return
        h2 = self._endpoint.h2
        while self._unsent:
            room = min(h2.local_flow_control_window(request.stream_id), 16_384)
            if room <= 0:
                return
            h2.send_data(request.stream_id, self._unsent[:room])
            self._unsent = self._unsent[room:]
            self._endpoint.flush()
            self._endpoint.look()
            if self._has_ended(request):
                return
        if body.is_complete:
            trailers = [(name.lower(), value) for name, value in body.trailers]
            if trailers:
                h2.send_headers(request.stream_id, trailers, end_stream=True)
            else:
                h2.end_stream(request.stream_id)
            self._endpoint.flush()
            self._answered()

    @staticmethod
    def _has_ended(request: H2Request) -> bool:
        return request.reset_code is not None

    def close(self) -> None:
        """The connection ends, or the response that ends with it."""
        if isinstance(self._body, UntilCloseBody):
            self._body.close()
            self._push()
        else:
            self._endpoint.peer.close()

    end = close

    @property
    def saw_reset(self) -> bool:
        """Whether the stream was reset, or the connection."""
        self._endpoint.look()
        request = self._request
        was_reset = request is not None and request.reset_code is not None
        return was_reset or self._endpoint.peer.saw_reset

    @property
    def is_open(self) -> bool:
        return not self.saw_reset and self._endpoint.peer.is_open

    def __getattr__(self, name: str) -> Any:
        return getattr(self._endpoint.peer, name)


def _told(request: H2Request) -> ToldMessage:
    pseudo = dict(request.fields)
    line = b"%b %b HTTP/1.1" % (pseudo[b":method"], pseudo[b":path"])
    fields = [(b"host", pseudo[b":authority"])]
    fields += [pair for pair in request.fields if pair[0][:1] != b":"]
    return ToldMessage(line, fields, has_body=not (request.is_whole and not request.body))


class _TranslatingDial(Dial):
    def accept(self) -> Any:
        assert isinstance(self._wire, HTTP2EndpointWire)
        return self._wire.wrap(super().accept())


class HTTP2EndpointWire(Wire):
    """A `Wire` whose endpoints speak HTTP/2, but for WebSockets."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        self._connections: list[Streams] = []
        super().__init__(*args, **kwargs)
        publish: Any = self.plane.publish
        plane: Any = self.plane

        def publish_all(snapshot: Snapshot) -> None:
            upstreams = {
                key: replace(each, speaks_http2=True) for key, each in snapshot.upstreams.items()
            }
            publish(replace(snapshot, upstreams=upstreams))

        plane.publish = publish_all
        assert self.plane.exchanges.snapshot is not None
        publish_all(self.plane.exchanges.snapshot)

    def _dial(self, *args: Any, **kwargs: Any) -> Dial:
        dial = _TranslatingDial(self, *args, **kwargs)
        self.dials.append(dial)
        return dial

    def accept(self) -> Any:
        """As `Wire.accept`: the next stream that waits, else the next connection."""
        self.network.settle()
        for streams in self._connections:
            peer = StreamPeer(streams)
            if peer._request is not None:
                return peer
        return super().accept()

    def wrap(self, peer: Peer) -> Any:
        """:return: the endpoint's end of a new connection, in what it is spoken to."""
        received = peer.read()
        peeked = PeekedPeer(peer, received)
        if not received.startswith(PREFACE):
            return peeked
        self._connections.append(streams := Streams(peeked))
        return StreamPeer(streams)
