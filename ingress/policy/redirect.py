"""
Redirects to a fixed place: ``permanent-redirect`` and ``temporal-redirect``, with their ``-code``.

Source of the rules: docs/compatibility.md, sections 2.2 and 6, "Redirect URLs" and "Redirects".
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
from ingress.policy.inputs import NOTHING, Inputs
from ingress.policy.own_location import own_location
from ingress.policy.policy import Policy
from ingress.policy.scope import ReadContext

_CHARACTERS: Final = r"[A-Za-z0-9\-._~/:,?&=]{0,2000}"
"""Longer Locations are cut or refused by some clients."""

_URL: Final = re.compile(rf"https?://[A-Za-z0-9]{_CHARACTERS}")
_URL_OR_PATH: Final = re.compile(rf"{_URL.pattern}|/(?!/){_CHARACTERS}")
"""A path that begins with two slashes would name a host."""

_NOT_TAKEN: Final = (
    "of A-Z a-z 0-9 - . _ ~ / : , ? & =, 2,000 at most, is accepted; "
    "requests are not redirected by it"
)


@dataclass(frozen=True, slots=True)
class Redirect(Policy):
    """Answers every request with a redirect to one place, whatever its own path."""

    name: ClassVar[str] = "redirect"
    annotations: ClassVar[tuple[str, ...]] = (
        "permanent-redirect",
        "permanent-redirect-code",
        "temporal-redirect",
        "temporal-redirect-code",
        "relative-redirects",
    )
    differences: ClassVar[Mapping[str, str]] = {
        "permanent-redirect": "a URL, or a path of the same host",
        "permanent-redirect-code": "301, 302, 303, 307 and 308; others are reported, and 301 "
        "is used",
        "temporal-redirect-code": "301, 302, 303 and 307; others are reported, and 302 is used",
    }

    location: str
    """An http or https URL, or a path."""

    status: int = 301
    is_relative: bool = False
    """Whether a path stays a path in the Location."""

    @classmethod
    def read(cls, annotations: Annotations, context: ReadContext) -> Redirect | None:
        """Feature: the temporal redirect takes precedence over the permanent one."""
        permanent = _place(annotations, "permanent-redirect", _URL_OR_PATH, "a URL or a path")
        permanent_code = _code(annotations, "permanent-redirect-code", (301, 302, 303, 307, 308))
        temporal = _place(annotations, "temporal-redirect", _URL, "an http or https URL")
        temporal_code = _code(annotations, "temporal-redirect-code", (302, 301, 303, 307))
        is_relative = annotations.boolean(
            "relative-redirects", context.config.nginx.redirects.is_relative
        )
        if temporal:
            return cls(temporal, temporal_code)
        if permanent:
            return cls(permanent, permanent_code, is_relative and permanent.startswith("/"))
        return None

    def request(self, context: PolicyContext) -> Decision:
        """Policy: requests that the rules of access let pass are redirected."""
        return Answer(
            self.status,
            Outcome.REDIRECTED,
            "This path has moved.",
            fields=((b"Location", self._location(context)),),
        )

    def _location(self, context: PolicyContext) -> bytes:
        location = self.location.encode("ascii")
        if self.is_relative or not location.startswith(b"/"):
            return location
        return own_location(context, location)

    def decides_by(self, request: Request) -> Inputs:
        """Policy: the status is always the same."""
        return NOTHING

    def explain(self) -> str:
        """Feature."""
        return f"Every request is redirected to {self.location} ({self.status})."

    def shown(self) -> Mapping[str, object]:
        """Feature."""
        return {"redirect": {"location": self.location, "status": self.status}}


def _place(annotations: Annotations, name: str, pattern: re.Pattern[str], accepted: str) -> str:
    """Read the place that clients are sent to; empty for none."""
    value = annotations.text(name)
    if value and pattern.fullmatch(value) is None:
        annotations.fault(name, f"{accepted} {_NOT_TAKEN}")
        return ""
    return value


def _code(annotations: Annotations, name: str, codes: tuple[int, ...]) -> int:
    """Read a status, one of `codes`, of which the first is the default."""
    code = annotations.integer(name)
    if code is None or code in codes:
        return codes[0] if code is None else code
    listed = ", ".join(map(str, sorted(codes)[:-1]))
    accepted = f"{listed} or {max(codes)}"
    annotations.fault(name, f"{accepted} is accepted; the default {codes[0]} is used instead")
    return codes[0]
