"""
One request in a program: the steps in their order, then what holds for its fields.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import Enum
from typing import Final

from ingress.answer import Answer
from ingress.believed_client import BelievedClient
from ingress.errors import Outcome
from ingress.linear_pattern import Captures, TextTooLong
from ingress.message import Request
from ingress.policy.context import PolicyContext
from ingress.policy.own_location import own_location
from ingress.policy.rewrite import is_sound_path
from ingress.policy.snippet.program import (
    CLOSES,
    Block,
    Break,
    Condition,
    Flag,
    If,
    Level,
    Return,
    Rewrite,
    Set,
    Step,
    Test,
)
from ingress.policy.snippet.table import EncodedNames, expand

MAX_VALUE: Final = 8 * 1024
"""Bytes of a variable, a path or a field; what is longer is cut, so that none grows for ever."""

_REDIRECTS: Final = frozenset({301, 302, 303, 307, 308})
_TARGET: Final = re.compile(rb"[\x21-\x7e\x80-\xff]*")
_DETAIL: Final = "A snippet of this path answers."
_BAD_PATH: Final = Answer(400, Outcome.BAD_REQUEST, "A snippet makes a path that is not valid.")
_REFUSED: Final = Answer(403, Outcome.ACCESS_REFUSED, "A snippet of this path refuses the request.")
_UNKNOWN: Final = Answer(
    400, Outcome.BAD_REQUEST, "The request is too long for an expression of a snippet."
)
_TEXT: Final = b"text/html"
"""ingress-nginx's ``default_type``."""


class Next(Enum):
    """What follows the steps of a block."""

    GO_ON = "go on"
    BREAK = "break"
    """Another path, for the same rule."""

    SEARCH = "search"
    """Another path, whose rule has to be found."""


@dataclass
class SnippetRun:
    """
    The state of one request in a program. It is the source of the values of variables.

    :ivar answer: the answer that the program gives; None if the request goes on.
    :ivar level: what holds for fields, as the conditions that held have it.
    """

    context: PolicyContext
    rule: EncodedNames
    path: bytes
    """The path of the request, or as steps have changed it."""

    def __post_init__(self) -> None:
        request = self.context.request
        self.request: Request = request
        self.client: BelievedClient = self.context.client
        self.request_id: bytes = self.context.request_id
        self.query: bytes = request.query
        self.captures: Captures = ()
        self.variables: dict[bytes, bytes] = {}
        self.answer: Answer | None = None
        self.level = Level()
        self.next = Next.GO_ON

    @property
    def target(self) -> bytes:
        """The path and query as they are now."""
        return b"%b?%b" % (self.path, self.query) if self.query else self.path

    def carry_out(self, block: Block) -> None:
        """Carry out the steps of a block, and hold on to its level."""
        self.level = block.level
        try:
            self._steps(block.steps)
        except TextTooLong:
            # Whether it matches is unknown, and access may depend on it.
            self.answer = _UNKNOWN

    def _steps(self, steps: tuple[Step, ...]) -> bool:
        """:return: whether the steps are over."""
        for step in steps:
            if isinstance(step, Set):
                self.variables[step.name] = expand(step.value, self)[:MAX_VALUE]
            elif isinstance(step, If):
                if self._holds(step.condition):
                    self.level = step.level
                    if self._steps(step.steps):
                        return True
            elif isinstance(step, Rewrite):
                if self._rewrite(step):
                    return True
            elif isinstance(step, Return):
                self._return(step)
                return True
            elif isinstance(step, Break):
                if self.next is Next.SEARCH:
                    self.next = Next.BREAK
                return True
        return False

    def _holds(self, condition: Condition) -> bool:
        found = expand(condition.variable, self)
        if condition.test is Test.IS_TRUE:
            return found not in (b"", b"0")
        if condition.pattern is None:
            value = b"" if condition.value is None else expand(condition.value, self)
            return (found == value) is (condition.test is Test.EQUAL)
        captures = condition.pattern.search(found)
        if captures is not None:
            self.captures = captures
        return (captures is not None) is (condition.test is Test.MATCHES)

    def _rewrite(self, step: Rewrite) -> bool:
        captures = step.pattern.search(self.path)
        if captures is None:
            return False
        self.captures = captures
        written, mark, query = expand(step.replacement, self)[:MAX_VALUE].partition(b"?")
        kept = b"" if step.drops_query else self.query
        new_query = b"&".join(each for each in (query, kept) if each)
        if step.flag in (Flag.REDIRECT, Flag.PERMANENT):
            place = b"%b?%b" % (written, new_query) if new_query or mark else written
            self._redirect(301 if step.flag is Flag.PERMANENT else 302, place)
            return True
        path = written if written.startswith(b"/") else b"/" + written
        if not is_sound_path(path) or not _TARGET.fullmatch(path + new_query):
            self.answer = _BAD_PATH
            return True
        self.path, self.query = path, new_query
        self.next = Next.BREAK if step.flag is Flag.BREAK else Next.SEARCH
        return step.flag in (Flag.BREAK, Flag.LAST)

    def _return(self, step: Return) -> None:
        text = None if step.text is None else expand(step.text, self)[:MAX_VALUE]
        if step.status == CLOSES:
            self.answer = _REFUSED
        elif step.status in _REDIRECTS and text:
            self._redirect(step.status, text)
        elif text is not None:
            self.answer = Answer(step.status, Outcome.ANSWERED, _DETAIL, page=(_TEXT, text))
        else:
            self.answer = Answer(step.status, Outcome.ANSWERED, _DETAIL)

    def _redirect(self, status: int, place: bytes) -> None:
        location = field_value(place).replace(b" ", b"%20")
        if location.startswith(b"/"):
            location = own_location(self.context, location)
        self.answer = Answer(
            status, Outcome.REDIRECTED, "This place is elsewhere.", ((b"Location", location),)
        )

    def refuse_address(self) -> None:
        """Answer 403 if ``allow`` and ``deny`` refuse the client; the first that fits decides."""
        for rule in self.level.access:
            if rule.ranges is None or rule.ranges.has(self.client.address):
                if not rule.is_allowed:
                    self.answer = _REFUSED
                return


_CONTROLS: Final = bytes(octet for octet in range(32) if octet != 9) + b"\x7f"


def field_value(value: bytes) -> bytes:
    """:return: the part of a value that can stand in a field."""
    return value[:MAX_VALUE].translate(None, _CONTROLS).strip(b" \t")
