"""
The redirect from ``/`` to where an application begins: ``app-root``.

Source of the rules: docs/compatibility.md, sections 2.2 and 6, "app-root" and "Public ports".
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from posixpath import normpath
from typing import ClassVar, Final

from ingress.answer import Answer
from ingress.errors import Outcome
from ingress.frozen import dataclass
from ingress.message import Request
from ingress.policy.annotation import Annotations
from ingress.policy.context import PolicyContext
from ingress.policy.decision import Decision
from ingress.policy.inputs import NOTHING, Input, Inputs
from ingress.policy.own_location import own_location
from ingress.policy.policy import Policy
from ingress.policy.scope import ReadContext, RuleScope

_PATH: Final = re.compile(r"/(?!/)[A-Za-z0-9\-._~/:,?&=]{0,2000}")
"""A path that begins with two slashes would name a host."""


@dataclass(frozen=True, slots=True)
class AppRoot(Policy):
    """Answers requests for ``/`` with a redirect to another path of the same host."""

    name: ClassVar[str] = "app-root"
    annotations: ClassVar[tuple[str, ...]] = ("app-root", "relative-redirects")
    differences: ClassVar[Mapping[str, str]] = {
        "app-root": "`/` of its Ingress, and `/` of its hosts if no rule of any Ingress "
        "matches it; a path of the same host",
    }

    path: str
    is_relative: bool = False
    """Whether the Location is the path alone."""

    @classmethod
    def read(cls, annotations: Annotations, context: ReadContext) -> AppRoot | None:
        """Feature."""
        path = annotations.text("app-root")
        is_relative = annotations.boolean(
            "relative-redirects", context.config.nginx.redirects.is_relative
        )
        if not path:
            return None
        if _PATH.fullmatch(path) is None or normpath(path.partition("?")[0]) == "/":
            annotations.fault(
                "app-root",
                "a path other than / of A-Z a-z 0-9 - . _ ~ / : , ? & =, 2,000 at most, is "
                "accepted; / is not redirected",
            )
            return None
        return cls(path, is_relative)

    @property
    def root_annotation(self) -> str:
        """Feature: an application below ``/shop`` rarely has a rule for ``/``."""
        return "app-root"

    def at(self, rule: RuleScope) -> AppRoot | None:
        """Feature: most rules never match ``/``, and cost nothing more."""
        is_below = rule.path_type in ("Exact", "Prefix") and rule.path.strip("/")
        return None if is_below else self

    def request(self, context: PolicyContext) -> Decision:
        """Policy: requests for ``/`` that the rules of access let pass are redirected."""
        if context.request.path != b"/":
            return None
        path = self.path.encode("ascii")
        location = path if self.is_relative else own_location(context, path)
        return Answer(
            302,
            Outcome.REDIRECTED,
            "The application begins elsewhere.",
            fields=((b"Location", location),),
        )

    def decides_by(self, request: Request) -> Inputs:
        """Policy: the path alone, and only for ``/``."""
        return frozenset({Input.TARGET}) if request.path == b"/" else NOTHING

    def explain(self) -> str:
        """Feature."""
        return f"Requests for / are redirected to {self.path} (302)."

    def shown(self) -> Mapping[str, object]:
        """Feature."""
        return {"appRoot": self.path}
