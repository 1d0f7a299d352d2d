"""
External authentication: a server decides about each request (``auth-url``, and
``global-auth-url`` of the ConfigMap).

`ingress.policy.external_auth_reading` reads the annotations.

Source of the rules: docs/compatibility.md, sections 2.5 and 6, "Access" and "Authentication
servers".
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import field, replace
from hashlib import sha256
from typing import TYPE_CHECKING, ClassVar, Final

from ingress.answer import Answer
from ingress.endpoint import UpstreamKey
from ingress.errors import Outcome
from ingress.field_edits import NO_EDITS, FieldEdits, FieldPairs
from ingress.frozen import dataclass
from ingress.message import Request
from ingress.policy.annotation import Annotations
from ingress.policy.auth_cache import AuthCache, CacheDurations, Kept, lifetime
from ingress.policy.auth_gate import AuthGate, KeptDecision
from ingress.policy.auth_question import question_edits, source_of
from ingress.policy.backend_tls import BackendTLS
from ingress.policy.context import PolicyContext
from ingress.policy.decision import Decision, Proceed, Verdict
from ingress.policy.external_auth_reading import (
    KEEPALIVE,
    ExternalAuthValues,
    read_values,
    referenced,
)
from ingress.policy.feature import ObjectReference
from ingress.policy.hash_key import HashKey
from ingress.policy.inputs import Input, Inputs
from ingress.policy.policy import GatedPolicy
from ingress.policy.scope import ReadContext, RuleScope
from ingress.policy.server_url import ServerURL
from ingress.policy.sign_in import SignIn
from ingress.policy.subrequest import Subrequest, SubrequestFailed, Subresponse
from ingress.policy.variables import VariableText

if TYPE_CHECKING:
    from twisted.python.failure import Failure

_UNREACHABLE: Final = Answer(
    500, Outcome.ACCESS_REFUSED, "The authentication server gave no usable answer."
)
_BUSY: Final = Answer(
    503,
    Outcome.OVERLOADED,
    "Too many requests wait for the authentication server of this path.",
    fields=((b"Retry-After", b"1"),),
)
_UNSENDABLE: Final = Answer(
    400, Outcome.BAD_REQUEST, "The authentication server cannot be asked about such a request."
)


@dataclass(frozen=True, slots=True)
class ExternalAuth(GatedPolicy):
    """
    Asks a server about each request, with the client's fields and without its body. 2xx lets it
    pass, 401 and 403 refuse it, and everything else closes: no answer opens a path.
    """

    name: ClassVar[str] = "external-auth"
    annotations: ClassVar[tuple[str, ...]] = (
        "auth-url",
        "auth-method",
        "auth-signin",
        "auth-signin-redirect-param",
        "auth-response-headers",
        "auth-proxy-set-headers",
        "auth-request-redirect",
        "auth-cache-key",
        "auth-cache-duration",
        "auth-always-set-cookie",
        *KEEPALIVE,
        "enable-global-auth",
    )
    differences: ClassVar[Mapping[str, str]] = {
        "auth-url": "a host has no variables but `$namespace`, or is `$host`, `$http_host` or "
        "`$best_http_host`: then the rules of that host here answer, without a connection; the "
        "endpoints of a Service are asked directly; X-Original-URL has the path that the endpoint "
        "gets; the whole response must come, and its body have 1 MiB at most",
        "auth-signin": "`#` is refused; an invalid URL is reported, and clients get 401",
        "auth-response-headers": "fields of the connection, Host and CDN-Loop are never copied",
        "auth-cache-key": "the host of the request is part of the key; without a value for any "
        "variable, no consent is kept",
        **dict.fromkeys(KEEPALIVE, "accepted; connections are kept anyway"),
    }

    url: ServerURL = field(repr=False)
    method: str = ""
    """Empty for GET, without the fields that a method of one's own adds."""

    sign_in: SignIn | None = field(default=None, repr=False)
    copied: tuple[str, ...] = ()
    """The fields of the server's response that the endpoint gets."""

    set_fields: tuple[tuple[bytes, VariableText], ...] = field(default=(), repr=False)
    """Further fields for the server, by name; empty values take a field out."""

    redirect: VariableText | None = field(default=None, repr=False)
    """The value of X-Auth-Request-Redirect; None for the target of the request."""

    cache_key: HashKey | None = field(default=None, repr=False)
    """None if every request is asked about."""

    durations: CacheDurations = CacheDurations(())
    always_sets_cookie: bool = False
    is_verified: bool = False
    is_global: bool = False
    """Whether it is for the rules of every Ingress that says nothing else."""

    exempt: tuple[str, ...] = ()
    """Paths of rules that need no authentication, and all below them."""

    edits: FieldEdits = field(default=NO_EDITS, init=False, repr=False, compare=False)
    tls: BackendTLS | None = field(default=None, init=False, repr=False, compare=False)
    digest: bytes = field(default=b"", init=False, repr=False, compare=False)
    """Stands for all settings in keys of the cache."""

    gate: AuthGate = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        removed = frozenset(name.lower().encode("ascii") for name in self.copied)
        object.__setattr__(self, "edits", FieldEdits(remove=removed) if removed else NO_EDITS)
        object.__setattr__(self, "tls", self.url.tls(is_verified=self.is_verified))
        settings = (self.url, self.method, self.copied, self.set_fields, self.redirect)
        object.__setattr__(self, "digest", sha256(repr(settings).encode()).digest())
        object.__setattr__(self, "gate", AuthGate(self.sign_in is not None))

    @classmethod
    def read(cls, annotations: Annotations, context: ReadContext) -> ExternalAuth | None:
        """Feature: what cannot be honoured closes the paths."""
        values = read_values(annotations, context)
        return None if values is None else cls.of(values)

    @classmethod
    def of(cls, values: ExternalAuthValues) -> ExternalAuth:
        """:param values: those that were read."""
        return cls(**values._asdict())

    @classmethod
    def references(cls, annotations: Annotations, namespace: str) -> Iterable[ObjectReference]:
        """Feature: the ConfigMap with fields for the server."""
        return referenced(annotations, namespace)

    @property
    def guards(self) -> bool:
        """Feature: it decides who gets access."""
        return True

    @property
    def upstreams(self) -> Iterable[tuple[str, UpstreamKey]]:
        """Feature."""
        if self.url.upstream is not None:
            yield "" if self.is_global else "auth-url", self.url.upstream

    @property
    def request_edits(self) -> FieldEdits:
        """Policy: no client sends the fields that the server is to send, however it is let in."""
        return self.edits

    def at(self, rule: RuleScope) -> ExternalAuth | None:
        """Feature."""
        if any(_is_below(rule.path, path) for path in self.exempt):
            return None
        adapted = (
            self.url.at(rule),
            self.sign_in.at(rule) if self.sign_in is not None else None,
            tuple((name, text.at(rule)) for name, text in self.set_fields),
            self.redirect.at(rule) if self.redirect is not None else None,
            self.cache_key.at(rule) if self.cache_key is not None else None,
        )
        if adapted == (self.url, self.sign_in, self.set_fields, self.redirect, self.cache_key):
            return self
        url, sign_in, set_fields, redirect, cache_key = adapted
        return replace(
            self,
            url=url,
            sign_in=sign_in,
            set_fields=set_fields,
            redirect=redirect,
            cache_key=cache_key,
        )

    # Deciding.

    def judge(self, context: PolicyContext) -> Decision:
        """GatedPolicy."""
        if self.cache_key is None:
            return self._ask(context, self._decided, context)
        request, now = context.request, context.now()
        cache = context.process_state(self.name, AuthCache)
        key, has_value = self._key(context)
        kept = cache.find(context.rule, key, now, lambda names: _values(context, names))
        if kept is not None:
            if self.cache_key.depends_on_fields_alone:
                request.cache.decision = KeptDecision(
                    self.gate, context.route, request.authority, kept.verdict, kept.until
                )
            return self._answered(kept.verdict, context)
        return self._ask(context, self._keep, context, cache, key, has_value)

    def _ask(
        self, context: PolicyContext, decide: Callable[..., Verdict], *arguments: object
    ) -> Decision:
        try:
            subrequest = self._subrequest(context)
        except ValueError:
            # A value of the client, such as the name in its credentials, is none of a field.
            return _UNSENDABLE
        asked = context.ask(subrequest)
        return asked.addCallbacks(decide, _failed, callbackArgs=arguments)

    def _key(self, context: PolicyContext) -> tuple[bytes, bool]:
        """:return: the key of a request, and whether the client has said anything that is in it."""
        assert self.cache_key is not None
        key = self.cache_key.distinct(context)
        host = context.request.host
        parts = b"%d:%b%b" % (len(host), host, key)
        return sha256(self.digest + parts).digest(), bool(key)

    def _keep(
        self,
        response: Subresponse,
        context: PolicyContext,
        cache: AuthCache,
        key: bytes,
        has_value: bool,
    ) -> Verdict:
        verdict = self._verdict(response)
        seconds = lifetime(response, self.durations, context.wall_clock())
        if seconds > 0 and (has_value or not 200 <= response.status <= 299):
            listed = b",".join(response.values(b"vary")).lower().split(b",")
            vary = tuple(sorted(filter(None, (each.strip() for each in listed))))
            size = sum(len(name) + len(value) for _, name, value in response.fields)
            varied = _values(context, vary) if vary else b""
            kept = Kept(verdict, context.now() + seconds, size, vary, varied)
            cache.keep(context.rule, key, kept)
        return self._answered(verdict, context)

    def _decided(self, response: Subresponse, context: PolicyContext) -> Verdict:
        return self._answered(self._verdict(response), context)

    def _verdict(self, response: Subresponse) -> Verdict:
        """:return: what the response means for every request that it is an answer to."""
        status = response.status
        cookies = tuple((b"Set-Cookie", value) for value in response.values(b"set-cookie"))
        if 200 <= status <= 299:
            return self._consent(response, cookies)
        if status not in (401, 403):
            return _UNREACHABLE
        fields: FieldPairs = ()
        detail = "The authentication server does not let this request pass."
        if status == 401:
            names = response.values(b"www-authenticate")
            fields = tuple((b"WWW-Authenticate", value) for value in names)
            detail = "This path needs authentication."
        if self.always_sets_cookie or (status == 401 and self.sign_in is not None):
            fields += cookies
        return Answer(status, Outcome.ACCESS_REFUSED, detail, fields=fields)

    def _consent(self, response: Subresponse, cookies: FieldPairs) -> Verdict:
        copied: list[tuple[bytes, bytes]] = []
        for name in self.copied:
            values = response.values(name.lower().encode("ascii"))
            copied += ((name.encode("ascii"), value) for value in values if value)
        if not copied and not cookies:
            return None
        try:
            edits = FieldEdits(add=cookies) if cookies else NO_EDITS
            always = edits if self.always_sets_cookie else NO_EDITS
            mostly = NO_EDITS if self.always_sets_cookie else edits
            endpoint = FieldEdits(replace=tuple(copied)) if copied else NO_EDITS
            return Proceed(endpoint, always, success_edits=mostly)
        except ValueError:
            return _UNREACHABLE

    def _answered(self, verdict: Verdict, context: PolicyContext) -> Verdict:
        """Send people to the page to sign in, in place of a 401."""
        if self.sign_in is None or not isinstance(verdict, Answer) or verdict.status != 401:
            return verdict
        cookies = tuple(pair for pair in verdict.fields if pair[0] == b"Set-Cookie")
        location = (b"Location", self.sign_in.location(context))
        detail = "This path needs authentication, which begins elsewhere."
        return Answer(302, Outcome.REDIRECTED, detail, fields=(location, *cookies))

    # Asking.

    def _subrequest(self, context: PolicyContext) -> Subrequest:
        source = source_of(context)
        return Subrequest(
            self.url.upstream,
            self.method.encode("ascii") or b"GET",
            self.url.target_for(source),
            self.url.authority,
            question_edits(context, source, self.method, self.redirect, self.set_fields),
            self.tls,
            self.url.is_secure,
            self.name,
        )

    # Showing.

    def decides_by(self, request: Request) -> Inputs:
        """Policy."""
        return frozenset({Input.FIELDS, Input.OUTSIDE})

    def explain(self) -> str:
        """Feature: never a value that may hold a secret."""
        path = self.url.target.written.partition("?")[0]
        host = self.url.host
        server = f"The server {host}" if host else f"What answers {path} on the same host"
        parts = [f"{server} decides about each request."]
        if self.tls is not None and self.url.host and not self.is_verified:
            parts.append("The certificate of the server is not verified (`auth-verify`).")
        if self.sign_in is not None:
            parts.append("Who is not signed in is redirected to a page to do so.")
        if self.cache_key is not None:
            parts.append("Decisions are used again for a time.")
        return " ".join(parts)

    def shown(self) -> Mapping[str, object]:
        """Feature."""
        settings = {
            "host": self.url.host,
            "port": self.url.port,
            "https": self.url.is_secure,
            "method": self.method or "GET",
            "copied": list(self.copied),
            "signIn": self.sign_in is not None,
            "cached": self.cache_key is not None,
            "global": self.is_global,
        }
        return {"externalAuth": settings}


def _is_below(path: str, base: str) -> bool:
    return path == base or path.startswith(base.rstrip("/") + "/")


def _values(context: PolicyContext, names: tuple[bytes, ...]) -> bytes:
    """:return: the values of these fields of a request, so that no two requests are confused."""
    found = [(key, value) for key, _, value in context.request.fields if key in names]
    return repr(sorted(found)).encode()


def _failed(failure: Failure) -> Verdict:
    failure.trap(SubrequestFailed)
    error = failure.value
    assert isinstance(error, SubrequestFailed)
    if error.outcome is Outcome.OVERLOADED:
        return _BUSY
    return replace(
        _UNREACHABLE, detail=f"The authentication server was asked in vain: {error.detail}"
    )
