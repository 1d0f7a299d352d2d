"""
A call that a clock has planned, for clocks of our own.
"""

from __future__ import annotations

from collections.abc import Callable


class PlannedCall:
    """A function with its arguments, and what is used here of IDelayedCall."""

    def __init__(self, function: Callable[..., object], arguments: tuple[object, ...]) -> None:
        self._function = function
        self._arguments = arguments
        self._is_active = True

    def active(self) -> bool:
        """IDelayedCall."""
        return self._is_active

    def cancel(self) -> None:
        """IDelayedCall."""
        self._is_active = False

    def call(self) -> None:
        """Call the function, for which it is no longer active."""
        self._is_active = False
        self._function(*self._arguments)
