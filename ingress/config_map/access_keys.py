"""
The keys of ingress-nginx's ConfigMap that decide who is let in, and what authors may write.
"""

from __future__ import annotations

from typing import Final

from ingress.config_map import auth_value as auth
from ingress.config_map import value as accept
from ingress.config_map.key import Key, unsupported, works


def _auth(
    name: str, target: str, accept_text: accept.AcceptText, effect: str, default: str = ""
) -> Key:
    """A key of external authentication."""
    return works(name, accept_text, f"nginx.auth.{target}", effect, default, decides_access=True)


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
    _auth("global-auth-url", "url", auth.url, "the server that decides about all requests"),
    _auth("global-auth-method", "method", auth.method, "the method that it is asked with"),
    _auth("global-auth-signin", "signin", auth.sign_in, "where people sign in"),
    _auth(
        "global-auth-signin-redirect-param",
        "signin_redirect_param",
        auth.parameter,
        "the parameter of that page for the URL that was asked for",
        "rd",
    ),
    _auth(
        "global-auth-response-headers",
        "response_headers",
        auth.copied,
        "the fields of its response that endpoints get",
    ),
    _auth("global-auth-request-redirect", "request_redirect", auth.text, "X-Auth-Request-Redirect"),
    _auth("global-auth-cache-key", "cache_key", auth.text, "when decisions are used again"),
    _auth(
        "global-auth-cache-duration",
        "cache_duration",
        auth.durations,
        "how long they are",
        "200 202 401 5m",
    ),
    _auth(
        "global-auth-always-set-cookie",
        "always_set_cookie",
        accept.boolean,
        "whether its cookies are set with every status",
        "false",
    ),
    unsupported("global-auth-snippet", "snippets are not interpreted", decides_access=True),
    works(
        "no-auth-locations",
        accept.paths,
        "nginx.auth.no_auth_locations",
        "paths of rules that `global-auth-url` does not decide about, and all below them",
        "/.well-known/acme-challenge",
    ),
    # What authors of Ingresses may write.
    works(
        "allow-snippet-annotations",
        accept.boolean,
        "nginx.annotations.allow_snippets",
        "whether snippets are interpreted ([the page on snippets](snippets.md)); false leaves that "
        "to `snippets` of the configuration",
        "false",
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
        accept.few_words,
        "nginx.annotations.blocked_words",
        "words that no annotation may have; those that do close their paths",
    ),
    works(
        "allow-cross-namespace-resources",
        accept.boolean,
        "nginx.annotations.allow_cross_namespace",
        "whether annotations may name Secrets and ConfigMaps of other namespaces",
        "false",
    ),
    works(
        "strict-validate-path-type",
        accept.boolean,
        "nginx.annotations.strict_paths",
        "whether an Ingress is left out if an Exact or Prefix path has other characters than "
        "letters, digits, `.`, `_`, `-` and `/`; it is not without the key",
        "true",
    ),
    works(
        "global-allowed-response-headers",
        accept.lower_field_names,
        "nginx.headers.allowed_custom",
        "the fields that custom-headers may set",
    ),
)
