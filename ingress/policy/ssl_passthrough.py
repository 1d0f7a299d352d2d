"""
TLS that does not end at the proxy: ``ssl-passthrough``.

The connections for a host are passed on to one of its endpoints as they are, by the name in their
ClientHello (`ingress.client_hello`). Nothing of a request is seen, so that of all annotations only
those hold that are about connections: source ranges, and how many a client may have.

Source of the rules: docs/compatibility.md, section 5, "TLS passthrough".
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar, Final

from ingress.answer import Answer
from ingress.errors import Outcome
from ingress.frozen import dataclass
from ingress.message import Request
from ingress.policy.access import closing_of
from ingress.policy.annotation import OWN_PREFIX, Annotations
from ingress.policy.context import PolicyContext
from ingress.policy.decision import Decision
from ingress.policy.inputs import Input, Inputs
from ingress.policy.policy import Policy
from ingress.policy.scope import HostScope, ReadContext
from ingress.problem_code import Code

NAME: Final = "ssl-passthrough"

_MISDIRECTED: Final = Answer(
    421,
    Outcome.ACCESS_REFUSED,
    "TLS for this host ends at its endpoints, and this connection was made for another host.",
)

_APPLIED: Final = frozenset(
    {
        NAME,
        "allowlist-source-range",
        "whitelist-source-range",
        "denylist-source-range",
        "limit-connections",
        "limit-allowlist",
        "limit-whitelist",
        "service-upstream",
        "server-alias",
    }
)
"""Annotations that hold for connections, or for the host as a whole."""

_OF_HTTP: Final = frozenset({"ssl-redirect", "force-ssl-redirect", "preserve-trailing-slash"})
"""Annotations that are about requests over http, and hold for these."""

_OWN_ACCESS: Final = (f"{OWN_PREFIX}jwt-", f"{OWN_PREFIX}policies")
_OWN_APPLIED: Final = (
    f"{OWN_PREFIX}health-check-",
    f"{OWN_PREFIX}certificate-signer",
    f"{OWN_PREFIX}limit-dry-run",
    f"{OWN_PREFIX}slow-start",
)

_NOT_DECRYPTED: Final = (
    "does not hold for connections over TLS: ssl-passthrough gives them to the endpoints as they "
    "are"
)

_NOT_ALLOWED: Final = (
    "`ssl-passthrough` of the configuration is false, so that TLS ends here, as in ingress-nginx "
    "without --enable-ssl-passthrough"
)
_OPEN: Final = f"{_NOT_DECRYPTED}, and nobody is kept out by it; the endpoints have to do that"


@dataclass(frozen=True, slots=True)
class SSLPassthrough(Policy):
    """
    Answers requests for a host with 421 that come over TLS which has ended here: they came on a
    connection for another host.
    """

    name: ClassVar[str] = NAME
    annotations: ClassVar[tuple[str, ...]] = (NAME,)
    differences: ClassVar[Mapping[str, str]] = {
        NAME: "without a flag; to the Service of the path `/`; source ranges and "
        "`limit-connections` hold for its connections; if the oldest Ingress of the host is of "
        "that namespace as well"
    }

    @classmethod
    def read(cls, annotations: Annotations, context: ReadContext) -> SSLPassthrough | None:
        """Feature: whatever else the object asks for is told."""
        if not annotations.boolean(NAME, False):
            return None
        if not context.config.ssl_passthrough:
            annotations.fault(NAME, _NOT_ALLOWED)
            return None
        if not context.config.listen.https:
            annotations.fault(
                NAME, "nobody can connect over TLS without `listen.https` in the configuration"
            )
        for name in annotations:
            if name in _APPLIED or name in _OF_HTTP or name.startswith(_OWN_APPLIED):
                continue
            if closing_of(name) is not None or name.startswith(_OWN_ACCESS):
                annotations.fault(name, _OPEN, is_shown=False, code=Code.PASSTHROUGH_UNGUARDED)
            else:
                annotations.fault(name, _NOT_DECRYPTED, code=Code.PASSTHROUGH_DIFFERS)
        return cls()

    @property
    def guards(self) -> bool:
        """Feature: nobody else may see what it keeps from being decrypted."""
        return True

    @property
    def is_host_wide(self) -> bool:
        """Feature: of a connection nothing but the name of the host is known."""
        return True

    def loss_on(self, scope: HostScope) -> str:
        """Feature: the namespace of a host's oldest object decides where TLS ends."""
        closed = "what may not be decrypted here is closed: the paths of this Ingress answer 503"
        if not scope.host:
            return f"connections are passed on by the name of a host, and rules have none; {closed}"
        if scope.owner[0] == scope.namespace:
            return ""
        return (
            f"Ingress {'/'.join(scope.owner)}, of another namespace, is the oldest one that has "
            f"this host and decides where TLS ends; {closed}"
        )

    def access(self, context: PolicyContext) -> Decision:
        """Policy."""
        return _MISDIRECTED if context.client.is_secure else None

    def decides_by(self, request: Request) -> Inputs:
        """Policy."""
        return frozenset({Input.SCHEME})

    def explain(self) -> str:
        """Feature."""
        return (
            "Connections over TLS for this host are passed on to its endpoints, which end TLS; "
            "requests on connections for other hosts get 421."
        )

    def shown(self) -> Mapping[str, object]:
        """Feature."""
        return {"sslPassthrough": True}
