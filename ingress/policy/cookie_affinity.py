"""
Session affinity by cookie: ``affinity: cookie`` with its ``session-cookie-*`` annotations.

A session is the value of its cookie, in the form that ingress-nginx gives it:
``KEY|UPSTREAM``, where UPSTREAM is a digest of the Upstream's name. In mode
*balanced* the key is hashed over the current endpoints, so that few sessions move
when endpoints are added or removed; in mode *persistent* the key is a digest of the
endpoint, and the session stays as long as the endpoint does.

Everything here is a pure function of its arguments: the exchange supplies the
clock, the process id and the randomness.

Source of the rules: docs/compatibility.md, section 2.4.
"""

from __future__ import annotations

import re
import time
from collections.abc import Container, Mapping, Sequence
from dataclasses import replace
from functools import lru_cache
from hashlib import md5
from random import Random
from typing import ClassVar, Final
from urllib.parse import quote

from ingress.endpoint import Endpoint, Upstream, UpstreamKey
from ingress.frozen import dataclass
from ingress.policy.annotation import Annotations
from ingress.policy.feature import Setting
from ingress.policy.rendezvous import preferred
from ingress.policy.same_site import accepts_same_site_none
from ingress.policy.scope import ReadContext, RuleScope

_COOKIE_NAME: Final = re.compile(r"[!#$%&'*+\-.^_`|~0-9A-Za-z]{1,128}")
"""A token (RFC 6265 section 4.1.1)."""

_COOKIE_PATH: Final = re.compile(r"/[\x21-\x3a\x3c-\x7e]{0,1023}")
"""
A path without blanks and semicolons, which would end the attribute. Browsers ignore attributes of
more than 1024 bytes (RFC 6265bis section 5.6).
"""

_PLAIN_IN_COOKIE_PATH: Final = "/%:@!$&'()*+,=~"

_COOKIE_DOMAIN: Final = re.compile(r"\.?[A-Za-z0-9](?:[A-Za-z0-9.\-]{0,251}[A-Za-z0-9])?")

_BALANCED_KEY: Final = re.compile(r"[0-9]{1,15}(?:\.[0-9]{1,6})?\.[0-9]{1,10}\.[0-9]{1,6}")
"""``SECONDS.PROCESS.RANDOM``, as ingress-nginx writes it and as we do."""

_MAX_SESSION_LENGTH: Final = 128
"""Longer than any value of ours; longer values are ignored."""

_MAX_ATTEMPTS: Final = 256
"""
The most keys tried to find one that hashes to an endpoint for new sessions. With
half of the endpoints lingering, two are enough on average.
"""


