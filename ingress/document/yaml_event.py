"""
The events of YAML, from libyaml where PyYAML was built with it.
"""

from __future__ import annotations

from typing import Protocol, cast

import yaml
from yaml.events import Event
from yaml.parser import Parser
from yaml.reader import Reader
from yaml.scanner import Scanner


class EventSource(Protocol):
    """The one method of PyYAML's parsers that is used; it gives None after the end."""

    def get_event(self) -> Event: ...


class PythonEvents(Reader, Scanner, Parser):
    """PyYAML's own parser, for where it was built without libyaml."""

    def __init__(self, text: str) -> None:
        Reader.__init__(self, text)
        Scanner.__init__(self)
        Parser.__init__(self)


def open_events(text: str) -> EventSource:
    """The events of ``text``, from the start; both parsers keep their state off the stack."""
    if yaml.__with_libyaml__:
        from yaml._yaml import CParser

        return cast(EventSource, CParser(text))
    return cast(EventSource, PythonEvents(text))


def line_of_event(event: Event) -> int:
    """The line, from 0, on which an event starts."""
    return event.start_mark.line if event.start_mark else 0
