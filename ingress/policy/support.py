"""
The support that each annotation has: the tables of docs/features.md and docs/compatibility.md.
"""

from __future__ import annotations

from collections.abc import Iterable
from enum import StrEnum
from typing import NamedTuple

from ingress.policy.access import closing_of
from ingress.policy.annotation import CLOSED, OWN_PREFIX
from ingress.policy.known_annotations import NAMES, consequence_of
from ingress.policy.registry import REGISTRY, Entry


class Verdict(StrEnum):
    """What becomes of an annotation."""

    SUPPORTED = "supported"
    """As in ingress-nginx."""

    DIFFERS = "differs"
    """Supported with a difference, or for some values only."""

    OWN = "ours"
    """An annotation that ingress-nginx does not have."""

    REFUSED = "refused"
    """Not supported, and what it would have guarded is closed."""

    IGNORED = "ignored"
    """Not supported, reported, and without effect."""


class Support(NamedTuple):
    """The support of one annotation."""

    name: str
    """Without the prefix of ingress-nginx, but with our own."""

    feature: str
    """The key of the feature that reads it; empty if none does."""

    verdict: Verdict

    text: str
    """The difference, or what follows; empty where there is nothing to say."""


def support_of_all(entries: Iterable[Entry] = REGISTRY.entries) -> tuple[Support, ...]:
    """
    :param entries: those of a registry.
    :return: each annotation that ingress-nginx 1.15 has or an entry reads, once.
    """
    found: dict[str, Support] = {}
    for entry in entries:
        for name in entry.annotations:
            known = found.get(name)
            text = entry.differences.get(name, "")
            # A name that several features read belongs to the first one, or to the one that has
            # something to say about it.
            if known is None or (text and not known.text):
                found[name] = Support(name, entry.key(), _verdict_of(name, text), text)
    for name in NAMES - found.keys():
        found[name] = _unread(name)
    return tuple(found.values())


def _verdict_of(name: str, text: str) -> Verdict:
    if name.startswith(OWN_PREFIX):
        return Verdict.OWN
    return Verdict.DIFFERS if text else Verdict.SUPPORTED


def _unread(name: str) -> Support:
    extent = closing_of(name)
    if extent is not None:
        return Support(name, "", Verdict.REFUSED, CLOSED[extent])
    return Support(name, "", Verdict.IGNORED, consequence_of(name))
