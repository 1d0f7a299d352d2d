"""
How far a command has come, on a terminal: in one line that is gone at the end.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final, Self, TextIO

_FIRST: Final = 1.0
"""Seconds that a command may take without a word."""

_INTERVAL: Final = 0.5
_MOST_COLUMNS: Final = 79
"""A longer line would be two on most terminals, of which one stays."""


class _Line:
    """
    :param stream: nothing is written to it unless it is a terminal.
    """

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream
        self._is_terminal = stream.isatty()
        self._is_shown = False

    def show(self, text: str) -> None:
        """Show a text in place of the last one."""
        if self._is_terminal:
            self._is_shown = True
            self._stream.write(f"\r{text[:_MOST_COLUMNS]}\x1b[K")
            self._stream.flush()

    def end(self) -> None:
        """Show nothing any more."""
        if self._is_shown:
            self.show("")
            self._is_shown = False


class Stages:
    """
    Shows what is being done, and for how long.

    :param stream: nothing is written to it unless it is a terminal.
    :param clock: in seconds.
    """

    def __init__(self, stream: TextIO, clock: Callable[[], float]) -> None:
        self._line = _Line(stream)
        self._clock = clock
        self._what = ""
        self._began = self._next = 0.0

    def __repr__(self) -> str:
        return f"<Stages: {self._what}>"

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._line.end()

    def begin(self, what: str) -> None:
        """:param what: is done from now on."""
        self._what, self._began = what, self._clock()
        self._next = self._began + _FIRST
        self._line.show(f"{what} ...")

    def tick(self) -> None:
        """It is still done; to be called often."""
        now = self._clock()
        if now >= self._next:
            self._next = now + _INTERVAL
            self._line.show(f"{self._what} ... {now - self._began:.0f} s")


class Progress:
    """
    Shows a number and its rate, in one line that is gone at the end.

    :param what: is counted.
    :param stream: nothing is written to it unless it is a terminal.
    :param clock: in seconds.
    """

    def __init__(self, what: str, stream: TextIO, clock: Callable[[], float]) -> None:
        self._what = what
        self._line = _Line(stream)
        self._clock = clock
        self._started = clock()
        self._next = self._started + _FIRST

    def __repr__(self) -> str:
        return f"<Progress of {self._what}>"

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._line.end()

    def show(self, count: int) -> None:
        """:param count: so far."""
        now = self._clock()
        if now >= self._next:
            self._next = now + _INTERVAL
            rate = count / (now - self._started)
            self._line.show(f"{count:,} {self._what}, {rate:,.0f} a second")
