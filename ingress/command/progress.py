"""
How far a command has come, on a terminal.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final, Self, TextIO

_FIRST: Final = 1.0
"""Seconds that a command may take without a word."""

_INTERVAL: Final = 0.5


class Progress:
    """
    Shows a number and its rate, in one line that is gone at the end.

    :param what: is counted.
    :param stream: nothing is written to it unless it is a terminal.
    :param clock: in seconds.
    """

    def __init__(self, what: str, stream: TextIO, clock: Callable[[], float]) -> None:
        self._what = what
        self._stream = stream
        self._clock = clock
        self._started = clock()
        self._next = self._started + _FIRST if stream.isatty() else None
        self._is_shown = False

    def __repr__(self) -> str:
        return f"<Progress of {self._what}>"

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        if self._is_shown:
            self._write("")

    def show(self, count: int) -> None:
        """:param count: so far."""
        if self._next is None or (now := self._clock()) < self._next:
            return
        self._next, self._is_shown = now + _INTERVAL, True
        rate = count / (now - self._started)
        self._write(f"{count:,} {self._what}, {rate:,.0f} a second")

    def _write(self, text: str) -> None:
        self._stream.write(f"\r{text}\x1b[K")
        self._stream.flush()
