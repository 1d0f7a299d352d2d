"""
Fields of all requests and responses: ``proxy-set-headers``, ``add-headers`` and ``hide-headers`` of
the ConfigMap.

Source of the rules: docs/compatibility.md, section 3, "Output".
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import field, replace
from functools import lru_cache
from typing import ClassVar, Final

from ingress.config.nginx_settings import HeaderDefaults, HeaderFields
from ingress.field_edits import NO_EDITS, FieldEdits
from ingress.frozen import dataclass
from ingress.message import Request
from ingress.policy.annotation import Annotations
from ingress.policy.context import PolicyContext
from ingress.policy.decision import Decision, Proceed
from ingress.policy.inputs import NOTHING, Inputs
from ingress.policy.policy import Phase, Policy
from ingress.policy.scope import ReadContext, RuleScope
from ingress.policy.variables import REQUEST_VARIABLES, VariableText

_CONTROL: Final = bytes(range(0x20)) + b"\x7f"
"""A variable may have octets that cannot stand in a field; they are left out."""


@dataclass(frozen=True, slots=True)
class ConfiguredFields(Policy):
    """Sets, adds and removes fields."""

    name: ClassVar[str] = "configured-fields"

    edits: FieldEdits = field(default=NO_EDITS, repr=False)
    """For requests; without those that have variables."""

    answer_edits: FieldEdits = field(default=NO_EDITS, repr=False)
    """For responses."""

    varying: tuple[tuple[bytes, VariableText], ...] = field(default=(), repr=False)
    """The fields of requests whose values have variables."""

    @classmethod
    def read(cls, annotations: Annotations, context: ReadContext) -> ConfiguredFields | None:
        """Feature: the ConfigMap alone decides, whose fields have been checked."""
        return _made(context.config.nginx.headers)

    @classmethod
    def of(cls, headers: HeaderDefaults) -> ConfiguredFields | None:
        """:return: the policy for these fields; None if there are none."""
        sent = [*headers.set_upstream]
        if headers.adds_original_uri:
            sent.insert(0, ("X-Original-URI", "$request_uri"))
        if not (headers.removed or headers.added or sent):
            return None
        texts = [(name.encode(), REQUEST_VARIABLES.compile(value)) for name, value in sent]
        constant = [(name, text.constant) for name, text in texts]
        return cls(
            _set(tuple((name, value) for name, value in constant if value is not None)),
            FieldEdits(
                replace=_encoded(headers.added),
                remove=frozenset(name.lower().encode() for name in headers.removed),
            ),
            tuple((name, text) for name, text in texts if text.constant is None),
        )

    def at(self, rule: RuleScope) -> ConfiguredFields:
        """Feature: a value may have variables of the rule."""
        if not self.varying:
            return self
        return replace(self, varying=tuple((name, text.at(rule)) for name, text in self.varying))

    @property
    def phases(self) -> frozenset[Phase]:
        """Policy: none if all edits are ready-made."""
        return frozenset({Phase.REQUEST}) if self.varying else frozenset()

    @property
    def request_edits(self) -> FieldEdits:
        """Policy."""
        return self.edits

    @property
    def response_edits(self) -> FieldEdits:
        """Policy."""
        return self.answer_edits

    def request(self, context: PolicyContext) -> Decision:
        """Policy: fields with variables."""
        fields = (
            (name, REQUEST_VARIABLES.expand(text, context).translate(None, _CONTROL).strip())
            for name, text in self.varying
        )
        return Proceed(_set(tuple(fields)))

    def decides_by(self, request: Request) -> Inputs:
        """Policy: it answers nothing."""
        return NOTHING

    def explain(self) -> str:
        """Feature."""
        return "The ConfigMap sets fields of requests and responses."

    def shown(self) -> Mapping[str, object]:
        """Feature: names alone, because values may be secrets."""
        sent = [name for name, _ in (*self.edits.replace, *self.varying)]
        return {
            "fields": {
                "ofRequests": _names(sent) + _names(self.edits.remove),
                "ofResponses": _names(name for name, _ in self.answer_edits.replace),
                "hidden": _names(self.answer_edits.remove),
            }
        }


@lru_cache(maxsize=4)
def _made(headers: HeaderDefaults) -> ConfiguredFields | None:
    """Keep the policy, which the reading of each Ingress needs."""
    return ConfiguredFields.of(headers)


def _names(names: Iterable[bytes]) -> list[str]:
    return sorted(name.decode("latin-1") for name in names)


def _encoded(fields: HeaderFields) -> tuple[tuple[bytes, bytes], ...]:
    return tuple((name.encode(), value.encode()) for name, value in fields)


def _set(fields: tuple[tuple[bytes, bytes], ...]) -> FieldEdits:
    """Make the edits that set fields; one without a value is not sent, as in nginx."""
    return FieldEdits(
        replace=tuple((name, value) for name, value in fields if value),
        remove=frozenset(name.lower() for name, value in fields if not value),
    )
