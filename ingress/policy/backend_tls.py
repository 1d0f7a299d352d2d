"""
TLS towards endpoints: ``backend-protocol: HTTPS`` with its ``proxy-ssl-*`` annotations.

With ``AUTO_HTTP`` the client's scheme decides, and without ``backend-protocol`` the ``appProtocol``
of the Service port.

As in ingress-nginx, an endpoint's certificate is verified only if an Ingress asks
for it. A setting that makes the connection safer and cannot be honoured closes the
paths: no request is sent with less protection than its Ingress asks for.

Source of the rules: docs/compatibility.md, section 2.6.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import field, replace
from enum import Enum
from functools import cache, lru_cache
from ipaddress import ip_address
from typing import TYPE_CHECKING, ClassVar, Final

from ingress.endpoint import UpstreamKey
from ingress.frozen import dataclass
from ingress.object_name import parse_object_name
from ingress.policy.annotation import PREFIX, Annotations, Subject
from ingress.policy.backend_secret import BackendSecret
from ingress.policy.feature import ObjectReference, Setting
from ingress.policy.scope import OWN_NAMESPACE, ReadContext, RuleScope
from ingress.problem_code import Code

if TYPE_CHECKING:
    from OpenSSL import SSL

PROTOCOLS = ("TLSv1.2", "TLSv1.3")
"""The versions in use; RFC 8996 deprecates all earlier ones."""

_OLD_PROTOCOLS = frozenset({"SSLv2", "SSLv3", "TLSv1", "TLSv1.1"})

_LABEL = r"[A-Za-z0-9_](?:[A-Za-z0-9_-]{0,61}[A-Za-z0-9_])?"
_NAME = re.compile(rf"(?=.{{1,253}}\Z)(?:{_LABEL}\.)*(?![0-9]+\.?\Z){_LABEL}\.?")
"""A host name, not an address: the last label may not be all digits (RFC 3696 section 2)."""


_CIPHERS = re.compile(r"[A-Za-z0-9+:_!-]{1,1024}")
"""As in ingress-nginx: no ``@SECLEVEL``, which would let OpenSSL accept any cipher."""

_MAX_DEPTH = 100
"""OpenSSL's own bound."""


HTTP1: Final = b"http/1.1"
H2: Final = b"h2"
"""Names of protocols (RFC 7301)."""


class Use(Enum):
    """Which requests go over TLS."""

    ALWAYS = "always"
    FOR_SECURE_CLIENTS = "for secure clients"
    """``AUTO_HTTP``: those of clients that came over TLS."""

    FOR_SECURE_PORTS = "for secure ports"
    """Those for Service ports that say so (`Upstream.speaks_tls`)."""


