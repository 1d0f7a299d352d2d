"""
Whether an API server is alive: shared by all Contacts with it.
"""

from __future__ import annotations


class Liveness:
    """When the server last sent anything, over whichever connection, and why it may not."""

    def __init__(self) -> None:
        self.heard_at = float("-inf")
        """By the clock of those who report."""

        self.error: Exception | None = None
        """Why the last probe failed; None if the server was heard of since."""

    def __repr__(self) -> str:
        return f"<Liveness: {self.error or 'alive'}>"

    def heard(self, now: float) -> None:
        """The server has sent something."""
        self.heard_at = now
        self.error = None

    def failed(self, error: Exception) -> None:
        """The server has not answered a probe."""
        self.error = error
