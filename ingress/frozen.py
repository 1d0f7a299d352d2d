"""
Frozen dataclasses that are cheap to define.

`dataclasses.dataclass` writes six methods of each class as text and compiles them: half a
millisecond a class, which was a third of the processor time of ``txingress check`` of ten files,
and it uses few of the classes. This one compiles ``__init__``, when the first instance is made;
the other methods are closures. Everything else is as with `dataclasses`, which does the work:
`fields`, `replace` and mypy know no difference.

It is for interpreted modules that commands import; mypyc knows the decorator of `dataclasses`
alone. What is not plainly ``@dataclass(frozen=True, slots=True)``, or inherits fields, is left to
that one.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from dataclasses import MISSING, Field, FrozenInstanceError
from functools import partial
from operator import attrgetter
from reprlib import recursive_repr
from typing import TYPE_CHECKING, Any, Final

_UNSET: Final = object()
"""Stands for an argument that was not given, if the default is made by a function."""

_Get = Callable[[object], object]


def _dataclass(cls: type | None = None, /, **options: bool) -> Any:
    if cls is None:
        return partial(_dataclass, **options)
    is_plain = options == {"frozen": True, "slots": True}
    if not is_plain or any(map(dataclasses.is_dataclass, cls.__mro__[1:])):
        return dataclasses.dataclass(**options)(cls)
    own = frozenset(cls.__dict__)
    keeps_hash = cls.__dict__.get("__hash__") is not None
    made: Any = dataclasses.dataclass(init=False, repr=False, eq=False, slots=True)(cls)
    # A subclass may be made by `dataclasses`, which asks whether its base is frozen.
    made.__dataclass_params__.frozen = True
    names = [each.name for each in dataclasses.fields(made) if each.compare]
    hashed = [
        each.name
        for each in dataclasses.fields(made)
        if (each.compare if each.hash is None else each.hash)
    ]
    methods: dict[str, Callable[..., Any]] = {
        "__init__": _late_init(made),
        "__repr__": _repr,
        "__eq__": _eq_by(_getter(names)),
        "__getstate__": _getstate,
        "__setstate__": _setstate,
    }
    for name, method in methods.items():
        if name not in own:
            setattr(made, name, method)
    if not keeps_hash:
        made.__hash__ = _hash_by(_getter(hashed))
    made.__setattr__, made.__delattr__ = _frozen(made)
    return made


if TYPE_CHECKING:
    from dataclasses import dataclass as dataclass
else:
    dataclass = _dataclass


def _getter(names: list[str]) -> _Get:
    """:return: gives the values of these fields of an object, to compare them."""
    return attrgetter(*names) if names else lambda item: ()


def _eq_by(get: _Get) -> Callable[..., Any]:
    def __eq__(self: object, other: object) -> object:
        return get(self) == get(other) if other.__class__ is self.__class__ else NotImplemented

    return __eq__


def _hash_by(get: _Get) -> Callable[..., Any]:
    def __hash__(self: object) -> int:
        return hash(get(self))

    return __hash__


@recursive_repr()
def _repr(self: Any) -> str:
    shown = (each.name for each in dataclasses.fields(self) if each.repr)
    inner = ", ".join(f"{name}={getattr(self, name)!r}" for name in shown)
    return f"{self.__class__.__qualname__}({inner})"


def _frozen(cls: type[Any]) -> tuple[Callable[..., Any], Callable[..., Any]]:
    """:return: ``__setattr__`` and ``__delattr__``; a subclass may have attributes of its own."""

    def __setattr__(self: Any, name: str, value: object) -> None:
        if type(self) is cls or name in cls.__dataclass_fields__:
            raise FrozenInstanceError(f"cannot assign to field {name!r}")
        super(cls, self).__setattr__(name, value)

    def __delattr__(self: Any, name: str) -> None:
        if type(self) is cls or name in cls.__dataclass_fields__:
            raise FrozenInstanceError(f"cannot delete field {name!r}")
        super(cls, self).__delattr__(name)

    return __setattr__, __delattr__


def _getstate(self: Any) -> list[object]:
    return [getattr(self, each.name) for each in dataclasses.fields(self)]


def _setstate(self: Any, state: list[object]) -> None:
    for each, value in zip(dataclasses.fields(self), state, strict=True):
        object.__setattr__(self, each.name, value)


def _late_init(cls: type[Any]) -> Callable[..., None]:
    def __init__(self: object, *arguments: object, **named: object) -> None:
        cls.__init__ = made = _make_init(cls)
        made(self, *arguments, **named)

    return __init__


def _make_init(cls: type[Any]) -> Callable[..., None]:
    """Compile the ``__init__`` of a class, as `dataclasses` does."""
    known: dict[str, Any] = {"_set": object.__setattr__, "_UNSET": _UNSET}
    parameters = ["self"]
    named: list[str] = []
    lines: list[str] = []
    for each in dataclasses.fields(cls):
        value = each.name
        if each.init:
            (named if each.kw_only else parameters).append(_parameter(each, known))
        if each.default_factory is not MISSING:
            known[f"_make_{each.name}"] = each.default_factory
            value = f"_make_{each.name}()"
            if each.init:
                value += f" if {each.name} is _UNSET else {each.name}"
        elif not each.init:
            if each.default is MISSING:
                continue
            known[f"_default_{each.name}"] = each.default
            value = f"_default_{each.name}"
        lines.append(f" _set(self, {each.name!r}, {value})")
    if hasattr(cls, "__post_init__"):
        lines.append(" self.__post_init__()")
    every = [*parameters, *(["*", *named] if named else ())]
    body = "\n".join(lines) or " pass"
    exec(f"def __init__({', '.join(every)}):\n{body}", known)  # noqa: S102 (names of fields alone)
    init: Callable[..., None] = known["__init__"]
    init.__qualname__ = f"{cls.__qualname__}.__init__"
    init.__module__ = cls.__module__
    return init


def _parameter(each: Field[Any], known: dict[str, Any]) -> str:
    if each.default_factory is not MISSING:
        return f"{each.name}=_UNSET"
    if each.default is MISSING:
        return each.name
    known[f"_default_{each.name}"] = each.default
    return f"{each.name}=_default_{each.name}"
