"""
Calls at the end of a turn of the reactor: when all events that were reported have been acted on.

Connections of HTTP/2 send what all their streams have written in one turn together. A reactor that
has a `DescriptorTable` ends its turns itself; others need a timer, which costs a tenth of what a
small exchange does, and is one for all who wait.
"""

from __future__ import annotations

from typing import Any, ClassVar

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
    :param clock: its delayed calls run between two turns; None for whoever calls `end` itself.
    :ivar users: those that wait, each once, in order.
    """

    log: ClassVar[Logger] = Logger()

    def __init__(self, clock: IReactorTime | None = None) -> None:
        self.users: list[TurnUser] = []
        self._clock = clock

    def __repr__(self) -> str:
        return f"<TurnEnd of {len(self.users)}>"

    def tell(self, user: TurnUser) -> None:
        """Call `user` at the end of this turn, once, even if it has no more to do by then."""
        if user.awaits_turn:
            return
        user.awaits_turn = True
        if self._clock is not None and not self.users:
            self._clock.callLater(0, self.end)
        self.users.append(user)

    def end(self) -> None:
        """The turn is over. Who waits again meanwhile is called after the next one."""
        users, self.users = self.users, []
        for user in users:
            user.awaits_turn = False
            try:
                user.turn_ended()
            except Exception:
                # One broken connection must not keep all others from sending.
                self.log.failure("The end of a turn of {user} failed", user=user)


def turn_end_of(reactor: Any) -> TurnEnd:
    """
    :param reactor: an `IReactorTime`.
    :return: that of its `DescriptorTable`, or one with a timer for a reactor that has none.
    """
    table = getattr(reactor, "descriptor_table", None)
    found: TurnEnd = TurnEnd(reactor) if table is None else table.turn_end
    return found
