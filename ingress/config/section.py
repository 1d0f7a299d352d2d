"""
A mapping of the configuration file, read key by key.

The reader names each key and what it accepts. A mistake is noted and the default used,
so that all mistakes of a file are reported together. A key that the reader did not name is a
mistake too.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from difflib import get_close_matches
from types import TracebackType
from typing import TypeVar

from ingress.document import Document, Path
from ingress.errors import IngressError
from ingress.frozen import dataclass
from ingress.problem import printable, shown

S = TypeVar("S")
T = TypeVar("T")

Accept = Callable[[object], T]
"""Converts a value of the file; raises NotAccepted."""


class NotAccepted(IngressError):
    """A value is not accepted; the message says what is."""


@dataclass(frozen=True, slots=True)
class Mistake:
    """One thing that is wrong with the configuration file."""

    file: str
    message: str
    """What is accepted."""

    line: int = 0
    """From 1; 0 for the whole file."""

    key: str = ""
    """The path of the key: ``source.files[0]``."""

    value: str = ""
    """As JSON, shortened."""

    def __str__(self) -> str:
        """One line: ``FILE, line N: KEY: VALUE: MESSAGE``."""
        where = f"{self.file}, line {self.line}" if self.line else self.file
        return ": ".join(part for part in (where, self.key, self.value, self.message) if part)


class Mistakes:
    """
    The mistakes found so far.

    :param file: its path as the user wrote it.
    """

    def __init__(self, file: str) -> None:
        self._file = printable(file)
        self._found: list[Mistake] = []

    def __repr__(self) -> str:
        return f"<Mistakes: {len(self._found)} in {self._file}>"

    def in_file(self, message: str, line: int = 0) -> None:
        """Note a mistake of the file as a whole."""
        self._found.append(Mistake(self._file, message, line))

    def at(self, document: Document, path: Path, value: str, message: str) -> None:
        """
        Note a mistake in the value of a key, or in an item of it.

        :param value: as JSON; empty where the key is missing.
        """
        self._found.append(Mistake(self._file, message, document.line_of(path), _key(path), value))

    def in_order(self) -> tuple[Mistake, ...]:
        """All mistakes, in the order of the file."""
        return tuple(sorted(self._found, key=lambda mistake: mistake.line))


class Section:
    """
    A mapping somewhere in the document.

    On leaving it as a context manager, keys that were not read are noted as mistakes.
    """

    def __init__(
        self, document: Document, mistakes: Mistakes, path: Path, value: dict[str, object]
    ) -> None:
        self._document = document
        self._mistakes = mistakes
        self._path = path
        self._value = value
        self._known: list[str] = []
        self.is_faulty = False
        """Whether it stands for a value that was a mistake."""

    def __repr__(self) -> str:
        return f"<Section {_key(self._path) or 'root'}: {len(self._value)} keys>"

    def __enter__(self) -> Section:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        if error is None:
            for key in self._value:
                if key not in self._known:
                    self.refuse(key, _unknown(key, self._known))

    def has(self, key: str) -> bool:
        """Whether the key is present, with any value."""
        self._known.append(key)
        return key in self._value

    def is_null(self, key: str) -> bool:
        """Whether the key is present without a value."""
        return self.has(key) and self._value[key] is None

    def is_off(self, key: str) -> bool:
        """Whether the key is ``off`` (which YAML 1.1 reads as false) or has no value."""
        return self.has(key) and self._value[key] in (None, False, "off")

    def is_mapping(self, key: str) -> bool:
        """Whether the key is present with a mapping of keys and values."""
        return self.has(key) and isinstance(self._value[key], dict)

    def is_empty(self, key: str) -> bool:
        """Whether the key is present with an empty list."""
        return self.has(key) and self._value[key] == []

    def all_keys(self) -> list[str]:
        """All keys, for a mapping whose keys are free."""
        self._known.extend(self._value)
        return list(self._value)

    def take(self, key: str, accept: Callable[[object], S], default: T) -> S | T:
        """The accepted value of a key; the default where it is absent or a mistake."""
        if not self.has(key):
            return default
        try:
            return accept(self._value[key])
        except NotAccepted as error:
            self.refuse(key, str(error))
            return default

    def take_secret(self, key: str, accept: Callable[[object], S], default: T) -> S | T:
        """The same as `take` for a value that a mistake must not quote."""
        if not self.has(key):
            return default
        try:
            return accept(self._value[key])
        except NotAccepted as error:
            self.miss(key, str(error))
            return default

    def take_all(self, key: str, accept: Accept[T], default: tuple[T, ...]) -> tuple[T, ...]:
        """The accepted items of a list; a single value is a list of one."""
        if not self.has(key):
            return default
        value = self._value[key]
        items = value if isinstance(value, list) else [value]
        accepted = []
        for index, item in enumerate(items):
            try:
                accepted.append(accept(item))
            except NotAccepted as error:
                below: Path = (index,) if items is value else ()
                self._note(key, below, item, str(error))
        return tuple(accepted)

    def section(
        self,
        key: str,
        accepted: str = "a mapping of keys and values",
        *,
        is_secret: bool = False,
        short_for: str = "",
    ) -> Section:
        """
        The mapping below a key; an empty one where it is absent or a mistake.

        :param accepted: what is accepted, for the message about any other value.
        :param is_secret: whether the message must not quote the value.
        :param short_for: the key of the mapping whose value may stand in its place, if any.
        """
        value = self._value[key] if self.has(key) else {}
        if short_for and isinstance(value, str):
            value = {short_for: value}
        is_mapping = isinstance(value, dict)
        if not is_mapping:
            (self.miss if is_secret else self.refuse)(key, accepted)
        section = Section(
            self._document,
            self._mistakes,
            (*self._path, key),
            value if isinstance(value, dict) else {},
        )
        section.is_faulty = not is_mapping
        return section

    def sections(self, key: str, accepted: str) -> list[Section] | None:
        """
        The mappings in the list below a key, empty if the key is absent or null; None if the
        value is a mistake.

        :param accepted: what is accepted, for the message about any other value. The value is
            not quoted, because it may contain a secret.
        """
        value = [] if not self.has(key) or self.is_null(key) else self._value[key]
        if not isinstance(value, list) or not all(isinstance(item, dict) for item in value):
            self.miss(key, accepted)
            return None
        return [
            Section(self._document, self._mistakes, (*self._path, key, index), item)
            for index, item in enumerate(value)
        ]

    def refuse(self, key: str, message: str) -> None:
        """Note a mistake in the value of a key."""
        self._note(key, (), self._value.get(key), message)

    def miss(self, key: str, message: str) -> None:
        """Note that a key is missing, or a mistake in a value that must not be quoted."""
        self._mistakes.at(self._document, (*self._path, key), "", message)

    def _note(self, key: str, below: Path, value: object, message: str) -> None:
        self._mistakes.at(self._document, (*self._path, key, *below), _as_json(value), message)


def _unknown(key: str, known: list[str]) -> str:
    close = get_close_matches(key, known, 1)
    if close:
        return f"unknown key; did you mean {close[0]}?"
    return f"unknown key; known are {', '.join(sorted(set(known)))}"


def _key(path: Path) -> str:
    steps = (f"[{step}]" if isinstance(step, int) else f".{shown(step)}" for step in path)
    return "".join(steps).removeprefix(".")


def _as_json(value: object) -> str:
    return shown(json.dumps(value, ensure_ascii=False, default=str))
