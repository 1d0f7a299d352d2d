"""
The seam between an exchange and what may answer in an endpoint's place.
"""

from __future__ import annotations

from typing import Protocol

from ingress.answer import Answer
from ingress.message import Request


class RequestPolicy(Protocol):
    """Something that may answer a request before any endpoint sees it."""

    def answer(self, request: Request, *, is_secure: bool) -> Answer | None:
        """
        :param is_secure: whether the client came over TLS, here or, where a
            trusted proxy says so, in front of us.
        :return: the answer that ends the exchange, or None to go on.
        """
