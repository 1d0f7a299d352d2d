"""
The settings of a peer (RFC 9113 section 6.5).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from ingress.http2.fault import FLOW_CONTROL_ERROR, PROTOCOL_ERROR, ConnectionFault
from ingress.http2.frame import (
    DEFAULT_WINDOW,
    ENABLE_CONNECT_PROTOCOL,
    ENABLE_PUSH,
    FRAME_SIZE,
    HEADER_TABLE_SIZE,
    INITIAL_WINDOW_SIZE,
    MAX_CONCURRENT_STREAMS,
    MAX_FRAME_SIZE,
    MAX_WINDOW,
    NO_RFC7540_PRIORITIES,
)
from ingress.http2.hpack_decoder import TABLE_SIZE

_MAX_FRAME_SIZE: Final = (1 << 24) - 1
UNLIMITED: Final = 1 << 31
"""The streams that a peer allows that has not set a bound."""


def table_setting(size: int) -> tuple[tuple[int, int], ...]:
    """
    :param size: of the table that a peer may use.
    :return: the entry that says so; none for what holds without it.
    """
    return () if size == TABLE_SIZE else ((HEADER_TABLE_SIZE, size),)


class PeerSettings:
    """
    What a peer has said; its own MAX_FRAME_SIZE is not used, because we never send larger frames
    than the default.

    :ivar initial_window: the window of each new stream, in bytes.
    :ivar max_streams: how many streams of ours the peer takes at once.
    :ivar has_come: whether the peer has sent any settings.
    :ivar takes_connect: whether it takes the CONNECT of RFC 8441.
    :ivar asks_for_pushes: whether it has set ENABLE_PUSH, which only a client may.
    """

    __slots__ = (
        "_table_size",
        "asks_for_pushes",
        "has_come",
        "initial_window",
        "max_streams",
        "takes_connect",
    )

    def __init__(self) -> None:
        self.initial_window = DEFAULT_WINDOW
        self.max_streams = UNLIMITED
        self.has_come = False
        self.takes_connect = False
        self.asks_for_pushes = False
        self._table_size = TABLE_SIZE

    def __repr__(self) -> str:
        return f"<PeerSettings window={self.initial_window} streams={self.max_streams}>"

    def apply(self, settings: Sequence[tuple[int, int]]) -> bool:
        """
        :param settings: the entries of a SETTINGS frame.
        :return: whether the peer's table has shrunk, so that the next block must say its size.
        :raises ConnectionFault: for a value that is not allowed.
        """
        self.has_come = True
        has_shrunk = False
        for key, value in settings:
            if key == INITIAL_WINDOW_SIZE:
                if value > MAX_WINDOW:
                    raise ConnectionFault(FLOW_CONTROL_ERROR, "A window of SETTINGS is too large.")
                self.initial_window = value
            elif key == MAX_CONCURRENT_STREAMS:
                self.max_streams = value
            elif key == HEADER_TABLE_SIZE:
                has_shrunk |= value < self._table_size
                self._table_size = min(value, self._table_size)
            elif key in (ENABLE_PUSH, ENABLE_CONNECT_PROTOCOL, NO_RFC7540_PRIORITIES):
                self._flag(key, value)
            elif key == MAX_FRAME_SIZE and not FRAME_SIZE <= value <= _MAX_FRAME_SIZE:
                raise ConnectionFault(PROTOCOL_ERROR, "The frame size of SETTINGS is invalid.")
        return has_shrunk

    def _flag(self, key: int, value: int) -> None:
        if value > 1:
            raise ConnectionFault(PROTOCOL_ERROR, "SETTINGS has a flag that is neither 0 nor 1.")
        if key == ENABLE_PUSH:
            self.asks_for_pushes = bool(value)
        elif key == ENABLE_CONNECT_PROTOCOL:
            if self.takes_connect and not value:
                # RFC 8441 section 3.
                raise ConnectionFault(PROTOCOL_ERROR, "SETTINGS takes back a promise.")
            self.takes_connect = bool(value)
