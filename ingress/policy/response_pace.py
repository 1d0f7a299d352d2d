"""
The pace of responses: ``limit-rate`` and ``limit-rate-after``.

Source of the rules: docs/compatibility.md, sections 2.6 and 6 ("Limits").
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar, Final

from ingress.frozen import dataclass
from ingress.policy.annotation import Annotations
from ingress.policy.feature import Setting
from ingress.policy.scope import ReadContext

_UNIT: Final = 1024
"""Bytes in the unit of both annotations: ingress-nginx writes them with ``k`` behind them."""


@dataclass(frozen=True, slots=True)
class ResponsePace(Setting):
    """How fast the body of each response goes to its client."""

    route_field: ClassVar[str] = "pace"
    annotations: ClassVar[tuple[str, ...]] = ("limit-rate", "limit-rate-after")

    rate: int
    """Bytes a second, at least 1."""

    after: int = 0
    """The bytes of each response that are not slowed down."""

    @classmethod
    def read(cls, annotations: Annotations, context: ReadContext) -> ResponsePace | None:
        """Feature: 0 or less is no limit, and a bad value is the configuration's."""
        limits = context.config.limits
        rate = _read(annotations, "limit-rate", limits.response_rate or 0)
        after = _read(annotations, "limit-rate-after", limits.response_rate_after)
        return cls(rate, max(0, after)) if rate > 0 else None

    def explain(self) -> str:
        """Feature."""
        beyond = f", beyond the first {self.after}" if self.after else ""
        return f"Each response has {self.rate} bytes a second{beyond}."

    def shown(self) -> Mapping[str, object]:
        """Feature."""
        return {"pace": {"bytesPerSecond": self.rate, "after": self.after}}


def _read(annotations: Annotations, name: str, default: int) -> int:
    """:return: bytes."""
    written = annotations.integer(name)
    return default if written is None else written * _UNIT
