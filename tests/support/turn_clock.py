"""
A clock that a test advances, and that takes turns as a reactor does.
"""

from __future__ import annotations

from twisted.internet.task import Clock


class TurnClock(Clock):
    """
    What is scheduled during a turn waits for the next one, even if it is due.

    `Clock` itself runs it at once, which hides whether anybody else had a turn.
    """

    def advance(self, amount: float) -> None:
        """One turn: what is due by then, and was scheduled before."""
        self.rightNow += amount
        for call in sorted(self.calls, key=lambda call: call.getTime()):
            if call.active() and call.getTime() <= self.rightNow:
                self.calls.remove(call)
                call.called = 1
                call.func(*call.args, **call.kw)
