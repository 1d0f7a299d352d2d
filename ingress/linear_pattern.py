"""
Regular expressions that other people wrote, matched in linear time.

Authors of Ingresses write the expressions, and clients choose the text. An engine that backtracks
would let either of them hold the process for minutes. RE2 never does, and what is left (the size
of the expression times the length of the text) is limited here
(docs/adr/0033-linear-patterns.md).

Text is a sequence of octets, as it is for ingress-nginx: ``.`` is one octet, and an expression with
characters beyond ASCII stands for their UTF-8.
"""

from __future__ import annotations

import re
from functools import lru_cache
from typing import Any, Final, NamedTuple

from ingress.frozen import dataclass

Captures = tuple[bytes | None, ...]
"""
What the groups of an expression matched, from the first on; None for each without a part in it.
"""

MAX_LENGTH: Final = 4096
"""
The longest expression, in octets. nginx takes no longer one either: it refuses a directive's
parameter that does not fit into 4096 octets.
"""

_MAX_MEMORY: Final = 256 * 1024
"""What RE2 may use for one expression, in octets: for its program and for matching."""

_MAX_COMPILED: Final = 1024
"""
How many expressions stay compiled. An expression needs some 4 KiB, but texts that were made for
it can fill all of `_MAX_MEMORY`. Compiling one again costs some 10 microseconds.
"""

_MAX_STEPS: Final = 500_000
"""
The largest product of an expression's instructions and a text's octets: the worst ones that we
know take 10 nanoseconds for each, so that no match takes much longer than 5 milliseconds.
"""

_GROUPS_PER_STEP: Final = 64
"""With so many groups an instruction costs twice as much: what they match is copied."""

_MAX_DETAIL: Final = 40
"""How many characters of an expression a message may quote."""

_UNICODE_CLASS: Final = re.compile(rb"\\(?:[pP]()|.)", re.DOTALL)

_REASONS: Final = (
    # The beginning of RE2's message, and ours.
    ("invalid perl operator: (?=", "it looks ahead with {}, which cannot be done in linear time"),
    ("invalid perl operator: (?!", "it looks ahead with {}, which cannot be done in linear time"),
    ("invalid perl operator: (?<=", "it looks behind with {}, which cannot be done in linear time"),
    ("invalid perl operator: (?<!", "it looks behind with {}, which cannot be done in linear time"),
    ("invalid perl operator: ", "{} is an extension of Perl that is not supported"),
    ("bad repetition operator: ", "{} is not supported"),
    ("invalid repetition size: ", "{} repeats too much, of which 1000 times is the most"),
    ("pattern too large", "it is too large"),
    ("expression nests too deeply", "it is nested too deeply"),
)


class PatternRefused(ValueError):
    """
    An expression that cannot be used. The message is a clause for people, such as ``it looks ahead
    with (?=, which cannot be done in linear time``; it is short, whatever the expression is.
    """


class TextTooLong(ValueError):
    """
    A text is so long that the search for this expression could take more than a few milliseconds.
    Whether it matches is unknown; what decides access has to refuse it.
    """


@dataclass(frozen=True, slots=True)
class LinearPattern:
    """
    A regular expression in RE2's syntax. It is compiled when it is first used, and travels to
    workers as its text.

    :raises PatternRefused: if it cannot be used, with the reason.
    """

    text: bytes
    ignores_case: bool = False

    def __post_init__(self) -> None:
        _program(self.text, self.ignores_case)

    @classmethod
    def of(cls, text: str, *, ignores_case: bool = False) -> LinearPattern:
        """
        :param text: the expression as its author wrote it.
        :raises PatternRefused: as the class.
        """
        return cls(text.encode("utf-8", "surrogatepass"), ignores_case)

    @property
    def group_count(self) -> int:
        """How many groups it has."""
        return _program(self.text, self.ignores_case).group_count

    def match(self, text: bytes) -> Captures | None:
        """
        Match the beginning of a text.

        :return: what the groups matched; None if the text does not match.
        :raises TextTooLong: if the text is too long for this expression.
        """
        return self._run(text, 1)

    def fullmatch(self, text: bytes) -> Captures | None:
        """Match a whole text; otherwise as `match`."""
        return self._run(text, 2)

    def search(self, text: bytes) -> Captures | None:
        """Find the first match in a text; otherwise as `match`."""
        return self._run(text, 0)

    def _run(self, text: bytes, anchor: int) -> Captures | None:
        program = _program(self.text, self.ignores_case)
        if len(text) > program.max_text:
            raise TextTooLong(f"{len(text)} octets, of which {program.max_text} can be searched")
        spans = program.run(program.anchors[anchor], text, 0, len(text))
        if spans[0][0] < 0:
            return None
        return tuple([text[begin:end] if begin >= 0 else None for begin, end in spans[1:]])


