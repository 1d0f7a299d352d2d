"""
The decisions that a policy can make.
"""

from __future__ import annotations

import re
from collections.abc import Coroutine
from typing import TYPE_CHECKING, Any, Final, TypeAlias

from ingress.answer import Answer
from ingress.endpoint import UpstreamKey
from ingress.field_edits import NO_EDITS, FieldEdits
from ingress.frozen import dataclass

if TYPE_CHECKING:
    from twisted.internet.defer import Deferred

_TARGET: Final = re.compile(rb"/[\x21-\x7e\x80-\xff]*")

SUCCESSES: Final = frozenset({200, 201, 204, 206, 301, 302, 303, 304, 307, 308})
"""The statuses for which nginx carries out ``add_header`` without ``always``, and ``expires``."""


@dataclass(frozen=True, slots=True)
class Proceed:
    """
    The decision to go on, with changes.

    :raises ValueError: for a target that cannot stand in a request line.
    """

    request_edits: FieldEdits = NO_EDITS
    """For the head that goes to the endpoint."""

    response_edits: FieldEdits = NO_EDITS
    """For the head of the response, whether an endpoint or the proxy gives it."""

    success_edits: FieldEdits = NO_EDITS
    """
    For the head of a response whose status is one of `SUCCESSES`, in addition.
    """

    target: bytes | None = None
    """The target that goes upstream: a path that begins with ``/``, with its query."""

    upstream: UpstreamKey | None = None
    """The Upstream to ask in place of the route's."""

    finds_rule_again: bool = False
    """
    Whether the rule of `target` takes the place of this one, with policies of its own; it is the
    last decision about this rule. The phases access and request know it alone.
    """

    def __post_init__(self) -> None:
        if self.finds_rule_again and self.target is None:
            raise ValueError("only a target has a rule to be found")
        if self.target is not None and _TARGET.fullmatch(self.target) is None:
            raise ValueError("a target begins with / and has neither blanks nor control characters")


Verdict: TypeAlias = Answer | Proceed | None
"""
An answer that ends the exchange; changes to go on with; None to go on as before.
"""

Decision: TypeAlias = "Verdict | Deferred[Verdict] | Coroutine[Any, Any, Verdict]"
"""
A verdict, or a Deferred that fires with one. The exchange waits for it, and meanwhile holds no
endpoint and reads no more of the body; it cancels the Deferred if the client goes away. The methods
of a policy of one's own may be coroutines as well.
"""
