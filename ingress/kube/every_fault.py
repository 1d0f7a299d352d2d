"""
All faults of an object at once, although a conversion stops at the first one.

A copy of the object is mended where it is faulty and converted again, until it can be
converted or cannot be mended. The result is only checked, never used.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from copy import deepcopy
from typing import Any, Final, cast

import msgspec

from ingress.document import Path
from ingress.kube.conversion import conversion_faults
from ingress.kube.fault import Fault, value_at
from ingress.kube.objects import KubeObject
from ingress.kube.validation import find_faults

MAX_MENDED: Final = 50
"""Faults that are looked for; more in one object are one mistake repeated."""

_EXPECTED: Final = re.compile(r"Expected `(?P<kind>\w+)")
_BY_KIND: Final[Mapping[str, object]] = {
    "str": "x",
    "int": 1,
    "float": 1.0,
    "bool": False,
    "array": [],
    "object": {},
}
"""Replacements of values of another type, by the expected type."""

_BY_FIELD: Final[Mapping[str, object]] = {
    "metadata": {"name": "x"},
    "spec": {},
    "name": "x",
    "kind": "x",
    "ip": "192.0.2.1",
    "port": 1,
    "backend": {},
    "paths": [],
    "addresses": [],
    "pathType": "ImplementationSpecific",
    "addressType": "IPv4",
}
"""Values in place of missing fields, and of fields with a few accepted values."""


def every_fault(raw: dict[str, object], type_: type[KubeObject]) -> list[Fault]:
    """
    The faults of an object that cannot be converted: those of its shape, and all others.

    :param raw: stays as it is.
    """
    copy = deepcopy(raw)
    faults: list[Fault] = []
    for _ in range(MAX_MENDED):
        try:
            item = msgspec.convert(copy, type_)
        except msgspec.ValidationError as error:
            found = conversion_faults(str(error), copy)
            known = [fault.path for fault in faults]
            faults += [
                fault for fault in found if not any(_is_within(fault.path, path) for path in known)
            ]
            if not all(_mend(copy, fault.path, str(error)) for fault in found):
                return faults
        else:
            return [*faults, *_others(item, faults)]
    return faults


def _others(item: KubeObject, faults: list[Fault]) -> list[Fault]:
    """The faults of a mended object that do not come from its mending."""
    paths = [fault.path for fault in faults]
    return [
        fault
        for fault in find_faults(item)
        if not any(_is_within(fault.path, path) or _is_within(path, fault.path) for path in paths)
    ]


def _is_within(path: Path, other: Path) -> bool:
    return path[: len(other)] == other


def _mend(raw: object, path: Path, error: str) -> bool:
    """Put an accepted value at a path, or remove what is there; False if that cannot be done."""
    if not path:
        return False
    container: Any = value_at(raw, path[:-1])
    last = path[-1]
    expected = _EXPECTED.search(error)
    if expected is not None and expected["kind"] in _BY_KIND:
        value = _BY_KIND[expected["kind"]]
    elif last in _BY_FIELD:
        value = _BY_FIELD[cast(str, last)]
    elif isinstance(container, dict) and last in container:
        del container[last]
        return True
    else:
        return False
    if not isinstance(container, dict | list):
        return False
    mapping = cast("dict[str | int, object]", container)
    mapping[last] = deepcopy(value)
    return True
