"""
A response that waits for the decision of a policy.
"""

from __future__ import annotations

from ingress.answer import Answer
from ingress.exchange.call_receiver import CallReceiver
from ingress.http1.body import Trailers
from ingress.message import Response


class HeldResponse:
    """
    A response as far as it has come; that is little, because the endpoint is paused.

    :ivar response: its head.
    :ivar body: the pieces of its body.
    :ivar trailers: None while the response is not whole.
    :ivar failure: the answer that says why it will never be whole; None if it may be.
    """

    __slots__ = ("body", "failure", "response", "trailers")

    def __init__(self, response: Response) -> None:
        self.response = response
        self.body: list[bytes] = []
        self.trailers: Trailers | None = None
        self.failure: Answer | None = None

    def __repr__(self) -> str:
        return f"<HeldResponse {self.response} {len(self.body)} pieces>"

    def replay(self, receiver: CallReceiver) -> bool:
        """
        Pass on everything that has come after the head.

        :return: whether more is to come.
        """
        for data in self.body:
            receiver.call_body(data)
        if self.trailers is not None:
            receiver.call_ended(self.trailers)
        return self.trailers is None
