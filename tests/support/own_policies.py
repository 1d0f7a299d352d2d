"""
Policies of one's own, as a configuration of the tests names them.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Literal

from twisted.internet.defer import Deferred
from twisted.internet.threads import deferToThread

from ingress.answer import Answer
from ingress.errors import Outcome
from ingress.field_edits import FieldEdits
from ingress.policy.context import PolicyContext
from ingress.policy.decision import Decision, Proceed, Verdict
from ingress.policy.options import OptionRefused
from ingress.policy.policy import Policy
from ingress.policy.scope import RuleScope

REFUSED = Answer(403, Outcome.ACCESS_REFUSED, "No.")

not_a_class = 1


class NoPolicy:
    """Has nothing to do with policies."""


class Thawed(Policy):
    """Is no dataclass."""


@dataclass(frozen=True)
class Plain(Policy):
    """Has no options, and no name."""

    def access(self, context: PolicyContext) -> Decision:
        return None


@dataclass(frozen=True)
class Stamp(Policy):
    """Adds a field to each response, and takes every kind of option."""

    name: ClassVar[str] = "stamp"

    value: str
    count: int = 1
    share: float = 0.5
    is_on: bool = True
    raw: bytes = b""
    file: Path | None = None
    mode: Literal["a", "b"] = "a"
    names: tuple[str, ...] = ()
    weights: Mapping[str, int] = field(default_factory=dict)
    secret: str = field(default="", repr=False)

    def __post_init__(self) -> None:
        if self.count > 9:
            raise OptionRefused("count", "a number up to 9")
        if self.secret == "bad":
            raise OptionRefused("secret", "another secret")
        if self.share == 13:
            raise OSError("no luck")

    @property
    def response_edits(self) -> FieldEdits:
        return FieldEdits(add=((b"X-Stamp", self.value.encode()),))

    def shown(self) -> Mapping[str, object]:
        return {"value": self.value}

    def explain(self) -> str:
        return f"Responses have the stamp {self.value}."


@dataclass(frozen=True)
class Unpicklable(Policy):
    """Holds what cannot be sent to a worker."""

    name: ClassVar[str] = "unpicklable"
    function: Callable[[], None] = field(default_factory=lambda: lambda: None, init=False)


@dataclass(frozen=True)
class Strange(Policy):
    """Cannot be read, because an option has a strange type."""

    name: ClassVar[str] = "strange"
    clock: complex = 1j


@dataclass(frozen=True)
class Reserved(Policy):
    """Has a field of a name that the configuration needs."""

    name: ClassVar[str] = "reserved"
    for_all: bool = False


if TYPE_CHECKING:
    Missing = Path


@dataclass(frozen=True)
class Unreadable(Policy):
    """Has an annotation that exists for type checkers alone."""

    name: ClassVar[str] = "unreadable"
    file: Missing


@dataclass(frozen=True)
class BadEdits(Policy):
    """Gives edits of a wrong type."""

    name: ClassVar[str] = "bad-edits"

    @property
    def request_edits(self) -> FieldEdits:
        return ()  # type: ignore[return-value]


@dataclass(frozen=True)
class Threaded(Policy):
    """Waits for a thread, and for the reactor of the process that serves."""

    name: ClassVar[str] = "threaded"

    async def access(self, context: PolicyContext) -> Verdict:
        from twisted.internet import reactor

        assert context.reactor is reactor, "the reactor of another process"
        value = await deferToThread(lambda: b"from a thread")
        slept: Deferred[None] = Deferred()
        context.reactor.callLater(0, slept.callback, None)
        await slept
        return Proceed(response_edits=FieldEdits(add=((b"X-Waited", value),)))


@dataclass(frozen=True)
class Picky(Policy):
    """Adapts to rules, in ways that a field says."""

    name: ClassVar[str] = "picky"
    adapted: Any = None

    def at(self, rule: RuleScope) -> Any:
        if self.adapted == "raise":
            raise ValueError("not here")
        return self if self.adapted == "self" else self.adapted


@dataclass(frozen=True)
class Failing(Policy):
    """Holds the reactor, and fails."""

    name: ClassVar[str] = "failing"
    hold: float

    def access(self, context: PolicyContext) -> Decision:
        until = context.reactor.seconds() + self.hold
        while context.reactor.seconds() < until:
            pass
        raise ValueError("a fault of one's own")


@dataclass(frozen=True)
class Late(Policy):
    """Holds the process for longer than it may, and fails where the query asks for it."""

    name: ClassVar[str] = "late"

    def access(self, context: PolicyContext) -> Decision:
        time.sleep(0.03)
        if b"?fail" in context.target:
            raise RuntimeError("as asked")
        return None
