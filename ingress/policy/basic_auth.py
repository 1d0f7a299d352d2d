"""
Basic authentication: ``auth-type``, ``auth-secret``, ``auth-secret-type`` and ``auth-realm``.

Source of the rules: docs/compatibility.md, sections 2.5 and 6, "Access"; RFC 7617.
"""

from __future__ import annotations

import binascii
import re
from collections.abc import Iterable, Mapping
from functools import lru_cache
from typing import ClassVar, Final

from ingress import late
from ingress.answer import Answer
from ingress.errors import Outcome
from ingress.field_edits import FieldEdits
from ingress.frozen import dataclass
from ingress.message import Request
from ingress.object_name import parse_object_name
from ingress.policy.annotation import Annotations
from ingress.policy.context import PolicyContext
from ingress.policy.decision import Decision, Verdict
from ingress.policy.feature import ObjectReference
from ingress.policy.inputs import Input, Inputs
from ingress.policy.password_checker import (
    Attempt,
    ChecksRefused,
    PasswordChecker,
    ReactorThreads,
)
from ingress.policy.password_file import Passwords, read_password_file, read_password_map
from ingress.policy.policy import Policy
from ingress.policy.scope import OWN_NAMESPACE, ReadContext
from ingress.policy.secret_content import SecretFault
from ingress.problem_code import Code

MAX_PASSWORD: Final = 1024
"""Bytes of a password; the work of some hashes grows with the square of it."""

MAX_CREDENTIALS: Final = 4096
"""Bytes of the encoded user and password."""

MAX_REALM: Final = 1024
"""Characters of a realm, which is a field of each refusal."""

_REALM: Final = r"[ -~\u00a0-\ud7ff\ue000-\U0010ffff]*"
"""Text of one line. It is compiled where a realm needs it, because that takes a while."""

_READERS: Final = {"auth-file": read_password_file, "auth-map": read_password_map}

_REMOVED: Final = FieldEdits(remove=frozenset({b"authorization"}))

_BUSY: Final = Answer(
    503,
    Outcome.OVERLOADED,
    "Too many passwords of this path wait to be verified.",
    fields=((b"Retry-After", b"1"),),
)


@dataclass(frozen=True, slots=True)
class BasicAuth(Policy):
    """
    Answers requests with 401 that have no user and password of a Secret.

    The password does not reach the endpoint. Someone who does not know a right one cannot tell
    from the time that an answer takes whether a user exists.
    """

    name: ClassVar[str] = "basic-auth"
    annotations: ClassVar[tuple[str, ...]] = (
        "auth-type",
        "auth-secret",
        "auth-secret-type",
        "auth-realm",
    )
    differences: ClassVar[Mapping[str, str]] = {
        "auth-type": "`basic`; `digest` answers 503",
        "auth-secret": "hashes of bcrypt up to cost 15, Apache's MD5, SHA-1, and crypt(3) up to "
        "a million rounds; a Secret without users lets nobody in",
        "auth-realm": "quotes in it are escaped; `off` does not switch authentication off",
    }

    passwords: Passwords
    secret: tuple[str, str]
    """Namespace and name of the Secret, to show."""

    realm: str = ""

    @classmethod
    def read(cls, annotations: Annotations, context: ReadContext) -> BasicAuth | None:
        """Feature: what cannot be honoured closes the paths."""
        written, form, realm = _read_values(annotations)
        kind = annotations.text("auth-type")
        if "auth-type" not in annotations:
            return None
        if kind != "basic":
            fault = "digest is not implemented" if kind == "digest" else "basic is accepted"
            annotations.close("auth-type", fault)
            return None
        reader = _READERS.get(form or "auth-file")
        if reader is None:
            annotations.close("auth-secret-type", "auth-file or auth-map is accepted")
            return None
        if not written:
            annotations.close("auth-type", "auth-secret names no Secret")
            return None
        key, fault = _secret_key(written, context.namespace)
        if key is not None and not context.may_name(key[0]):
            key, fault = None, OWN_NAMESPACE
        if key is None:
            annotations.close("auth-secret", fault)
            return None
        try:
            found = context.secret_of(key, reader)
        except SecretFault as error:
            annotations.close("auth-secret", f"Secret {'/'.join(key)} {error}", is_shown=True)
            return None
        if found.faults:
            listed = "; ".join(found.faults)
            annotations.fault("auth-secret", f"Secret {'/'.join(key)}: {listed}")
        return cls(found.passwords, key, realm)

    @classmethod
    def references(cls, annotations: Annotations, namespace: str) -> Iterable[ObjectReference]:
        """
        Feature: the Secret, if it will be looked at. Whether one of another namespace will be, the
        ConfigMap decides.
        """
        form = annotations.text("auth-secret-type") or "auth-file"
        if annotations.text("auth-type") == "basic" and form in _READERS:
            key, _ = _secret_key(annotations.text("auth-secret"), namespace)
            if key is not None:
                yield ("Secret", *key)

    @property
    def guards(self) -> bool:
        """Feature: it decides who gets access."""
        return True

    @property
    def request_edits(self) -> FieldEdits:
        """Policy: the password is for the proxy alone."""
        return _REMOVED

    def access(self, context: PolicyContext) -> Decision:
        """Policy."""
        credentials = read_credentials(context.request)
        if credentials is None:
            return _unauthorized(self.realm)
        user, password = credentials
        checker = context.process_state(
            self.name, lambda: PasswordChecker(ReactorThreads(context.reactor))
        )
        stored = self.passwords.of(user)
        counts = stored is not None
        if stored is None:
            # The same work as for a user that exists.
            stored = self.passwords.decoy(checker.number(user))
            if stored is None:
                return _unauthorized(self.realm)
        rule = context.rule
        known = checker.recall(rule.namespace, stored, password, counts=counts)
        if known is not None:
            return None if known else _unauthorized(self.realm)
        attempt = Attempt(rule, context.client.address, stored, password, counts)
        try:
            result = checker.check(rule.namespace, attempt)
        except ChecksRefused:
            return _BUSY
        if isinstance(result, late.Deferred):
            return result.addCallbacks(self._decided, _refused)
        return self._decided(result)

    def _decided(self, is_right: bool) -> Verdict:
        return None if is_right else _unauthorized(self.realm)

    def decides_by(self, request: Request) -> Inputs:
        """Policy."""
        return frozenset({Input.FIELDS})

    def explain(self) -> str:
        """Feature."""
        secret = "/".join(self.secret)
        return f"Requests need a user and a password of the Secret {secret} (basic authentication)."

    def shown(self) -> Mapping[str, object]:
        """Feature: never a user or a hash."""
        secret = "/".join(self.secret)
        settings = {"secret": secret, "realm": self.realm, "users": len(self.passwords)}
        return {"basicAuth": settings}


