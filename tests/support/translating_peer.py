"""
A client that is told to speak HTTP/1.1, and speaks HTTP/2: tests of the data path hold for both.
"""

from __future__ import annotations

from typing import Any

from twisted.internet.address import IPv4Address, IPv6Address, UNIXAddress

from ingress.http1.body import BodyDecoder, LengthBody, UntilCloseBody
from tests.support.http2_wire import HTTP2Client
from tests.support.translated_message import ToldMessage, body_of, kept_fields
from tests.support.wire import Message, Peer, Wire

_TUNNEL = b"websocket"


class TranslatingPeer:
    """
    What tests use of a `Peer`, over HTTP/2: each request is a stream. Responses are told in the
    order of their requests, and what is not read fills the windows.
    """

    def __init__(self, wire: Wire, peer: Peer) -> None:
        self._client = HTTP2Client(wire, peer=peer, reads=False)
        self._peer = peer
        self._waiting = b""
        self._body: BodyDecoder | None = None
        """Of the request that is being sent."""

        self._unsent: dict[int, tuple[bytes, Any]] = {}
        """What the windows have no room for, by stream, and the trailers once it is whole."""

        self._streams: list[tuple[int, bytes]] = []
        """The streams whose responses are not whole, with the methods of their requests."""

        self._told: dict[int, ToldMessage] = {}
        self._interim: dict[int, int] = {}
        self._was_reset = False
        self._has_tunnelled = False

    def send(self, data: bytes) -> None:
        self._waiting += data
        while self._waiting or (self._body is not None and self._body.is_complete):
            if self._body is None:
                head, end, rest = self._waiting.partition(b"\r\n\r\n")
                if not end:
                    break
                self._waiting = rest
                self._begin(Message.parse(head + end))
            else:
                stream_id, _ = self._streams[-1]
                piece, self._waiting = self._body.feed(self._waiting)
                self._put(stream_id, piece)
            if self._body is not None and self._body.is_complete:
                trailers = [(name.lower(), value) for name, value in self._body.trailers]
                stream_id, _ = self._streams[-1]
                self._unsent[stream_id] = (self._unsent[stream_id][0], trailers)
                self._body = None
        self._push()

    def send_bytewise(self, data: bytes) -> None:
        for index in range(len(data)):
            self.send(data[index : index + 1])

    def send_some(self, data: bytes) -> int:
        self.send(data)
        stream_id = self._streams[-1][0] if self._streams else 0
        left, trailers = self._unsent.get(stream_id, (b"", None))
        if left and isinstance(self._body, LengthBody):
            # What has no room has not been sent, as on any connection.
            self._unsent[stream_id] = (b"", trailers)
            self._body.remaining += len(left)
        return len(data) - len(left)

    def _begin(self, message: Message) -> None:
        method, target, _ = message.first_line.split(b" ")
        authority = message.values(b"host")[0]
        pseudo = [
            (b":method", method),
            (b":scheme", b"http"),
            (b":path", target),
            (b":authority", authority),
        ]
        body = body_of(message)
        is_bare = not message.values(b"transfer-encoding") and body.is_complete
        if message.values(b"upgrade"):
            # RFC 8441.
            pseudo[0:1] = [(b":method", b"CONNECT"), (b":protocol", b"websocket")]
            body, is_bare = UntilCloseBody(), False
            method = _TUNNEL
            self._has_tunnelled = True
        stream_id = self._client.next_stream()
        self._client.h2.send_headers(
            stream_id, [*pseudo, *kept_fields(message)], end_stream=is_bare
        )
        self._streams.append((stream_id, method))
        if not is_bare:
            self._body = body
            self._unsent[stream_id] = (b"", None)
        self._client.settle()

    def _put(self, stream_id: int, piece: bytes) -> None:
        self._unsent[stream_id] = (self._unsent[stream_id][0] + piece, None)

    def _push(self) -> None:
        """Send what the windows have room for."""
        if self._unsent:
            self._client.settle()
        for stream_id, (data, trailers) in list(self._unsent.items()):
            if self._client.answers[stream_id].reset is not None:
                del self._unsent[stream_id]
                continue
            sent = self._client.upload(stream_id, data)
            left = data[sent:]
            if left or trailers is None:
                self._unsent[stream_id] = (left, trailers)
                continue
            del self._unsent[stream_id]
            if trailers:
                self._client.h2.send_headers(stream_id, trailers, end_stream=True)
            else:
                self._client.h2.end_stream(stream_id)
            self._client.settle()

    def read(self) -> bytes:
        told = b""
        while True:
            self._client.settle()
            self._push()
            piece = self._tell()
            self._client.give_back()
            if not piece:
                return told
            told += piece

    def _tell(self) -> bytes:
        """:return: what has come of the responses."""
        told = b""
        while self._streams:
            stream_id, method = self._streams[0]
            answer = self._client.answers[stream_id]
            for status in answer.interim[self._interim.get(stream_id, 0) :]:
                told += b"HTTP/1.1 %d X\r\n\r\n" % status
            self._interim[stream_id] = len(answer.interim)
            if answer.fields:
                told += self._message(stream_id, method).take(
                    answer.body, is_whole=answer.is_whole, trailers=answer.trailers
                )
            if answer.reset is not None and not answer.is_whole:
                self._was_reset = True
                self._streams.pop(0)
            elif answer.is_whole:
                self._streams.pop(0)
            else:
                break
        return told

    def _message(self, stream_id: int, method: bytes) -> ToldMessage:
        found = self._told.get(stream_id)
        if found is None:
            answer = self._client.answers[stream_id]
            if method == _TUNNEL and answer.status == 200:
                fields = [pair for pair in answer.pairs if pair[0][:1] != b":"]
                fields += [(b"Connection", b"Upgrade"), (b"Upgrade", b"websocket")]
                told = ToldMessage(b"HTTP/1.1 101 Switching Protocols", fields, has_body=False)
                return self._told.setdefault(stream_id, told)
            has_body = method != b"HEAD" and answer.status not in (204, 304)
            line = b"HTTP/1.1 %d X" % answer.status
            fields = [pair for pair in answer.pairs if pair[0][:1] != b":"]
            found = self._told[stream_id] = ToldMessage(line, fields, has_body=has_body)
        return found

    def receive(self) -> Message:
        return Message.parse(self.read())

    def end(self) -> None:
        if self._is_tunnel:
            assert self._body is not None
            self._body.close()
            self.send(b"")
        else:
            self._peer.end()

    def reset(self) -> None:
        if self._is_tunnel:
            self._client.reset(self._streams[-1][0])
        else:
            self._peer.reset()

    @property
    def _is_tunnel(self) -> bool:
        return bool(self._streams) and self._streams[-1][1] == _TUNNEL

    @property
    def saw_end(self) -> bool:
        """Whether the tunnel, a stream before its end, or the connection has ended."""
        if self._has_tunnelled:
            self._client.settle()
            return self._client.answers[1].is_whole
        return self._was_reset or self._peer.saw_end

    @property
    def saw_reset(self) -> bool:
        """Whether a stream was reset, or the connection."""
        self._client.settle()
        self._tell_resets()
        return self._was_reset or self._peer.saw_reset

    def _tell_resets(self) -> None:
        for stream_id, _ in self._streams:
            answer = self._client.answers[stream_id]
            self._was_reset |= answer.reset is not None and not answer.is_whole

    @property
    def is_open(self) -> bool:
        return not self.saw_reset and self._peer.is_open

    def __getattr__(self, name: str) -> Any:
        return getattr(self._peer, name)


class HTTP2Wire(Wire):
    """A `Wire` whose clients speak HTTP/2."""

    def connect(  # type: ignore[override]
        self, address: IPv4Address | IPv6Address | UNIXAddress | None = None
    ) -> TranslatingPeer:
        return TranslatingPeer(self, super().connect(address))
