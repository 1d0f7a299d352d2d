"""
Session affinity by cookie: ``affinity: cookie`` with its ``session-cookie-*`` annotations.

Source of the rules: COMPATIBILITY section 2.4.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class CookieAffinity:
    """How the cookie of one Ingress path is named, made and set."""

    name: str = "INGRESSCOOKIE"
