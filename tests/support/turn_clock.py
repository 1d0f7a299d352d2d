"""
A clock that a test advances, with turns like those of a reactor.
"""

from __future__ import annotations

from twisted.internet.task import Clock


class TurnClock(Clock):
    """
    A Clock that delays calls scheduled during a turn to the next one, even if they are due.

    `Clock` itself runs them at once, which hides whether other code had a turn.
    """

    def advance(self, amount: float) -> None:
        """Take one turn: run the calls that are due by then and were scheduled before."""
        self.rightNow += amount
        for call in sorted(self.calls, key=lambda call: call.getTime()):
            if call.active() and call.getTime() <= self.rightNow:
                self.calls.remove(call)
                call.called = 1
                call.func(*call.args, **call.kw)