@dataclass(frozen=True, slots=True)
class CookieAffinity(Setting):
    """How the cookie of one Ingress path is named, made and set."""

    route_field: ClassVar[str] = "affinity"
    holds_for_canaries: ClassVar[bool] = True
    annotations: ClassVar[tuple[str, ...]] = (
        "affinity",
        "affinity-mode",
        "session-cookie-hash",
        "session-cookie-path",
        "session-cookie-name",
        "session-cookie-expires",
        "session-cookie-max-age",
        "session-cookie-domain",
        "session-cookie-secure",
        "session-cookie-samesite",
        "session-cookie-conditional-samesite-none",
        "session-cookie-change-on-failure",
        "session-cookie-partitioned",
    )

    name: str = "INGRESSCOOKIE"

    is_persistent: bool = False
    """``affinity-mode: persistent``; else *balanced*."""

    path: str = "/"
    """The ``session-cookie-path``, or the path of the rule."""

    has_own_path: bool = False
    """Whether `path` is the ``session-cookie-path``."""

    expires: int | None = None
    """The ``Expires`` attribute, in seconds from now."""

    max_age: int | None = None
    """The ``Max-Age`` attribute, in seconds."""

    domain: str = ""
    is_secure: bool = False
    """Whether the cookie is ``Secure`` even over http; over https it always is."""

    same_site: str = ""
    """``Strict``, ``Lax``, ``None``, or empty to leave the attribute out."""

    is_same_site_none_conditional: bool = False
    """Whether ``SameSite=None`` is left out for clients that treat it as ``Strict``."""

    changes_on_failure: bool = False
    """Whether a session moves for good when its endpoint fails."""

    is_partitioned: bool = False
    """Whether each site that embeds this one has a cookie of its own (CHIPS)."""

    @classmethod
    def read(cls, annotations: Annotations, context: ReadContext) -> CookieAffinity | None:
        """Feature."""
        affinity = annotations.choice("affinity", ("", "cookie"))
        mode = annotations.choice("affinity-mode", ("balanced", "persistent"))
        annotations.text("session-cookie-hash")  # Ignored by ingress-nginx as well, silently.
        path = annotations.text(
            "session-cookie-path",
            _COOKIE_PATH,
            "a path without blanks and semicolons, of at most 1,024 characters,",
        )
        settings = cls(
            name=annotations.text("session-cookie-name", _COOKIE_NAME, "a token (RFC 6265)")
            or "INGRESSCOOKIE",
            is_persistent=mode == "persistent",
            path=path or "/",
            has_own_path=bool(path),
            expires=annotations.integer("session-cookie-expires"),
            max_age=annotations.integer("session-cookie-max-age"),
            domain=annotations.text("session-cookie-domain", _COOKIE_DOMAIN, "a domain name"),
            is_secure=annotations.boolean("session-cookie-secure", False),
            same_site=annotations.choice("session-cookie-samesite", ("", "Strict", "Lax", "None")),
            is_same_site_none_conditional=annotations.boolean(
                "session-cookie-conditional-samesite-none", False
            ),
            is_partitioned=annotations.boolean("session-cookie-partitioned", False),
            changes_on_failure=annotations.boolean("session-cookie-change-on-failure", False),
        )
        return settings if affinity else None

    def at(self, rule: RuleScope) -> CookieAffinity:
        """Feature: each path has a cookie of its own, unless the Ingress names its path."""
        if self.has_own_path:
            return self
        octets = rule.path.encode("utf-8", "surrogatepass")
        return replace(self, path=quote(octets, safe=_PLAIN_IN_COOKIE_PATH))

    def loss_at(self, path: str) -> str:
        """Feature: browsers send a cookie back for the paths below its own."""
        if self.has_own_path:
            return ""
        return (
            "the Path of the affinity cookie is this text, below which no path is, so that clients "
            "do not send it back: session-cookie-path is needed with regular expressions"
        )

    def explain(self) -> str:
        """Feature."""
        return f"The cookie {self.name} keeps each client on one endpoint."

    def shown(self) -> Mapping[str, object]:
        """Feature."""
        mode = "persistent" if self.is_persistent else "balanced"
        return {"affinity": {"cookie": self.name, "path": self.path, "mode": mode}}

    def session(self, cookie_fields: Sequence[bytes]) -> str | None:
        """
        :param cookie_fields: the values of the request's Cookie fields.
        :return: the session that the request claims to have; None if it has none, or one
            that cannot be ours. Only `endpoint` can tell whether the session is known.
        """
        prefix = self.name.encode("ascii") + b"="
        for cookie_field in cookie_fields:
            if prefix not in cookie_field:
                continue
            for pair in cookie_field.split(b";"):
                pair = pair.strip(b" \t")
                if pair.startswith(prefix):
                    value = pair[len(prefix) :].strip(b'"')
                    is_plain = value.isascii() and 0 < len(value) <= _MAX_SESSION_LENGTH
                    return value.decode("ascii") if is_plain else None
        return None

    def is_with(self, session: str, upstream: UpstreamKey | None) -> bool:
        """:return: whether a session belongs to this Upstream, whatever its endpoint."""
        return upstream is not None and session.endswith(f"|{_upstream_digest(upstream)}")

    def endpoint(self, session: str, upstream: Upstream) -> Endpoint | None:
        """
        :param session: as `session` or `new_session` returned it.
        :return: the endpoint of the session, which may be a lingering one; None if the
            session needs a new endpoint, because its endpoint is gone or the value does
            not belong to this Upstream.
        """
        key, _, upstream_digest = session.partition("|")
        candidates = upstream.endpoints + upstream.lingering
        if upstream_digest != _upstream_digest(upstream.key) or not candidates:
            return None
        if self.is_persistent:
            for candidate in candidates:
                if _endpoint_digest(upstream.key, candidate) == key:
                    return candidate
            return None
        if _BALANCED_KEY.fullmatch(key) is None:
            return None
        return preferred(key.encode(), candidates)

    def new_session(
        self,
        upstream: Upstream,
        *,
        now: float,
        process: int,
        random: Random,
        avoid: Container[Endpoint] = (),
    ) -> tuple[str, Endpoint] | None:
        """
        :param now: seconds since the epoch.
        :param process: our process id, which distinguishes the sessions of two workers.
        :param avoid: endpoints that just failed; taken only if there are no others.
        :return: the session and its endpoint; None if the Upstream has no endpoint.
        """
        allowed = [endpoint for endpoint in upstream.endpoints if endpoint not in avoid]
        allowed = allowed or list(upstream.endpoints)
        if not allowed:
            return None
        upstream_digest = _upstream_digest(upstream.key)
        if self.is_persistent:
            endpoint = random.choice(allowed)
            return f"{_endpoint_digest(upstream.key, endpoint)}|{upstream_digest}", endpoint
        candidates = upstream.endpoints + upstream.lingering
        for attempt in range(_MAX_ATTEMPTS):
            key = f"{now + attempt:.3f}.{process}.{random.randrange(1_000_000)}"
            endpoint = preferred(key.encode(), candidates)
            if endpoint in allowed:
                break
        else:
            endpoint = random.choice(allowed)
        return f"{key}|{upstream_digest}", endpoint

    def set_cookie(
        self, session: str, *, is_secure: bool, user_agent: bytes | None, now: float
    ) -> bytes:
        """
        :param is_secure: whether the client connected over https.
        :param now: seconds since the epoch.
        :return: the value of a Set-Cookie field, with attributes in ingress-nginx's order.
        """
        parts = [f"{self.name}={session}"]
        if self.expires is not None:
            parts.append(f"Expires={_cookie_time(now + self.expires)}")
        if self.max_age is not None:
            parts.append(f"Max-Age={self.max_age}")
        if self.domain:
            parts.append(f"Domain={self.domain}")
        parts.append(f"Path={self.path}")
        if self.is_partitioned:
            parts.append("Partitioned")
        if is_secure or self.is_secure:
            parts.append("Secure")
        parts.append("HttpOnly")
        if self.same_site and not (
            self.same_site == "None"
            and self.is_same_site_none_conditional
            and not accepts_same_site_none(user_agent)
        ):
            parts.append(f"SameSite={self.same_site}")
        return "; ".join(parts).encode("ascii")


