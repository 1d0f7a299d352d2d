"""
An API client whose every request is answered after a moment, to see how long news waits.
"""

from __future__ import annotations

from math import ceil

from tests.support.scripted_api import Asked, ScriptedAPI
from tests.support.turn_clock import TurnClock

DELAY = 0.02
"""Seconds of each answer."""


class AnsweringAPI(ScriptedAPI):
    """
    Every object exists already, so that one that is created gets 409.

    :ivar answered_at: the time of the first answer about each name.
    """

    def __init__(self, clock: TurnClock, collection: str) -> None:
        super().__init__()
        self.answered_at: dict[str, float] = {}
        self._clock = clock
        self._collection = collection

    def waits(self, *names: str) -> list[int]:
        """Let time pass until there was an answer about each; the seconds from now, rounded up."""
        began_at = self._clock.seconds()
        for name in names:
            self.answered_at.pop(name, None)
        while not self.answered_at.keys() >= set(names):
            self._clock.advance(DELAY)
            assert self._clock.seconds() - began_at < 3600, names
        return [ceil(self.answered_at[name] - began_at) for name in names]

    async def _wait_for(self, asked: Asked) -> bytes:
        self._clock.callLater(DELAY, self._answer, asked)
        return await super()._wait_for(asked)

    def _answer(self, asked: Asked) -> None:
        name = asked.path.removeprefix(self._collection).strip("/").partition("/")[0]
        if asked.method == "POST":
            name = asked.body["regarding"]["name"]
            asked.refuse(409, "AlreadyExists")
        else:
            asked.answer({"series": {"count": 7}})
        self.answered_at.setdefault(name, self._clock.seconds())
