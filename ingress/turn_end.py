"""
Calls at the end of a turn of the reactor, by one timer for all who wait for it.

Connections of HTTP/2 send what all their streams have written in one turn together. A `callLater`
of its own for each of them would cost a tenth of what a small exchange does.
"""

from __future__ import annotations

from typing import ClassVar

from mypy_extensions import mypyc_attr, trait
from twisted.internet.interfaces import IReactorTime
from twisted.logger import Logger


@trait
@mypyc_attr(allow_interpreted_subclasses=True)
class TurnUser:
    """Something that has to do at the end of a turn."""

    awaits_turn: bool
    """Whether `turn_ended` is going to be called; False at first."""

    def turn_ended(self) -> None:
        """The turn in which this was given to `TurnEnd.tell` is over."""
        raise NotImplementedError


@mypyc_attr(allow_interpreted_subclasses=True)
class TurnListener(TurnUser):
    """The base of interpreted classes, which cannot have a trait for one."""


class TurnEnd:
    """
    :param clock: its delayed calls run between two turns.
    """

    log: ClassVar[Logger] = Logger()

    def __init__(self, clock: IReactorTime) -> None:
        self._clock = clock
        self._users: list[TurnUser] = []

    def __repr__(self) -> str:
        return f"<TurnEnd of {len(self._users)}>"

    def tell(self, user: TurnUser) -> None:
        """Call `user` at the end of this turn, once, even if it has no more to do by then."""
        if user.awaits_turn:
            return
        user.awaits_turn = True
        if not self._users:
            self._clock.callLater(0, self._tell_all)
        self._users.append(user)

    def _tell_all(self) -> None:
        users, self._users = self._users, []
        for user in users:
            user.awaits_turn = False
            try:
                user.turn_ended()
            except Exception:
                # One broken connection must not keep all others from sending.
                self.log.failure("The end of a turn of {user} failed", user=user)