@lru_cache(maxsize=65536)
def _endpoint_digest(upstream: UpstreamKey, endpoint: Endpoint) -> str:
    return md5(f"{upstream}{endpoint}".encode(), usedforsecurity=False).hexdigest()


@lru_cache(maxsize=16384)
def _upstream_digest(upstream: UpstreamKey) -> str:
    name = str(upstream)
    inner = md5(name.encode(), usedforsecurity=False).hexdigest()
    return md5(f"{inner}{name}".encode(), usedforsecurity=False).hexdigest()


def _cookie_time(seconds: float) -> str:
    """Format a time as nginx's ``cookie_time`` does, with a year of two digits."""
    try:
        moment = time.gmtime(seconds)
    except (OverflowError, OSError, ValueError):
        moment = time.gmtime(_LAST_MOMENT if seconds > 0 else 0)
    day = _DAYS[moment.tm_wday]
    month = _MONTHS[moment.tm_mon - 1]
    clock = f"{moment.tm_hour:02}:{moment.tm_min:02}:{moment.tm_sec:02}"
    return f"{day}, {moment.tm_mday:02}-{month}-{moment.tm_year % 100:02} {clock} GMT"


_LAST_MOMENT: Final = 253402300799
"""The end of the year 9999."""

_DAYS: Final = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
"""In English in every locale, which is why `time.strftime` cannot be used."""

_MONTHS: Final = (
    "Jan",
    "Feb",
    "Mar",
    "Apr",
    "May",
    "Jun",
    "Jul",
    "Aug",
    "Sep",
    "Oct",
    "Nov",
    "Dec",
)
