"""
Names that wait to be written, in lanes: urgent news does not wait behind a long queue.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Container, Hashable, Iterable, Sequence
from typing import Generic, TypeVar

from ingress.token_bucket import TokenBucket

K = TypeVar("K", bound=Hashable)


class Lanes(Generic[K]):
    """
    Each name waits in one lane, in order. A lane goes before all later ones, and has a rate of its
    own, so that a lane that has used up its rate delays no other.

    :param lane_of: the number of a name's lane, asked whenever the name is added.
    :param buckets: the rate of each lane, the most urgent lane first.
    """

    def __init__(self, lane_of: Callable[[K], int], buckets: Sequence[TokenBucket]) -> None:
        self._lane_of = lane_of
        self._buckets = tuple(buckets)
        self._lanes: tuple[OrderedDict[K, None], ...] = tuple(OrderedDict() for _ in buckets)
        """OrderedDicts: a dict gets slow when its first entries are removed one by one."""

    def __repr__(self) -> str:
        return f"<Lanes: {' + '.join(str(len(lane)) for lane in self._lanes)}>"

    def __len__(self) -> int:
        """How many names wait."""
        return sum(map(len, self._lanes))

    def add(self, name: K) -> None:
        """Let a name wait, in place of a less urgent wait of the same name."""
        number = self._lane_of(name)
        for earlier in self._lanes[:number]:
            if name in earlier:
                return
        for later in self._lanes[number + 1 :]:
            later.pop(name, None)
        self._lanes[number][name] = None

    def add_all(self, names: Iterable[K]) -> None:
        """Let each of several names wait."""
        for name in names:
            self.add(name)

    def discard(self, name: K) -> None:
        """Let a name wait no longer."""
        for lane in self._lanes:
            lane.pop(name, None)

    def clear(self) -> None:
        """Let no name wait any longer."""
        for lane in self._lanes:
            lane.clear()

    def first(self, busy: Container[K], closed: Container[int]) -> tuple[int, K] | None:
        """
        :param busy: names that are passed over.
        :param closed: lanes that are passed over.
        :return: the most urgent lane that has a name, and its first name; None if none has.
        """
        for number, lane in enumerate(self._lanes):
            if number not in closed:
                for name in lane:
                    if name not in busy:
                        return number, name
        return None

    def take_token(self, number: int, now: float) -> float:
        """:return: 0 if the lane may write; else the seconds until it may."""
        return self._buckets[number].take(now)
