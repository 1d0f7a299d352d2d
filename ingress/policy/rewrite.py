"""
Other paths for endpoints than for clients: ``rewrite-target``, ``x-forwarded-prefix``.

Source of the rules: docs/compatibility.md, sections 2.2, 5 ("Paths") and 6.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar, Final

from ingress.answer import Answer
from ingress.errors import Outcome
from ingress.field_edits import NO_EDITS, FieldEdits
from ingress.policy.annotation import Annotations
from ingress.policy.context import Captures, PolicyContext
from ingress.policy.decision import Decision, Proceed
from ingress.policy.policy import Policy
from ingress.policy.scope import ReadContext, RuleScope

_MAX_LENGTH: Final = 2000
_TEXT: Final = re.compile(rf"(?=.{{1,{_MAX_LENGTH}}}\Z)(?:[A-Za-z0-9\-._~/:]|\$[1-9])+", re.DOTALL)
_GROUP: Final = re.compile(r"\$([1-9])")
_URL: Final = re.compile(r"https?://", re.IGNORECASE)
_ACCEPTED: Final = (
    f"letters, digits, $1 to $9 and - . _ ~ / : are accepted, {_MAX_LENGTH:,} characters at most"
)
_FIELD: Final = b"X-Forwarded-Prefix"

_SEPARATOR: Final = rb"(?:/|%2[Ff]|%5[Cc])"
_DOTS: Final = re.compile(rb"(?:^|%b)(?:\.|%%2[Ee]){1,2}(?=;|\Z|%b)" % (_SEPARATOR, _SEPARATOR))
"""A segment that an endpoint may read as a dot segment, in whatever way it reads paths."""

_BROKEN: Final = re.compile(rb"%(?![0-9A-Fa-f]{2})")
_LEADING: Final = re.compile(rb"/*")

_REFUSED: Final = Answer(
    400, Outcome.BAD_REQUEST, "The path that the endpoint would get is not a valid one."
)


@dataclass(frozen=True, slots=True)
class Template:
    """A text with ``$1`` to ``$9`` in it."""

    parts: tuple[bytes, ...]
    """Text at even places, the digits of groups at odd ones."""

    @classmethod
    def of(cls, written: str) -> Template:
        """:param written: ASCII."""
        return cls(tuple(part.encode("ascii") for part in _GROUP.split(written)))

    @property
    def is_constant(self) -> bool:
        """Whether there is no group in it."""
        return len(self.parts) == 1

    def expand(self, captures: Captures) -> bytes:
        """:return: the text; a group that has no part in the match, or does not exist, is empty."""
        pieces = list(self.parts)
        for place in range(1, len(pieces), 2):
            number = int(pieces[place])
            found = captures[number - 1] if number <= len(captures) else None
            pieces[place] = found or b""
        return b"".join(pieces)


@dataclass(frozen=True, slots=True)
class Rewrite(Policy):
    """Sends requests to another path, which may have parts of the one that they came for."""

    name: ClassVar[str] = "rewrite"
    annotations: ClassVar[tuple[str, ...]] = ("rewrite-target", "x-forwarded-prefix")
    differences: ClassVar[Mapping[str, str]] = {
        "rewrite-target": "`$1` to `$9` and no other variable; captures keep the escapes of the "
        "path; slashes at the beginning are merged; 400 where an endpoint could read a dot "
        "segment in the result",
        "x-forwarded-prefix": "`$1` to `$9` and no other variable",
    }

    written: str
    """The ``rewrite-target``."""

    target: Template
    prefix: Template | None = None
    """The ``x-forwarded-prefix``; None without one."""

    @classmethod
    def read(cls, annotations: Annotations, context: ReadContext) -> Rewrite | None:
        """Feature."""
        written = annotations.text("rewrite-target")
        prefix = annotations.text("x-forwarded-prefix")
        if prefix and _TEXT.fullmatch(prefix) is None:
            annotations.fault("x-forwarded-prefix", f"{_ACCEPTED}; the field is not sent")
            prefix = ""
        if not written:
            return None
        if _TEXT.fullmatch(written) is None:
            annotations.fault(
                "rewrite-target", f"{_ACCEPTED}; endpoints get the path as the client sent it"
            )
            return None
        return cls(written, Template.of(written), Template.of(prefix) if prefix else None)

    def makes_patterns(self, path: str) -> bool:
        """Feature: a target that is the path itself changes nothing."""
        return path != self.written

    def at(self, rule: RuleScope) -> Rewrite | None:
        """Feature."""
        return None if rule.path == self.written else self

    @property
    def request_edits(self) -> FieldEdits:
        """Policy: a prefix that is the same for all requests."""
        if self.prefix is None or not self.prefix.is_constant:
            return NO_EDITS
        return _prefix_edits(self.prefix.parts[0])

    def request(self, context: PolicyContext) -> Decision:
        """Policy."""
        request, captures = context.request, context.captures
        path = self.target.expand(captures)
        query = request.target.partition(b"?")[2]
        if _URL.match(self.written):
            return _redirect(path, query)
        if not path.startswith(b"/") or path.startswith(b"//"):
            path = _LEADING.sub(b"/", path, count=1)
        if not is_sound_path(path):
            return _REFUSED
        target = b"%b?%b" % (path, query) if query else path
        if self.prefix is None or self.prefix.is_constant:
            return Proceed(target=target)
        return Proceed(_prefix_edits(self.prefix.expand(captures)), target=target)

    def explain(self) -> str:
        """Feature."""
        what = f"Endpoints get the path {self.written}"
        if _URL.match(self.written):
            what = f"Requests are redirected to {self.written} (302)"
        return f"{what}, where $1 to $9 are the groups of the rule's path, and the query."

    def shown(self) -> Mapping[str, object]:
        """Feature."""
        return {"rewriteTarget": self.written}


def is_sound_path(path: bytes) -> bool:
    """
    :param path: a path that was made of others, beginning with ``/``.
    :return: whether no endpoint can read a dot segment in it, and no escape is broken.
    """
    return _DOTS.search(path) is None and _BROKEN.search(path) is None


def _redirect(location: bytes, query: bytes) -> Answer:
    """A target that is a URL redirects, as nginx's ``rewrite`` does."""
    location = b"%b?%b" % (location, query) if query else location
    return Answer(
        302, Outcome.REDIRECTED, "This place is elsewhere.", fields=((b"Location", location),)
    )


def _prefix_edits(prefix: bytes) -> FieldEdits:
    """An empty field is not sent at all."""
    if not prefix:
        return FieldEdits(remove=frozenset({_FIELD.lower()}))
    return FieldEdits(replace=((_FIELD, prefix),))
