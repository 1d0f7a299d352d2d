"""
A clock for work that is done at once: what is due now is called, and nothing else.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable

from ingress.planned_call import PlannedCall


class StillClock:
    """
    What a `FilesSource` needs of a reactor, without a reactor: that is slow to import.

    No time passes, so that a slice of work never ends early.
    """

    def __init__(self) -> None:
        self._due: deque[PlannedCall] = deque()

    def seconds(self) -> float:
        """IReactorTime."""
        return 0.0

    def callLater(
        self, delay: float, function: Callable[..., object], *arguments: object
    ) -> PlannedCall:
        """IReactorTime; a call that is not due now never comes."""
        call = PlannedCall(function, arguments)
        if not delay:
            self._due.append(call)
        return call

    def call_next(self) -> None:
        """
        Call the first function that is due.

        :raises IndexError: if nothing is.
        """
        call = self._due.popleft()
        if call.active():
            call.call()
