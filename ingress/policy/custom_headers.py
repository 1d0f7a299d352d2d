"""
Fields of responses from a ConfigMap: ``custom-headers``.

Source of the rules: docs/compatibility.md, sections 2.0 and 2.6. A field that the operator has not
allowed may be one that loosens what browsers enforce, so it closes the paths.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import field
from typing import ClassVar, Final

from ingress.field_edits import NO_EDITS, FieldEdits
from ingress.frozen import dataclass
from ingress.object_name import parse_object_name
from ingress.policy.annotation import Annotations
from ingress.policy.feature import ObjectReference
from ingress.policy.policy import Policy
from ingress.policy.scope import OWN_CONFIG_MAP, ReadContext

_NAME: Final = "custom-headers"
_MOST: Final = 100
"""Fields of one ConfigMap."""


@dataclass(frozen=True, slots=True)
class CustomHeaders(Policy):
    """Sets fields of every response."""

    name: ClassVar[str] = "custom-headers"
    annotations: ClassVar[tuple[str, ...]] = (_NAME,)
    differences: ClassVar[Mapping[str, str]] = {
        _NAME: "the ConfigMap is one of the Ingress's own namespace, unless "
        "`allow-cross-namespace-resources` is true"
    }

    edits: FieldEdits = field(default=NO_EDITS, repr=False)

    @classmethod
    def read(cls, annotations: Annotations, context: ReadContext) -> CustomHeaders | None:
        """Feature: a ConfigMap that cannot be used closes the paths."""
        reference = _reference(annotations, context.namespace)
        if reference is None:
            if annotations.text(_NAME):
                annotations.close(_NAME, "NAMESPACE/NAME of a ConfigMap is accepted")
            return None
        if not context.may_name(reference[0]):
            annotations.close(_NAME, OWN_CONFIG_MAP)
            return None
        data = context.config_map_of(reference)
        if data is None:
            annotations.close(
                _NAME, "the ConfigMap does not exist, or this proxy may not read it", is_shown=True
            )
            return None
        fault = _fault(data, context)
        if fault:
            annotations.close(_NAME, fault, is_shown=True)
            return None
        edits = FieldEdits(replace=tuple(_fields(data)))
        return cls(edits) if edits else None

    @classmethod
    def references(cls, annotations: Annotations, namespace: str) -> Iterable[ObjectReference]:
        """Feature."""
        reference = _reference(annotations, namespace)
        return () if reference is None else (("ConfigMap", *reference),)

    @property
    def response_edits(self) -> FieldEdits:
        """Policy."""
        return self.edits

    def explain(self) -> str:
        """Feature."""
        return f"Responses get the fields {', '.join(self._names)}."

    def shown(self) -> Mapping[str, object]:
        """Feature."""
        return {"customHeaders": self._names}

    @property
    def _names(self) -> list[str]:
        return [name.decode("ascii") for name, _ in self.edits.replace]


def _reference(annotations: Annotations, namespace: str) -> tuple[str, str] | None:
    return parse_object_name(annotations.text(_NAME), namespace)


def _fields(data: Mapping[str, str]) -> Iterable[tuple[bytes, bytes]]:
    for name, value in data.items():
        yield name.encode(), value.strip().encode("utf-8", "surrogatepass")


def _fault(data: Mapping[str, str], context: ReadContext) -> str:
    """Return why the fields cannot be set; empty if they can."""
    if len(data) > _MOST:
        return f"the ConfigMap has {len(data)} fields, of which {_MOST} are accepted"
    allowed = context.config.nginx.headers.allowed_custom
    for name in data:
        if name.lower() not in allowed:
            return f"global-allowed-response-headers of the ConfigMap does not allow {name}"
    try:
        FieldEdits(replace=tuple(_fields(data)))
    except ValueError as error:
        return f"{error}"
    return ""
