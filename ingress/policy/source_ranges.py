"""
Who may come by address: ``allowlist-source-range`` (``whitelist-``) and ``denylist-source-range``.

Source of the rules: docs/compatibility.md, section 2.6; what a bad value closes, section 5.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import field
from functools import lru_cache
from typing import ClassVar, Final

from ingress.address_ranges import AddressRanges, parse_range
from ingress.frozen import dataclass
from ingress.message import Request
from ingress.policy.address_gate import AddressGate
from ingress.policy.annotation import Annotations
from ingress.policy.gate import Gate
from ingress.policy.inputs import Input, Inputs
from ingress.policy.policy import GatedPolicy
from ingress.policy.scope import ReadContext

_ALLOW: Final = ("allowlist-source-range", "whitelist-source-range")
"""The second name is the older one; the first that is there counts, as in ingress-nginx."""

_DENY: Final = "denylist-source-range"

_SHOWN: Final = 20
"""The entries of a list that are shown; a list may have thousands."""


@dataclass(frozen=True, slots=True)
class SourceRanges(GatedPolicy):
    """
    Answers clients with 403 whose address is denied, or is not among those that are allowed.

    The address is the one that trust makes (`BelievedClient.address`). The client of a UNIX
    socket has none: it is on no list.
    """

    name: ClassVar[str] = "source-ranges"
    annotations: ClassVar[tuple[str, ...]] = (*_ALLOW, _DENY)
    differences: ClassVar[Mapping[str, str]] = dict.fromkeys(
        annotations,
        "IPv4 and IPv6, by the address that `trusted-proxies` make; a list with a bad entry, or "
        "without any, closes the paths with 503",
    )

    allowed: AddressRanges | None = None
    """None where every address that is not denied may come."""

    denied: AddressRanges | None = None
    """None where no address is denied."""

    written: tuple[tuple[str, ...], tuple[str, ...]] = ((), ())
    """The entries of both lists as written, of each the first ones."""

    gate: Gate = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "gate", AddressGate(self.allowed, self.denied))

    @classmethod
    def read(cls, annotations: Annotations, context: ReadContext) -> SourceRanges | None:
        """Feature: a list that lets everybody in, as cert-manager writes it, asks for nothing."""
        words = {name: annotations.words(name) for name in cls.annotations}
        defaults = context.config.nginx.source_ranges
        allow = next((name for name in _ALLOW if name in annotations), "")
        deny = _DENY if _DENY in annotations else ""
        allow_words, allowed = _read(annotations, allow, words, defaults.allowed)
        deny_words, denied = _read(annotations, deny, words, defaults.denied)
        if allowed is not None and allowed.has_all:
            allowed = None
        if allowed is None and not denied:
            return None
        shown = allow_words[:_SHOWN] if allowed is not None else ()
        return cls(allowed, denied or None, (shown, deny_words[:_SHOWN]))

    @property
    def guards(self) -> bool:
        """Feature: it decides who gets access."""
        return True

    def decides_by(self, request: Request) -> Inputs:
        """Policy."""
        return frozenset({Input.CLIENT})

    def explain(self) -> str:
        """Feature."""
        allowed, denied = map(", ".join, self.written)
        parts = [f"Clients from {denied} get 403."] if denied else []
        if self.allowed is not None:
            parts.append(f"Only clients from {allowed} are let in; all others get 403.")
        return " ".join(parts)

    def shown(self) -> Mapping[str, object]:
        """Feature."""
        allowed, denied = self.written
        return {"sourceRanges": {"allowed": list(allowed), "denied": list(denied)}}


def _read(
    annotations: Annotations,
    name: str,
    words: Mapping[str, tuple[str, ...]],
    default: tuple[str, ...] | None,
) -> tuple[tuple[str, ...], AddressRanges | None]:
    """
    :param name: the annotation; empty if there is none, so that the ConfigMap decides.
    :param default: the list of the ConfigMap, which has been checked; an empty one is none.
    :return: the entries as written, and the ranges; None if there is no list.
    """
    if name:
        return words[name], _ranges(annotations, name, words[name])
    return default or (), _parsed(default) if default else None


@lru_cache(maxsize=8)
def _parsed(words: tuple[str, ...]) -> AddressRanges:
    """Keep the ranges of the ConfigMap, which the reading of each Ingress needs."""
    return AddressRanges.of(map(parse_range, words))


def _ranges(annotations: Annotations, name: str, words: tuple[str, ...]) -> AddressRanges | None:
    """Read a list; one that is empty or has a bad entry closes the paths."""
    if not words:
        annotations.close(name, "a list of IP addresses and CIDR ranges is accepted")
        return None
    try:
        return AddressRanges.of(map(parse_range, words))
    except ValueError as error:
        annotations.close(
            name, f"{error}; a list of IP addresses and CIDR ranges is accepted", is_shown=True
        )
        return None
