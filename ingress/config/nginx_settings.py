"""
What ingress-nginx's ConfigMap can set and the configuration has no key for.

Keys of the ConfigMap for which the configuration has a key replace that key's value, and are not
found here: ``ssl-redirect`` is `Config.ssl_redirect`, ``proxy-read-timeout`` is
`Limits.read_timeout`. `ingress.config_map` reads all of them.
"""

from __future__ import annotations

import re
from dataclasses import field
from ipaddress import IPv4Network, IPv6Network
from typing import Final

from ingress.frozen import dataclass

REDIRECT_TEXT: Final = re.compile(
    r"[A-Za-z0-9\-._/:,?&=%+@!#\[\]*][A-Za-z0-9\-._~/:,?&=%+@!#\[\]*]{0,1999}"
)
"""A value of ``proxy-redirect-from`` and ``-to``, which is no regular expression."""

COOKIE_DOMAINS: Final = re.compile(r"\.?([A-Za-z0-9._\-]{1,253}) +\.?([A-Za-z0-9._\-]{1,253})")
"""A value of ``proxy-cookie-domain``: two domains."""

COOKIE_PATHS: Final = re.compile(
    r"(/[A-Za-z0-9\-._~/:,?&=%+@!*]{0,1023}) +(/[A-Za-z0-9\-._~/:,?&=%+@!*]{0,1023})"
)
"""A value of ``proxy-cookie-path``: two paths."""

HeaderFields = tuple[tuple[str, str], ...]
"""Names and values of fields, checked: neither can end a head."""


@dataclass(frozen=True, slots=True)
class GlobalAuth:
    """
    External authentication of all rules: ``global-auth-*``, as written. The values have the forms
    of the annotations ``auth-*``.
    """

    url: str = field(default="", repr=False)
    """Empty where nobody is asked. Like `signin`, it may hold a secret."""

    method: str = ""
    signin: str = field(default="", repr=False)
    signin_redirect_param: str = ""
    response_headers: tuple[str, ...] = ()
    request_redirect: str = field(default="", repr=False)
    cache_key: str = field(default="", repr=False)
    cache_duration: str = ""
    always_set_cookie: bool = False
    no_auth_locations: tuple[str, ...] = ("/.well-known/acme-challenge",)
    """Paths that need no authentication, and all below them."""


@dataclass(frozen=True, slots=True)
class BlockRules:
    """Requests that get 403 everywhere: ``block-*``, as written."""

    cidrs: tuple[str, ...] = ()
    user_agents: tuple[str, ...] = ()
    """Whole values; ``~`` or ``~*`` begins a regular expression, as in nginx's map."""

    referers: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class SourceRangeDefaults:
    """``whitelist-source-range`` and ``denylist-source-range``: None where the key is absent."""

    allowed: tuple[str, ...] | None = None
    denied: tuple[str, ...] | None = None


@dataclass(frozen=True, slots=True)
class RedirectDefaults:
    """Redirects that the proxy answers, and those of endpoints."""

    force_ssl: bool = False
    code: int = 308
    """Of redirects to https: ``http-redirect-code``."""

    no_tls_locations: tuple[str, ...] = ("/.well-known/acme-challenge",)
    """Paths that are not redirected to https, and all below them."""

    is_relative: bool = False
    """``relative-redirects``"""

    preserve_trailing_slash: bool = False
    proxy_redirect_from: str = "off"
    proxy_redirect_to: str = "off"


@dataclass(frozen=True, slots=True)
class ProxyDefaults:
    """How endpoints are asked, where annotations say nothing."""

    next_upstream: str = "error timeout"
    """As the annotation ``proxy-next-upstream`` has it."""

    next_upstream_tries: int = 3
    next_upstream_timeout: float = 0.0
    retry_non_idempotent: bool = False
    cookie_domain: str = "off"
    cookie_path: str = "off"
    load_balance: str = ""
    """Empty for the default of the proxy."""


@dataclass(frozen=True, slots=True)
class StreamDefaults:
    """``proxy-stream-*``: connections of TCP services."""

    next_upstream: bool = True
    """Whether another endpoint is asked if one cannot be connected to."""

    tries: int = 3
    """The endpoints that are asked for one connection; 0 for all."""

    timeout: float = 600.0
    """Seconds within which another one is asked; 0 for no limit."""


@dataclass(frozen=True, slots=True)
class LimitDefaults:
    """``limit-*``"""

    req_status: int = 503
    conn_status: int = 503


@dataclass(frozen=True, slots=True)
class ErrorDefaults:
    """Error pages."""

    statuses: frozenset[int] = frozenset()
    """``custom-http-errors``"""

    disable_intercept: bool = False
    """``disable-proxy-intercept-errors``"""


