"""
On which line each key and item of a document stands.

Found only when somebody asks, which is when there is a fault to report. The
items of a long list (``kubectl get -o yaml`` makes one of everything) are
looked at one by one: their spans are noted while the document is parsed.
"""

from __future__ import annotations

import re
from itertools import count

import msgspec
import yaml
from yaml.events import AliasEvent, Event, MappingStartEvent, ScalarEvent, SequenceStartEvent

from ingress.document.yaml_event import EventSource, line_of_event, open_events


class Span(msgspec.Struct, frozen=True, gc=False):
    """Where one collection stands in its document's text."""

    line: int
    """From 0."""

    column: int
    start: int
    end: int
    """Offsets in characters; ``end`` is the first one after it."""

    def cut(self, text: str) -> str:
        """The collection as a text of its own, with the indentation that it had."""
        return " " * self.column + text[self.start : self.end]


Spans = dict[tuple[str, int], Span]
"""By key and index: the items of the lists that are directly below the root."""


class LineIndex(msgspec.Struct, frozen=True, gc=False):
    """The line of a key or an item, from 0, and the same for what is below it."""

    line: int
    below: dict[str | int, LineIndex]

    def find(self, path: tuple[str | int, ...]) -> int:
        """The line of the path, or of the nearest parent that there is."""
        node = self
        for step in path:
            if step not in node.below:
                break
            node = node.below[step]
        return node.line


_VALUES = (ScalarEvent, AliasEvent)
_COLLECTIONS = (MappingStartEvent, SequenceStartEvent)
_NOTHING: dict[str | int, LineIndex] = {}
"""What is below a value."""

_UNICODE_ESCAPE = re.compile(r"\\u[0-9a-fA-F]{4}")


def index_lines(text: str, line: int) -> LineIndex:
    """
    Find the lines in a text that has been parsed before; unreadable parts are left out.

    :param line: the line of the root, at which ``text`` starts if it is a cut.
    """
    if text.lstrip().startswith(("{", "[")):
        # JSON allows tabs between its tokens, and surrogate pairs as escapes; libyaml
        # takes neither. The lines are the same without them, and only they count.
        text = _UNICODE_ESCAPE.sub(r"\\u0030", text.replace("\t", " "))
    root = LineIndex(line, {})
    try:
        events = open_events(text)
        event = events.get_event()
        while event is not None and not isinstance(event, (*_COLLECTIONS, ScalarEvent)):
            event = events.get_event()
        if isinstance(event, _COLLECTIONS):
            _fill(events, event, root, line - line_of_event(event))
    except (yaml.YAMLError, ValueError):
        pass
    return root


def _fill(events: EventSource, start: Event, node: LineIndex, offset: int) -> None:
    """Fill in what is below a collection; its depth was bounded when it was parsed."""
    is_mapping = type(start) is MappingStartEvent
    next_event, below = events.get_event, node.below
    for index in count():
        event = next_event()
        kind = type(event)
        mark = event.start_mark
        line = (mark.line if mark else 0) + offset
        key: str | int = index
        if is_mapping and kind in _VALUES:
            key = event.value if isinstance(event, ScalarEvent) else ""
            event = next_event()
            kind = type(event)
        if kind in _VALUES:
            below[key] = LineIndex(line, _NOTHING)
        elif kind in _COLLECTIONS:
            below[key] = LineIndex(line, {})
            _fill(events, event, below[key], offset)
        else:
            return
