"""
Work in steps, between which other work has a turn: a generator that yields nothing.

The caller decides how many steps make a slice (`ingress.controller`,
`ingress.kube.files`). A step must take well below a millisecond or two.
"""

from __future__ import annotations

from collections.abc import Callable, Generator
from typing import Final, TypeVar

T = TypeVar("T")

Steps = Generator[None, None, T]
"""Work that yields between its steps, and returns its result."""

STRIDE: Final = 256
"""The number of names, rules or endpoints between two yields: some tenths of a millisecond."""


def finish(steps: Steps[T]) -> T:
    """
    Do all steps at once.

    :return: its result.
    """
    while True:
        try:
            next(steps)
        except StopIteration as end:
            result: T = end.value
            return result


def ticking(steps: Steps[T], tick: Callable[[], None]) -> Steps[T]:
    """
    :param tick: is called after each step.
    :return: the same steps.
    """
    while True:
        try:
            next(steps)
        except StopIteration as end:
            result: T = end.value
            return result
        tick()
        yield