@dataclass(frozen=True, slots=True)
class HeaderDefaults:
    """Fields of requests and responses."""

    removed: tuple[str, ...] = ()
    """``hide-headers``: names of fields that no response of an endpoint keeps."""

    added: HeaderFields = field(default=(), repr=False)
    """The content of the ConfigMap that ``add-headers`` names: for every response."""

    set_upstream: HeaderFields = field(default=(), repr=False)
    """That of ``proxy-set-headers``, for every request; it may hold secrets."""

    adds_original_uri: bool = False
    """``proxy-add-original-uri-header``: whether endpoints get X-Original-URI."""

    allowed_custom: frozenset[str] = frozenset()
    """``global-allowed-response-headers`` in lower case: what ``custom-headers`` may set."""


@dataclass(frozen=True, slots=True)
class AnnotationSafety:
    """Which annotations authors of Ingresses may use."""

    allow_snippets: bool | None = None
    """``allow-snippet-annotations``; None where the key is absent."""

    risk_level: str = "Critical"
    """``annotations-risk-level``: Low, Medium, High or Critical. All are let in by default."""

    blocked_words: tuple[str, ...] = ()
    """``annotation-value-word-blocklist``"""

    strict_paths: bool = False
    """``strict-validate-path-type``: whether an Ingress with an unusual path is left out."""

    allow_cross_namespace: bool = False
    """Whether an Ingress may name objects of other namespaces."""


@dataclass(frozen=True, slots=True)
class ForwardedFor:
    """The addresses that proxies in front forward; believed only from those that are trusted."""

    field: bytes = b"x-forwarded-for"
    """``forwarded-for-header`` in lower case: the field with the address of the client."""

    address_proxies: tuple[IPv4Network | IPv6Network, ...] = ()
    """
    ``enable-real-ip``: proxies that are believed about the address of the client, and about nothing
    else, if they are not among `Config.trusted_proxies`.
    """

    is_full: bool = False
    """
    ``compute-full-forwarded-for``: whether endpoints get the list of a trusted proxy with its own
    address at the end, in place of the client's address alone.
    """


@dataclass(frozen=True, slots=True)
class ProxyProtocol:
    """Headers of the PROXY protocol at the beginning of connections, of http and https alike."""

    is_on: bool | None = None
    """``use-proxy-protocol``; None where the key is absent, so that each listener decides."""

    peers: tuple[IPv4Network | IPv6Network, ...] | None = None
    """``proxy-real-ip-cidr``: who may send them; None for those of ``trusted-proxies``."""


@dataclass(frozen=True, slots=True)
class TLSParameters:
    """TLS with clients: ``ssl-*``."""

    protocols: tuple[str, ...] = ("TLSv1.2", "TLSv1.3")
    """Of these, the versions that are spoken."""

    ciphers: str = ""
    """A list for TLS 1.2 as OpenSSL has it, the preferred ones first; empty for our own."""

    curves: str = ""
    """The groups of key agreement with ``:`` between them; empty for our own."""

    tickets: bool = True
    """Whether sessions can be resumed."""

    session_timeout: float = 600.0
    """Seconds for which they can."""

    rejects_unknown: bool = False
    """``ssl-reject-handshake``: whether a host without a certificate of its own gets none."""


@dataclass(frozen=True, slots=True)
class SnippetSettings:
    """Snippets for all rules, as programs (`ingress.policy.snippet.program.Block`)."""

    location: object = None
    """``location-snippet``; None for none."""

    server: object = None
    """``server-snippet``; None for none."""


@dataclass(frozen=True, slots=True)
class NginxSettings:
    """
    The settings of ingress-nginx's ConfigMap; with the defaults of a proxy that has none. Features
    find them in `ReadContext.config`, and give annotations precedence.
    """

    closed_by: tuple[str, ...] = ()
    """
    The keys that decide access and cannot be honoured. If there are any, every rule answers 503.
    """

    annotations: AnnotationSafety = AnnotationSafety()
    forwarded_for: ForwardedFor = ForwardedFor()
    proxy_protocol: ProxyProtocol = ProxyProtocol()
    tls: TLSParameters = TLSParameters()
    snippets: SnippetSettings = SnippetSettings()
    auth: GlobalAuth = GlobalAuth()
    block: BlockRules = BlockRules()
    source_ranges: SourceRangeDefaults = SourceRangeDefaults()
    redirects: RedirectDefaults = RedirectDefaults()
    proxy: ProxyDefaults = ProxyDefaults()
    streams: StreamDefaults = StreamDefaults()
    limits: LimitDefaults = LimitDefaults()
    errors: ErrorDefaults = ErrorDefaults()
    headers: HeaderDefaults = HeaderDefaults()
    skipped_log_targets: tuple[str, ...] = ()
    """``skip-access-log-urls``: targets, or ``~`` and a regular expression."""