def read_credentials(request: Request) -> tuple[bytes, bytes] | None:
    """
    Read the user and the password of a request (RFC 7617).

    :return: None for a request that has none, and for what nobody would agree on: two such
        fields, a NUL, or more than `MAX_PASSWORD` bytes.
    """
    found = [value for key, _, value in request.fields if key == b"authorization"]
    if len(found) != 1 or len(found[0]) > MAX_CREDENTIALS:
        return None
    scheme, _, encoded = found[0].partition(b" ")
    if scheme.lower() != b"basic":
        return None
    try:
        decoded = binascii.a2b_base64(encoded.strip(b" "), strict_mode=True)
    except binascii.Error:
        return None
    user, colon, password = decoded.partition(b":")
    if not colon or b"\0" in decoded or len(password) > MAX_PASSWORD:
        return None
    return user, password


def _refused(failure: late.Failure) -> Verdict:
    failure.trap(ChecksRefused)
    return _BUSY


@lru_cache(maxsize=1024)
def _unauthorized(realm: str) -> Answer:
    """Quote the realm (RFC 9110 section 5.6.4)."""
    quoted = realm.replace("\\", "\\\\").replace('"', '\\"').encode("utf-8")
    return Answer(
        401,
        Outcome.ACCESS_REFUSED,
        "This path needs a user and a password.",
        fields=((b"WWW-Authenticate", b'Basic realm="%b"' % quoted),),
    )


def _read_values(annotations: Annotations) -> tuple[str, str, str]:
    """:return: the Secret and its form as written, and the realm."""
    if "auth-type" not in annotations:
        for name in ("auth-secret", "auth-secret-type"):
            if name in annotations:
                annotations.close(name, "decides access only together with auth-type")
        if "auth-realm" in annotations:
            annotations.fault(
                "auth-realm",
                "without effect where auth-type is not set",
                code=Code.ANNOTATION_WITHOUT_EFFECT,
            )
    return (
        annotations.text("auth-secret"),
        annotations.text("auth-secret-type"),
        _read_realm(annotations),
    )


def _read_realm(annotations: Annotations) -> str:
    realm = annotations.text("auth-realm")
    is_plain = realm.isascii() and realm.isprintable()
    if len(realm) > MAX_REALM or not (is_plain or re.fullmatch(_REALM, realm)):
        annotations.fault(
            "auth-realm",
            f"text of one line, {MAX_REALM:,} characters at most, is accepted; an empty realm is "
            "used instead",
        )
        return ""
    return realm


def _secret_key(written: str, namespace: str) -> tuple[tuple[str, str] | None, str]:
    """:return: namespace and name of the Secret; or None, and why there is none."""
    key = parse_object_name(written, namespace)
    return key, "" if key is not None else "NAME or NAMESPACE/NAME of a Secret is accepted"
