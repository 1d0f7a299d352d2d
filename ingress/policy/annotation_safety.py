"""
Annotations that the operator does not let authors use: ``annotations-risk-level`` and
``annotation-value-word-blocklist`` of the ConfigMap.

ingress-nginx ignores the whole Ingress, so that its paths are 404. Here they answer 503, because
another Ingress might otherwise serve them without the access rules of this one.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from ingress.policy.annotation import OWN_PREFIX, Annotations
from ingress.policy.feature import RouteFeature
from ingress.policy.scope import ReadContext

_LEVELS: Final = ("Low", "Medium", "High", "Critical")

_BY_LEVEL: Final = {
    "Critical": "auth-snippet configuration-snippet modsecurity-snippet server-snippet "
    "stream-snippet",
    "High": "auth-signin auth-tls-error-page auth-tls-match-cn auth-url mirror-host mirror-target "
    "modsecurity-transaction-id proxy-ssl-name server-alias upstream-hash-by",
    "Medium": "affinity-mode allowlist-source-range app-root auth-cache-duration auth-cache-key "
    "auth-proxy-set-headers auth-realm auth-request-redirect auth-response-headers auth-secret "
    "auth-signin-redirect-param auth-tls-secret auth-tls-verify-client canary-by-cookie "
    "canary-by-header canary-by-header-pattern canary-by-header-value cors-allow-headers "
    "cors-allow-methods cors-allow-origin cors-expose-headers custom-headers "
    "denylist-source-range fastcgi-index fastcgi-params-configmap force-ssl-redirect "
    "opentelemetry-operation-name permanent-redirect preserve-trailing-slash proxy-body-size "
    "proxy-cookie-domain proxy-cookie-path proxy-next-upstream proxy-redirect-from "
    "proxy-redirect-to proxy-ssl-ciphers proxy-ssl-secret rewrite-target session-cookie-domain "
    "session-cookie-expires session-cookie-max-age session-cookie-name session-cookie-path "
    "temporal-redirect whitelist-source-range x-forwarded-prefix",
}

RISKS: Final[Mapping[str, str]] = {
    name: level for level, names in _BY_LEVEL.items() for name in names.split()
}
"""The risk of an annotation, as the documentation of ingress-nginx 1.15 has it; others are Low."""


class AnnotationSafety(RouteFeature):
    """Closes what Ingresses with such annotations own; there is nothing to set."""

    __slots__ = ()

    @classmethod
    def key(cls) -> str:
        """Feature."""
        return "annotation-safety"

    @classmethod
    def read(cls, annotations: Annotations, context: ReadContext) -> None:
        """Feature."""
        safety = context.config.nginx.annotations
        highest = _LEVELS.index(safety.risk_level)
        if highest == len(_LEVELS) - 1 and not safety.blocked_words:
            return
        for name in annotations:
            risk = RISKS.get(name, "Low")
            if name.startswith(OWN_PREFIX):
                continue
            if _LEVELS.index(risk) > highest:
                annotations.close(
                    name,
                    f"its risk is {risk}, and annotations-risk-level of the ConfigMap allows "
                    f"{safety.risk_level}",
                )
            elif any(word in annotations.text(name) for word in safety.blocked_words):
                annotations.close(
                    name, "it has a word of annotation-value-word-blocklist of the ConfigMap"
                )
