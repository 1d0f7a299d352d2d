"""
Twisted's epoll reactor, with a shorter way from an event to its descriptor.

Twisted calls each descriptor inside a logging context of its own, so that old-style
log messages can name their connection. Nothing here logs that way. The context takes
1.6 of the 1.9 microseconds that an event costs before the descriptor has done any
work, and a request has two events or more (docs/adr/0003-transports.md). The rest of
the way, from the system to a transport of this package, is compiled.
"""

from __future__ import annotations

import select
import sys
import time
from typing import Any

from twisted.internet.epollreactor import EPollReactor
from twisted.internet.main import installReactor

from ingress.transports.socket_descriptor import IN, OUT, DescriptorTable


class DirectEPollReactor(EPollReactor):
    """
    An `EPollReactor` that sets up no logging context, and whose clock never goes back.

    :ivar descriptor_table: what it watches, but for files, which epoll cannot watch.
    """

    seconds = staticmethod(time.monotonic)
    """`IReactorTime`. Twisted uses the wall clock: setting it back would delay all timers."""

    def __init__(self) -> None:
        # First: the reactor watches a descriptor of its own as soon as it is made.
        table = self.descriptor_table = DescriptorTable(select.epoll())
        self.doPoll = self.doIteration = table.poll  # type: ignore[method-assign]
        super().__init__()  # type: ignore[no-untyped-call]
        self._poller.close()
        self._poller = table.epoll

    def addReader(self, reader: Any) -> None:
        """IReactorFDSet."""
        try:
            self.descriptor_table.add(reader, IN)
        except PermissionError:
            super().addReader(reader)  # type: ignore[no-untyped-call]

    def addWriter(self, writer: Any) -> None:
        """IReactorFDSet."""
        try:
            self.descriptor_table.add(writer, OUT)
        except PermissionError:
            super().addWriter(writer)  # type: ignore[no-untyped-call]

    def removeReader(self, reader: Any) -> None:
        """IReactorFDSet."""
        if not self.descriptor_table.remove(reader, IN):
            super().removeReader(reader)  # type: ignore[no-untyped-call]

    def removeWriter(self, writer: Any) -> None:
        """IReactorFDSet."""
        if not self.descriptor_table.remove(writer, OUT):
            super().removeWriter(writer)  # type: ignore[no-untyped-call]

    def removeAll(self) -> list[Any]:
        """IReactorFDSet: watch nothing any more but what is the reactor's own."""
        table = self.descriptor_table
        readers = [each for each in table.watched(IN) if each not in self._internalReaders]
        writers = table.watched(OUT)
        for reader in readers:
            table.remove(reader, IN)
        for writer in writers:
            table.remove(writer, OUT)
        others: list[Any] = super().removeAll()  # type: ignore[no-untyped-call]
        return [*dict.fromkeys((*readers, *writers)), *others]

    def getReaders(self) -> list[Any]:
        """IReactorFDSet."""
        others: list[Any] = super().getReaders()  # type: ignore[no-untyped-call]
        return self.descriptor_table.watched(IN) + others

    def getWriters(self) -> list[Any]:
        """IReactorFDSet."""
        others: list[Any] = super().getWriters()  # type: ignore[no-untyped-call]
        return self.descriptor_table.watched(OUT) + others


def install_reactor() -> None:
    """Install it as the reactor of this process, unless one is installed already."""
    if "twisted.internet.reactor" not in sys.modules:
        installReactor(DirectEPollReactor())
