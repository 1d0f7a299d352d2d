"""
Readiness and liveness of the process.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable

Notes = Callable[[], Iterable[str]]
"""Returns lines that an operator should know, and that do not affect readiness."""


class Readiness:
    """
    The reasons why the process should get no traffic; without one it is ready.

    :param reasons: the first ones, each a short text by its name.
    """

    def __init__(self, **reasons: str) -> None:
        self._reasons = dict(reasons)
        self._notes: list[Notes] = []
        self.is_ending = False
        """Whether the process is ending; then it is not healthy either."""

    def __repr__(self) -> str:
        return f"<Readiness {', '.join(self._reasons) or 'ready'}>"

    @property
    def reasons(self) -> tuple[str, ...]:
        """The reasons in the order in which they arose; empty if the process is ready."""
        return tuple(self._reasons.values())

    @property
    def notes(self) -> tuple[str, ...]:
        """Lines that an operator should know, and that do not affect readiness."""
        return tuple(line for notes in self._notes for line in notes())

    def add(self, name: str, reason: str) -> None:
        """
        :param name: replaces a reason of the same name; `clear` takes it.
        :param reason: one line of the answer.
        """
        self._reasons[name] = reason

    def clear(self, name: str) -> None:
        """Remove a reason, if it is there."""
        self._reasons.pop(name, None)

    def set(self, name: str, reason: str, is_so: bool) -> None:
        """`add` the reason if `is_so`, else `clear` it."""
        if is_so:
            self.add(name, reason)
        else:
            self.clear(name)

    def add_notes(self, notes: Notes) -> None:
        """
        Call `notes` for each answer.

        A fault in spite of which the proxy serves, such as an unreachable API server, is
        a note: as a reason it would take all replicas out of service at once.
        """
        self._notes.append(notes)
