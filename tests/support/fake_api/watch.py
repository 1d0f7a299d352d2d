"""
Watches, each of which is a stream of events.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

from tests.support.fake_api.disturbance import Disturbances
from tests.support.fake_api.event import from_stored
from tests.support.fake_api.kind import Document, Kind
from tests.support.fake_api.selector import Selector
from tests.support.fake_api.status import StatusError
from tests.support.fake_api.store import Change, Store

BOOKMARK_INTERVAL = 60.0
"""The approximate interval of the real server, in seconds."""

LAST_BOOKMARK = 2.0
"""Seconds before the end of a watch at which a last bookmark is sent."""

LONGEST = 1800.0
"""The duration in seconds of a watch that does not ask for one."""


def encode(document: Document) -> bytes:
    """Encode like the real server: without blanks, and with a line end."""
    return json.dumps(document, separators=(",", ":")).encode() + b"\n"


def event(kind: str, document: Document) -> bytes:
    return encode({"type": kind, "object": document})


@dataclass(frozen=True)
class Watched:
    """
    :ivar namespace: empty for all namespaces.
    :ivar revision: the revision to start after; None to start with all existing objects.
    """

    kind: Kind
    namespace: str
    selector: Selector
    revision: int | None
    with_bookmarks: bool
    timeout: float


class WatchStream:
    """
    :param request: a request of twisted.web, which gets the events.
    :param clock: schedules its end and its bookmarks.
    :ivar when_closed: called with the stream when it has ended for any reason.
    """

    def __init__(
        self,
        request: Any,
        watched: Watched,
        store: Store,
        clock: Any,
        disturbances: Disturbances,
    ) -> None:
        self.when_closed: Callable[[WatchStream], object] = lambda stream: None
        self._request = request
        self._watched = watched
        self._store = store
        self._clock = clock
        self._disturbances = disturbances
        self._is_open = True
        self._is_stuck = False
        self._calls = [clock.callLater(watched.timeout, self.end)]
        self._stop_listening = store.listen(self._changed)
        request.notifyFinish().addBoth(lambda _: self._close())

    def __repr__(self) -> str:
        return f"<WatchStream {self._watched.kind.resource}>"

    def begin(self, changes: Iterable[Change] | None) -> None:
        """
        Send the head and the events so far.

        :param changes: the changes since the revision; None for all existing objects.
        """
        self._request.write(b"")
        if changes is None:
            present = self._store.objects(self._watched.kind.stored)
            first = [
                self._event("ADDED", shown)
                for (namespace, _), document in present
                if self._watched.namespace in ("", namespace)
                and (shown := self._show(document)) is not None
            ]
        else:
            first = [data for change in changes if (data := self._to_event(change))]
        # Several events may be in one chunk.
        self._send(b"".join(first))
        if self._watched.with_bookmarks:
            last = self._watched.timeout - LAST_BOOKMARK
            if last > 0:
                self._calls.append(self._clock.callLater(last, self.bookmark))
            self._schedule_bookmark()

    def fail(self, error: StatusError) -> None:
        """Send an error event and end; the status of the answer is 200 nevertheless."""
        self._request.write(b"")
        self._send(event("ERROR", error.document()))
        self.end()

    def bookmark(self) -> None:
        """Send a bookmark with the stream's position, if the client asked for bookmarks."""
        if self._watched.with_bookmarks:
            revision = {"resourceVersion": str(self._store.revision)}
            kind = self._watched.kind
            marked = kind.named({"metadata": revision, **kind.empty})
            self._send(event("BOOKMARK", marked))

    def end(self) -> None:
        """End in an orderly way."""
        if self._is_open and not self._hangs():
            self._close()
            self._request.finish()

    def drop(self) -> None:
        """End like a server that is killed."""
        if self._is_open:
            self._close()
            self._request.channel.loseConnection()

    def _schedule_bookmark(self) -> None:
        def send() -> None:
            self.bookmark()
            self._schedule_bookmark()

        if self._is_open:
            self._calls.append(self._clock.callLater(BOOKMARK_INTERVAL, send))

    def _changed(self, change: Change) -> None:
        if change.stored == self._watched.kind.stored:
            data = self._to_event(change)
            if data:
                self._send(data)

    def _to_event(self, change: Change) -> bytes:
        watched = self._watched
        if watched.namespace not in ("", change.key[0]):
            return b""
        if watched.revision is not None and change.revision <= watched.revision:
            return b""  # The client asked for later revisions only.
        was = change.before and self._show(change.before)
        now = change.after and self._show(change.after)
        if now is not None:
            return self._event("MODIFIED" if was else "ADDED", now)
        if was is not None:
            return self._event("DELETED", from_stored(watched.kind, change.last))
        return b""

    def _show(self, document: Document) -> Document | None:
        """Return the object in the form of its kind; None if it is not selected."""
        shown = from_stored(self._watched.kind, document)
        return shown if self._watched.selector(shown) else None

    def _event(self, type_: str, document: Document) -> bytes:
        return event(type_, self._watched.kind.named(document))

    def _send(self, data: bytes) -> None:
        if not data or not self._is_open or self._hangs():
            return
        if self._disturbances.take_cut():
            self._request.write(data[: len(data) // 2])
            self.drop()
            return
        size = self._disturbances.piece or len(data)
        for start in range(0, len(data), size):
            self._request.write(data[start : start + size])

    def _hangs(self) -> bool:
        """Return whether the watch stays silent: a held-back event would be missed later."""
        self._is_stuck = self._is_stuck or self._disturbances.are_watches_silent
        return self._is_stuck

    def _close(self) -> None:
        if not self._is_open:
            return
        self._is_open = False
        self._stop_listening()
        for call in self._calls:
            if call.active():
                call.cancel()
        self.when_closed(self)
