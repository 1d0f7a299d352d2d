"""
The decision when to read a changed file: once its writer has finished.

A file is read when it stayed the same between two looks and has no known writer. The same
holds for a file that is gone, because some editors remove a file and write it again.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from ingress.kube.change import Change
from ingress.kube.folder import FoundFile, Listing, Signature
from ingress.steps import STRIDE, Steps

MAX_WRITING: Final = 10.0
"""Seconds after which a writer that keeps a file open without writing counts as finished."""

GONE_DELAY: Final = 0.1
"""Seconds that a file must be gone."""


class Settling:
    """The changes that are not read yet; pure, the caller passes the time."""

    def __init__(self) -> None:
        self._writing: dict[str, float] = {}
        self._pending: dict[str, tuple[Signature, float]] = {}

    def notice(self, real: str, change: Change, now: float) -> None:
        """Note what happened to the file at a real path."""
        if change is Change.WRITING:
            self._writing[real] = now
        elif change is not Change.OTHER:
            self._writing.pop(real, None)

    def select(
        self, listing: Listing, known: Mapping[str, FoundFile], now: float, settled: bool
    ) -> Steps[tuple[list[FoundFile], list[FoundFile], float]]:
        """
        Decide what to read.

        :param known: the files that were read before.
        :param settled: whether to read everything at once, because nothing is served yet.
        :return: files to read, files that are gone, and seconds until the next look.
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
        """Seconds to wait before the file is read."""
        delay = self._age(path, found.signature, found.settle_delay, now)
        for real in found.real:
            started = self._writing.get(real)
            if started is not None and now < started + MAX_WRITING:
                # The look is only for an event of closing that gets lost.
                delay = max(delay, started + MAX_WRITING - now)
        return delay

    def _age(self, path: str, signature: Signature, settle_delay: float, now: float) -> float:
        """Seconds for which the file at ``path`` must still stay unchanged."""
        seen, since = self._pending.get(path, ((-1,), now))
        if seen != signature:
            self._pending[path] = (signature, now)
            return settle_delay
        # A timer may fire slightly too early.
        return max(0.0, since + settle_delay - now - 0.001)

    def _drop(self, listing: Listing, known: Mapping[str, FoundFile], now: float) -> None:
        """Forget what is no longer needed."""
        for path in tuple(self._pending):
            if path not in listing.files and path not in known:
                del self._pending[path]
        for real, started in tuple(self._writing.items()):
            if started + MAX_WRITING <= now:
                del self._writing[real]


def _is_hidden(path: str, listing: Listing) -> bool:
    """Whether the file may still exist, in a folder that cannot be read."""
    return any(path == refused or path.startswith(f"{refused}/") for refused in listing.hidden)
