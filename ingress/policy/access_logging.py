"""
Requests that have no line in the access log: ``enable-access-log``, and ``skip-access-log-urls`` of
the ConfigMap.

Source of the rules: docs/compatibility.md, sections 2.6 and 3.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar

from ingress.frozen import dataclass
from ingress.linear_pattern import TextTooLong
from ingress.policy.annotation import Annotations
from ingress.policy.feature import Setting
from ingress.policy.scope import ReadContext
from ingress.policy.snippets import snippet_settings
from ingress.value_map import ValueMap


@dataclass(frozen=True, slots=True)
class AccessLogging(Setting):
    """Which requests of a rule are not logged."""

    route_field: ClassVar[str] = "logging"
    annotations: ClassVar[tuple[str, ...]] = ("enable-access-log", "configuration-snippet")

    is_off: bool = False
    skipped: ValueMap = ValueMap()
    """Targets, as the client wrote them, with the query."""

    @classmethod
    def read(cls, annotations: Annotations, context: ReadContext) -> AccessLogging | None:
        """Feature: None where everything is logged."""
        is_off = not annotations.boolean("enable-access-log", True)
        is_off = is_off or not snippet_settings(annotations, context).is_logged
        skipped = ValueMap.of(context.config.nginx.skipped_log_targets)
        return cls(is_off, skipped) if is_off or skipped else None

    def skips(self, target: bytes) -> bool:
        """
        Whether a request has no line.

        :param target: empty for a request that could not be read.
        """
        if self.is_off:
            return True
        try:
            return bool(target) and self.skipped.has(target)
        except TextTooLong:
            return False

    def explain(self) -> str:
        """Feature."""
        whose = "Requests" if self.is_off else "Requests for some URLs"
        return f"{whose} are not logged."

    def shown(self) -> Mapping[str, object]:
        """Feature."""
        return {"accessLog": not self.is_off}
