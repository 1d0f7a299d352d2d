"""
Cookies of endpoints, changed on their way to the client: ``proxy-cookie-domain`` and ``-path``.

Source of the rules: docs/compatibility.md, section 2.6; they are those of nginx's directives
``proxy_cookie_domain`` and ``proxy_cookie_path`` for text.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar, NamedTuple

from ingress.config.nginx_settings import COOKIE_DOMAINS, COOKIE_PATHS
from ingress.field_edits import FieldEdits
from ingress.message import Response
from ingress.policy.annotation import Annotations
from ingress.policy.context import PolicyContext
from ingress.policy.decision import Decision, Proceed
from ingress.policy.policy import Policy
from ingress.policy.scope import ReadContext


class Replacement(NamedTuple):
    """A text, and what takes its place."""

    old: bytes
    new: bytes


@dataclass(frozen=True, slots=True)
class ProxyCookie(Policy):
    """Replaces the domain, and the beginning of the path, of every cookie that an endpoint sets."""

    name: ClassVar[str] = "proxy-cookie"
    annotations: ClassVar[tuple[str, ...]] = ("proxy-cookie-domain", "proxy-cookie-path")
    differences: ClassVar[Mapping[str, str]] = {
        "proxy-cookie-domain": "text alone: two domains, or the beginnings of two paths; "
        "regular expressions and variables are reported and ignored",
        "proxy-cookie-path": "text alone: two domains, or the beginnings of two paths; "
        "regular expressions and variables are reported and ignored",
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
        if self.domain is not None and key == b"domain":
            if value.removeprefix(b".").lower() == self.domain.old.lower():
                return name + equals + self.domain.new
        elif self.path is not None and key == b"path" and value.startswith(self.path.old):
            return name + equals + self.path.new + value.removeprefix(self.path.old)
        return attribute

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
    found = pattern.fullmatch(value)
    if found is None:
        annotations.fault(
            name,
            f"off, or {accepted} with a blank between them, without variables and regular "
            "expressions, is accepted; cookies reach the client as the endpoint sets them",
        )
        return None
    return Replacement(found[1].encode(), found[2].encode())
