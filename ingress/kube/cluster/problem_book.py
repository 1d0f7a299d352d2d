"""
The Problems of objects that are read from a cluster; changes of one turn are published together.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Mapping
from types import MappingProxyType

from twisted.internet.interfaces import IDelayedCall, IReactorTime

from ingress.problem import Problem

Problems = Mapping[Hashable, tuple[Problem, ...]]


class ProblemBook:
    """
    Problems by their owner.

    :param clock: for the turns of the reactor.
    """

    def __init__(self, clock: IReactorTime) -> None:
        self._clock = clock
        self._problems: dict[Hashable, tuple[Problem, ...]] = {}
        self._published: Problems = MappingProxyType({})
        self._subscribers: list[Callable[[], None]] = []
        self._call: IDelayedCall | None = None

    def __repr__(self) -> str:
        return f"<ProblemBook: {len(self._problems)} entries>"

    @property
    def current(self) -> Problems:
        """All Problems as published last; the mapping is never changed."""
        return self._published

    def subscribe(self, changed: Callable[[], None]) -> None:
        """Call ``changed`` whenever `current` has been replaced."""
        self._subscribers.append(changed)

    def put(self, owner: Hashable, problems: tuple[Problem, ...]) -> None:
        """Replace the Problems of `owner`; empty if it has none."""
        if self._problems.get(owner, ()) == problems:
            return
        if problems:
            self._problems[owner] = problems
        else:
            del self._problems[owner]
        if self._call is None:
            self._call = self._clock.callLater(0, self._publish)

    def stop(self) -> None:
        """Publish nothing any more."""
        if self._call is not None:
            self._call.cancel()
            self._call = None

    def _publish(self) -> None:
        self._call = None
        self._published = MappingProxyType(dict(self._problems))
        for subscriber in tuple(self._subscribers):
            subscriber()
