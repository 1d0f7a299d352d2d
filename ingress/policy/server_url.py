"""
The URL of a server that a policy sends requests of its own to: ``auth-url``, ``mirror-target``.

The host decides which endpoints are asked, so that it is known when the Snapshot is built: it has
no variables but ``$namespace``. The one exception is ``$host`` alone, the host of the request
itself: requests to it never leave the proxy, whatever host a client names.

==================================  ==============================================================
Host                                Endpoints
==================================  ==============================================================
``svc.ns.svc.cluster.local``,       those of the Service, of any namespace; the port is the
``svc.ns.svc``                      Service's
``svc.ns``                          those of the Service if it exists, else as a name
any other name                      its addresses in DNS, as the control plane resolves them
an address                          the address
``$host``, ``$http_host``,          none: the rules for this host here answer
``$best_http_host``
==================================  ==============================================================

Source of the rules: docs/compatibility.md, section 6, "Authentication servers" and "Variables".
"""

from __future__ import annotations

import re
from dataclasses import replace
from typing import Final

from ingress.address import pack_address
from ingress.endpoint import UpstreamKey
from ingress.errors import IngressError
from ingress.frozen import dataclass
from ingress.policy.backend_tls import BackendTLS
from ingress.policy.scope import RuleScope
from ingress.policy.variables import REQUEST_VARIABLES, RequestSource, VariableText

_URL: Final = re.compile(
    r"(?P<scheme>https?)://"
    r"(?:(?P<own>\$(?:best_http_host|http_host|host)(?![A-Za-z0-9_])"
    r"|\$\{(?:best_http_host|http_host|host)\})"
    r"|(?P<host>(?:[A-Za-z0-9._\-]|\$namespace(?![A-Za-z0-9_])|\$\{namespace\}){1,253})"
    r"|\[(?P<address>[0-9A-Fa-f.]*:[0-9A-Fa-f:.]{1,45})\])"
    r"(?::(?P<port>[0-9]{1,5}))?"
    r"(?P<rest>(?:(?:[/?]|\$\{?(?:request_uri|document_uri|uri)(?![A-Za-z0-9_])).*)?)",
    re.IGNORECASE | re.DOTALL,
)
_NAMESPACE: Final = re.compile(r"\$(?:namespace|\{namespace\})", re.IGNORECASE)
_LABEL: Final = r"[a-z0-9_](?:[a-z0-9_\-]{0,61}[a-z0-9_])?"
_NAME: Final = re.compile(rf"{_LABEL}(?:\.{_LABEL})*\.?")
_ADDRESS: Final = re.compile(r"[0-9.]+")
_SERVICE: Final = re.compile(
    r"(?P<service>[a-z0-9\-]+)\.(?P<namespace>[a-z0-9\-]+)\.svc(?:\.cluster\.local)?\.?"
)

_REST: Final = re.compile(r"[\x21-\x7e]*")
_MAX_LENGTH: Final = 8192
"""Characters of a URL; no server takes a longer one."""

_FORBIDDEN: Final = re.compile(rb"[\x00-\x20\x7f#]")

ACCEPTED: Final = (
    "an http or https URL is accepted whose host is the name of a Service "
    "(SERVICE.NAMESPACE.svc.cluster.local), another name, an address, or $host alone; of other "
    "variables a host may have $namespace only"
)


class URLRefused(IngressError):
    """A URL cannot be used; the message says why, without its value."""


@dataclass(frozen=True, slots=True)
class ServerURL:
    """A parsed URL."""

    is_secure: bool
    host: str
    """In lower case and without brackets; empty for the host of the request itself."""

    port: int
    target: VariableText
    """The path and the query; expanded, it may lack the ``/`` at its beginning."""

    upstream: UpstreamKey | None
    """The endpoints to ask; None for the host of the request itself."""

    @property
    def authority(self) -> bytes:
        """The Host field, without port as in ingress-nginx; empty for the request's own host."""
        return (f"[{self.host}]" if ":" in self.host else self.host).encode("ascii")

    def at(self, rule: RuleScope) -> ServerURL:
        """:return: the same with the values of the rule's variables."""
        target = self.target.at(rule)
        return self if target is self.target else replace(self, target=target)

    def target_for(self, source: RequestSource) -> bytes:
        """
        :return: the target for a request. What cannot stand in a target is escaped, so that a
            value of the client cannot end it.
        """
        expanded = REQUEST_VARIABLES.expand(self.target, source)
        target = _FORBIDDEN.sub(lambda found: b"%%%02X" % found[0][0], expanded)
        return target if target.startswith(b"/") else b"/" + target

    def tls(self, *, is_verified: bool) -> BackendTLS | None:
        """
        :param is_verified: whether the certificate of the server must be one for its host, from
            an authority that the system trusts.
        :return: the settings of TLS; None for http.
        """
        if not self.is_secure:
            return None
        return BackendTLS(
            name=self.host.removesuffix("."),
            has_own_name=True,
            sends_name=pack_address(self.host) is None,
            is_verified=is_verified,
            trusts_system=is_verified,
            verify_depth=_SYSTEM_DEPTH if is_verified else 1,
        )


_SYSTEM_DEPTH: Final = 10
"""Intermediate certificates of public authorities; OpenSSL's own default is 100."""


def parse_server_url(written: str, namespace: str) -> ServerURL:
    """
    :param namespace: the namespace of the object that has the URL.
    :raises URLRefused: for what is no such URL.
    :raises VariableUnknown: for a variable that there is not.
    """
    found = _URL.fullmatch(written) if len(written) <= _MAX_LENGTH else None
    if found is None or _REST.fullmatch(found["rest"]) is None or "#" in found["rest"]:
        raise URLRefused(ACCEPTED)
    is_secure = found["scheme"].lower() == "https"
    port = int(found["port"] or (443 if is_secure else 80))
    if not 0 < port < 65536:
        raise URLRefused(ACCEPTED)
    target = REQUEST_VARIABLES.compile(found["rest"])
    if found["own"]:
        return ServerURL(is_secure, "", port, target, None)
    host = _host(found["host"] or found["address"], namespace)
    return ServerURL(is_secure, host, port, target, _upstream_of(host, port))


def _host(written: str, namespace: str) -> str:
    """
    :raises URLRefused: for what is neither a name nor an address.
    """
    host = _NAMESPACE.sub(lambda _: namespace, written).lower()
    # All digits and dots: other programs read 127.1 and 2130706433 as addresses.
    looks_like_address = ":" in host or _ADDRESS.fullmatch(host) is not None
    if looks_like_address:
        is_good = pack_address(host) is not None
    else:
        is_good = len(host) <= 253 and _NAME.fullmatch(host) is not None
    if not is_good:
        raise URLRefused(ACCEPTED)
    return host


def _upstream_of(host: str, port: int) -> UpstreamKey:
    service = _SERVICE.fullmatch(host)
    if service is not None:
        return UpstreamKey(service["namespace"], service["service"], str(port))
    return UpstreamKey("", host, str(port))
