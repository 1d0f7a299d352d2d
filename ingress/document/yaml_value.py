"""
YAML events to plain values, without recursion.

PyYAML's own loaders compose and construct recursively: three hundred thousand
``[`` crash the interpreter in the C loader. Its parsers do not, so values are
built here from their events, with a bound on the depth and on what aliases
expand to. That is also twice as fast as ``CSafeLoader`` and can be done in
slices.

The types of plain scalars are those that Kubernetes' own reader
(``sigs.k8s.io/yaml``) gives them: YAML 1.1, booleans such as ``yes`` included,
but no timestamps, no base 60 numbers (``22:22`` is a string) and no ``=``.
Keys of mappings become strings, as they do on the way to JSON.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Generator
from typing import Final

from yaml.events import (
    AliasEvent,
    CollectionStartEvent,
    DocumentStartEvent,
    Event,
    MappingEndEvent,
    MappingStartEvent,
    ScalarEvent,
    SequenceEndEvent,
    SequenceStartEvent,
    StreamEndEvent,
)

from ingress.document.line_index import Span, Spans
from ingress.document.yaml_event import line_of_event, open_events

MAX_DEPTH: Final = 100
"""Levels of collections; real Kubernetes objects have fewer than 20."""

MAX_ALIASED: Final = 10_000
"""Values that the aliases of one document may expand to (the "billion laughs" bomb)."""

SLICE_EVENTS: Final = 64
"""Events between two yields of `build_yaml`, about a tenth of a millisecond."""


class ValueRefused(Exception):
    """
    The text is YAML, but has something that is not accepted.

    :param line: from 0, as PyYAML counts.
    """

    def __init__(self, message: str, line: int) -> None:
        super().__init__(message)
        self.message = message
        self.line = line


_BOOLEANS: Final = {
    spelling: value
    for value, words in ((True, ("yes", "true", "on")), (False, ("no", "false", "off")))
    for word in words
    for spelling in (word, word.capitalize(), word.upper())
}
_NULLS: Final = frozenset(("", "~", "null", "Null", "NULL"))
_WORDS: Final = frozenset((*_BOOLEANS, *_NULLS))
_NUMBER_START: Final = frozenset("0123456789+-.")
"""The first characters of plain scalars that may be numbers; others are text but for `_WORDS`."""

_INTEGER: Final = re.compile(r"[-+]?(?:0b[01_]+|0x[0-9a-fA-F_]+|0[0-7_]*|[1-9][0-9_]*)", re.ASCII)
_FLOAT: Final = re.compile(
    r"[-+]?(?:(?:[0-9][0-9_]*\.[0-9_]*|\.[0-9][0-9_]*)(?:[eE][-+]?[0-9]+)?"
    r"|[0-9]+[eE][-+]?[0-9]+|\.(?:inf|Inf|INF))|\.(?:nan|NaN|NAN)",
    re.ASCII,
)
_MAX_DIGITS: Final = 40
"""Longer integers become floats, as in Go; Python's own conversion of them is slow."""


def plain_value(text: str) -> object:
    """The value of a plain (unquoted) scalar."""
    if text in _NULLS:
        return None
    if text in _BOOLEANS:
        return _BOOLEANS[text]
    if text[0] not in _NUMBER_START:
        return text
    if _INTEGER.fullmatch(text):
        return _integer(text)
    if _FLOAT.fullmatch(text):
        return float(text.replace("_", "").lower().replace(".inf", "inf").replace(".nan", "nan"))
    return text


def _integer(text: str) -> int | float | str:
    sign = -1 if text[0] == "-" else 1
    digits = text.lstrip("+-").replace("_", "")
    if digits in ("0b", "0x"):
        return text
    if digits[:2] in ("0b", "0x"):
        return sign * int(digits[2:], 2 if digits[1] == "b" else 16)
    if len(digits) > _MAX_DIGITS:
        return sign * float(digits)
    return sign * int(digits, 8 if digits[0] == "0" and len(digits) > 1 else 10)


