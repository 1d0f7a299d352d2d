"""
How fast the core of the proxies is at the moment.

On a virtual machine the other half of a physical core may be somebody else's, who takes a
third of its speed whenever he works: nothing on this side shows it but that the same work
takes more processor time. So a small piece of work is done again and again during a run.
"""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from statistics import mean

WORK = 2_000
"""Additions and multiplications: a tenth of a millisecond."""

TIMES = 5
"""That a sample does it: the first finds the caches cold, and the best of them counts."""

INTERVAL = 0.05
"""Seconds between two samples, which take a hundredth of what the core can do."""

SLOW = 1.15
"""Times of the best that are too many: a core that is shared all the time takes 1.5."""


class Slowness:
    """
    :ivar value: the mean time of the work, in times of the best ever seen.
    :ivar seconds: that the samples have taken of the core.
    """

    value = 1.0
    seconds = 0.0


class Pace:
    def __init__(self, core: int) -> None:
        self._core = core
        self._best = float("inf")

    @contextmanager
    def watched(self) -> Iterator[Slowness]:
        """Find out how slow the core is in the meantime."""
        slowness, is_over, times = Slowness(), threading.Event(), list[float]()

        def sample() -> None:
            os.sched_setaffinity(0, {self._core})  # of this thread only
            while not is_over.wait(INTERVAL):
                trials = [_work() for _ in range(TIMES)]
                times.append(min(trials))
                slowness.seconds += sum(trials)

        thread = threading.Thread(target=sample, daemon=True)
        thread.start()
        try:
            yield slowness
        finally:
            is_over.set()
            thread.join()
        if times:
            self._best = min(self._best, *times)
            slowness.value = mean(times) / self._best


def _work() -> float:
    """Seconds of processor time that it takes."""
    began, total = time.thread_time(), 0
    for number in range(WORK):
        total += number * number
    return time.thread_time() - began
