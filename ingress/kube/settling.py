"""
When a file that has changed may be read: once its writer is done with it.

A file is read when it has stayed the same between two looks, and no writer is
known to be at it. One that is gone is given up the same way, because some
editors remove a file and write it again.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from ingress.kube.folder import FoundFile, Listing, Signature
from ingress.steps import STRIDE, Steps

MAX_WRITING: Final = 10.0
"""In seconds: a writer that keeps a file open for longer without writing is done."""

GONE_DELAY: Final = 0.1
"""In seconds: how long a file must be gone."""


class Settling:
    """What has changed and is not read yet; pure, its caller tells the time."""

    def __init__(self) -> None:
        self._writing: dict[str, float] = {}
        self._pending: dict[str, tuple[Signature, float]] = {}

    def notice(self, real: str, is_writing: bool | None, now: float) -> None:
        """Note what a writer does to the file at a real path."""
        if is_writing:
            self._writing[real] = now
        elif is_writing is False:
            self._writing.pop(real, None)

    def select(
        self, listing: Listing, known: Mapping[str, FoundFile], now: float, settled: bool
    ) -> Steps[tuple[list[FoundFile], list[FoundFile], float]]:
        """
        Decide what to do with what is on disk.

        :param known: what was read before.
        :param settled: take everything as it is, because nothing is served yet.
        :return: what to read, what to give up, and in how many seconds to look again.
        """
        due: list[FoundFile] = []
        gone: list[FoundFile] = []
        wait = float("inf")
        for count, (path, found) in enumerate(listing.files.items()):
            if count % STRIDE == STRIDE - 1:
                yield
            before = known.get(path)
            if before is not None and before.signature == found.signature:
                self._pending.pop(path, None)
                continue
            delay = 0.0 if settled else self._remaining(path, found, now)
            if delay > 0:
                wait = min(wait, delay)
            else:
                due.append(found)
        for count, (path, found) in enumerate(known.items()):
            if count % STRIDE == STRIDE - 1:
                yield
            if path in listing.files or _is_hidden(path, listing):
                continue
            delay = self._age(path, (), GONE_DELAY, now)
            if delay > 0:
                wait = min(wait, delay)
            else:
                gone.append(found)
        self._drop(listing, known, now)
        return due, gone, wait

    def _remaining(self, path: str, found: FoundFile, now: float) -> float:
        """How long to wait before the file is read, in seconds."""
        delay = self._age(path, found.signature, found.settle_delay, now)
        for real in found.real:
            started = self._writing.get(real)
            if started is not None and now < started + MAX_WRITING:
                # Its closing is told to us; the look is for when that gets lost.
                delay = max(delay, started + MAX_WRITING - now)
        return delay

    def _age(self, path: str, signature: Signature, settle_delay: float, now: float) -> float:
        """How long what was found at ``path`` must still stay as it is."""
        seen, since = self._pending.get(path, ((-1,), now))
        if seen != signature:
            self._pending[path] = (signature, now)
            return settle_delay
        # A timer may fire a hair too early.
        return max(0.0, since + settle_delay - now - 0.001)

    def _drop(self, listing: Listing, known: Mapping[str, FoundFile], now: float) -> None:
        """Forget what nobody waits for any more."""
        for path in tuple(self._pending):
            if path not in listing.files and path not in known:
                del self._pending[path]
        for real, started in tuple(self._writing.items()):
            if started + MAX_WRITING <= now:
                del self._writing[real]


def _is_hidden(path: str, listing: Listing) -> bool:
    """Whether the file may still be there, in a folder that we were not let into."""
    return any(path == refused or path.startswith(f"{refused}/") for refused in listing.hidden)
