"""
What a rewrite has taken from the path, for endpoints that make links: ``x-forwarded-prefix``.

Source of the rules: docs/compatibility.md, sections 2.2 and 6, "Variables".
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar, Final

from ingress.field_edits import NO_EDITS, FieldEdits
from ingress.frozen import dataclass
from ingress.message import Request
from ingress.policy.annotation import Annotations
from ingress.policy.context import PolicyContext
from ingress.policy.decision import Decision, Proceed
from ingress.policy.inputs import NOTHING, Inputs
from ingress.policy.policy import Phase, Policy, phases_of
from ingress.policy.scope import ReadContext, RuleScope
from ingress.policy.template import ACCEPTED, Template

_FIELD: Final = b"X-Forwarded-Prefix"


@dataclass(frozen=True, slots=True)
class ForwardedPrefix(Policy):
    """Sends X-Forwarded-Prefix with every request that is rewritten."""

    name: ClassVar[str] = "forwarded-prefix"
    annotations: ClassVar[tuple[str, ...]] = ("x-forwarded-prefix", "rewrite-target")
    differences: ClassVar[Mapping[str, str]] = {
        "x-forwarded-prefix": "`$1` to `$9` and no other variable",
    }

    written: str
    prefix: Template
    unless_path: str
    """The ``rewrite-target``: a path that is the same is not rewritten."""

    edits: FieldEdits = NO_EDITS
    """The field of all requests, if it has no group."""

    @classmethod
    def read(cls, annotations: Annotations, context: ReadContext) -> ForwardedPrefix | None:
        """Feature."""
        written, target = annotations.text("x-forwarded-prefix"), annotations.text("rewrite-target")
        if not written:
            return None
        prefix = Template.read(written)
        if prefix is None:
            annotations.fault("x-forwarded-prefix", f"{ACCEPTED}; the field is not sent")
            return None
        if not target:
            annotations.fault("x-forwarded-prefix", "is sent only together with rewrite-target")
            return None
        if Template.read(target) is None:
            return None  # `Rewrite` reports it.
        constant = prefix.constant
        edits = NO_EDITS if constant is None else _edits(constant)
        return cls(written, prefix, target, edits)

    def at(self, rule: RuleScope) -> ForwardedPrefix | None:
        """Feature."""
        return None if rule.path == self.unless_path else self

    @property
    def phases(self) -> frozenset[Phase]:
        """Policy: a field that is the same for all requests is decided already."""
        return _NO_PHASES if self.edits else phases_of(type(self))

    @property
    def request_edits(self) -> FieldEdits:
        """Policy."""
        return self.edits

    def request(self, context: PolicyContext) -> Decision:
        """Policy."""
        return Proceed(_edits(self.prefix.expand(context.captures)))

    def decides_by(self, request: Request) -> Inputs:
        """Policy: it answers nothing."""
        return NOTHING

    def explain(self) -> str:
        """Feature."""
        return f"Endpoints get X-Forwarded-Prefix: {self.written}."

    def shown(self) -> Mapping[str, object]:
        """Feature."""
        return {"forwardedPrefix": self.written}


def _edits(prefix: bytes) -> FieldEdits:
    """An empty field is not sent at all."""
    if not prefix:
        return FieldEdits(remove=frozenset({_FIELD.lower()}))
    return FieldEdits(replace=((_FIELD, prefix),))


_NO_PHASES: Final[frozenset[Phase]] = frozenset()
