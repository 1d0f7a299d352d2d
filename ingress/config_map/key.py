"""
A key of ingress-nginx's ConfigMap, and what becomes of it here.
"""

from __future__ import annotations

from collections.abc import Callable
from enum import Enum
from typing import Any

from ingress.config_map.value import AcceptText, text
from ingress.frozen import dataclass


class Verdict(Enum):
    """What becomes of a key."""

    WORKS = "works"
    """Its value applies."""

    UNSUPPORTED = "is not supported"
    NO_EFFECT = "has no effect"
    """There is nothing here that it could set."""


@dataclass(frozen=True, slots=True)
class Key:
    """
    One key.

    A key that decides access and does not work closes every rule.
    """

    name: str
    verdict: Verdict

    effect: str
    """
    For a key that works, what it sets: a phrase. For any other, what follows from that: the rest
    of a sentence.
    """

    default: str = ""
    """The default of ingress-nginx 1.15, as written; empty for none."""

    accept: AcceptText = text

    target: str = ""
    """
    The path of the setting in `Config`, such as ``limits.body_size``; empty if more than one
    setting depends on it (`ingress.config_map.settings`).
    """

    decides_access: bool = False

    harmless: tuple[str, ...] = ()
    """Values that are no Problem, although the key does not work: nothing follows from them."""

    remark: Callable[[Any], str] | None = None
    """
    What else there is to say about a value that applies; empty for nothing. It becomes a Problem.
    """

    @property
    def closes(self) -> bool:
        """Whether its presence closes every rule."""
        return self.decides_access and self.verdict is not Verdict.WORKS

    def is_harmless(self, written: str) -> bool:
        """Whether nothing follows from a value of a key that does not work."""
        return written in self.harmless or (bool(self.default) and written == self.default)


def works(
    name: str,
    accept: AcceptText,
    target: str,
    effect: str,
    default: str = "",
    *,
    decides_access: bool = False,
    remark: Callable[[Any], str] | None = None,
) -> Key:
    """A key that works."""
    return Key(
        name,
        Verdict.WORKS,
        effect,
        default,
        accept,
        target,
        decides_access,
        remark=remark,
    )


def unsupported(
    name: str,
    consequence: str,
    default: str = "",
    *,
    decides_access: bool = False,
    harmless: tuple[str, ...] = (),
    accept: AcceptText = text,
    target: str = "",
) -> Key:
    """
    A key that ought to work.

    :param accept: reads the value although nothing applies it yet, and so does `target`.
    """
    return Key(
        name,
        Verdict.UNSUPPORTED,
        consequence,
        default,
        accept,
        target,
        decides_access,
        harmless,
    )


def no_effect(name: str, reason: str, default: str = "", *, harmless: tuple[str, ...] = ()) -> Key:
    """A key for something that this proxy does not have."""
    return Key(name, Verdict.NO_EFFECT, reason, default, harmless=harmless)
