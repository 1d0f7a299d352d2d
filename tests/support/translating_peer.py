"""
A client that is told to speak HTTP/1.1, and speaks HTTP/2: tests of the data path hold for both.
"""

from __future__ import annotations

import sys
from importlib.util import find_spec, module_from_spec, spec_from_file_location
from types import ModuleType
from typing import Any

from twisted.internet.address import IPv4Address, IPv6Address, UNIXAddress

from ingress.errors import RequestError
from ingress.http1.body import BodyDecoder, ChunkedBody, LengthBody
from tests.support.http2_wire import HTTP2Client
from tests.support.wire import Message, Peer, Wire

_OF_CONNECTION = frozenset({b"connection", b"keep-alive", b"transfer-encoding", b"host"})


class TranslatingPeer:
    """
    What tests use of a `Peer`, over HTTP/2. Requests are whole, with a Content-Length if they have
    a body; a response is seen when it is whole.
    """

    def __init__(self, wire: Wire, peer: Peer) -> None:
        self._client = HTTP2Client(wire, peer=peer)
        self._peer = peer
        self._waiting = b""
        self._streams: list[int] = []

    def send(self, data: bytes) -> None:
        self._waiting += data
        while b"\r\n\r\n" in self._waiting:
            head, _, rest = self._waiting.partition(b"\r\n\r\n")
            message = Message.parse(head + b"\r\n\r\n")
            body: BodyDecoder = LengthBody(0)
            if message.values(b"transfer-encoding"):
                body = ChunkedBody(RequestError)
            elif lengths := message.values(b"content-length"):
                body = LengthBody(int(lengths[0]))
            data, rest = body.feed(rest)
            if not body.is_complete:
                return
            self._request(message, data)
            self._waiting = rest

    def send_some(self, data: bytes) -> int:
        self.send(data)
        return len(data)

    def _request(self, message: Message, body: bytes) -> None:
        method, target, _ = message.first_line.split(b" ")
        (authority,) = message.values(b"host")
        pseudo = [
            (b":method", method),
            (b":scheme", b"http"),
            (b":path", target),
            (b":authority", authority),
        ]
        fields = [
            (name.lower(), value)
            for name, value in message.fields
            if name.lower() not in _OF_CONNECTION
        ]
        self._streams.append(self._client.request([*pseudo, *fields], body or None))

    def read(self) -> bytes:
        self._client.settle()
        told = b""
        while self._streams and self._client.answers[self._streams[0]].is_whole:
            answer = self._client.answers[self._streams.pop(0)]
            lines = [b"HTTP/1.1 %d X" % answer.status]
            lines += [b"%b: %b" % each for each in answer.fields.items() if each[0] != b":status"]
            told += b"\r\n".join(lines) + b"\r\n\r\n" + answer.body
        return told

    def receive(self) -> Message:
        return Message.parse(self.read())

    def __getattr__(self, name: str) -> Any:
        return getattr(self._peer, name)


class HTTP2Wire(Wire):
    """A `Wire` whose clients speak HTTP/2."""

    def connect(  # type: ignore[override]
        self, address: IPv4Address | IPv6Address | UNIXAddress | None = None
    ) -> TranslatingPeer:
        return TranslatingPeer(self, super().connect(address))


def over_http2(name: str) -> ModuleType:
    """:return: a second copy of a module of tests, whose clients speak HTTP/2."""
    found = find_spec(name)
    assert found is not None
    spec = spec_from_file_location(f"{name}_over_http2", found.origin)
    assert spec is not None
    assert spec.loader is not None
    module = sys.modules[spec.name] = module_from_spec(spec)
    spec.loader.exec_module(module)
    module.Wire = HTTP2Wire  # type: ignore[attr-defined]
    return module
