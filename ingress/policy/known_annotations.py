"""
The annotations that ingress-nginx has or had, by name, without the prefix.

A name that is in neither set is most likely a typing error, or was meant for another
controller: users should not wait for it to be implemented.
"""

from __future__ import annotations

from collections.abc import Mapping
from difflib import get_close_matches
from functools import lru_cache
from typing import Final

from ingress.problem_code import Code

_NAMES: Final = """
    affinity affinity-canary-behavior affinity-mode allowlist-source-range app-root
    auth-always-set-cookie auth-cache-duration auth-cache-key auth-keepalive
    auth-keepalive-requests auth-keepalive-share-vars auth-keepalive-timeout auth-method
    auth-proxy-set-headers auth-realm auth-request-redirect auth-response-headers auth-secret
    auth-secret-type auth-signin auth-signin-redirect-param auth-snippet auth-tls-error-page
    auth-tls-match-cn auth-tls-pass-certificate-to-upstream auth-tls-secret
    auth-tls-verify-client auth-tls-verify-depth auth-type auth-url backend-protocol canary
    canary-by-cookie canary-by-header canary-by-header-pattern canary-by-header-value
    canary-weight canary-weight-total client-body-buffer-size configuration-snippet
    connection-proxy-header cors-allow-credentials cors-allow-headers cors-allow-methods
    cors-allow-origin cors-expose-headers cors-max-age custom-headers custom-http-errors
    default-backend denylist-source-range disable-proxy-intercept-errors enable-access-log
    enable-cors enable-global-auth enable-modsecurity enable-opentelemetry
    enable-owasp-core-rules enable-rewrite-log fastcgi-index fastcgi-params-configmap
    force-ssl-redirect from-to-www-redirect http2-push-preload limit-allowlist
    limit-burst-multiplier limit-connections limit-rate limit-rate-after limit-rpm limit-rps
    limit-whitelist load-balance mirror-host mirror-request-body mirror-target
    modsecurity-snippet modsecurity-transaction-id opentelemetry-operation-name
    opentelemetry-trust-incoming-span permanent-redirect permanent-redirect-code
    preserve-trailing-slash proxy-body-size proxy-buffer-size proxy-buffering
    proxy-buffers-number proxy-busy-buffers-size proxy-connect-timeout proxy-cookie-domain
    proxy-cookie-path proxy-http-version proxy-max-temp-file-size proxy-next-upstream
    proxy-next-upstream-timeout proxy-next-upstream-tries proxy-read-timeout proxy-redirect-from
    proxy-redirect-to proxy-request-buffering proxy-send-timeout proxy-ssl-ciphers
    proxy-ssl-name proxy-ssl-protocols proxy-ssl-secret proxy-ssl-server-name proxy-ssl-verify
    proxy-ssl-verify-depth relative-redirects rewrite-target satisfy server-alias server-snippet
    service-upstream session-cookie-change-on-failure session-cookie-conditional-samesite-none
    session-cookie-domain session-cookie-expires session-cookie-max-age session-cookie-name
    session-cookie-partitioned session-cookie-path session-cookie-samesite session-cookie-secure
    ssl-ciphers ssl-passthrough ssl-prefer-server-ciphers ssl-redirect stream-snippet
    temporal-redirect temporal-redirect-code upstream-hash-by upstream-hash-by-subset
    upstream-hash-by-subset-size upstream-vhost use-port-in-redirects use-regex
    whitelist-source-range x-forwarded-prefix
"""

NAMES: Final = frozenset(_NAMES.split())
"""All annotations of ingress-nginx 1.15."""

_FORMER_NAMES: Final = """
    add-base-url base-url-scheme enable-influxdb enable-opentracing global-rate-limit
    global-rate-limit-header-name global-rate-limit-ignored-cidrs global-rate-limit-key
    global-rate-limit-window grpc-backend influxdb-host influxdb-measurement influxdb-port
    influxdb-server-name lua-resty-waf lua-resty-waf-allow-unknown-content-types
    lua-resty-waf-debug lua-resty-waf-extra-rules lua-resty-waf-ignore-rulesets
    lua-resty-waf-process-multipart-body lua-resty-waf-score-threshold mirror-uri
    opentracing-trust-incoming-span secure-backends secure-verify-ca-secret session-cookie-hash
    upstream-fail-timeout upstream-max-fails
"""

FORMER_NAMES: Final = frozenset(_FORMER_NAMES.split())
"""Annotations that earlier versions had and 1.15 ignores."""

_MOST_REMEMBERED: Final = 256
"""Names: the same ones are in many Ingresses, and similar names are slow to find."""

_NO_EFFECT: Final = "the annotation is ignored"

_FAMILIES: Final = {
    "enable-modsecurity enable-owasp-core-rules modsecurity-transaction-id": "no request is"
    " filtered by ModSecurity",
    "ssl-ciphers ssl-prefer-server-ciphers": "the ciphers are those of every host",
    "enable-rewrite-log": "rewrites are not logged",
    "http2-push-preload": "nothing is pushed: browsers take no pushed responses any more",
    "fastcgi-index fastcgi-params-configmap": "FastCGI is not spoken to endpoints",
    "use-port-in-redirects": "there are no redirects that it is about",
}
"""
What follows from annotations that are not implemented, by their names.

Those that decide access are not among them: they close their paths (`ingress.policy.access`).
"""

_CONSEQUENCES: Final = {
    name: consequence for names, consequence in _FAMILIES.items() for name in names.split()
}


_HARMLESS: Final[Mapping[str, tuple[str, ...]]] = {
    "enable-modsecurity": ("false",),
    "enable-owasp-core-rules": ("false",),
    "enable-rewrite-log": ("false",),
    "http2-push-preload": ("false",),
    "ssl-prefer-server-ciphers": ("false",),
    "use-port-in-redirects": ("false",),
}
"""Values that ask for what is done anyway, of annotations that are not implemented."""


def is_harmless(name: str, value: str) -> bool:
    """:return: whether nothing follows if an annotation of this name and value is ignored."""
    return value.strip().lower() in _HARMLESS.get(name, ())


def consequence_of(name: str) -> str:
    """:return: what follows if the annotation of this name is ignored."""
    return _CONSEQUENCES.get(name, _NO_EFFECT)


def code_of_ignored(name: str) -> Code:
    """:return: the code of the Problem of an annotation under the prefix that no policy reads."""
    if name in NAMES:
        return Code.ANNOTATION_UNSUPPORTED
    return Code.ANNOTATION_FORMER if name in FORMER_NAMES else Code.ANNOTATION_UNKNOWN


@lru_cache(_MOST_REMEMBERED)
def why_ignored(name: str) -> str:
    """What to say about an annotation under the prefix that no policy reads."""
    if name in NAMES:
        return f"not implemented; {consequence_of(name)}"
    if name in FORMER_NAMES:
        return f"ingress-nginx 1.15 has this annotation no more; {_NO_EFFECT}"
    close = get_close_matches(name, NAMES, 1, 0.8)
    hint = f"; did you mean {close[0]}?" if close else ""
    return f"ingress-nginx never had this annotation; {_NO_EFFECT}{hint}"
