"""
A field in every response: what is the same for all requests needs no phase.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from ingress.field_edits import FieldEdits
from ingress.policy.policy import Policy


@dataclass(frozen=True)
class ServedBy(Policy):
    """Adds ``X-Served-By`` to each response, in place of any that an endpoint sent."""

    value: str

    @property
    def response_edits(self) -> FieldEdits:
        """Policy: a value that cannot stand in a head is refused with the configuration."""
        return FieldEdits(replace=((b"X-Served-By", self.value.encode()),))

    def explain(self) -> str:
        """Feature."""
        return f"Responses have the field X-Served-By: {self.value}."

    def shown(self) -> Mapping[str, object]:
        """Feature."""
        return {"value": self.value}
