"""
Redirects from http to https: ``ssl-redirect``, ``force-ssl-redirect``, ``preserve-trailing-slash``.

Source of the rules: docs/compatibility.md, section 2.2.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import field, replace
from typing import ClassVar

from ingress.answer import Answer
from ingress.errors import Outcome
from ingress.frozen import dataclass
from ingress.message import Request
from ingress.policy.annotation import Annotations
from ingress.policy.context import PolicyContext
from ingress.policy.decision import Decision
from ingress.policy.gate import Gate
from ingress.policy.inputs import Input, Inputs
from ingress.policy.policy import GatedPolicy
from ingress.policy.scope import ReadContext, RuleScope
from ingress.policy.secure_gate import SecureGate

HTTPS_PORT = 443

_ACME_PATH = b"/.well-known/acme-challenge"
"""
Certificate authorities fetch this over http before there is a certificate. It is the default of
``no-tls-redirect-locations``.
"""

_NO_HOST = Answer(400, Outcome.BAD_REQUEST, "The request names no host.")


@dataclass(frozen=True, slots=True)
class HttpsRedirect(GatedPolicy):
    """Answers requests over http with a redirect to the same place over https."""

    name: ClassVar[str] = "https-redirect"

    annotations: ClassVar[tuple[str, ...]] = (
        "ssl-redirect",
        "force-ssl-redirect",
        "preserve-trailing-slash",
    )

    port: int = HTTPS_PORT
    """The port that clients see."""

    keeps_trailing_slash: bool = False

    is_forced: bool = False
    """Whether requests are redirected although nobody wants their host to be served over https."""

    hosts: frozenset[bytes] | None = None
    """
    The hosts that are redirected, wildcards as ``*.example.com``; None for all. Rules without
    host may have tls entries for only some hosts.
    """

    status: int = 308
    exempt: tuple[bytes, ...] = (_ACME_PATH,)
    """Canonical paths that are served over http, and all below them."""

    gate: Gate = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "gate", SecureGate())

    @classmethod
    def read(cls, annotations: Annotations, context: ReadContext) -> HttpsRedirect | None:
        """Feature: an annotation takes precedence over the configuration."""
        config = context.config
        is_on = annotations.boolean("ssl-redirect", config.ssl_redirect)
        defaults = config.nginx.redirects
        is_forced = annotations.boolean("force-ssl-redirect", defaults.force_ssl)
        keeps_trailing_slash = annotations.boolean(
            "preserve-trailing-slash", defaults.preserve_trailing_slash
        )
        if not config.listen.https or not (is_on or is_forced):
            return None
        exempt = tuple(path.rstrip("/").encode() for path in defaults.no_tls_locations)
        return cls(
            config.public_ports.https,
            keeps_trailing_slash,
            is_forced,
            status=defaults.code,
            exempt=exempt,
        )

    def at(self, rule: RuleScope) -> HttpsRedirect | None:
        """Feature: it never depends on a certificate, nor on an object of another namespace."""
        if self.is_forced or rule.https_hosts is None:
            return self
        return replace(self, hosts=rule.https_hosts) if rule.https_hosts else None

    def judge(self, context: PolicyContext) -> Decision:
        """GatedPolicy: requests that are not covered, or a certificate challenge, pass."""
        request = context.request
        if not self._covers(request.host):
            return None
        if any(_is_below(request.path, exempt) for exempt in self.exempt):
            return None
        if not context.client.host:
            return _NO_HOST
        return Answer(
            self.status,
            Outcome.REDIRECTED,
            "This host is served over https.",
            fields=((b"Location", self._location(request.target, context.client.host)),),
        )

    def decides_by(self, request: Request) -> Inputs:
        """Policy: the path only where some are exempt."""
        found = {Input.SCHEME, Input.HOST}
        if any(_is_below(request.path, exempt) for exempt in self.exempt):
            found.add(Input.TARGET)
        return frozenset(found)

    def explain(self) -> str:
        """Policy."""
        hosts = "every host" if self.hosts is None else ", ".join(self._names())
        return f"Requests over http for {hosts} are redirected to https (port {self.port})."

    def shown(self) -> Mapping[str, object]:
        """Policy."""
        return {"httpsRedirect": self._names()}

    def _names(self) -> list[str]:
        if self.hosts is None:
            return ["*"]
        return sorted(name.decode("ascii") for name in self.hosts)

    def _covers(self, host: bytes) -> bool:
        if self.hosts is None or host in self.hosts:
            return True
        label, _, parent = host.partition(b".")
        return bool(label) and b"*." + parent in self.hosts

    def _location(self, target: bytes, host: bytes) -> bytes:
        """Build the Location; host and target have been checked, so neither can end a field."""
        if not target.startswith(b"/"):
            target = b"/"
        if not self.keeps_trailing_slash and b"?" not in target:
            target = target.removesuffix(b"/")
        port = b"" if self.port == HTTPS_PORT else b":%d" % self.port
        return b"https://" + host + port + target


def _is_below(path: bytes, parent: bytes) -> bool:
    """Whether a path is another one, or below it."""
    return path.startswith(parent) and path[len(parent) :][:1] in (b"", b"/")
