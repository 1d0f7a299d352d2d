"""
An API server with one Lease, behind a network that a test can disturb.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import msgspec
from twisted.internet.defer import Deferred
from twisted.internet.task import Clock, deferLater

from ingress.kube.api.client import NO_QUERY, APIClient
from ingress.kube.api.errors import APIError, APIUnreachable


class LeaseServer:
    """Answers requests for a Lease as a real server does."""

    def __init__(self) -> None:
        self._lease: dict[str, Any] | None = None
        self._version = 520

    def handle(self, method: str, body: Any) -> bytes:
        """:raises APIError: if the request is refused."""
        if method == "POST" and self._lease is not None:
            raise APIError(409, "AlreadyExists", "it already exists")
        if method != "POST" and self._lease is None:
            raise APIError(404, "NotFound", "it is not found")
        if method == "PUT" and body["metadata"]["resourceVersion"] != str(self._version):
            raise APIError(409, "Conflict", "the object has been modified")
        if method != "GET":
            self._version += 1
            metadata = {**body["metadata"], "resourceVersion": str(self._version)}
            self._lease = {**body, "metadata": metadata}
        return msgspec.json.encode(self._lease)


class Journey(NamedTuple):
    """
    The effect of the network on one exchange.

    :ivar there: seconds that the request takes.
    :ivar back: seconds that the answer takes.
    :ivar is_lost: whether the answer never comes.
    """

    there: float
    back: float
    is_lost: bool = False


class SlowLeaseAPI(APIClient):
    """
    :param world: the clock of the network.
    :param journey: decides the effect on each exchange.
    """

    def __init__(self, server: LeaseServer, world: Clock, journey: Callable[[], Journey]) -> None:
        self._server = server
        self._world = world
        self._journey = journey

    async def get(self, path: str, query: Mapping[str, str] = NO_QUERY) -> bytes:
        return await self._travel("GET", None)

    async def send(
        self,
        method: str,
        path: str,
        body: object,
        *,
        query: Mapping[str, str] = NO_QUERY,
        content_type: str = "application/json",
    ) -> bytes:
        return await self._travel(method, msgspec.json.decode(msgspec.json.encode(body)))

    async def _travel(self, method: str, body: Any) -> bytes:
        journey = self._journey()
        answered: Deferred[bytes] = Deferred()
        # A request in transit arrives, even if its answer is no longer awaited.
        self._world.callLater(journey.there, self._arrive, method, body, journey, answered)
        return await answered

    def _arrive(self, method: str, body: Any, journey: Journey, answered: Deferred[bytes]) -> None:
        try:
            answer: bytes | Exception = self._server.handle(method, body)
        except APIError as error:
            answer = error
        if journey.is_lost:
            answer = APIUnreachable("the connection was lost")
        deferLater(self._world, journey.back, _settle, answered, answer)


def _settle(answered: Deferred[bytes], answer: bytes | Exception) -> None:
    if answered.called:
        return
    if isinstance(answer, Exception):
        answered.errback(answer)
    else:
        answered.callback(answer)
