"""
The windows of what a peer may send (RFC 9113 section 5.2).

The window of a stream whose reader takes everything at once grows, so that an upload over a long
way is not held up by round trips; it shrinks when the reader stalls. All streams of a connection
share what they may grow by, so that one that stalls leaves room for the others.
"""

from __future__ import annotations

from typing import Final

from ingress.http2.frame import DEFAULT_WINDOW

_RESERVE: Final = 4
"""One part of so many of a connection's window is left to streams that have not grown."""


class SharedGrowth:
    """
    What the windows of a connection's streams may grow by.

    :param connection_window: that of the connection, in bytes.
    :param most: what the window of a stream may grow to.
    :ivar left: what all of them may still grow by.
    """

    __slots__ = ("left", "most")

    def __init__(self, connection_window: int, most: int) -> None:
        self.left = connection_window - connection_window // _RESERVE
        self.most = most


class ReceiveWindow:
    """
    How much the peer may send.

    :param size: the window at first.
    :param growth: what it may grow by; None for a window that never grows.
    :ivar left: bytes that the peer may send now.
    """

    __slots__ = ("_credit", "_debt", "_growth", "_has_stalled", "_size", "left")

    def __init__(self, size: int, growth: SharedGrowth | None) -> None:
        self.left = size
        self._size = size
        self._growth = growth
        self._credit = 0
        """Bytes that have been read, and that the peer has not been told of."""

        self._debt = 0
        """Bytes to be read without telling the peer, because the window has shrunk."""

        self._has_stalled = False

    def __repr__(self) -> str:
        return f"<ReceiveWindow {self.left} of {self._size}>"

    def take(self, size: int) -> bool:
        """:return: whether the peer was allowed to send so much."""
        self.left -= size
        return self.left >= 0

    def stall(self) -> None:
        """The reader takes no more for now."""
        self._has_stalled = True
        if self._growth is not None and self._size > DEFAULT_WINDOW:
            self._debt += self._size - DEFAULT_WINDOW
            self._size = DEFAULT_WINDOW

    def give_back(self, size: int) -> int:
        """
        The reader has taken some bytes.

        :return: the increment for a WINDOW_UPDATE that is due now; 0 for none.
        """
        if self._debt and self._growth is not None:
            paid = min(self._debt, size)
            self._debt -= paid
            self._growth.left += paid
            size -= paid
        credit = self._credit + size
        if credit < self._size >> 1:
            self._credit = credit
            return 0
        self._credit = 0
        if self._growth is not None:
            if self._has_stalled:
                self._has_stalled = False
            else:
                grown = min(self._size, self._growth.most - self._size, self._growth.left)
                self._growth.left -= grown
                self._size += grown
                credit += grown
        self.left += credit
        return credit

    def close(self) -> None:
        """The stream is over: others may grow instead."""
        if self._growth is not None:
            self._growth.left += self._size - DEFAULT_WINDOW + self._debt
            self._size = DEFAULT_WINDOW
            self._debt = 0
