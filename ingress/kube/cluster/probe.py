"""
Asks a silent API server whether it is still alive.

A watch says nothing while nothing changes: bookmarks come only after etcd has told the API server
of its progress, by default every ten minutes. And a server that hangs keeps its connections. So a
server that has been silent for some seconds is asked for a single object.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from twisted.internet.task import deferLater
from twisted.logger import Logger

from ingress.kube.api.errors import APIError, APIUnreachable
from ingress.kube.api.time_limit import within
from ingress.kube.cluster.follower import Follower
from ingress.kube.cluster.reflector import Access
from ingress.kube.cluster.resource import Target

PERIOD: Final = 10.0
"""Seconds of silence, over all connections, after which the server is asked."""

TIMEOUT: Final = 5.0
"""Seconds for the answer."""

RETRY: Final = 1.0
"""Seconds until the next question to a server that has not answered."""


class Probe(Follower):
    """
    Keeps the `Liveness` of an API server up to date.

    :param target: a kind of which we may list objects; the fewer there are, the cheaper it is.
    :param changed: called after each question that failed, and when the server is back.
    :param came_back: called when the server is heard of again after a question that failed, with
        the time until which it was known to be alive.
    """

    log = Logger()

    def __init__(
        self,
        access: Access,
        target: Target,
        changed: Callable[[], None],
        came_back: Callable[[float], None],
    ) -> None:
        self._access = access
        self._target = target
        self._changed = changed
        self._came_back = came_back
        self._alive_until: float | None = None
        """When a server that does not answer was last heard of; None while it answers."""

    def __repr__(self) -> str:
        return f"<Probe by {self._target}: {self._access.liveness!r}>"

    @property
    def followed(self) -> str:
        """Follower."""
        return "The liveness of the API server"

    async def _run(self) -> None:
        """Follower: ask whenever the server is silent."""
        clock, liveness = self._access.clock, self._access.liveness
        began_at = clock.seconds()
        while True:
            if liveness.error is not None:
                await deferLater(clock, RETRY)
                await self._ask()
                continue
            self._note_return()
            silence = clock.seconds() - max(liveness.heard_at, began_at)
            if silence < PERIOD:
                await deferLater(clock, PERIOD - silence)
            else:
                await self._ask()

    def _note_return(self) -> None:
        alive_until, self._alive_until = self._alive_until, None
        if alive_until is not None:
            self._came_back(alive_until)
            self._changed()

    async def _ask(self) -> None:
        clock, liveness = self._access.clock, self._access.liveness
        heard_at = liveness.heard_at
        query = self._target.query | {"limit": "1"}
        try:
            await within(TIMEOUT, clock, self._access.client.get(self._target.path, query))
        except (APIError, APIUnreachable) as error:
            if not _is_answer(error):
                if self._alive_until is None:
                    self._alive_until = heard_at
                if liveness.heard_at == heard_at:
                    liveness.failed(error)
                    self._changed()
                return
        liveness.heard(clock.seconds())


def _is_answer(error: APIError | APIUnreachable) -> bool:
    """Whether the server is in order, although it does not give what was asked for."""
    return isinstance(error, APIError) and error.code < 500
