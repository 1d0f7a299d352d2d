"""
Work in steps, done at once.
"""

from __future__ import annotations

from typing import TypeVar

from ingress.routing.build.change import Steps

T = TypeVar("T")


def finish(steps: Steps[T]) -> T:
    """The result of `steps`."""
    while True:
        try:
            next(steps)
        except StopIteration as stop:
            result: T = stop.value
            return result