_TAG: Final = "tag:yaml.org,2002:"
# The messages do not quote the text: it may be a password without quotes.
_NO_TAG: Final = "this tag is not accepted; text that starts with ! must be in quotes"
_NO_ANCHOR: Final = (
    "an alias without an anchor before it; text that starts with * must be in quotes"
)


def _scalar(event: ScalarEvent) -> object:
    """The value of a quoted or tagged scalar."""
    tag, text = event.tag, event.value
    if tag is None:
        return plain_value(text) if event.implicit[0] else text
    if tag in ("!", _TAG + "str", _TAG + "timestamp"):
        return text
    value = plain_value(text)
    kinds: dict[str, tuple[type, ...]] = {
        _TAG + "int": (int,),
        _TAG + "float": (float, int),
        _TAG + "bool": (bool,),
        _TAG + "null": (type(None),),
    }
    if tag in kinds and isinstance(value, kinds[tag]):
        return value
    raise ValueRefused(_NO_TAG, line_of_event(event))


class _Merge(str):
    """The unquoted key ``<<``, which merges the entries of the mappings that follow."""

    __slots__ = ()


_MERGE: Final = _Merge("<<")


def _key(value: object, event: Event) -> str:
    """A mapping's key as the string that JSON has for it."""
    if isinstance(value, str):
        if value == "<<" and isinstance(event, ScalarEvent) and event.implicit[0]:
            return _MERGE
        return value
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int | float):
        return str(value)
    raise ValueRefused("a key must be a string", line_of_event(event))


class _Frame:
    """One open collection: its content so far, and the key of the next value."""

    __slots__ = ("container", "count", "key", "merges", "start")

    def __init__(
        self,
        container: dict[str, object] | list[object],
        start: CollectionStartEvent,
        count: int,
    ) -> None:
        self.container = container
        self.start = start
        self.count = count
        self.key: str | None = None
        self.merges: object = None

    def close(self, line: int) -> object:
        """The finished collection, with merged entries."""
        if isinstance(self.container, dict) and self.merges is not None:
            for source in self.merges if isinstance(self.merges, list) else (self.merges,):
                if not isinstance(source, dict):
                    raise ValueRefused("<< must be followed by mappings", line)
                for key, value in source.items():
                    self.container.setdefault(key, value)
        return self.container