@dataclass(frozen=True, slots=True)
class BackendTLS(Setting):
    """The settings for TLS towards endpoints; equal settings may share connections."""

    route_field: ClassVar[str] = "tls"
    annotations: ClassVar[tuple[str, ...]] = (
        "backend-protocol",
        "proxy-ssl-secret",
        "proxy-ssl-verify",
        "proxy-ssl-verify-depth",
        "proxy-ssl-name",
        "proxy-ssl-server-name",
        "proxy-ssl-protocols",
        "proxy-ssl-ciphers",
    )
    differences: ClassVar[Mapping[str, str]] = {
        "backend-protocol": "`HTTP`, `HTTPS`, `AUTO_HTTP`, `GRPC` and `GRPCS`; `FCGI` is answered "
        "with 502, others are reported and replaced by `HTTP`; without the annotation, "
        "`appProtocol` of the Service port decides",
        "proxy-ssl-verify": "with or without `proxy-ssl-secret`; a setting that cannot be "
        "honoured closes the paths with 503",
        "proxy-ssl-name": "without it, a certificate is verified for `SERVICE.NAMESPACE.svc`, "
        "or for the name of an ExternalName; its common name is ignored",
        "proxy-ssl-protocols": "TLS 1.2 and 1.3",
    }

    name: str = ""
    """The server's name, for SNI and verification; see `server_name`."""

    has_own_name: bool = False
    """Whether `name` is the ``proxy-ssl-name``; otherwise it is the name of the Service."""

    sends_name: bool = False
    """Whether the name is sent (SNI, RFC 6066): ``proxy-ssl-server-name``."""

    is_verified: bool = False
    """
    Whether the endpoint's certificate must be valid for the name, and signed by `ca_pem` or by an
    authority that the system trusts.
    """

    verify_depth: int = 1
    """How many intermediate certificates a chain may have, as OpenSSL counts them."""

    protocols: frozenset[str] = frozenset(PROTOCOLS)
    """One or both of `PROTOCOLS`."""

    ciphers: str = "DEFAULT"
    """OpenSSL's list for TLS 1.2, which OpenSSL has already accepted once."""

    ca_pem: bytes | None = None
    """The trusted certificates; never None if `is_verified`, unless `trusts_system`."""

    trusts_system: bool = False
    """Whether the authorities that the system trusts take the place of `ca_pem`."""

    chain_pem: bytes | None = None
    """Our certificate, with its chain, for endpoints that ask for one."""

    key_pem: bytes | None = field(default=None, repr=False)
    """The key of that certificate; None if and only if `chain_pem` is None."""

    alpn: tuple[bytes, ...] = (HTTP1,)
    """The protocols that the handshake may agree on, the preferred one first."""

    use: Use = Use.ALWAYS
    """`CallSettings.towards` decides about the others."""

    @classmethod
    def read(cls, annotations: Annotations, context: ReadContext) -> BackendTLS | None:
        """Feature: None for plain HTTP."""
        use = _use(annotations)
        if use in (Use.ALWAYS, Use.FOR_SECURE_CLIENTS):
            return _Reader(annotations, context, use).read()
        written = [name for name in annotations if name.startswith("proxy-ssl-")]
        read = None if use is None or not written else _Reader(annotations, context, use).read()
        why = _IN_THE_CLEAR if use is None else _ON_PLAIN_PORTS
        faulty = {fault.name for fault in annotations.faults}
        for name in written:
            if PREFIX + name not in faulty:
                annotations.fault(name, why, code=Code.ANNOTATION_WITHOUT_EFFECT)
        return read

    @classmethod
    def references(cls, annotations: Annotations, namespace: str) -> Iterable[ObjectReference]:
        """Feature: the Secret with certificates, if one is named and will be looked at."""
        if _use(annotations) is not None:
            key, _ = _read_secret_key(annotations)
            if key is not None:
                yield ("Secret", *key)

    def at(self, rule: RuleScope) -> BackendTLS | None:
        """Feature: the server is known by the name of its Service unless a name is set."""
        if rule.upstream is None:
            return None
        if self.has_own_name:
            return self
        return replace(self, name=f"{rule.upstream.service}.{rule.upstream.namespace}.svc")

    def explain(self) -> str:
        """Feature."""
        whose = f"Endpoints are asked over TLS{_WHERE[self.use]}"
        if not self.is_verified:
            return f"{whose}; their certificates are not verified."
        return f"{whose} and must have a certificate for {self.name}."

    def shown(self) -> Mapping[str, object]:
        """Feature: it shows whether we have a certificate, and never the key."""
        return {
            "backendTLS": {
                "name": self.name,
                "verified": self.is_verified,
                "serverName": self.sends_name,
                "clientCertificate": self.chain_pem is not None,
                **({} if self.use is Use.ALWAYS else {"use": self.use.value}),
            }
        }

    def server_name(self, host: str) -> str:
        """
        :param host: the endpoint's address, or its name (ExternalName).
        :return: the name that the endpoint must have, in lower case: the configured
            name, else `host` if that is a name, else the name of the Service.
        """
        if self.has_own_name or _is_address(host):
            return self.name
        return host.lower().removesuffix(".")


def _read_secret_key(annotations: Annotations) -> tuple[tuple[str, str] | None, str]:
    """:return: the namespace and name of a Secret, and what is wrong if there is none."""
    written = annotations.text("proxy-ssl-secret")
    if not written:
        return None, ""
    key = parse_object_name(written)
    return key, "" if key is not None else "NAMESPACE/NAME of a Secret is accepted"


def secure_port_tls(key: UpstreamKey) -> BackendTLS:
    """:return: the settings for a Service port that says TLS, without annotations."""
    return BackendTLS(f"{key.service}.{key.namespace}.svc", use=Use.FOR_SECURE_PORTS)


def _use(annotations: Annotations) -> Use | None:
    """:return: None if endpoints are asked in the clear."""
    protocol = annotations.text("backend-protocol").upper()
    if protocol in _USES:
        return _USES[protocol]
    is_fcgi = protocol == "FCGI"
    annotations.fault("backend-protocol", _NO_FASTCGI if is_fcgi else _UNKNOWN)
    return None


_USES: Final[Mapping[str, Use | None]] = {
    "": Use.FOR_SECURE_PORTS,
    "HTTP": None,
    "HTTPS": Use.ALWAYS,
    "AUTO_HTTP": Use.FOR_SECURE_CLIENTS,
    "GRPC": None,
    "GRPCS": Use.ALWAYS,
}

_WHERE: Final[Mapping[Use, str]] = {
    Use.ALWAYS: "",
    Use.FOR_SECURE_CLIENTS: " where the client came over TLS",
    Use.FOR_SECURE_PORTS: " where their Service port says kubernetes.io/wss",
}

_NO_FASTCGI: Final = "not implemented; requests get 502"
_UNKNOWN: Final = "HTTP, HTTPS, AUTO_HTTP, GRPC or GRPCS is accepted; HTTP is spoken instead"
_IN_THE_CLEAR: Final = "without effect where backend-protocol is not HTTPS"
_ON_PLAIN_PORTS: Final = (
    "without effect where neither backend-protocol is HTTPS nor the Service port has appProtocol: "
    "kubernetes.io/wss"
)


