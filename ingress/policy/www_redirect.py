"""
The redirect from ``www.example.com`` to ``example.com``, or the other way round:
``from-to-www-redirect``.

Source of the rules: docs/compatibility.md, sections 2.2 and 6, "Public ports" and "Redirects".
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import ClassVar, Final

from ingress.answer import Answer
from ingress.errors import Outcome
from ingress.frozen import dataclass
from ingress.message import Request
from ingress.policy.annotation import Annotations
from ingress.policy.context import PolicyContext
from ingress.policy.decision import Decision
from ingress.policy.feature import OtherName
from ingress.policy.inputs import NOTHING, Inputs
from ingress.policy.policy import Policy
from ingress.policy.scope import ReadContext, RuleScope
from ingress.policy.variables import REQUEST_VARIABLES

_WWW: Final = "www."
_SCHEME: Final = REQUEST_VARIABLES.compile("$scheme")
_PORT: Final = REQUEST_VARIABLES.compile("$server_port")


@dataclass(frozen=True, slots=True)
class WwwRedirect(Policy):
    """Redirects all requests for the other form of a host, with and without ``www.``."""

    name: ClassVar[str] = "www-redirect"
    annotations: ClassVar[tuple[str, ...]] = ("from-to-www-redirect",)

    status: int = 308
    host: str = ""
    """Where requests are redirected to; empty on that host itself."""

    @classmethod
    def read(cls, annotations: Annotations, context: ReadContext) -> WwwRedirect | None:
        """Feature."""
        if not annotations.boolean("from-to-www-redirect", False):
            return None
        return cls(context.config.nginx.redirects.code)

    @property
    def is_host_wide(self) -> bool:
        """Feature: which Ingress of the host asks for it does not matter."""
        return True

    def other_name(self, host: str) -> OtherName | None:
        """Feature."""
        if not host or host.startswith("*."):
            return None
        other = host.removeprefix(_WWW) if host.startswith(_WWW) else _WWW + host
        return OtherName(other, replace(self, host=host))

    def at(self, rule: RuleScope) -> WwwRedirect | None:
        """Feature: on the host itself there is nothing to do."""
        return self if self.host else None

    def access(self, context: PolicyContext) -> Decision:
        """Policy."""
        target = context.request.target
        if not target.startswith(b"/"):
            target = b""
        elif b"?" not in target:
            target = target.removesuffix(b"/")
        scheme = REQUEST_VARIABLES.expand(_SCHEME, context)
        port = REQUEST_VARIABLES.expand(_PORT, context)
        place = b"%b://%b" % (scheme, self.host.encode("ascii"))
        location = b"%b:%b%b" % (place, port, target) if port else place + target
        return Answer(
            self.status,
            Outcome.REDIRECTED,
            "This host has another name.",
            fields=((b"Location", location),),
        )

    def decides_by(self, request: Request) -> Inputs:
        """Policy: the status is always the same."""
        return NOTHING

    def explain(self) -> str:
        """Feature."""
        return f"Requests are redirected to the host {self.host} ({self.status})."

    def shown(self) -> Mapping[str, object]:
        """Feature."""
        return {"wwwRedirect": self.host}
