"""
Further names of a host: ``server-alias``.

Source of the rules: docs/compatibility.md, sections 2.2 and 6, "server-alias".
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import ClassVar, Final

from ingress.frozen import dataclass
from ingress.policy.annotation import Annotations
from ingress.policy.feature import RouteFeature
from ingress.policy.scope import ReadContext

_LABEL: Final = r"[a-z0-9_](?:[a-z0-9_\-]{0,61}[a-z0-9_])?"
_HOST: Final = re.compile(rf"(?=.{{1,253}}\Z)(?:\*\.{_LABEL}|{_LABEL})(?:\.{_LABEL})*")

MAX_ALIASES: Final = 100
"""Each is a host of its own, with all paths of the other one."""


@dataclass(frozen=True, slots=True)
class ServerAlias(RouteFeature):
    """Gives the first host of its object further names, for all paths of its namespace there."""

    annotations: ClassVar[tuple[str, ...]] = ("server-alias",)
    differences: ClassVar[Mapping[str, str]] = {
        "server-alias": "names of the first host of the Ingress, for the paths of its namespace "
        "there; a wildcard is for one label; regular expressions (`~`) are reported and ignored",
    }

    names: tuple[str, ...]

    @classmethod
    def key(cls) -> str:
        """Feature."""
        return "server-alias"

    @classmethod
    def read(cls, annotations: Annotations, context: ReadContext) -> ServerAlias | None:
        """Feature."""
        names: dict[str, None] = {}
        is_sound = True
        for word in annotations.words("server-alias"):
            name = word.lower().removesuffix(".")
            if _HOST.fullmatch(name) is None:
                is_sound = False
            else:
                names[name] = None
        if not is_sound or len(names) > MAX_ALIASES:
            annotations.fault(
                "server-alias",
                f"host names, and wildcards such as *.example.com, are accepted, {MAX_ALIASES} at "
                "most, and no regular expressions; the others are not served",
            )
        return cls(tuple(names)[:MAX_ALIASES]) if names else None

    @property
    def aliases(self) -> tuple[str, ...]:
        """Feature."""
        return self.names

    def explain(self) -> str:
        """Feature."""
        return f"The host is also known as {', '.join(self.names)}."

    def shown(self) -> Mapping[str, object]:
        """Feature."""
        return {"serverAlias": list(self.names)}
