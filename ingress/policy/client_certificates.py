"""
Certificates of clients: ``auth-tls-*``.

The TLS handshake asks for a certificate on the hosts that want one, and never fails because of it.
What it has established is in `BelievedClient.session`; requests are answered accordingly.

Source of the rules: docs/compatibility.md, sections 2.5, 5 and 6, "Access".
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import replace
from functools import lru_cache
from typing import ClassVar, Final

from ingress.answer import Answer
from ingress.client_session import ClientSession, ClientTrust
from ingress.errors import Outcome
from ingress.field_edits import FieldEdits
from ingress.frozen import dataclass
from ingress.linear_pattern import LinearPattern, PatternRefused, TextTooLong
from ingress.message import Request
from ingress.object_name import parse_object_name
from ingress.policy.annotation import Annotations, Extent
from ingress.policy.context import PolicyContext
from ingress.policy.decision import Decision, Proceed
from ingress.policy.feature import ObjectReference, RouteFeature
from ingress.policy.inputs import Input, Inputs
from ingress.policy.policy import Policy
from ingress.policy.refusal import certificate_loss
from ingress.policy.scope import OWN_NAMESPACE, HostScope, ReadContext, RuleScope
from ingress.policy.secret_content import SecretData, SecretFault

_MODES: Final = ("on", "off", "optional", "optional_no_ca")
_MAX_DEPTH: Final = 100
"""OpenSSL's own bound."""

_ERROR_PAGE: Final = re.compile(r"https?://[A-Za-z0-9][A-Za-z0-9\-._~/:,?&=]{0,2000}")
_COMMON_NAME: Final = "CN="
_EXTENT: Final = Extent.OWNED_HOSTS

_NO_LISTENER: Final = (
    "nobody can show a certificate without `listen.https` in the configuration; requests get 403 "
    "unless auth-tls-verify-client is off"
)

AUTHORITIES_KEY: Final = "ca.crt"
REVOCATIONS_KEY: Final = "ca.crl"

_UNKNOWN_AUTHORITY: Final = frozenset({2, 18, 19, 20, 21})
"""
The errors of OpenSSL that say that no authority is known which vouches for a certificate, as nginx
has them: its issuer is missing (2, 20), it or its chain ends with one that is signed by itself (18,
19), or its signature cannot be verified (21).
"""

_VERIFY: Final = b"ssl-client-verify"
_SUBJECT: Final = b"ssl-client-subject-dn"
_ISSUER: Final = b"ssl-client-issuer-dn"
_CERTIFICATE: Final = b"ssl-client-cert"
_FIELDS: Final = frozenset({_VERIFY, _SUBJECT, _ISSUER, _CERTIFICATE})

_NO_CERTIFICATE: Final = Answer(
    400, Outcome.ACCESS_REFUSED, "This host needs a certificate of the client, which sent none."
)
_OTHER_NAME: Final = Answer(
    403, Outcome.ACCESS_REFUSED, "The certificate of the client has another common name."
)
_CHALLENGES: Final = "/.well-known/acme-challenge"
"""
Certificate authorities ask here over http, and have no certificate to show (RFC 8555, section
8.3): without this exception a host could not renew its own certificate.
"""

_IN_THE_CLEAR: Final = Answer(403, Outcome.ACCESS_REFUSED, "This host is served over https alone.")
_MISDIRECTED: Final = Answer(
    421,
    Outcome.ACCESS_REFUSED,
    "The connection was made for another host, or before a change of the accepted certificates.",
)


