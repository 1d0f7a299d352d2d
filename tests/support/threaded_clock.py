"""
A Clock that other threads can call, as they can call a reactor.
"""

from __future__ import annotations

from collections.abc import Callable
from queue import Empty, SimpleQueue

from twisted.internet.task import Clock

from tests.support.process import wait_until


class ThreadedClock(Clock):
    """Runs the calls of other threads in the test's thread, when the test allows it."""

    def __init__(self) -> None:
        super().__init__()
        self._asked: SimpleQueue[tuple[Callable[..., object], tuple[object, ...]]] = SimpleQueue()

    def callFromThread(self, function: Callable[..., object], *arguments: object) -> None:
        """IReactorFromThreads."""
        self._asked.put((function, arguments))

    def run_until(self, condition: Callable[[], object], what: str) -> None:
        """
        Run calls until the condition holds.

        :raises AssertionError: if that takes too long; `what` names the condition.
        """

        def holds() -> bool:
            while True:
                try:
                    function, arguments = self._asked.get_nowait()
                except Empty:
                    return bool(condition())
                function(*arguments)

        wait_until(holds, what)