class _Reader:
    """The ``proxy-ssl-*`` annotations of one Ingress while they are read."""

    def __init__(self, annotations: Annotations, context: ReadContext, use: Use) -> None:
        self._annotations = annotations
        self._context = context
        self._use = use
        self._is_refused = False

    def read(self) -> BackendTLS:
        name = self._annotations.text("proxy-ssl-name", _NAME, "the name of a host")
        sends_name = self._annotations.choice("proxy-ssl-server-name", ("off", "on")) == "on"
        secret = self._secret()
        read = BackendTLS(
            name=name.lower().removesuffix("."),
            has_own_name=bool(name),
            sends_name=sends_name,
            is_verified=self._is_verified(secret),
            verify_depth=self._verify_depth(),
            protocols=self._protocols(),
            ciphers=self._ciphers(),
            ca_pem=secret.ca_pem,
            chain_pem=secret.chain_pem,
            key_pem=secret.key_pem,
            alpn=self._alpn(),
            use=self._use,
        )
        if self._is_refused and self._use is Use.FOR_SECURE_PORTS:
            # The paths are open, for ports in the clear: no handshake succeeds without authorities.
            return replace(read, is_verified=True, ca_pem=b"")
        return read

    def _alpn(self) -> tuple[bytes, ...]:
        if self._use is not Use.ALWAYS:
            return (HTTP1,)
        if self._annotations.text("backend-protocol").upper() == "GRPCS":
            return (H2,)
        return (H2, HTTP1) if self._context.config.http2 else (HTTP1,)

    def _refuse(self, name: str, message: str) -> None:
        if self._use is Use.FOR_SECURE_PORTS:
            why = f"{_ON_PLAIN_PORTS}; there requests get 502: {message}"
            self._annotations.fault(name, why, code=Code.ANNOTATION_WITHOUT_EFFECT)
        else:
            self._annotations.close(name, message, subject=Subject.ENCRYPTION, is_shown=True)
        self._is_refused = True

    def _secret(self) -> BackendSecret:
        """Return an empty BackendSecret if no Secret is named or it cannot be used."""
        key, fault = _read_secret_key(self._annotations)
        if key is not None and not self._context.may_name(key[0]):
            key, fault = None, OWN_NAMESPACE
        if fault:
            self._refuse("proxy-ssl-secret", fault)
        if key is None:
            return BackendSecret()
        secret = self._context.backend_secret_of(key)
        if not secret.fault:
            return secret
        self._refuse("proxy-ssl-secret", f"Secret {'/'.join(key)} {secret.fault}")
        return BackendSecret()

    def _is_verified(self, secret: BackendSecret) -> bool:
        written = self._annotations.text("proxy-ssl-verify").lower()
        if written not in ("", "on", "off"):
            self._refuse("proxy-ssl-verify", "on or off is accepted")
            return False
        if written == "on" and secret.ca_pem is None:
            # A fault of the Secret itself has already been reported.
            if not self._is_refused:
                self._refuse("proxy-ssl-verify", "proxy-ssl-secret names no Secret with a ca.crt")
            return False
        return written == "on"

    def _verify_depth(self) -> int:
        depth = self._annotations.integer("proxy-ssl-verify-depth")
        if depth is not None and not 0 <= depth <= _MAX_DEPTH:
            accepted = f"a number from 1 to {_MAX_DEPTH} is accepted"
            self._annotations.fault("proxy-ssl-verify-depth", f"{accepted}; 1 is used instead")
            depth = None
        return depth or 1

    def _protocols(self) -> frozenset[str]:
        """Leave out versions that are too old: the connection is then safer than requested."""
        written = self._annotations.text("proxy-ssl-protocols").split()
        protocols = frozenset(written).intersection(PROTOCOLS)
        if len(protocols) < len(set(written)):
            named = " and ".join(PROTOCOLS)
            is_known = _OLD_PROTOCOLS.issuperset(set(written) - protocols)
            message = f"only {named} are spoken" if is_known else f"{named} are accepted"
            self._annotations.fault("proxy-ssl-protocols", f"{message}; the others are left out")
        return protocols or frozenset(PROTOCOLS)

    def _ciphers(self) -> str:
        written = self._annotations.text("proxy-ssl-ciphers") or "DEFAULT"
        if _CIPHERS.fullmatch(written) is None or not _takes_ciphers(written):
            self._refuse(
                "proxy-ssl-ciphers", "a list of ciphers as OpenSSL has it for TLS 1.2 is accepted"
            )
            return "DEFAULT"
        return written


@lru_cache(maxsize=256)
def _takes_ciphers(written: str) -> bool:
    """Return whether OpenSSL finds a cipher in the list."""
    from OpenSSL import SSL

    try:
        _probe().set_cipher_list(written.encode("ascii"))
    except SSL.Error:
        return False
    return True


@cache
def _probe() -> SSL.Context:
    """Return one context for all trials: making one takes far longer than a trial."""
    # Takes long to import, and few manifests need it.
    from OpenSSL import SSL

    return SSL.Context(SSL.TLS_CLIENT_METHOD)


def _is_address(host: str) -> bool:
    try:
        ip_address(host)
    except ValueError:
        return False
    return True
