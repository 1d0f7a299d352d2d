"""
The options of a policy of one's own: the fields of its class, read from the configuration.

Each field is an option, with ``-`` for ``_``. Its annotation says what is accepted:

==============================  ====================================================
Annotation                      Accepted
==============================  ====================================================
``str``, ``bool``               text; true or false
``int``, ``float``              a whole number; a number
``bytes``                       text, encoded as UTF-8
``pathlib.Path``                a path, relative to the folder of the configuration
``Literal[...]``, an ``Enum``   one of its values
``tuple[T, ...]``               a list of ``T``, or one ``T``
``Mapping[str, T]``             a mapping of names to ``T``
``T | None``                    ``T``, or null
==============================  ====================================================

The value of a field with ``repr=False`` is a secret: no message quotes it.
"""

from __future__ import annotations

import types
from collections.abc import Callable, Mapping
from dataclasses import MISSING, Field, fields
from enum import Enum
from pathlib import Path
from typing import Any, Literal, Union, get_args, get_origin, get_type_hints

from ingress.config import file_value
from ingress.config import value as accept
from ingress.config.section import Accept, NotAccepted, Section
from ingress.errors import IngressError
from ingress.policy.policy import Policy

RESERVED = ("class", "for-all")
"""Keys beside the options."""


class OptionRefused(IngressError):
    """
    A policy refuses one of its options; its ``__post_init__`` raises this.

    :param option: the name of the field.
    :param accepted: what is accepted instead.
    """

    def __init__(self, option: str, accepted: str) -> None:
        super().__init__(f"{option}: {accepted}")
        self.option = option
        self.accepted = accepted


def make_policy(kind: type[Policy], section: Section, folder: Path) -> Policy | None:
    """
    Make a policy of its options.

    :param section: where the options are; mistakes are noted there.
    :param folder: where relative paths start.
    :return: None if there was a mistake.
    """
    values: dict[str, Any] = {}
    is_complete = True
    try:
        hints = get_type_hints(kind)
    except Exception as error:
        # Such as a name that is imported for type checkers alone.
        section.miss("class", f"the annotations of the class cannot be read: {_described(error)}")
        section.all_keys()
        return None
    for field in fields(kind):  # type: ignore[arg-type]
        if not field.init:
            continue
        try:
            value = _read(field, hints[field.name], section, folder)
        except _Refused:
            is_complete = False
            continue
        if value is not MISSING:
            values[field.name] = value
    if not is_complete:
        return None
    try:
        return kind(**values)
    except OptionRefused as error:
        key = option_key(error.option)
        (section.miss if _is_secret(kind, error.option) else section.refuse)(key, error.accepted)
    except Exception as error:
        section.miss("class", f"the class refuses its options: {_described(error)}")
    return None


def option_key(name: str) -> str:
    """Return the key of a field."""
    return name.replace("_", "-")


class _Refused(IngressError):
    """A mistake was noted."""


def _read(field: Field[Any], hint: Any, section: Section, folder: Path) -> Any:
    """
    :return: the value of a field; MISSING for its default.
    :raises _Refused: after a mistake was noted.
    """
    key = option_key(field.name)
    convert = acceptor(hint, folder)
    is_required = field.default is MISSING and field.default_factory is MISSING
    if not section.has(key):
        if not is_required:
            return MISSING
        section.miss(key, "is missing: the class needs this option")
        raise _Refused
    if convert is None:
        section.miss(key, f"the class gives this option the type {hint}, which cannot be read")
        raise _Refused
    take = section.take if field.repr else section.take_secret
    value = take(key, convert, MISSING)
    if value is MISSING:
        raise _Refused
    return value


def acceptor(hint: Any, folder: Path) -> Accept[Any] | None:
    """:return: a function that accepts values of an annotation; None if there is none."""
    simple = {
        str: _text,
        bool: accept.boolean,
        int: _integer,
        float: _number,
        bytes: lambda value: _text(value).encode(),
        Path: file_value.path(folder),
    }
    if hint in simple:
        return simple[hint]
    origin, arguments = get_origin(hint), get_args(hint)
    if origin is Literal:
        return accept.one_of(*arguments)
    if origin in (Union, types.UnionType):
        others = [each for each in arguments if each is not type(None)]
        inner = acceptor(others[0], folder) if len(others) == 1 else None
        return accept.or_null(inner) if inner is not None else None
    if origin is tuple and arguments[1:] == (...,):
        return _combined(acceptor(arguments[0], folder), _list)
    if isinstance(origin, type) and issubclass(origin, Mapping) and arguments[0] is str:
        return _combined(acceptor(arguments[1], folder), _mapping)
    if isinstance(hint, type) and issubclass(hint, Enum):
        return lambda value: hint(accept.one_of(*(each.value for each in hint))(value))
    return None


def _combined(
    inner: Accept[Any] | None, combine: Callable[[Accept[Any]], Accept[Any]]
) -> Accept[Any] | None:
    return combine(inner) if inner is not None else None


def _list(inner: Accept[Any]) -> Accept[tuple[Any, ...]]:
    def convert(value: object) -> tuple[Any, ...]:
        items = value if isinstance(value, list) else [value]
        try:
            return tuple(inner(item) for item in items)
        except NotAccepted as error:
            raise NotAccepted(f"a list, each item of which is {error}") from None

    return convert


def _mapping(inner: Accept[Any]) -> Accept[Mapping[str, Any]]:
    def convert(value: object) -> Mapping[str, Any]:
        if not isinstance(value, dict) or not all(isinstance(key, str) for key in value):
            raise NotAccepted("a mapping")
        try:
            return {key: inner(item) for key, item in value.items()}
        except NotAccepted as error:
            raise NotAccepted(f"a mapping, each value of which is {error}") from None

    return convert


def _text(value: object) -> str:
    if isinstance(value, str):
        return value
    raise NotAccepted("text (in quotes, if YAML would read it as something else)")


def _integer(value: object) -> int:
    if isinstance(value, int) and not isinstance(value, bool):
        return value
    raise NotAccepted("a whole number")


def _number(value: object) -> float:
    if isinstance(value, int | float) and not isinstance(value, bool):
        return float(value)
    raise NotAccepted("a number")


def _is_secret(kind: type[Policy], name: str) -> bool:
    return any(field.name == name and not field.repr for field in fields(kind))  # type: ignore[arg-type]


def _described(error: BaseException) -> str:
    return f"{type(error).__name__}: {error}"