class _Builder:
    """Takes events one by one; ``root`` is the value once the stream has ended."""

    def __init__(self) -> None:
        self.root: object = None
        self.spans: Spans = {}
        self._documents = 0
        self._count = 0
        self._aliased = 0
        self._stack: list[_Frame] = []
        self._anchors: dict[str, tuple[object, int]] = {}

    def take_text(self, event: ScalarEvent) -> bool:
        """
        Take a string in a mapping or a list, as most events are.

        :return: whether it was taken; if not, it may be something else, or a mistake.
        """
        text = event.value
        is_plain = event.implicit[0]
        if event.tag is not None or event.anchor is not None or not self._stack:
            return False
        if is_plain and (text in _WORDS or text[0] in _NUMBER_START or text == "<<"):
            return False
        frame = self._stack[-1]
        mapping = frame.container
        if type(mapping) is dict:
            key = frame.key
            if key is _MERGE or (key is None and text in mapping):
                return False
            if key is None:
                frame.key = text
            else:
                mapping[key] = text
                frame.key = None
        else:
            mapping.append(text)  # type: ignore[union-attr]
        self._count += 1
        return True

    def take(self, event: Event) -> None:
        if type(event) is ScalarEvent:
            value = _scalar(event)
            if event.anchor is not None:
                self._anchors[event.anchor] = (value, 1)
            self._attach(value, event)
            return
        handler = _HANDLERS.get(type(event))
        if handler is not None:
            handler(self, event)

    def _attach(self, value: object, event: Event) -> None:
        self._count += 1
        if not self._stack:
            self.root = value
            return
        frame = self._stack[-1]
        mapping = frame.container
        if isinstance(mapping, list):
            mapping.append(value)
            return
        key = frame.key
        if key is None:
            frame.key = _key(value, event)
            if frame.key in mapping and frame.key is not _MERGE:
                line = line_of_event(event)
                raise ValueRefused(f"the key {frame.key[:80]!r} appears twice", line)
            return
        if key is _MERGE:
            if frame.merges is not None:
                raise ValueRefused("the key << appears twice", line_of_event(event))
            frame.merges = value
        else:
            mapping[key] = value
        frame.key = None

    def _open(self, event: MappingStartEvent | SequenceStartEvent) -> None:
        line = line_of_event(event)
        if len(self._stack) >= MAX_DEPTH:
            raise ValueRefused(f"more than {MAX_DEPTH} levels of nesting", line)
        is_mapping = type(event) is MappingStartEvent
        if event.tag not in (None, "!", _TAG + ("map" if is_mapping else "seq")):
            raise ValueRefused(_NO_TAG, line)
        self._stack.append(_Frame({} if is_mapping else [], event, self._count))

    def _close(self, event: MappingEndEvent | SequenceEndEvent) -> None:
        frame = self._stack.pop()
        value = frame.close(line_of_event(event))
        if frame.start.anchor is not None:
            # An anchor is known only from here on, so that no value can contain itself.
            self._anchors[frame.start.anchor] = (value, self._count - frame.count + 1)
        if len(self._stack) == 2:
            self._note_span(frame.start, event)
        self._attach(value, event)

    def _note_span(self, start: Event, end: Event) -> None:
        """Note the place of an item of a list directly below the root."""
        key, items = self._stack[0].key, self._stack[1].container
        first, last = start.start_mark, end.end_mark
        if key is not None and isinstance(items, list) and first and last:
            span = Span(first.line, first.column, first.index, last.index)
            self.spans[key, len(items)] = span

    def _alias(self, event: AliasEvent) -> None:
        line = line_of_event(event)
        if event.anchor not in self._anchors:
            raise ValueRefused(_NO_ANCHOR, line)
        value, size = self._anchors[event.anchor]
        self._aliased += size
        self._count += size - 1
        if self._aliased > MAX_ALIASED:
            raise ValueRefused(f"aliases expand to more than {MAX_ALIASED} values", line)
        self._attach(value, event)

    def _start_document(self, event: DocumentStartEvent) -> None:
        self._documents += 1
        if self._documents > 1:
            raise ValueRefused("a second document starts here", line_of_event(event))


# Not bound methods in each builder, which are cycles: one that is garbage when the objects of a
# large load are frozen (`ingress.memory`) would keep its document for ever.
_HANDLERS: Final[dict[type[Event], Callable[..., None]]] = {
    AliasEvent: _Builder._alias,
    MappingStartEvent: _Builder._open,
    SequenceStartEvent: _Builder._open,
    MappingEndEvent: _Builder._close,
    SequenceEndEvent: _Builder._close,
    DocumentStartEvent: _Builder._start_document,
}


def build_yaml(text: str) -> Generator[None, None, tuple[object, Spans]]:
    """
    Build the one document in ``text``; yields between slices.

    :return: the value (None for an empty document), and the spans of the items below its root.
    :raises ValueRefused: for a value that the rules above do not accept.
    :raises yaml.YAMLError: for text that is not YAML.
    """
    builder = _Builder()
    next_event = open_events(text).get_event
    take, take_text = builder.take, builder.take_text
    while True:
        for _ in range(SLICE_EVENTS):
            event = next_event()
            if type(event) is ScalarEvent and take_text(event):
                continue
            if type(event) is StreamEndEvent:
                return builder.root, builder.spans
            take(event)
        yield
