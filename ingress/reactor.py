"""
Twisted's epoll reactor without a log context around each event.

Twisted calls whatever is ready through `log.callWithLogger`, so that legacy
log events carry a prefix: five calls and two copies of a dict for every read
and write. We log with `twisted.logger`, which has no use for it. That is 15 %
of the processor time of a small request (docs/adr/0003-transports.md).
"""

from __future__ import annotations

import errno
import select
from typing import Any

from twisted.internet.epollreactor import EPollReactor
from twisted.internet.main import installReactor
from twisted.logger import Logger


class DirectEPollReactor(EPollReactor):
    """The epoll reactor, calling what is ready directly."""

    _log = Logger()

    def doPoll(self, timeout: float | None) -> None:
        """Wait for events and handle them (`PosixReactorBase`)."""
        wait = -1 if timeout is None else timeout
        try:
            events = self._poller.poll(wait, len(self._selectables))
        except OSError as error:
            if error.errno == errno.EINTR:
                return
            raise
        selectables = self._selectables
        for descriptor, event in events:
            selectable = selectables.get(descriptor)
            if selectable is None:
                # Something that was handled before it closed it.
                continue
            if event == select.EPOLLIN:
                self._read(selectable)
            else:
                self._doReadOrWrite(  # type: ignore[no-untyped-call]
                    selectable, descriptor, event
                )

    doIteration = doPoll

    def _read(self, selectable: Any) -> None:
        """What `_doReadOrWrite` does for the one event that nearly all are."""
        try:
            why = selectable.doRead()
        except Exception as error:
            self._log.failure("{selectable} failed while reading", selectable=selectable)
            why = error
        if why:
            self._disconnectSelectable(selectable, why, True)  # type: ignore[no-untyped-call]


def install() -> None:
    """
    Make it the reactor of this process.

    :raises ReactorAlreadyInstalledError: if there is one.
    """
    installReactor(DirectEPollReactor())  # type: ignore[no-untyped-call]