@dataclass(frozen=True, slots=True)
class ClientCertificates(Policy):
    """Answers requests with 400 or 403 whose client has shown no certificate that is accepted."""

    name: ClassVar[str] = "client-certificates"
    annotations: ClassVar[tuple[str, ...]] = (
        "auth-tls-secret",
        "auth-tls-verify-client",
        "auth-tls-verify-depth",
        "auth-tls-error-page",
        "auth-tls-match-cn",
        "auth-tls-pass-certificate-to-upstream",
    )
    differences: ClassVar[Mapping[str, str]] = {
        "auth-tls-secret": "`NAMESPACE/NAME`; for the paths of its namespace on its hosts, if the "
        "oldest Ingress of the host is of that namespace as well",
        "auth-tls-verify-depth": "the number of authorities between the certificate and one of the "
        "Secret",
        "auth-tls-error-page": "an http or https URL",
        "auth-tls-match-cn": "RE2; the whole common name must match",
    }

    trust: ClientTrust
    secret: tuple[str, str]
    """Namespace and name of the Secret, to show."""

    mode: str = "on"
    error_page: str = ""
    common_name: LinearPattern | None = None
    """What the common name of an accepted certificate must match as a whole."""

    passes_certificate: bool = False

    serves_challenges: bool = False
    """Whether the rule is one for challenges, which are answered over http to everybody."""

    @classmethod
    def read(cls, annotations: Annotations, context: ReadContext) -> ClientCertificates | None:
        """Feature: what cannot be honoured closes the host."""
        written = annotations.text("auth-tls-secret")
        mode = annotations.choice("auth-tls-verify-client", _MODES)
        depth = _read_depth(annotations)
        error_page = annotations.text("auth-tls-error-page", _ERROR_PAGE, "an http or https URL")
        pattern, is_bad = _read_common_name(annotations)
        passes = annotations.boolean("auth-tls-pass-certificate-to-upstream", False)
        first = next((name for name in cls.annotations if name in annotations), None)
        if first is None:
            return None
        key = parse_object_name(written)
        if key is None:
            fault = "NAMESPACE/NAME of a Secret is accepted"
            if first != "auth-tls-secret":
                fault = "auth-tls-secret names no Secret"
            annotations.close(first, fault, extent=_EXTENT)
            return None
        if not context.may_name(key[0]):
            annotations.close("auth-tls-secret", OWN_NAMESPACE, extent=_EXTENT)
            return None
        try:
            ca_pem, crl_pem = context.secret_of(key, read_authorities)
        except SecretFault as fault:
            message = f"Secret {'/'.join(key)} {fault}"
            annotations.close("auth-tls-secret", message, extent=_EXTENT, is_shown=True)
            return None
        if is_bad:
            return None
        if not context.config.listen.https:
            annotations.fault("auth-tls-secret", _NO_LISTENER)
        trust = ClientTrust(ca_pem, crl_pem, depth)
        return cls(trust, key, mode, error_page, pattern, passes)

    @classmethod
    def references(cls, annotations: Annotations, namespace: str) -> Iterable[ObjectReference]:
        """
        Feature: the Secret, if it will be looked at. Whether one of another namespace will be, the
        ConfigMap decides.
        """
        key = parse_object_name(annotations.text("auth-tls-secret"))
        if key is not None:
            yield ("Secret", *key)

    @property
    def guards(self) -> bool:
        """Feature: it decides who gets access."""
        return self.mode != "off"

    @property
    def is_host_wide(self) -> bool:
        """Feature: the handshake is over before any path is known."""
        return True

    @property
    def client_trust(self) -> ClientTrust | None:
        """Feature."""
        return self.trust if self.guards else None

    def loss_on(self, scope: HostScope) -> str:
        """Feature: the namespace of a host's oldest object decides on client certificates."""
        return certificate_loss(scope)

    def is_met_by(self, older: RouteFeature) -> bool:
        """
        Feature: authorities may differ, as in ingress-nginx, where a host has those of one Ingress.
        """
        if not self.guards:
            return True
        if not isinstance(older, ClientCertificates):
            return False
        is_as_strict = older.mode in ("on", self.mode)
        return is_as_strict and self.common_name in (None, older.common_name)

    def at(self, rule: RuleScope) -> ClientCertificates:
        """Feature: the path of the rule counts, so that no rule for more is open."""
        return replace(self, serves_challenges=True) if _is_challenge(rule.path) else self

    def access(self, context: PolicyContext) -> Decision:
        """Policy."""
        if not self.guards:
            return _NOT_ASKED
        client = context.client
        session = client.session
        if not client.is_secure:
            return _NOT_ASKED if self._lets_in(context.request) else _IN_THE_CLEAR
        if session is None or session.trust != self.trust:
            has_shown = session is not None and session.certificate is not None
            # Browsers share connections of HTTP/2 between hosts, and only 421 makes them stop.
            if has_shown or self.mode != "on" or context.request.is_http_2:
                return _MISDIRECTED
            return self._refusal(_NO_CERTIFICATE)
        if session.certificate is None:
            if self.mode == "on":
                return self._refusal(_NO_CERTIFICATE)
        elif session.faults and not self._bears(session):
            return self._refusal(_bad_certificate(next(iter(session.faults.values()))))
        if self.common_name is not None and not _matches(self.common_name, session):
            return _OTHER_NAME
        return _proceed(session, self.passes_certificate)

    def _lets_in(self, request: Request) -> bool:
        """Whether a request over http is a challenge; a pattern may match other paths as well."""
        return self.serves_challenges and _is_challenge(request.path.decode("latin-1"))

    def _bears(self, session: ClientSession) -> bool:
        """Whether the endpoint is to judge a certificate that is not verified."""
        return self.mode == "optional_no_ca" and _UNKNOWN_AUTHORITY.issuperset(session.faults)

    def _refusal(self, answer: Answer) -> Answer:
        if not self.error_page:
            return answer
        location = (b"Location", self.error_page.encode("ascii"))
        return Answer(302, answer.outcome, answer.detail, fields=(location,))

    def decides_by(self, request: Request) -> Inputs:
        """Policy."""
        found = {Input.SCHEME, Input.SESSION}
        if self.serves_challenges:
            found.add(Input.TARGET)
        return frozenset(found)

    def explain(self) -> str:
        """Feature."""
        secret = "/".join(self.secret)
        what = {
            "on": f"Clients need a certificate of an authority of the Secret {secret}",
            "off": "Clients are asked for no certificate",
            "optional": f"Clients may show a certificate of an authority of the Secret {secret}",
            "optional_no_ca": "Clients may show a certificate of any authority",
        }
        where = ", but not over http, for challenges" if self.serves_challenges else ""
        return f"{what[self.mode]}{where} (client certificates)."

    def shown(self) -> Mapping[str, object]:
        """Feature."""
        settings: dict[str, object] = {
            "secret": "/".join(self.secret),
            "verify": self.mode,
            "depth": self.trust.depth,
            "hasRevocations": bool(self.trust.crl_pem),
            "passesCertificate": self.passes_certificate,
        }
        if self.error_page:
            settings["errorPage"] = self.error_page
        if self.common_name is not None:
            settings["commonName"] = self.common_name.text.decode("utf-8", "backslashreplace")
        return {"clientCertificates": settings}