class _Program(NamedTuple):
    """A compiled expression."""

    run: Any
    """``RE2.Match`` of the expression: (anchor, text, begin, end) to the spans of all groups."""

    anchors: tuple[Any, Any, Any]
    """At neither end, at the beginning, at both ends."""

    group_count: int
    max_text: int
    """The length of the longest text, in octets."""


class _Engine(NamedTuple):
    """What is needed of google-re2."""

    compile: Any
    options: tuple[Any, Any]
    """Those that tell upper and lower case apart, and those that do not."""

    anchors: tuple[Any, Any, Any]
    """As in `_Program`."""


@lru_cache(maxsize=1)
def _engine() -> _Engine:
    """
    Find RE2. Its public functions in Python cost three times as much as the matching itself, so
    the classes of its extension are used.

    :raises PatternRefused: where google-re2 is not installed.
    """
    try:
        from re2 import Options
        from re2._re2 import RE2
    except ImportError as error:
        raise PatternRefused(f"google-re2, which matches it, is not installed ({error})") from error
    chosen = []
    for ignores_case in (False, True):
        options = Options()
        options.case_sensitive = not ignores_case
        options.encoding = Options.Encoding.LATIN1
        options.log_errors = False
        options.max_mem = _MAX_MEMORY
        chosen.append(options)
    anchor = RE2.Anchor
    anchors = (anchor.UNANCHORED, anchor.ANCHOR_START, anchor.ANCHOR_BOTH)
    return _Engine(RE2, (chosen[0], chosen[1]), anchors)


@lru_cache(maxsize=_MAX_COMPILED)
def _program(text: bytes, ignores_case: bool) -> _Program:
    if len(text) > MAX_LENGTH:
        raise PatternRefused(f"it has {len(text)} octets, of which {MAX_LENGTH} are accepted")
    # RE2 takes 10 ms to compile each: an expression full of them would hold a build for seconds.
    if any(found.group(1) is not None for found in _UNICODE_CLASS.finditer(text)):
        raise PatternRefused(r"\p is not supported: text is a sequence of octets here")
    engine = _engine()
    compiled = engine.compile(text, engine.options[ignores_case])
    if not compiled.ok():
        raise PatternRefused(_reason(compiled.error().decode("utf-8", "backslashreplace")))
    group_count: int = compiled.NumberOfCapturingGroups()
    cost = compiled.ProgramSize() * (_GROUPS_PER_STEP + group_count) // _GROUPS_PER_STEP
    return _Program(compiled.Match, engine.anchors, group_count, _MAX_STEPS // max(cost, 1))


def _reason(error: str) -> str:
    """:return: RE2's message as a clause for people, cut to a length that can be shown."""
    head, _, detail = error.partition(": ")
    shown = "".join(each if each.isprintable() else "\ufffd" for each in detail[:_MAX_DETAIL])
    for beginning, reason in _REASONS:
        if error.startswith(beginning):
            return reason.format(shown)
    if head == "invalid escape sequence" and detail[1:2].isdigit():
        return f"it refers back to a group with {shown}, which cannot be done in linear time"
    return f"{head}: {shown}" if shown else head
