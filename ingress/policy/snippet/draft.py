"""
A block of a snippet while it is read.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from ingress.linear_pattern import LinearPattern
from ingress.policy.snippet.program import (
    AccessRule,
    AddHeader,
    Block,
    Condition,
    Expires,
    If,
    InputHeader,
    Level,
    Location,
    Match,
    MoreHeaders,
    Settings,
    Step,
)
from ingress.policy.snippet.table import compile_text
from ingress.policy.variables import VariableText


@dataclass
class IfDraft:
    """An ``if`` whose block is read, while the block around it may have more to say."""

    condition: Condition
    inner: Draft


@dataclass
class LocationDraft:
    """The same for a ``location``."""

    match: Match
    path: bytes
    pattern: LinearPattern | None
    inner: Draft


@dataclass
class Draft:
    """The directives of a block so far."""

    place: str
    """``server``, ``location`` or ``if``."""

    declared: frozenset[str]
    """The variables that ``set`` makes somewhere in the snippet."""

    steps: list[Step | IfDraft] = field(default_factory=list)
    add_headers: list[AddHeader] = field(default_factory=list)
    more_headers: list[MoreHeaders] = field(default_factory=list)
    input_headers: list[InputHeader] = field(default_factory=list)
    proxy_headers: list[InputHeader] = field(default_factory=list)
    hidden: set[bytes] = field(default_factory=set)
    access: list[AccessRule] = field(default_factory=list)
    expires: Expires | None = None
    locations: list[LocationDraft] = field(default_factory=list)
    settings: Settings = Settings()

    def text(self, written: str) -> VariableText:
        """:raises VariableUnknown: for a variable that there is not."""
        return compile_text(written, self.declared)

    def finish(self, around: Level) -> Block:
        """
        Make the block, with what it inherits.

        :param around: that of the block around it.
        """
        level = self._level(around)
        steps = tuple(
            If(step.condition, step.inner.finish(level).steps, step.inner.finish(level).level)
            if isinstance(step, IfDraft)
            else step
            for step in self.steps
        )
        locations = tuple(
            Location(one.match, one.path, one.pattern, one.inner.finish(level))
            for one in self.locations
        )
        return Block(steps, level, locations, self.settings)

    def _level(self, around: Level) -> Level:
        """
        Inherit as nginx does: a block without directives of a kind has those around it, and
        ``more_set_headers`` and its relatives are carried out after those around them.
        """
        return Level(
            tuple(self.add_headers) or around.add_headers,
            (*around.more_headers, *self.more_headers),
            (*around.input_headers, *self.input_headers),
            tuple(self.proxy_headers) or around.proxy_headers,
            frozenset(self.hidden) or around.hidden,
            tuple(self.access) or around.access,
            self.expires or around.expires,
        )
