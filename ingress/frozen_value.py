"""
The pickling of frozen dataclasses that are compiled.

Unpickled, they would be filled in field by field, which a frozen class refuses once it is compiled.
So they are made anew of the fields that they were made of; those that follow from these are not
sent.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import fields
from functools import cache
from typing import Any


def reduced(value: Any) -> tuple[Callable[..., Any], tuple[type, tuple[Any, ...]]]:
    """
    :param value: of a frozen dataclass.
    :return: what its ``__reduce__`` returns.
    """
    kind: Any = type(value)
    return _make, (kind, tuple([getattr(value, name) for name in _names(kind)]))


def _make(kind: Any, values: tuple[Any, ...]) -> Any:
    return kind(**dict(zip(_names(kind), values, strict=True)))


@cache
def _names(kind: Any) -> tuple[str, ...]:
    """The names of the fields that the constructor takes."""
    return tuple(each.name for each in fields(kind) if each.init)
