"""
A fault of one object, independent of where the object was read.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import lru_cache
from typing import Final

from ingress.document import Path
from ingress.frozen import dataclass
from ingress.kube.objects import ObjectKey
from ingress.problem import Origin, Problem, quoted, shown
from ingress.problem_code import Code


@dataclass(frozen=True, slots=True)
class Fault:
    """What is wrong with the field at ``path``, and what is accepted instead."""

    path: Path
    message: str

    is_of_creation: bool = False
    """Whether the API server refuses it in new objects only, so that stored ones may have it."""


_PLAIN_STEP: Final = re.compile(r"[A-Za-z][A-Za-z0-9]*", re.ASCII)
_FREE_KEYS: Final = frozenset(("annotations", "labels", "data", "stringData"))


def spell_field(path: Path) -> str:
    """
    A path as kubectl writes it.

    ``spec.rules[0].host``; keys that the author chose are in brackets:
    ``metadata.annotations[example.com/a]``.
    """
    spelled = ""
    parent: str | int = ""
    for step in path:
        if isinstance(step, int) or parent in _FREE_KEYS or not _PLAIN_STEP.fullmatch(step):
            spelled += f"[{step}]"
        else:
            spelled += f".{step}" if spelled else step
        parent = step
    return spelled


_MOST_REMEMBERED: Final = 1024
"""Fields: faults of many objects are in the same ones."""

_SPELLED_STEP: Final = re.compile(r"\[(?P<key>[^\]]*)\]|(?P<name>[^.\[\]]+)")


@lru_cache(_MOST_REMEMBERED)
def read_field(spelled: str) -> Path:
    """The path that `spell_field` has spelled."""
    path: Path = ()
    for step in _SPELLED_STEP.finditer(spelled):
        key = step["key"]
        if key is None:
            path = (*path, step["name"])
        elif key.isdecimal() and (not path or path[-1] not in _FREE_KEYS):
            path = (*path, int(key))
        else:
            path = (*path, key)
    return path


def value_at(value: object, path: Path) -> object:
    """The value at a path; None if the path does not exist."""
    for step in path:
        if isinstance(value, Mapping) and isinstance(step, str):
            value = value.get(step)
        elif isinstance(value, list) and isinstance(step, int) and step < len(value):
            value = value[step]
        else:
            return None
    return value


def show_value(value: object) -> str:
    """A scalar as its author would recognise it, in one line; empty for anything else."""
    if value is None or isinstance(value, dict | list):
        return ""
    if isinstance(value, str):
        return quoted(value)
    return shown(str(value).lower() if isinstance(value, bool) else str(value))


def fault_problem(fault: Fault, key: ObjectKey, value: object, origin: Origin) -> Problem:
    """
    Make the Problem of a fault.

    :param key: the parts that are known.
    :param value: of the field; None if it must not be shown.
    """
    kind, namespace, name = key
    return Problem(
        message=fault.message,
        kind=kind,
        namespace=shown(namespace),
        name=shown(name),
        field=shown(spell_field(fault.path)),
        value=show_value(value),
        origin=origin,
        code=Code.OBJECT_INVALID,
    )
