"""
An API client whose answers a test gives, one by one and whenever it likes.
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
    """A request, which is not answered yet; one that was cancelled may be forgotten."""

    method: str
    path: str
    query: Mapping[str, str]
    body: Any = None
    content_type: str = ""
    answered: Deferred[bytes] = field(default_factory=Deferred)

    def answer(self, body: object = None) -> None:
        """:param body: of a 2xx answer; None for that of the request."""
        self.answered.callback(msgspec.json.encode(self.body if body is None else body))

    def refuse(self, code: int, reason: str = "", *, retry_after: float | None = None) -> None:
        """The server answers with a Status that is no success."""
        self.answered.errback(APIError(code, reason, f"a Status with {code}", retry_after))


class ScriptedAPI(APIClient):
    """
    :ivar asked: the requests that wait for their answers.
    """

    def __init__(self) -> None:
        self.asked: list[Asked] = []

    @property
    def lines(self) -> list[str]:
        """The methods and paths of all that wait."""
        return [f"{each.method} {each.path}" for each in self.asked]

    def take(self, method: str, path: str) -> Asked:
        """The one of them that waits, which the test is to answer."""
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
