"""
A flag of ingress-nginx's command line, and what becomes of it here.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum

from ingress.migration.flag_value import FlagKind


class FlagVerdict(Enum):
    """What becomes of a flag."""

    SETS = "works"
    """Its value sets something in our configuration."""

    NO_EFFECT = "no effect"
    """There is nothing here that it could set, and nothing is lost."""

    TOLD = "not supported"
    """What it asks for is not done; the process starts, and the log says what follows."""

    STOPS = "stops the start"
    """
    What it asks for is not done and decides about access or safety, or the flag is a mistake.
    """


@dataclass(frozen=True, slots=True)
class Flag:
    """
    One flag.

    A value that is the default never counts as more than `FlagVerdict.NO_EFFECT`.
    """

    name: str
    """Without the hyphens, as pflag takes it: a ``-`` is not a ``_``."""

    kind: FlagKind
    default: str
    """That of ingress-nginx 1.15, as it would be written; empty for none."""

    verdict: FlagVerdict
    effect: str
    """
    For a flag that sets something, what: a phrase. For any other, what follows from that: the
    rest of a sentence.
    """

    becomes: str = ""
    """The key of our configuration that it sets; empty for none."""

    shorthand: str = ""
    """One letter that may stand for it after one hyphen."""

    is_secret: bool = False
    """Whether its value must not be shown."""
