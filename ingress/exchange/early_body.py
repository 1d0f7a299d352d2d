"""
The beginning of a request's body, which comes while policies decide.
"""

from __future__ import annotations

from ingress.exchange.call import Call
from ingress.http1.body import Trailers


class EarlyBody:
    """
    The pieces of a body that wait for a call. They are few, because the client is paused.

    :ivar pieces: in order; none is empty.
    :ivar trailers: None while the body is not whole.
    """

    __slots__ = ("pieces", "trailers")

    def __init__(self) -> None:
        self.pieces: list[bytes] = []
        self.trailers: Trailers | None = None

    def __repr__(self) -> str:
        return f"<EarlyBody {len(self.pieces)} pieces>"

    def send_to(self, call: Call) -> None:
        """Send the pieces to the call, and the end of the body if it has come."""
        for data in self.pieces:
            call.send_body(data)
        if self.trailers is not None:
            call.end_body(self.trailers)
