"""
Canary Ingresses: ``canary`` and the ``canary-*`` annotations.

A canary has no rules of its own. It gets some of the requests of a rule that another Ingress of
its namespace has: those that its header or its cookie asks for, and a share of the others.

Source of the rules: docs/compatibility.md, sections 2.3 and 6, "Canary".
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, ClassVar, Final

from ingress.field_edits import EXPLAIN
from ingress.frozen import dataclass
from ingress.linear_pattern import LinearPattern, PatternRefused
from ingress.policy.annotation import Annotations
from ingress.policy.feature import RouteFeature
from ingress.policy.scope import ReadContext
from ingress.problem_code import Code

_TOKEN: Final = re.compile(r"[!#$%&'*+\-.^_`|~0-9A-Za-z]{1,128}")
"""The name of a field or of a cookie (RFC 9110 section 5.6.2)."""

_HEADER: Final = "canary-by-header"
_VALUE: Final = "canary-by-header-value"
_PATTERN: Final = "canary-by-header-pattern"
_COOKIE: Final = "canary-by-cookie"
_WEIGHT: Final = "canary-weight"
_TOTAL: Final = "canary-weight-total"
_BEHAVIOR: Final = "affinity-canary-behavior"

_LEAST_TOTAL: Final = 100
"""Smaller totals are this one, as in ingress-nginx."""

_MAX_WEIGHT: Final = 10**9


def is_canary(annotations: Annotations) -> bool:
    """:return: whether an object is a canary; a value that says neither is reported."""
    return annotations.boolean("canary", False)


@dataclass(frozen=True, slots=True)
class Canary(RouteFeature):
    """Which requests of a rule a canary gets."""

    holds_for_canaries: ClassVar[bool] = True
    annotations: ClassVar[tuple[str, ...]] = (
        "canary",
        _HEADER,
        _VALUE,
        _PATTERN,
        _COOKIE,
        _WEIGHT,
        _TOTAL,
        _BEHAVIOR,
    )

    differences: ClassVar[Mapping[str, str]] = {
        "canary": "several for a rule; one with access rules gets nothing of a rule without any",
        _PATTERN: "RE2 in place of PCRE",
        _WEIGHT: "the weights of several canaries add up",
    }

    header: bytes = b""
    """The name of a field, in lower case; empty for none."""

    header_value: bytes = b""
    """The value that asks for the canary; empty for ``always``, where ``never`` asks for none."""

    header_pattern: LinearPattern | None = None
    """A regular expression that is searched for in the value, in place of `header_value`."""

    header_decides_never: bool = False
    """
    Whether no request with that field goes to the canary, because its expression cannot be used.
    """

    cookie: bytes = b""
    """The name of a cookie, in lower case, whose value is ``always`` or ``never``."""

    weight: int = 0
    total: int = _LEAST_TOTAL
    """The canary gets `weight` of so many requests that neither header nor cookie decides on."""

    keeps_own_affinity: bool = False
    """
    Whether its sessions are those that its own Ingress asks for (``legacy``), and not those of the
    rule (``sticky``).
    """

    @classmethod
    def key(cls) -> str:
        """Feature."""
        return "canary"

    @classmethod
    def read(cls, annotations: Annotations, context: ReadContext) -> Canary | None:
        """Feature: None for an object that is no canary."""
        if not is_canary(annotations):
            for name in cls.annotations:
                if annotations.text(name) and name != "canary":
                    annotations.fault(name, 'has an effect only beside canary: "true"')
            return None
        header = annotations.text(_HEADER, _TOKEN, "the name of a field").lower()
        if header.encode() == EXPLAIN:
            # What goes to a canary would tell its author, bit by bit, the token that is in it.
            annotations.fault(_HEADER, "the field of explanations decides about no canary")
            header = ""
        cookie = annotations.text(_COOKIE, _TOKEN, "the name of a cookie").lower()
        weight, total = _weight(annotations)
        pattern, is_refused = _header_pattern(annotations, has_header=bool(header))
        canary = cls(
            header=header.encode(),
            header_value=_header_value(annotations, has_header=bool(header)),
            header_pattern=pattern,
            header_decides_never=is_refused,
            cookie=cookie.encode(),
            weight=weight,
            total=total,
            keeps_own_affinity=annotations.choice(_BEHAVIOR, ("sticky", "legacy")) == "legacy",
        )
        if not (canary.header or canary.cookie or annotations.text(_WEIGHT)):
            annotations.fault(
                "canary",
                f"no request goes to this canary without {_HEADER}, {_COOKIE} or {_WEIGHT}",
            )
        return canary

    def explain(self) -> str:
        """Feature."""
        name, cookie = self.header.decode(), self.cookie.decode()
        parts = []
        if self.header_value:
            parts.append(f"those with {name}: {self.header_value.decode(errors='replace')}")
        elif self.header_pattern is not None:
            expression = self.header_pattern.text.decode(errors="replace")
            parts.append(f"those whose {name} matches {expression}")
        elif name and not self.header_decides_never:
            parts.append(f"those with {name}: always")
        if cookie:
            parts.append(f"those with the cookie {cookie}=always")
        if self.weight:
            others = " of the others" if parts else ""
            parts.append(f"{self.weight} of {self.total}{others}")
        return ", ".join(parts) or "none"

    def shown(self) -> Mapping[str, object]:
        """Feature."""
        found: dict[str, Any] = {"weight": self.weight, "weightTotal": self.total}
        if self.header:
            found["header"] = self.header.decode()
        if self.header_value:
            found["headerValue"] = self.header_value.decode(errors="replace")
        if self.header_pattern is not None:
            found["headerPattern"] = self.header_pattern.text.decode(errors="replace")
        if self.cookie:
            found["cookie"] = self.cookie.decode()
        return found


def _header_value(annotations: Annotations, *, has_header: bool) -> bytes:
    value = annotations.text(_VALUE)
    if value and not has_header:
        annotations.fault(
            _VALUE, f"has no effect without {_HEADER}", code=Code.ANNOTATION_WITHOUT_EFFECT
        )
        return b""
    return value.encode("utf-8", "surrogatepass")


def _header_pattern(
    annotations: Annotations, *, has_header: bool
) -> tuple[LinearPattern | None, bool]:
    """:return: the expression, if any, and whether there is one that cannot be used."""
    text = annotations.text(_PATTERN)
    if not text:
        return None, False
    if not has_header:
        annotations.fault(
            _PATTERN, f"has no effect without {_HEADER}", code=Code.ANNOTATION_WITHOUT_EFFECT
        )
        return None, False
    if annotations.text(_VALUE):
        annotations.fault(
            _PATTERN, f"has no effect beside {_VALUE}", code=Code.ANNOTATION_WITHOUT_EFFECT
        )
        return None, False
    try:
        return LinearPattern.of(text), False
    except PatternRefused as error:
        annotations.fault(_PATTERN, f"{error}; no request with the field goes to the canary")
        return None, True


def _weight(annotations: Annotations) -> tuple[int, int]:
    """:return: the weight, not above the total, and the total."""
    total = annotations.integer(_TOTAL)
    if total is not None and not _LEAST_TOTAL <= total <= _MAX_WEIGHT:
        annotations.fault(
            _TOTAL,
            f"a number from {_LEAST_TOTAL} to {_MAX_WEIGHT} is accepted; {_LEAST_TOTAL} is used "
            "instead",
        )
        total = None
    total = total or _LEAST_TOTAL
    weight = annotations.integer(_WEIGHT) or 0
    if not 0 <= weight <= total:
        used = max(0, min(weight, total))
        annotations.fault(
            _WEIGHT, f"a number from 0 to {total} is accepted; {used} is used instead"
        )
        weight = used
    return weight, total
