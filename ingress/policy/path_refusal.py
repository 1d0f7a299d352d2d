"""
The refusal of a path that cannot be compared with a regular expression in time.

Source of the rule: docs/compatibility.md, section 6, "Regular expressions".
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar, Final

from ingress.answer import Answer
from ingress.errors import Outcome
from ingress.frozen import dataclass
from ingress.message import Request
from ingress.policy.context import PolicyContext
from ingress.policy.decision import Decision
from ingress.policy.inputs import NOTHING, Inputs
from ingress.policy.policy import Policy

_ANSWER: Final = Answer(
    414,
    Outcome.BAD_REQUEST,
    "The path is too long to be compared with the regular expressions of this host.",
)


@dataclass(frozen=True, slots=True)
class PathRefusal(Policy):
    """Answers 414: which rule the path belongs to is unknown, and it might be one that guards."""

    name: ClassVar[str] = "path-refusal"

    @property
    def guards(self) -> bool:
        """Feature."""
        return True

    def access(self, context: PolicyContext) -> Decision:
        """Policy: no request passes."""
        return _ANSWER

    def decides_by(self, request: Request) -> Inputs:
        """Policy."""
        return NOTHING

    def explain(self) -> str:
        """Feature."""
        return "Every request gets 414: its path cannot be compared with regular expressions."

    def shown(self) -> Mapping[str, object]:
        """Feature."""
        return {"refused": "the path is too long"}
