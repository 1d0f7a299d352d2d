"""
The rules of a canary Ingress, as they are read.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import field
from typing import Final, NamedTuple

from ingress.endpoint import UpstreamKey
from ingress.frozen import dataclass
from ingress.policy.canary import Canary
from ingress.policy.cookie_affinity import CookieAffinity
from ingress.policy.load_balance import LoadBalance

DEFAULT: Final = "default"
"""In the place of a path type, for default backends."""


class CanaryPath(NamedTuple):
    """A rule of a canary: which rule of another Ingress it belongs to, and its own Service."""

    written: str
    """The path as written, by which it is compared; empty for a default backend."""

    path_type: str
    upstream: UpstreamKey
    field: str
    """The position of the rule: ``spec.rules[0].http.paths[0]``."""


@dataclass(frozen=True, slots=True)
class CanarySet:
    """What a canary Ingress asks for."""

    canary: Canary
    load_balance: LoadBalance = LoadBalance()
    affinity: CookieAffinity | None = None

    guard: str = ""
    """The first of its annotations that decides access, with its prefix; empty without one."""

    hosts: Mapping[str, tuple[CanaryPath, ...]] = field(default_factory=dict)
    """Its rules by host in lower case; the host is empty for rules without one."""
