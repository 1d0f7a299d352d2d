"""
The costs of many objects besides their memory: full runs of the garbage collector, and freeing.

These were measured on CPython 3.11 with 10,000 Ingresses of one host each, their
Services and EndpointSlices. A build makes 180,000 objects from them that the collector
tracks, and a full run takes 67 ms, in which no request is answered. A build from
scratch had two such runs. With `settle_objects` after each slice of 5 ms it had none;
the longest run of any kind took 6 ms, and settling 0.6 ms.

Freeing the same objects in one go takes 30 ms; `SlowRelease` avoids this.
"""

from __future__ import annotations

import gc
from collections.abc import Iterable, Mapping
from typing import Final

from twisted.internet.interfaces import IDelayedCall, IReactorTime

LARGE_WORK: Final = 0.02
"""
Seconds of work after which its objects are settled, again and again while it lasts.
By then there are about 10,000 objects, so a full run of the collector before is short.
"""

RELEASE_SLICE: Final = 0.002
RELEASED_AT_ONCE: Final = 50
"""Objects freed between two looks at the clock: each may hold some hundreds of others."""


def settle_objects() -> None:
    """
    Hide all existing objects from the garbage collector.

    The objects of a cluster live long and are not in cycles, so they are freed as usual
    when nothing refers to them. But an object that is alive now and later becomes garbage
    in a cycle is never freed: call this only at rare moments.
    """
    # Collect the young objects first, so that existing cyclic garbage does not stay.
    gc.collect(1)
    gc.freeze()


class SlowRelease:
    """
    Keeps objects that are no longer used for a little longer, and frees them in slices.

    :param clock: schedules the slices, between which the reactor serves.
    """

    def __init__(self, clock: IReactorTime) -> None:
        self._clock = clock
        self._held: list[list[object]] = []
        self._turn: IDelayedCall | None = None

    def __repr__(self) -> str:
        return f"<SlowRelease {sum(map(len, self._held))} held>"

    def hold(self, objects: Iterable[object]) -> None:
        """
        Release these objects one after the other; other holders are not affected.

        :param objects: a mapping stands for itself and its values.
        """
        # The mapping is released first, because it holds its values, too.
        held = [*objects.values(), objects] if isinstance(objects, Mapping) else list(objects)
        self._held.append(held)
        if self._turn is None:
            self._turn = self._clock.callLater(0, self._let_go)

    def stop(self) -> None:
        """Free the rest at once."""
        if self._turn is not None:
            self._turn.cancel()
            self._turn = None
        self._held.clear()

    def _let_go(self) -> None:
        self._turn = None
        end = self._clock.seconds() + RELEASE_SLICE
        while self._held:
            if self._clock.seconds() >= end:
                self._turn = self._clock.callLater(0, self._let_go)
                return
            del self._held[-1][-RELEASED_AT_ONCE:]
            if not self._held[-1]:
                self._held.pop()
