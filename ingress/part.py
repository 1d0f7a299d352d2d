"""
What else lives as long as the process serves: it is started and stopped with it.
"""

from __future__ import annotations

from typing import Protocol

from twisted.internet.defer import Deferred


class Part(Protocol):
    """Something that runs beside what it tells of, and must not keep that from serving."""

    def start(self) -> None:
        """Begin; the reactor runs."""

    def stop(self) -> Deferred[None]:
        """
        End, and do what is left to do.

        :return: fires when that is done; whoever needs long for it bounds it.
        """


class ExchangePart(Part, Protocol):
    """One that sees every exchange of its process, such as the access log."""

    def reopen(self) -> None:
        """Open the file again that it writes to, if any: it was moved away."""
