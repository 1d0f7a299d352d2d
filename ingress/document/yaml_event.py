"""
YAML as events, from libyaml if PyYAML was built with it.
"""

from __future__ import annotations

from typing import Protocol, cast

import yaml
from yaml.events import Event
from yaml.parser import Parser
from yaml.reader import Reader
from yaml.scanner import Scanner


class EventSource(Protocol):
    """The one method of PyYAML's parsers that is used; it returns None after the end."""

    def get_event(self) -> Event: ...


class PythonEvents(Reader, Scanner, Parser):
    """PyYAML's own parser, for a PyYAML without libyaml."""

    def __init__(self, text: str) -> None:
        Reader.__init__(self, text)
        Scanner.__init__(self)
        Parser.__init__(self)


class _Pieces:
    """A text as a stream: libyaml's parser would copy a whole text first."""

    def __init__(self, text: str) -> None:
        self._text = text
        self._position = 0

    def read(self, size: int = 16384, /) -> str:
        """Up to ``size`` characters; nothing at the end."""
        start, self._position = self._position, self._position + size
        return self._text[start : self._position]


def open_events(text: str) -> EventSource:
    """Open the events of ``text``; both parsers keep their state off the stack."""
    if yaml.__with_libyaml__:
        from yaml._yaml import CParser

        return cast(EventSource, CParser(_Pieces(text)))
    return cast(EventSource, PythonEvents(text))


def line_of_event(event: Event) -> int:
    """The line, from 0, on which an event starts."""
    return event.start_mark.line if event.start_mark else 0
