"""
The reasons for which a client's connection is not read.
"""

from __future__ import annotations

from ingress.transports.stream import StreamTransport


class InputGate:
    """
    The reasons for which a connection is not read.

    :ivar is_paused: the exchange wants no more from the client for now.
    :ivar is_full: the input that is kept while a request is answered has reached its limit.
    :ivar is_over: the client sends no more; it may still read.
    """

    __slots__ = ("is_full", "is_over", "is_paused")

    def __init__(self) -> None:
        self.is_paused = False
        self.is_full = False
        self.is_over = False

    def __repr__(self) -> str:
        return f"<InputGate paused={self.is_paused} full={self.is_full} over={self.is_over}>"

    def apply(self, transport: StreamTransport) -> None:
        """Make a transport read, or stop reading."""
        if self.is_paused or self.is_full:
            transport.pauseProducing()
        elif not self.is_over:
            # Otherwise the transport would report the end once more.
            transport.resumeProducing()
