"""
The annotations and the keys of the ConfigMap for external authentication, read and checked.

Source of the rules: docs/compatibility.md, sections 2.0, 2.5 and 6, "Access".
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from typing import Final, NamedTuple

from ingress.config.nginx_settings import GlobalAuth
from ingress.errors import IngressError
from ingress.field_edits import CONNECTION_FIELDS, FieldEdits
from ingress.object_name import parse_object_name
from ingress.policy.annotation import Annotations
from ingress.policy.auth_cache import CacheDurations, parse_durations
from ingress.policy.feature import ObjectReference
from ingress.policy.hash_key import HashKey, parse_hash_key
from ingress.policy.scope import OWN_CONFIG_MAP, ReadContext
from ingress.policy.server_url import ServerURL, parse_server_url
from ingress.policy.sign_in import PARAMETER_NAME, SignIn, parse_sign_in
from ingress.policy.variables import REQUEST_VARIABLES, VariableText, VariableUnknown

URL: Final = "auth-url"
FIELDS: Final = "auth-proxy-set-headers"

METHODS: Final = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS")

MAX_FIELDS: Final = 100
"""Names of fields that are copied, and fields that are set: no server sends so many of its own."""

_FIELD_NAME: Final = re.compile(r"[A-Za-z0-9_\-]{1,128}")
_NOT_COPIED: Final = CONNECTION_FIELDS | {b"host", b"cdn-loop"}

KEEPALIVE: Final = (
    "auth-keepalive",
    "auth-keepalive-requests",
    "auth-keepalive-share-vars",
    "auth-keepalive-timeout",
)
"""Connections are kept as to any endpoint, so that these are accepted and not looked at."""

_DEPENDENT: Final = (
    "auth-method",
    "auth-signin-redirect-param",
    "auth-response-headers",
    "auth-request-redirect",
    "auth-cache-key",
    "auth-cache-duration",
    "auth-always-set-cookie",
)
"""Annotations that say how a server is asked, and nothing without one."""


class ExternalAuthValues(NamedTuple):
    """What a policy of external authentication is made of; `ExternalAuth` describes the fields."""

    url: ServerURL
    method: str = ""
    sign_in: SignIn | None = None
    copied: tuple[str, ...] = ()
    set_fields: tuple[tuple[bytes, VariableText], ...] = ()
    redirect: VariableText | None = None
    cache_key: HashKey | None = None
    durations: CacheDurations = CacheDurations(())
    always_sets_cookie: bool = False
    is_verified: bool = False
    is_global: bool = False
    exempt: tuple[str, ...] = ()


def read_values(annotations: Annotations, context: ReadContext) -> ExternalAuthValues | None:
    """
    Read what one object asks for: its own server, else that of the ConfigMap.

    :return: None if nobody is to be asked, or if a fault has closed the paths.
    """
    wants_global = annotations.boolean("enable-global-auth", True)
    for name in KEEPALIVE:
        annotations.text(name)
    if URL in annotations:
        return _Reader(annotations, context).read()
    settings = context.config.nginx.auth
    is_asked = bool(settings.url) and wants_global
    _report_dependent(annotations, is_asked=is_asked)
    return _global_values(settings, context) if is_asked else None


def _report_dependent(annotations: Annotations, *, is_asked: bool) -> None:
    for name in ("auth-signin", FIELDS):
        if name in annotations and not is_asked:
            annotations.close(name, "decides access only together with auth-url")
        elif name in annotations:
            annotations.fault(name, "without effect where auth-url is not set", is_shown=False)
    for name in _DEPENDENT:
        if name in annotations:
            annotations.fault(name, "without effect where auth-url is not set", is_shown=False)


def _global_values(settings: GlobalAuth, context: ReadContext) -> ExternalAuthValues | None:
    """:return: None if the values are bad: the ConfigMap has closed everything then."""
    redirect, key = settings.request_redirect, settings.cache_key
    try:
        return ExternalAuthValues(
            parse_server_url(settings.url, ""),
            read_method(settings.method),
            parse_sign_in(settings.signin, settings.signin_redirect_param)
            if settings.signin
            else None,
            tuple(check_copied(settings.response_headers)),
            redirect=REQUEST_VARIABLES.compile(redirect) if redirect else None,
            cache_key=parse_hash_key(key) if key else None,
            durations=parse_durations(settings.cache_duration),
            always_sets_cookie=settings.always_set_cookie,
            is_verified=context.config.auth_verify,
            is_global=True,
            exempt=settings.no_auth_locations,
        )
    except IngressError:
        return None


class NotAcceptedHere(IngressError):
    """A value cannot be used; the message says what is accepted."""


def read_method(written: str) -> str:
    """
    :return: the method; empty for an empty text.
    :raises NotAcceptedHere: for one that no server is asked with.
    """
    if written and written.upper() not in METHODS:
        raise NotAcceptedHere(f"{' or '.join(METHODS)} is accepted")
    return written.upper()


def check_copied(names: Iterable[str]) -> Iterator[str]:
    """
    Yield the names of fields that may be copied, each once.

    :raises NotAcceptedHere: for what is no such name, and for too many.
    """
    seen: set[str] = set()
    for name in names:
        if _FIELD_NAME.fullmatch(name) is None or len(seen) > MAX_FIELDS:
            raise NotAcceptedHere(
                f"names of fields of A-Z a-z 0-9 - and _ with commas between them are accepted, "
                f"{MAX_FIELDS} at most"
            )
        if name.lower() not in seen and name.lower().encode("ascii") not in _NOT_COPIED:
            yield name
        seen.add(name.lower())


def _key_of(annotations: Annotations, namespace: str) -> tuple[str, str] | None:
    """:return: namespace and name of the ConfigMap with fields; None for what is no name."""
    return parse_object_name(annotations.text(FIELDS), namespace)


def referenced(annotations: Annotations, namespace: str) -> Iterable[ObjectReference]:
    """:return: the ConfigMap that will be looked at, if there is one."""
    if annotations.text(URL) and annotations.text(FIELDS):
        key = _key_of(annotations, namespace)
        if key is not None:
            yield ("ConfigMap", *key)


class _Reader:
    """The annotations of one object that has a server of its own, while they are read."""

    def __init__(self, annotations: Annotations, context: ReadContext) -> None:
        self._annotations = annotations
        self._context = context

    def read(self) -> ExternalAuthValues | None:
        annotations = self._annotations
        url = self._url()
        copied = self._copied()
        set_fields = self._set_fields()
        method = self._method()
        sign_in = self._sign_in()
        redirect = self._text("auth-request-redirect")
        cache_key, durations = self._cache()
        always = annotations.boolean("auth-always-set-cookie", False)
        if url is None or annotations.closing is not None:
            return None
        is_verified = self._context.config.auth_verify
        if url.is_secure and url.host and not is_verified:
            annotations.fault(
                URL,
                "the certificate of the server is not verified, as in ingress-nginx; `auth-verify` "
                "of the configuration has it verified",
                is_shown=False,
            )
        return ExternalAuthValues(
            url,
            method,
            sign_in,
            copied,
            set_fields,
            redirect,
            cache_key,
            durations,
            always,
            is_verified,
        )

    def _url(self) -> ServerURL | None:
        try:
            return parse_server_url(self._annotations.text(URL), self._context.namespace)
        except IngressError as error:
            self._annotations.close(URL, str(error))
            return None

    def _method(self) -> str:
        try:
            return read_method(self._annotations.text("auth-method"))
        except NotAcceptedHere as error:
            self._annotations.close("auth-method", str(error), is_shown=True)
            return ""

    def _copied(self) -> tuple[str, ...]:
        name = "auth-response-headers"
        words = self._annotations.words(name)
        try:
            copied = tuple(check_copied(words))
        except NotAcceptedHere as error:
            self._annotations.close(name, str(error), is_shown=True)
            return ()
        left_out = {word.lower() for word in words} - {word.lower() for word in copied}
        if left_out:
            listed = ", ".join(sorted(left_out))
            self._annotations.fault(name, f"{listed} is never copied; the others are")
        return copied

    def _set_fields(self) -> tuple[tuple[bytes, VariableText], ...]:
        written = self._annotations.text(FIELDS)
        if not written:
            return ()
        key = _key_of(self._annotations, self._context.namespace)
        fault = ""
        if key is None:
            fault = "NAME or NAMESPACE/NAME of a ConfigMap is accepted"
        elif not self._context.may_name(key[0]):
            fault = OWN_CONFIG_MAP
        else:
            data = self._context.config_map_of(key)
            if data is None:
                fault = f"ConfigMap {'/'.join(key)} does not exist"
            else:
                try:
                    return tuple(_read_fields(data.items()))
                except IngressError as error:
                    fault = f"ConfigMap {'/'.join(key)}: {error}"
        self._annotations.close(FIELDS, fault, is_shown=True)
        return ()

    def _sign_in(self) -> SignIn | None:
        """A page that cannot be used opens nothing: who is not signed in gets 401."""
        annotations, name = self._annotations, "auth-signin"
        parameter = annotations.text(
            "auth-signin-redirect-param", PARAMETER_NAME, "letters, digits and - . _ ~"
        )
        written = annotations.text(name)
        if not written:
            return None
        try:
            return parse_sign_in(written, parameter)
        except IngressError as error:
            annotations.fault(
                name, f"{error}; who is not signed in gets 401 instead", is_shown=False
            )
            return None

    def _text(self, name: str) -> VariableText | None:
        written = self._annotations.text(name)
        if not written:
            return None
        try:
            return checked_text(written)
        except IngressError as error:
            self._annotations.fault(name, f"{error}; it is ignored", is_shown=False)
            return None

    def _cache(self) -> tuple[HashKey | None, CacheDurations]:
        """What cannot be read keeps nothing: the server is asked each time."""
        annotations = self._annotations
        written = annotations.text("auth-cache-key")
        ignored = "the server is asked about each request"
        durations = CacheDurations(())
        key = None
        try:
            key = parse_hash_key(written) if written else None
        except VariableUnknown as error:
            annotations.fault("auth-cache-key", f"{error}; {ignored}", is_shown=False)
        try:
            durations = parse_durations(annotations.text("auth-cache-duration"))
        except IngressError as error:
            annotations.fault("auth-cache-duration", f"{error}; {ignored}")
            key = None
        return key, durations


def checked_text(written: str) -> VariableText:
    """
    Compile the value of a field.

    :raises IngressError: if it cannot stand in a head, or for a variable that there is not.
    """
    text = REQUEST_VARIABLES.compile(written)
    for part in text.parts:
        _check_value(part.text)
    return text


def _check_value(octets: bytes) -> None:
    try:
        FieldEdits(replace=((b"X", b"x%bx" % octets),))
    except ValueError:
        raise NotAcceptedHere("text without control characters is accepted") from None


def _read_fields(items: Iterable[tuple[str, str]]) -> Iterator[tuple[bytes, VariableText]]:
    """
    Read the fields of a ConfigMap for the server.

    :raises IngressError: for one that cannot stand in a head.
    """
    for count, (name, value) in enumerate(items):
        if _FIELD_NAME.fullmatch(name) is None or count >= MAX_FIELDS:
            raise NotAcceptedHere(
                f"keys are names of fields of A-Z a-z 0-9 - and _, {MAX_FIELDS} at most"
            )
        try:
            FieldEdits(replace=((name.encode("ascii"), b"x"),))
            yield name.encode("ascii"), checked_text(value.strip())
        except (ValueError, IngressError) as error:
            raise NotAcceptedHere(f"{name}: {error}") from None
