"""
Observers: what runs as long as the process serves, such as the access log.
"""

from __future__ import annotations

from typing import Protocol

from twisted.internet.defer import Deferred


class Observer(Protocol):
    """Started and stopped with the proxy; must not keep it from serving."""

    def start(self) -> None:
        """Begin; the reactor runs."""

    def stop(self) -> Deferred[None]:
        """
        Finish the remaining work and end.

        :return: fires when that is done; an observer bounds the time that it takes.
        """


class ExchangeObserver(Observer, Protocol):
    """An observer of every exchange of its process, such as the access log."""

    def reopen(self) -> None:
        """Reopen the file that it writes to, if any: a log rotator moved it away."""
