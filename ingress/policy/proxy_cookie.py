"""
Cookies of endpoints, changed on their way to the client: ``proxy-cookie-domain`` and ``-path``.

Source of the rules: docs/compatibility.md, section 2.6; they are those of nginx's directives
``proxy_cookie_domain`` and ``proxy_cookie_path`` for text and for regular expressions.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import ClassVar, Final, NamedTuple

from ingress.config.nginx_settings import COOKIE_DOMAINS, COOKIE_PATHS
from ingress.field_edits import FieldEdits
from ingress.frozen import dataclass
from ingress.message import Response
from ingress.pattern_replacement import PatternReplacement, ReplacementRefused
from ingress.policy.annotation import Annotations
from ingress.policy.context import PolicyContext
from ingress.policy.decision import Decision, Proceed
from ingress.policy.policy import Policy
from ingress.policy.scope import ReadContext

_UNCHANGED: Final = "cookies reach the client as the endpoint sets them"


class Replacement(NamedTuple):
    """A text, and what takes its place."""

    old: bytes
    """The text, or the regular expression as it is written."""

    new: bytes
    pattern: PatternReplacement | None = None
    """None for text."""


@dataclass(frozen=True, slots=True)
class ProxyCookie(Policy):
    """Replaces the domain, and the beginning of the path, of every cookie that an endpoint sets."""

    name: ClassVar[str] = "proxy-cookie"
    annotations: ClassVar[tuple[str, ...]] = ("proxy-cookie-domain", "proxy-cookie-path")
    differences: ClassVar[Mapping[str, str]] = {
        "proxy-cookie-domain": "regular expressions after `~` are matched by RE2, with `$1` to "
        "`$9` and no other variable",
        "proxy-cookie-path": "regular expressions after `~` or `~*` are matched by RE2, with `$1` "
        "to `$9` and no other variable",
    }

    domain: Replacement | None = None
    """Domains are compared whole, without regard to case and to a dot at their beginning."""

    path: Replacement | None = None

    @classmethod
    def read(cls, annotations: Annotations, context: ReadContext) -> ProxyCookie | None:
        """Feature."""
        defaults = context.config.nginx.proxy
        domain = _pair(
            annotations,
            "proxy-cookie-domain",
            COOKIE_DOMAINS,
            "two domains",
            defaults.cookie_domain,
        )
        path = _pair(
            annotations, "proxy-cookie-path", COOKIE_PATHS, "two paths", defaults.cookie_path
        )
        return cls(domain, path) if domain or path else None

    def response(self, context: PolicyContext, response: Response) -> Decision:
        """Policy."""
        cookies = tuple(
            (name, self._changed(value))
            for key, name, value in response.fields
            if key == b"set-cookie"
        )
        return Proceed(response_edits=FieldEdits(replace=cookies)) if cookies else None

    def _changed(self, cookie: bytes) -> bytes:
        first, *attributes = cookie.split(b";")
        return b";".join((first, *(self._changed_attribute(each) for each in attributes)))

    def _changed_attribute(self, attribute: bytes) -> bytes:
        name, equals, written = attribute.partition(b"=")
        key, value = name.strip().lower(), written.strip()
        pair = self.domain if key == b"domain" else self.path if key == b"path" else None
        if pair is None:
            return attribute
        if pair.pattern is not None:
            return name + equals + pair.pattern.apply(value)
        if key == b"path":
            is_met = value.startswith(pair.old)
            return name + equals + pair.new + value[len(pair.old) :] if is_met else attribute
        domain = value.removeprefix(b".")
        is_met = domain.lower() == pair.old.lower()
        # As in nginx, the dot stays.
        return name + equals + value[: -len(domain)] + pair.new if is_met else attribute

    def explain(self) -> str:
        """Feature."""
        changes = [
            f"the {what} {pair.old.decode()} becomes {pair.new.decode()}"
            for what, pair in (("domain", self.domain), ("path", self.path))
            if pair is not None
        ]
        return f"In cookies of endpoints {' and '.join(changes)}."

    def shown(self) -> Mapping[str, object]:
        """Feature."""
        pairs = {"domain": self.domain, "path": self.path}
        shown = {
            what: {"from": pair.old.decode(), "to": pair.new.decode()}
            for what, pair in pairs.items()
            if pair is not None
        }
        return {"proxyCookie": shown}


def _pair(
    annotations: Annotations, name: str, pattern: re.Pattern[str], accepted: str, default: str
) -> Replacement | None:
    value = annotations.text(name) or default
    if value in ("", "off"):
        return None
    if value.startswith("~"):
        return _pattern_pair(annotations, name, value)
    found = pattern.fullmatch(value)
    if found is None:
        annotations.fault(
            name,
            f"off, or {accepted} with a blank between them, without variables, is accepted, or a "
            f"regular expression after ~ and what takes its place; {_UNCHANGED}",
        )
        return None
    return Replacement(found[1].encode(), found[2].encode())


def _pattern_pair(annotations: Annotations, name: str, value: str) -> Replacement | None:
    pattern, _, replacement = value.partition(" ")
    replacement = replacement.strip()
    try:
        # Domains have no case.
        ignores_case = name == "proxy-cookie-domain"
        found = PatternReplacement.read(pattern, replacement, ignores_case=ignores_case)
    except ReplacementRefused as error:
        annotations.fault(name, f"{error}; {_UNCHANGED}")
        return None
    return Replacement(pattern.encode(), replacement.encode(), found)
