"""
Whether the process should get traffic, and whether it should live.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable

Notes = Callable[[], Iterable[str]]
"""Gives what is worth knowing at the moment, a line each."""


class Readiness:
    """
    Why the process should get no traffic; it is ready where there is no reason.

    :param reasons: those that it begins with, each a short text by its name.
    """

    def __init__(self, **reasons: str) -> None:
        self._reasons = dict(reasons)
        self._notes: list[Notes] = []
        self.is_ending = False
        """Whether the process is about to end; then it is not healthy either."""

    def __repr__(self) -> str:
        return f"<Readiness {', '.join(self._reasons) or 'ready'}>"

    @property
    def reasons(self) -> tuple[str, ...]:
        """In the order in which they arose; empty where the process is ready."""
        return tuple(self._reasons.values())

    @property
    def notes(self) -> tuple[str, ...]:
        """What is worth knowing and keeps no traffic away."""
        return tuple(line for notes in self._notes for line in notes())

    def add(self, name: str, reason: str) -> None:
        """
        :param name: what `clear` takes; a reason of the same name is replaced.
        :param reason: a line for whoever asks.
        """
        self._reasons[name] = reason

    def clear(self, name: str) -> None:
        """The reason holds no more; it need not have been there."""
        self._reasons.pop(name, None)

    def set(self, name: str, reason: str, is_so: bool) -> None:
        """`add` it if that is so, else `clear` it."""
        if is_so:
            self.add(name, reason)
        else:
            self.clear(name)

    def add_notes(self, notes: Notes) -> None:
        """
        Have `notes` asked whenever somebody asks us.

        What a proxy serves on in spite of, such as an API server that is gone, is no
        reason: all replicas at once would get no traffic any more.
        """
        self._notes.append(notes)
