"""
Paths that are regular expressions: ``use-regex``.

Source of the rules: docs/compatibility.md, sections 2.2 and 6, "use-regex is host-wide".
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar

from ingress.frozen import dataclass
from ingress.policy.annotation import Annotations
from ingress.policy.feature import RouteFeature
from ingress.policy.scope import ReadContext


@dataclass(frozen=True, slots=True)
class PathRegex(RouteFeature):
    """Makes regular expressions of all paths that its namespace has on the hosts of its object."""

    annotations: ClassVar[tuple[str, ...]] = ("use-regex",)
    differences: ClassVar[Mapping[str, str]] = {
        "use-regex": "for the paths of its namespace on that host alone, and matched by RE2: a "
        "path with lookaround or a backreference answers 503",
    }

    @classmethod
    def key(cls) -> str:
        """Feature."""
        return "path-regex"

    @classmethod
    def read(cls, annotations: Annotations, context: ReadContext) -> PathRegex | None:
        """Feature."""
        return cls() if annotations.boolean("use-regex", False) else None

    def makes_patterns(self, path: str) -> bool:
        """Feature."""
        return True

    def explain(self) -> str:
        """Feature."""
        return "The path is a regular expression."
