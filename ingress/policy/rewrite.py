"""
Other paths for endpoints than for clients: ``rewrite-target``.

Source of the rules: docs/compatibility.md, sections 2.2, 5 ("Paths") and 6.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import ClassVar, Final

from ingress.answer import Answer
from ingress.errors import Outcome
from ingress.frozen import dataclass
from ingress.message import Request
from ingress.policy.annotation import Annotations
from ingress.policy.context import PolicyContext
from ingress.policy.decision import Decision
from ingress.policy.feature import Setting
from ingress.policy.inputs import NOTHING, Inputs
from ingress.policy.policy import Policy
from ingress.policy.scope import ReadContext, RuleScope
from ingress.policy.template import ACCEPTED, Template

_URL: Final = re.compile(r"https?://", re.IGNORECASE)

_SEPARATOR: Final = rb"(?:/|%2[Ff]|%5[Cc])"
_UNSOUND: Final = re.compile(
    rb"(?:^|%b)(?:\.|%%2[Ee]){1,2}(?=;|\Z|%b)|%%(?![0-9A-Fa-f]{2})" % (_SEPARATOR, _SEPARATOR)
)
"""A segment that some endpoint may read as a dot segment, or half of an escape."""


def is_sound_path(path: bytes) -> bool:
    """
    :param path: a path that was made of others, beginning with ``/``.
    :return: whether no endpoint can read a dot segment in it, and no escape is broken.
    """
    return (b"%" not in path and b"/." not in path) or _UNSOUND.search(path) is None


@dataclass(frozen=True, slots=True)
class Rewrite(Setting):
    """
    Sends requests to another path, which may have parts of the one that they came for.

    `ingress.routing.upstream_target` makes it.
    """

    route_field: ClassVar[str] = "rewrite"
    annotations: ClassVar[tuple[str, ...]] = ("rewrite-target",)
    differences: ClassVar[Mapping[str, str]] = {
        "rewrite-target": "`$1` to `$9` and no other variable; captures keep the escapes of the "
        "path; slashes at the beginning are merged; 400 where an endpoint could read a dot "
        "segment in the result",
    }

    written: str
    target: Template

    @classmethod
    def read(cls, annotations: Annotations, context: ReadContext) -> Rewrite | None:
        """Feature."""
        written = annotations.text("rewrite-target")
        if not written or _URL.match(written):
            return None
        target = Template.read(written)
        if target is None:
            annotations.fault(
                "rewrite-target", f"{ACCEPTED}; endpoints get the path as the client sent it"
            )
            return None
        return cls(written, target)

    def makes_patterns(self, path: str) -> bool:
        """Feature: a target that is the path itself changes nothing."""
        return path != self.written

    def at(self, rule: RuleScope) -> Rewrite | None:
        """Feature."""
        return None if rule.path == self.written else self

    def explain(self) -> str:
        """Feature."""
        groups = ", where $1 to $9 are the groups of the rule's path" if self.target.groups else ""
        return f"Endpoints get the path {self.written}{groups}."

    def shown(self) -> Mapping[str, object]:
        """Feature."""
        return {"rewriteTarget": self.written}


@dataclass(frozen=True, slots=True)
class RewriteElsewhere(Policy):
    """Redirects to a target that is a URL, as nginx's directive ``rewrite`` does."""

    name: ClassVar[str] = "rewrite-elsewhere"
    annotations: ClassVar[tuple[str, ...]] = ("rewrite-target",)

    written: str
    target: Template

    @classmethod
    def read(cls, annotations: Annotations, context: ReadContext) -> RewriteElsewhere | None:
        """Feature."""
        written = annotations.text("rewrite-target")
        if not _URL.match(written):
            return None
        target = Template.read(written)
        if target is None:
            annotations.fault("rewrite-target", f"{ACCEPTED}; requests are not redirected")
            return None
        return cls(written, target)

    def makes_patterns(self, path: str) -> bool:
        """Feature."""
        return True

    def request(self, context: PolicyContext) -> Decision:
        """Policy: requests that the rules of access let pass are redirected."""
        location = self.target.expand(context.captures)
        query = context.request.query
        if query:
            location += b"?" + query
        return Answer(
            302, Outcome.REDIRECTED, "This place is elsewhere.", fields=((b"Location", location),)
        )

    def decides_by(self, request: Request) -> Inputs:
        """Policy: the status is always the same."""
        return NOTHING

    def explain(self) -> str:
        """Feature."""
        return f"Requests are redirected to {self.written} (302)."

    def shown(self) -> Mapping[str, object]:
        """Feature."""
        return {"rewriteTarget": self.written}
