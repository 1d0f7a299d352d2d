"""
The keys of ingress-nginx's ConfigMap that decide who is let in, and what authors may write.
"""

from __future__ import annotations

from typing import Final

from ingress.config_map import value as accept
from ingress.config_map.key import Key, unsupported, works

_GLOBAL_AUTH: Final = "nobody is asked for credentials by it"


def _auth(name: str, target: str, accept_text: accept.AcceptText, default: str = "") -> Key:
    """A key of external authentication."""
    return unsupported(
        name,
        _GLOBAL_AUTH,
        default,
        decides_access=True,
        accept=accept_text,
        target=f"nginx.auth.{target}",
    )


ACCESS_KEYS: Final = (
    # By address and by fields of the request.
    works(
        "whitelist-source-range",
        accept.ranges,
        "nginx.source_ranges.allowed",
        "who may come, where an Ingress does not say it",
        decides_access=True,
    ),
    works(
        "denylist-source-range",
        accept.ranges,
        "nginx.source_ranges.denied",
        "who may not come, where an Ingress does not say it",
        decides_access=True,
    ),
    works(
        "block-cidrs",
        accept.ranges,
        "nginx.block.cidrs",
        "addresses of clients that get 403 everywhere",
        decides_access=True,
    ),
    works(
        "block-user-agents",
        accept.value_map,
        "nginx.block.user_agents",
        "values of User-Agent, and linear regular expressions after `~` or `~*`, that get 403",
        decides_access=True,
    ),
    works(
        "block-referers",
        accept.value_map,
        "nginx.block.referers",
        "values of Referer, and linear regular expressions after `~` or `~*`, that get 403",
        decides_access=True,
    ),
    # External authentication.
    _auth("global-auth-url", "url", accept.text),
    _auth("global-auth-method", "method", accept.text),
    _auth("global-auth-signin", "signin", accept.text),
    _auth("global-auth-signin-redirect-param", "signin_redirect_param", accept.text, "rd"),
    _auth("global-auth-response-headers", "response_headers", accept.field_names),
    _auth("global-auth-request-redirect", "request_redirect", accept.text),
    _auth("global-auth-cache-key", "cache_key", accept.text),
    _auth("global-auth-cache-duration", "cache_duration", accept.text, "200 202 401 5m"),
    _auth("global-auth-always-set-cookie", "always_set_cookie", accept.boolean, "false"),
    unsupported("global-auth-snippet", "snippets are not interpreted", decides_access=True),
    unsupported(
        "no-auth-locations",
        "no path is exempt from authentication by it",
        "/.well-known/acme-challenge",
        accept=accept.paths,
        target="nginx.auth.no_auth_locations",
    ),
    # What authors of Ingresses may write.
    unsupported(
        "allow-snippet-annotations",
        "snippets are treated as `snippets` of the configuration says",
        "false",
        accept=accept.boolean,
        target="nginx.annotations.allow_snippets",
    ),
    works(
        "annotations-risk-level",
        accept.choice("Low", "Medium", "High", "Critical"),
        "nginx.annotations.risk_level",
        "the highest risk of an annotation; those above close their paths. Without the key all are "
        "read",
        "High",
    ),
    works(
        "annotation-value-word-blocklist",
        accept.words,
        "nginx.annotations.blocked_words",
        "words that no annotation may have; those that do close their paths",
    ),
    works(
        "allow-cross-namespace-resources",
        accept.boolean,
        "nginx.annotations.allow_cross_namespace",
        "whether `auth-secret` and `proxy-ssl-secret` may name Secrets of other namespaces",
        "false",
    ),
    unsupported(
        "strict-validate-path-type",
        "paths of every character are served",
        harmless=("false",),
    ),
    works(
        "global-allowed-response-headers",
        accept.lower_field_names,
        "nginx.headers.allowed_custom",
        "the fields that custom-headers may set",
    ),
)
