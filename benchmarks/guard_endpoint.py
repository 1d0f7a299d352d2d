"""
An endpoint that speaks gRPC, as far as `benchmarks.guard_program` needs one.
"""

from __future__ import annotations

import socket

from benchmarks.guard_scenario import HTTP2_ANSWER

_PREFACE = 24
_FRAME_HEAD = 9
_DATA, _HEADERS, _SETTINGS = 0, 1, 4
_END_STREAM, _ACK = 1, 1
_END_HEADERS = 4

_CONTENT_TYPE = b"\x0f\x10\x10application/grpc"
_STATUS = b"\0\x0bgrpc-status\x010"
_MESSAGE = b"\0\0\0\0\x05hello"


def _frame(kind: int, flags: int, stream: int, payload: bytes) -> bytes:
    head = len(payload).to_bytes(3, "big") + bytes((kind, flags)) + stream.to_bytes(4, "big")
    return head + payload


class GRPCEndpoint:
    """
    Answers each request on one connection with one message.

    :param listening: where the proxy connects.
    """

    def __init__(self, listening: socket.socket) -> None:
        self._listening = listening
        self._socket: socket.socket | None = None
        self._received = b""
        self._skipped = 0
        """Bytes of the preface that have yet to come: it is no frame."""

    def answer(self) -> bool:
        """Read what has come; answer the request, and return True, if it is whole."""
        try:
            if self._socket is None:
                self._socket, _ = self._listening.accept()
                self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                self._socket.send(_frame(_SETTINGS, 0, 0, b""))
                self._skipped = _PREFACE
            self._received += self._socket.recv(65536, socket.MSG_DONTWAIT)
        except BlockingIOError:
            return False
        if self._skipped:
            taken = min(self._skipped, len(self._received))
            self._received, self._skipped = self._received[taken:], self._skipped - taken
        whole = 0
        while len(self._received) >= _FRAME_HEAD and not whole:
            whole = self._take_frame()
            if whole < 0:
                return False
        if not whole:
            return False
        self._socket.send(
            _frame(_HEADERS, _END_HEADERS, whole, b"\x88" + _CONTENT_TYPE)
            + _frame(_DATA, 0, whole, _MESSAGE)
            + _frame(_HEADERS, _END_HEADERS | _END_STREAM, whole, _STATUS)
        )
        return True

    def _take_frame(self) -> int:
        """:return: the stream whose request is whole; 0 for none, -1 if the frame is not whole."""
        received = self._received
        size = _FRAME_HEAD + int.from_bytes(received[:3], "big")
        if len(received) < size:
            return -1
        self._received = received[size:]
        kind, flags = received[3], received[4]
        if kind == _SETTINGS and not flags & _ACK:
            assert self._socket is not None
            self._socket.send(HTTP2_ANSWER)
        is_end = kind in (_DATA, _HEADERS) and flags & _END_STREAM
        return int.from_bytes(received[5:9], "big") if is_end else 0
