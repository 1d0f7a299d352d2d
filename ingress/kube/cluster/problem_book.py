"""
What is wrong with what is read from a cluster, told once for all that changes together.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Mapping
from types import MappingProxyType

from twisted.internet.interfaces import IDelayedCall, IReactorTime

from ingress.problem import Problem

Problems = Mapping[Hashable, tuple[Problem, ...]]


class ProblemBook:
    """
    Problems by what they belong to.

    :param clock: for the turn after which those who read them are told.
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
        """All of them, as they were told last; a mapping that is never changed."""
        return self._published

    def subscribe(self, changed: Callable[[], None]) -> None:
        """Call ``changed`` whenever `current` has become another mapping."""
        self._subscribers.append(changed)

    def put(self, owner: Hashable, problems: tuple[Problem, ...]) -> None:
        """What is wrong with `owner` from now on; nothing if that is empty."""
        if self._problems.get(owner, ()) == problems:
            return
        if problems:
            self._problems[owner] = problems
        else:
            del self._problems[owner]
        if self._call is None:
            self._call = self._clock.callLater(0, self._tell)

    def stop(self) -> None:
        """Tell nobody any more."""
        if self._call is not None:
            self._call.cancel()
            self._call = None

    def _tell(self) -> None:
        self._call = None
        self._published = MappingProxyType(dict(self._problems))
        for subscriber in tuple(self._subscribers):
            subscriber()
