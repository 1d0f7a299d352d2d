"""
A snippet as data: what it does, in typed directives. Programs are frozen, and pickled for workers.
"""

from __future__ import annotations

from enum import Enum
from typing import Final

from ingress.address_ranges import AddressRanges
from ingress.frozen import dataclass
from ingress.linear_pattern import LinearPattern
from ingress.policy.variables import VariableText

CLOSES: Final = 444
"""The status of a ``return`` for which nginx closes the connection; here it is 403."""


class Test(Enum):
    """The comparison of an ``if``."""

    IS_TRUE = ""
    EQUAL = "="
    NOT_EQUAL = "!="
    MATCHES = "~"
    DOES_NOT_MATCH = "!~"


@dataclass(frozen=True, slots=True)
class Condition:
    """The condition of an ``if``."""

    variable: VariableText
    test: Test
    value: VariableText | None = None
    """For comparisons with text."""

    pattern: LinearPattern | None = None
    """For comparisons with a regular expression."""


@dataclass(frozen=True, slots=True)
class Set:
    """``set $name value``."""

    name: bytes
    value: VariableText


@dataclass(frozen=True, slots=True)
class If:
    """``if (condition) { … }``."""

    condition: Condition
    steps: tuple[Step, ...]
    level: Level
    """What holds for the request from then on if the condition holds, that around it included."""


class Flag(Enum):
    """What follows a rewrite."""

    NONE = ""
    """The next directives of the block, and then a search for the rule of the new path."""

    LAST = "last"
    """A search for the rule of the new path at once."""

    BREAK = "break"
    """Nothing further of this kind: the request goes to the endpoint with its new path."""

    REDIRECT = "redirect"
    PERMANENT = "permanent"


@dataclass(frozen=True, slots=True)
class Rewrite:
    """``rewrite regex replacement [flag]``."""

    pattern: LinearPattern
    replacement: VariableText
    flag: Flag
    drops_query: bool
    """Whether the replacement ends with ``?``, so that the query of the request is not kept."""


@dataclass(frozen=True, slots=True)
class Return:
    """``return code [text]``, ``return code URL``."""

    status: int
    text: VariableText | None = None


@dataclass(frozen=True, slots=True)
class Break:
    """``break``."""


Step = Set | If | Rewrite | Return | Break


@dataclass(frozen=True, slots=True)
class AddHeader:
    """``add_header name value [always]``."""

    name: bytes
    value: VariableText
    is_always: bool


@dataclass(frozen=True, slots=True)
class MoreHeaders:
    """``more_set_headers`` or ``more_clear_headers``."""

    sets: tuple[tuple[bytes, VariableText], ...] = ()
    """An empty value removes the field."""

    clears: tuple[bytes, ...] = ()
    """Names in lower case; a ``*`` at the end stands for any ending."""

    statuses: frozenset[int] = frozenset()
    """The statuses that it is for; empty for all."""

    types: frozenset[bytes] = frozenset()
    """The media types that it is for, in lower case; empty for all."""


@dataclass(frozen=True, slots=True)
class InputHeader:
    """One field of ``more_set_input_headers`` and its relative, or of ``proxy_set_header``."""

    name: bytes
    value: VariableText | None
    """None to remove it."""

    only_replaces: bool = False
    """Whether it is set only if the request has the field (``-r``)."""


@dataclass(frozen=True, slots=True)
class AccessRule:
    """``allow`` or ``deny``."""

    is_allowed: bool
    ranges: AddressRanges | None
    """None for ``all``."""


@dataclass(frozen=True, slots=True)
class Expires:
    """``expires``."""

    seconds: int | None
    """Seconds from now; None for ``epoch`` and ``max``, which `date` and `control` say."""

    date: bytes = b""
    control: bytes = b""


@dataclass(frozen=True, slots=True)
class Level:
    """What a block says for all its requests, that of the blocks around it included."""

    add_headers: tuple[AddHeader, ...] = ()
    more_headers: tuple[MoreHeaders, ...] = ()
    input_headers: tuple[InputHeader, ...] = ()
    proxy_headers: tuple[InputHeader, ...] = ()
    hidden: frozenset[bytes] = frozenset()
    """Fields of endpoints that clients do not get; in lower case."""

    access: tuple[AccessRule, ...] = ()
    expires: Expires | None = None

    @property
    def edits_responses(self) -> bool:
        """Whether responses have to be looked at."""
        return bool(self.add_headers or self.more_headers or self.hidden or self.expires)


@dataclass(frozen=True, slots=True)
class Settings:
    """What a snippet says once for all requests of its Ingress."""

    connect_timeout: float | None = None
    send_timeout: float | None = None
    read_timeout: float | None = None
    body_size: int | None = None
    """Bytes; 0 for no limit; None if it says nothing."""

    is_logged: bool = True


class Match(Enum):
    """The modifier of a ``location``."""

    EXACT = "="
    PREFERRED_PREFIX = "^~"
    PREFIX = ""
    PATTERN = "~"


@dataclass(frozen=True, slots=True)
class Location:
    """A ``location`` of a ``server-snippet``."""

    match: Match
    path: bytes
    """For all but `Match.PATTERN`."""

    pattern: LinearPattern | None
    block: Block

    def matches(self, path: bytes) -> bool:
        """:return: whether it is for a path."""
        if self.pattern is not None:
            return self.pattern.search(path) is not None
        return path == self.path if self.match is Match.EXACT else path.startswith(self.path)


@dataclass(frozen=True, slots=True)
class Block:
    """The directives of a snippet, or of a location in it."""

    steps: tuple[Step, ...] = ()
    level: Level = Level()
    locations: tuple[Location, ...] = ()
    settings: Settings = Settings()

    @property
    def levels(self) -> tuple[Level, ...]:
        """That of the block, and those of its conditions and locations."""
        inner = [step.level for step in self.steps if isinstance(step, If)]
        return (self.level, *inner, *(each for one in self.locations for each in one.block.levels))