_NOT_ASKED: Final = Proceed(
    request_edits=FieldEdits(replace=((_VERIFY, b"NONE"),), remove=_FIELDS - {_VERIFY})
)


def _is_challenge(path: str) -> bool:
    """:param path: of a rule, or a canonical one of a request."""
    return path == _CHALLENGES or path.startswith(f"{_CHALLENGES}/")


@lru_cache(maxsize=64)
def _bad_certificate(fault: str) -> Answer:
    """:param fault: the text of OpenSSL."""
    detail = f"The certificate of the client is not accepted: {fault}."
    return Answer(400, Outcome.ACCESS_REFUSED, detail)


def _proceed(session: ClientSession, passes_certificate: bool) -> Proceed:
    """Make the fields that the endpoint gets, once for each connection."""
    made: Proceed | None = session.kept.get(passes_certificate)
    if made is None:
        edits = certificate_edits(session, passes_certificate=passes_certificate)
        made = session.kept[passes_certificate] = Proceed(request_edits=edits)
    return made


def certificate_edits(session: ClientSession, *, passes_certificate: bool) -> FieldEdits:
    """
    Make the fields that describe a client's certificate.

    :param passes_certificate: whether the certificate itself is one of them.
    :return: the edits of a request, which remove what the client has sent of these fields.
    """
    values = {_VERIFY: session.verification, _SUBJECT: session.subject, _ISSUER: session.issuer}
    if passes_certificate:
        values[_CERTIFICATE] = session.escaped_pem
    fields = tuple((name, value.encode("ascii")) for name, value in values.items() if value)
    return FieldEdits(replace=fields, remove=_FIELDS - dict(fields).keys())


def _matches(pattern: LinearPattern, session: ClientSession) -> bool:
    """Whether there is a common name, and the pattern matches the whole of it."""
    names = session.common_names
    try:
        return bool(names) and all(
            pattern.fullmatch(name.encode("utf-8", "surrogatepass")) is not None for name in names
        )
    except TextTooLong:
        return False


def read_authorities(secret: SecretData) -> tuple[bytes, bytes]:
    """
    Read a Secret of ``auth-tls-secret``.

    :return: the certificates of authorities, and the lists of revoked certificates, in PEM; the
        latter is empty without any.
    :raises SecretFault: if there are no such certificates, or something cannot be read.
    """
    ca_pem, crl_pem = secret.data.get(AUTHORITIES_KEY), secret.data.get(REVOCATIONS_KEY)
    if not ca_pem:
        raise SecretFault(f"has no {AUTHORITIES_KEY}")
    # These take long to import, and most manifests do not need them.
    from cryptography import x509

    from ingress.openssl import read_revocations

    try:
        for authority in x509.load_pem_x509_certificates(ca_pem):
            authority.public_key()
    except Exception:
        raise SecretFault(
            f"cannot be used: its {AUTHORITIES_KEY} has no PEM certificates that can be read"
        ) from None
    if crl_pem is None:
        return ca_pem, b""
    try:
        has_any = bool(read_revocations(crl_pem))
    except ValueError:
        has_any = False
    if not has_any:
        raise SecretFault(
            f"cannot be used: its {REVOCATIONS_KEY} has no PEM lists of revoked certificates that "
            "can be read"
        )
    return ca_pem, crl_pem


def _read_depth(annotations: Annotations) -> int:
    depth = annotations.integer("auth-tls-verify-depth")
    if depth is not None and not 1 <= depth <= _MAX_DEPTH:
        accepted = f"a number from 1 to {_MAX_DEPTH} is accepted; 1 is used instead"
        annotations.fault("auth-tls-verify-depth", accepted)
        return 1
    return depth or 1


def _read_common_name(annotations: Annotations) -> tuple[LinearPattern | None, bool]:
    """:return: the pattern, if there is a good one, and whether there is a bad one."""
    written = annotations.text("auth-tls-match-cn")
    if "auth-tls-match-cn" not in annotations:
        return None, False
    try:
        if not written.startswith(_COMMON_NAME):
            raise PatternRefused("CN= and a regular expression is accepted")
        return LinearPattern.of(written.removeprefix(_COMMON_NAME)), False
    except PatternRefused as error:
        annotations.close("auth-tls-match-cn", str(error), extent=_EXTENT)
        return None, True
