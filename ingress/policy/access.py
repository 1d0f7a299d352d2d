"""
Access rules that cannot be honoured: their paths answer 503 and are never opened.

Source of the rules: docs/compatibility.md, section 5, "Access that cannot be honoured is refused".
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum, auto
from typing import ClassVar, Literal

from ingress.answer import Answer
from ingress.errors import Outcome
from ingress.policy.annotation import Annotations
from ingress.policy.context import PolicyContext
from ingress.policy.decision import Decision
from ingress.policy.policy import Policy

_HOST_RULE_PREFIX = "auth-tls-"
"""Client certificates are requested before any path is known, so the rule covers the host."""

_PATH_RULE_PREFIX = "auth-"
_PATH_RULES = frozenset(
    {
        "whitelist-source-range",
        "allowlist-source-range",
        "denylist-source-range",
        "satisfy",
        "enable-global-auth",
    }
)

_SNIPPET_SUFFIX = "-snippet"
"""Text for nginx, which may well decide access (``deny all;``)."""

PATTERN_CHARACTERS = re.compile(r"[()\[\]{}*+?|^$\\]")
"""Characters of ingress-nginx's regular expressions that no path contains by chance."""

_ANSWER = Answer(
    503,
    Outcome.ACCESS_REFUSED,
    "The access rules of this path cannot be honoured, so that it is closed.",
)


@dataclass(frozen=True, slots=True)
class AccessRefusal(Policy):
    """Answers every request with 503."""

    name: ClassVar[str] = "access-refusal"

    def access(self, context: PolicyContext) -> Decision:
        """Policy: no request passes."""
        return _ANSWER

    def explain(self) -> str:
        """Policy."""
        return "Its annotations decide access and cannot be honoured: every request gets 503."

    def shown(self) -> Mapping[str, object]:
        """Policy."""
        return {"refused": "its annotations decide access, and cannot be honoured"}


class Refusal(Enum):
    """How much of what an Ingress names is closed; each member includes the ones before."""

    NONE = auto()
    PATHS = auto()
    """The paths and the default backend of the Ingress."""

    HOSTS = auto()
    """All paths of its hosts, whichever Ingress has them."""


def read_refusal(annotations: Annotations, snippets: Literal["refuse", "ignore"]) -> Refusal:
    """
    Find the annotations that decide access.

    None of them is implemented, so each closes something, whatever its value: an
    empty value, or ``off``, is not interpreted either.

    :param snippets: what the configuration says about snippet annotations.
    """
    refusal = Refusal.NONE
    for name in annotations:
        if name.startswith(_HOST_RULE_PREFIX):
            message = "access rules of this kind are not implemented; the host answers 503"
            refusal = Refusal.HOSTS
        elif name.startswith(_PATH_RULE_PREFIX) or name in _PATH_RULES:
            message = "access rules of this kind are not implemented; the paths answer 503"
            refusal = refusal if refusal is Refusal.HOSTS else Refusal.PATHS
        elif not name.endswith(_SNIPPET_SUFFIX):
            continue
        elif snippets == "ignore":
            message = "snippets are not interpreted; the configuration says to ignore them"
        else:
            message = "snippets are not interpreted; the paths answer 503 (see `snippets`)"
            refusal = refusal if refusal is Refusal.HOSTS else Refusal.PATHS
        annotations.fault(name, message, is_shown=False)
    return refusal
