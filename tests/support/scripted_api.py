"""
An API client. A test gives its answers one by one, at any time.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import msgspec
from twisted.internet.defer import Deferred

from ingress.kube.api.client import NO_QUERY, APIClient
from ingress.kube.api.errors import APIError


@dataclass
class Asked:
    """An unanswered request; a cancelled one need not be answered."""

    method: str
    path: str
    query: Mapping[str, str]
    body: Any = None
    content_type: str = ""
    answered: Deferred[bytes] = field(default_factory=Deferred)

    def answer(self, body: object = None) -> None:
        """:param body: the body of a 2xx answer; None for the body of the request."""
        self.answered.callback(msgspec.json.encode(self.body if body is None else body))

    def refuse(self, code: int, reason: str = "", *, retry_after: float | None = None) -> None:
        """Answer with a Status that reports a failure."""
        self.answered.errback(APIError(code, reason, f"a Status with {code}", retry_after))


class ScriptedAPI(APIClient):
    """
    :ivar asked: the unanswered requests.
    """

    def __init__(self) -> None:
        self.asked: list[Asked] = []

    @property
    def lines(self) -> list[str]:
        """List the methods and paths of the unanswered requests."""
        return [f"{each.method} {each.path}" for each in self.asked]

    def take(self, method: str, path: str) -> Asked:
        """Take an unanswered request, which the test then answers."""
        found = [each for each in self.asked if (each.method, each.path) == (method, path)]
        assert len(found) == 1, f"{method} {path} is not once in {self.lines}"
        self.asked.remove(found[0])
        return found[0]

    async def get(self, path: str, query: Mapping[str, str] = NO_QUERY) -> bytes:
        return await self._wait_for(Asked("GET", path, query))

    async def send(
        self,
        method: str,
        path: str,
        body: object,
        *,
        query: Mapping[str, str] = NO_QUERY,
        content_type: str = "application/json",
    ) -> bytes:
        plain = msgspec.json.decode(msgspec.json.encode(body))
        return await self._wait_for(Asked(method, path, query, plain, content_type))

    async def _wait_for(self, asked: Asked) -> bytes:
        self.asked.append(asked)
        try:
            return await asked.answered
        finally:
            if asked in self.asked:
                self.asked.remove(asked)
