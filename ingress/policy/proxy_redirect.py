"""
Redirects of endpoints, changed on their way to the client: ``proxy-redirect-from`` and ``-to``.

Source of the rules: docs/compatibility.md, section 2.2; they are those of nginx's directive
``proxy_redirect`` for text and for regular expressions.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import ClassVar, Final

from ingress.config.nginx_settings import REDIRECT_TEXT
from ingress.field_edits import FieldEdits
from ingress.frozen import dataclass
from ingress.message import Response
from ingress.pattern_replacement import PatternReplacement, ReplacementRefused
from ingress.policy.annotation import Annotations
from ingress.policy.context import PolicyContext
from ingress.policy.decision import Decision, Proceed
from ingress.policy.policy import Policy
from ingress.policy.scope import ReadContext

_OFF: Final = ("", "off")
_DEFAULT: Final = "default"
"""It stands for the name that nginx has for its own upstream, which no endpoint sends."""

_DIFFERENCE: Final = (
    "the beginning of `Location`, and of the URL in `Refresh`; or regular expressions after `~` or "
    "`~*` (RE2), with `$1` to `$9` and no other variable; `default` changes nothing, as in "
    "ingress-nginx"
)
_UNCHANGED: Final = "Location fields stay as the endpoint sends them"

_URL: Final = re.compile(rb"url=", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class ProxyRedirect(Policy):
    """Replaces the beginning of Location, and of the URL in Refresh."""

    name: ClassVar[str] = "proxy-redirect"
    annotations: ClassVar[tuple[str, ...]] = ("proxy-redirect-from", "proxy-redirect-to")
    differences: ClassVar[Mapping[str, str]] = {
        "proxy-redirect-from": _DIFFERENCE,
        "proxy-redirect-to": _DIFFERENCE,
    }

    beginning: bytes
    """The beginning that is replaced, or the regular expression as it is written."""

    replacement: bytes
    pattern: PatternReplacement | None = None
    """None for text."""

    @classmethod
    def read(cls, annotations: Annotations, context: ReadContext) -> ProxyRedirect | None:
        """Feature."""
        defaults = context.config.nginx.redirects
        beginning = annotations.text("proxy-redirect-from") or defaults.proxy_redirect_from
        replacement = annotations.text("proxy-redirect-to") or defaults.proxy_redirect_to
        if beginning in (*_OFF, _DEFAULT):
            return None
        if replacement in _OFF:
            name, message = "proxy-redirect-from", "has no effect without proxy-redirect-to"
            annotations.fault(name, f"{message}; {_UNCHANGED}")
            return None
        if beginning.startswith("~"):
            return cls._of_pattern(annotations, beginning, replacement)
        is_sound = True
        for name, value in (
            ("proxy-redirect-from", beginning),
            ("proxy-redirect-to", replacement),
        ):
            if REDIRECT_TEXT.fullmatch(value) is None:
                annotations.fault(
                    name,
                    "text of at most 2,000 characters of a URL is accepted, without variables, "
                    f"or a regular expression after ~ or ~*; {_UNCHANGED}",
                )
                is_sound = False
        return cls(beginning.encode(), replacement.encode()) if is_sound else None

    @classmethod
    def _of_pattern(
        cls, annotations: Annotations, pattern: str, replacement: str
    ) -> ProxyRedirect | None:
        try:
            found = PatternReplacement.read(pattern, replacement)
        except ReplacementRefused as error:
            annotations.fault("proxy-redirect-from", f"{error}; {_UNCHANGED}")
            return None
        return cls(pattern.encode(), replacement.encode(), found)

    def response(self, context: PolicyContext, response: Response) -> Decision:
        """Policy."""
        changed: list[tuple[bytes, bytes]] = []
        for key, name, value in response.fields:
            if key == b"location":
                changed.append((name, self._changed(value, 0)))
            elif key == b"refresh":
                url = _URL.search(value)
                changed.append((name, self._changed(value, url.end()) if url else value))
        edits = FieldEdits(replace=tuple(changed))
        return Proceed(response_edits=edits) if changed else None

    def _changed(self, value: bytes, start: int) -> bytes:
        if self.pattern is not None:
            return value[:start] + self.pattern.apply(value[start:])
        if not value.startswith(self.beginning, start):
            return value
        return value[:start] + self.replacement + value[start + len(self.beginning) :]

    def explain(self) -> str:
        """Feature."""
        beginning, replacement = self.beginning.decode(), self.replacement.decode()
        if self.pattern is not None:
            return f"Redirects of endpoints in which {beginning} is found lead to {replacement}."
        return f"Redirects of endpoints to {beginning} lead to {replacement} instead."

    def shown(self) -> Mapping[str, object]:
        """Feature."""
        pair = {"from": self.beginning.decode(), "to": self.replacement.decode()}
        return {"proxyRedirect": pair}
