"""
Tokens as credentials: ``txingress.dev/jwt-issuer``, ``-audience``, ``-jwks-url`` or ``-secret``,
and ``-claims-to-headers``, which gives claims to endpoints as fields.

ingress-nginx has no such annotations: its users run a server such as oauth2-proxy for it. Sources:
RFC 6750 (Bearer), RFC 7519 (JWT), RFC 8725 (what to demand of it).
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import field, replace
from functools import lru_cache
from hashlib import sha256
from importlib.util import find_spec
from ipaddress import ip_address
from typing import TYPE_CHECKING, Any, ClassVar, Final

from ingress.answer import Answer
from ingress.endpoint import UpstreamKey
from ingress.errors import Outcome
from ingress.field_edits import NO_EDITS, FieldEdits
from ingress.frozen import dataclass
from ingress.message import Request
from ingress.object_name import NAME
from ingress.policy.annotation import OWN_PREFIX, Annotations
from ingress.policy.context import PolicyContext
from ingress.policy.decision import Decision, Proceed, Verdict
from ingress.policy.feature import ObjectReference
from ingress.policy.inputs import Input, Inputs
from ingress.policy.jwt_bearer import VerifiedTokens, text_of, token_of
from ingress.policy.policy import Policy
from ingress.policy.scope import ReadContext, RuleScope
from ingress.policy.secret_content import SecretData, SecretFault
from ingress.policy.server_url import ServerURL, URLRefused, parse_server_url
from ingress.policy.subrequest import Subrequest, Subresponse
from ingress.policy.variables import VariableUnknown
from ingress.problem_code import Code

if TYPE_CHECKING:
    from twisted.internet.defer import Deferred

    # PyJWT is an extra, which only rules with tokens need.
    from ingress.policy.jwks import IssuerKeys
    from ingress.policy.jwt_keys import KeySet
    from ingress.policy.jwt_token import Claims

_ISSUER: Final = f"{OWN_PREFIX}jwt-issuer"
_AUDIENCE: Final = f"{OWN_PREFIX}jwt-audience"
_URL: Final = f"{OWN_PREFIX}jwt-jwks-url"
_SECRET: Final = f"{OWN_PREFIX}jwt-secret"
_CLAIMS: Final = f"{OWN_PREFIX}jwt-claims-to-headers"
_NAMES: Final = (_ISSUER, _AUDIENCE, _URL, _SECRET, _CLAIMS)

JWKS: Final = "jwks"
"""The key of the Secret that has the JWK Set."""

_SECRET_NAME: Final = re.compile(NAME)
_CLAIM: Final = re.compile(r"([A-Za-z0-9_.:/\-]{1,200})=([A-Za-z0-9\-]{1,64})")
_OURS: Final = re.compile(
    r"host|authorization|forwarded|cookie|proxy|x-real-ip|x-request-id|x-scheme|cdn-loop"
    r"|x-forwarded-.*|x-original-.*|ssl-client-.*"
)

_NONE: Final = Answer(
    401,
    Outcome.ACCESS_REFUSED,
    "This path needs a token.",
    fields=((b"WWW-Authenticate", b"Bearer"),),
)
_NO_KEYS: Final = Answer(
    503,
    Outcome.ACCESS_REFUSED,
    "The keys that verify tokens of this path cannot be had.",
    fields=((b"Retry-After", b"10"),),
)
_INVALID: Final = ((b"WWW-Authenticate", b'Bearer error="invalid_token"'),)


@dataclass(frozen=True, slots=True)
class JWTAuth(Policy):
    """Lets requests pass that have a token of an issuer, for an audience, that is valid now."""

    name: ClassVar[str] = "jwt"
    annotations: ClassVar[tuple[str, ...]] = _NAMES
    differences: ClassVar[Mapping[str, str]] = {
        _ISSUER: "requests need a token (JWT) as `Authorization: Bearer`, whose `iss` is this; "
        "whatever `satisfy` says; needs the extra `jwt`",
        _AUDIENCE: "a list of which `aud` must have one",
        _URL: "where the issuer's keys are: a URL like that of `auth-url`, always verified over "
        "https, and reported where it is http from outside of the cluster",
        _SECRET: "or a Secret of the namespace with a JWK Set under `jwks`, which alone may have "
        "shared secrets",
        _CLAIMS: "claims that endpoints get as fields: `sub=X-User, groups=X-Groups`",
    }

    issuer: str
    audiences: tuple[str, ...]
    url: ServerURL | None = field(default=None, repr=False)
    jwks: bytes = field(default=b"", repr=False)
    """The content of a Secret, in place of a URL."""

    secret: str = ""
    """The name of the Secret, to show."""

    claims: tuple[tuple[str, str], ...] = ()
    """Claims, and the fields that endpoints get them in."""

    @classmethod
    def read(cls, annotations: Annotations, context: ReadContext) -> JWTAuth | None:
        """Feature: what cannot be honoured closes the paths."""
        present = [name for name in _NAMES if name in annotations]
        issuer, audiences = annotations.text(_ISSUER), annotations.words(_AUDIENCE)
        written, secret = annotations.text(_URL), annotations.text(_SECRET)
        claims = _read_claims(annotations)
        if not present:
            return None
        if find_spec("jwt") is None:
            annotations.close(min(present), "PyJWT is not installed (pip install 'txingress[jwt]')")
        elif not issuer or not audiences:
            missing = _AUDIENCE if issuer else _ISSUER
            annotations.close(min(present), f"{missing} is needed as well")
        elif bool(written) is bool(secret):
            annotations.close(_ISSUER, f"exactly one of {_URL} and {_SECRET} is needed")
        elif secret:
            jwks = _read_secret(annotations, secret, context)
            return cls(issuer, audiences, None, jwks, secret, claims) if jwks else None
        else:
            url = _read_url(annotations, written, context)
            return cls(issuer, audiences, url, claims=claims) if url is not None else None
        return None

    @classmethod
    def references(cls, annotations: Annotations, namespace: str) -> Iterable[ObjectReference]:
        """Feature."""
        name = annotations.text(_SECRET)
        if _SECRET_NAME.fullmatch(name):
            yield ("Secret", namespace, name)

    @property
    def upstreams(self) -> Iterable[tuple[str, UpstreamKey]]:
        """Feature."""
        if self.url is not None and self.url.upstream is not None:
            yield (_URL, self.url.upstream)

    @property
    def guards(self) -> bool:
        """Feature: it decides who gets access."""
        return True

    def at(self, rule: RuleScope) -> JWTAuth:
        """Feature."""
        return self if self.url is None else replace(self, url=self.url.at(rule))

    @property
    def request_edits(self) -> FieldEdits:
        """Policy: no client sets a field that stands for a claim."""
        if not self.claims:
            return NO_EDITS
        return FieldEdits(remove=frozenset(name.lower().encode() for _, name in self.claims))

    def access(self, context: PolicyContext) -> Decision:
        """Policy."""
        token = token_of(context.request)
        if token is None:
            return _NONE
        if self.url is None:
            return self._decide(context, token, _keys_of(self.jwks), 0, is_last=True)
        issuer = self._issuer_keys(context)
        keys = issuer.current(lambda: self._fetch(context))
        if keys is None:
            return self._wait(context, token, issuer) or _NO_KEYS
        return self._decide(context, token, keys, issuer.generation, is_last=False)

    def _decide(
        self,
        context: PolicyContext,
        token: bytes,
        keys: KeySet | None,
        generation: int,
        *,
        is_last: bool,
    ) -> Decision:
        """
        :param keys: None if there are none.
        :param generation: changes with the keys.
        :param is_last: whether no newer keys can be had.
        """
        from ingress.policy.jwt_token import KeyUnknown, TokenRefused

        if keys is None:
            return _NO_KEYS
        now = context.wall_clock()
        kept = context.process_state(self.name, VerifiedTokens)
        # By namespace, because `generation` counts the keys of each.
        namespace = context.rule.namespace
        identity = (namespace, self.issuer, self.audiences, self._source, self.claims)
        key = sha256(repr((identity, generation)).encode() + token).digest()
        found = kept.find(key, now)
        if found is None:
            try:
                claims = _verified(token, keys, self.issuer, self.audiences, now)
            except TokenRefused as error:
                if isinstance(error, KeyUnknown) and not is_last:
                    waiting = self._wait(context, token, self._issuer_keys(context))
                    if waiting is not None:
                        return waiting
                return Answer(401, Outcome.ACCESS_REFUSED, str(error), fields=_INVALID)
            found = Proceed(self._edits(claims))
            kept.keep(key, float(claims["exp"]), found)
        return found if found.request_edits else None

    @property
    def _source(self) -> object:
        return self.url if self.url is not None else sha256(self.jwks).digest()

    def _wait(
        self, context: PolicyContext, token: bytes, issuer: IssuerKeys
    ) -> Deferred[Verdict] | None:
        """Wait for keys that are newer; None if it is too early to ask for any."""
        newer = issuer.newer(lambda: self._fetch(context))
        if newer is None:
            return None
        decided: Deferred[Any] = newer.addCallback(
            lambda keys: self._decide(context, token, keys, issuer.generation, is_last=True)
        )
        return decided

    def _issuer_keys(self, context: PolicyContext) -> IssuerKeys:
        from ingress.policy.jwks import IssuerKeys

        assert self.url is not None
        place = f"{'https' if self.url.is_secure else 'http'}://{self.url.host}:{self.url.port}"
        path = self.url.target.written
        # By namespace, because each may look up another address.
        name = f"{self.name}/{context.rule.namespace}/{place}{path}"
        return context.process_state(name, lambda: IssuerKeys(f"{place}{path}", context.now))

    def _fetch(self, context: PolicyContext) -> Deferred[Subresponse]:
        url = self.url
        assert url is not None
        return context.ask(
            Subrequest(
                upstream=url.upstream,
                method=b"GET",
                target=url.target.written.encode("ascii") or b"/",
                authority=url.authority,
                tls=url.tls(is_verified=True),
                is_secure=url.is_secure,
                purpose=self.name,
                is_for_client=False,
            )
        )

    def _edits(self, claims: Claims) -> FieldEdits:
        pairs = ((name.encode(), text_of(claims.get(claim))) for claim, name in self.claims)
        fields = tuple((name, value) for name, value in pairs if value is not None)
        return FieldEdits(replace=fields) if fields else NO_EDITS

    def decides_by(self, request: Request) -> Inputs:
        """Policy."""
        return frozenset({Input.FIELDS, Input.OUTSIDE})

    def explain(self) -> str:
        """Feature."""
        listed = " or ".join(self.audiences)
        return f"Requests need a token (JWT) from {self.issuer} for {listed}."

    def shown(self) -> Mapping[str, object]:
        """Feature."""
        shown: dict[str, object] = {"issuer": self.issuer, "audiences": list(self.audiences)}
        shown["claims"] = {name: claim for claim, name in self.claims}
        if self.url is not None:
            shown["jwksHost"] = self.url.host
        else:
            shown["secret"] = self.secret
        return {"jwt": shown}


def _verified(
    token: bytes, keys: KeySet, issuer: str, audiences: tuple[str, ...], now: float
) -> Claims:
    from ingress.policy.jwt_token import verify_token

    return verify_token(token, keys, issuer=issuer, audiences=audiences, now=now)


@lru_cache(maxsize=256)
def _keys_of(jwks: bytes) -> KeySet:
    """Read the keys of a Secret, which were read before without a fault."""
    from ingress.policy.jwt_keys import read_keys

    return read_keys(jwks, may_be_secret=True)


def _read_claims(annotations: Annotations) -> tuple[tuple[str, str], ...]:
    found: list[tuple[str, str]] = []
    for word in annotations.words(_CLAIMS):
        pair = _CLAIM.fullmatch(word)
        if pair is None or _OURS.fullmatch(pair[2].lower()):
            annotations.close(
                _CLAIMS,
                "CLAIM=FIELD is accepted, with commas between pairs, for fields that the proxy "
                "does not set itself",
            )
            return ()
        try:
            FieldEdits(replace=((pair[2].encode(), b""),))
        except ValueError as error:
            annotations.close(_CLAIMS, str(error))
            return ()
        found.append((pair[1], pair[2]))
    return tuple(found)


def _read_url(annotations: Annotations, written: str, context: ReadContext) -> ServerURL | None:
    try:
        url = parse_server_url(written, context.namespace)
    except (URLRefused, VariableUnknown) as error:
        annotations.close(_URL, str(error))
        return None
    if url.upstream is None or "$" in url.target.written:
        annotations.close(_URL, "a URL without variables is accepted")
        return None
    is_near = bool(url.upstream.namespace) or _is_loopback(url.host)
    if not url.is_secure and not is_near:
        annotations.fault(
            _URL,
            "the keys come over plain http: whoever is between can let anybody in",
            is_shown=False,
            code=Code.KEYS_IN_THE_CLEAR,
        )
    return url


def _is_loopback(host: str) -> bool:
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def read_secret(secret: SecretData) -> bytes:
    """
    :return: the JWK Set of a Secret.
    :raises SecretFault: if it has none that can be used.
    """
    from ingress.policy.jwt_keys import KeysRefused, read_keys

    data = secret.data.get(JWKS)
    if data is None:
        raise SecretFault(f"has no key {JWKS}")
    try:
        read_keys(data, may_be_secret=True)
    except KeysRefused as error:
        raise SecretFault(f"{error} under {JWKS}") from None
    return data


def _read_secret(annotations: Annotations, name: str, context: ReadContext) -> bytes:
    if not _SECRET_NAME.fullmatch(name):
        annotations.close(_SECRET, "the name of a Secret is accepted")
        return b""
    try:
        return context.secret_of((context.namespace, name), read_secret)
    except SecretFault as error:
        annotations.close(_SECRET, f"Secret {context.namespace}/{name} {error}", is_shown=True)
        return b""
