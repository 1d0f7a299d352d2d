"""
What comes of a request's body while policies decide whether there is a call.
"""

from __future__ import annotations

from ingress.exchange.call import Call
from ingress.http1.body import Trailers


class EarlyBody:
    """
    Little, because the client is paused meanwhile.

    :ivar trailers: None while the body is not whole.
    """

    __slots__ = ("pieces", "trailers")

    def __init__(self) -> None:
        self.pieces: list[bytes] = []
        self.trailers: Trailers | None = None

    def __repr__(self) -> str:
        return f"<EarlyBody {len(self.pieces)} pieces>"

    def send_to(self, call: Call) -> None:
        """Hand on what there is."""
        for data in self.pieces:
            call.send_body(data)
        if self.trailers is not None:
            call.end_body(self.trailers)
