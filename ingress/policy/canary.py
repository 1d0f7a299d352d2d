"""
Canary Ingresses, which are not implemented: serving one would send all of its requests there.
"""

from __future__ import annotations

from typing import ClassVar

from ingress.policy.annotation import Annotations
from ingress.policy.feature import RouteFeature


class Canary(RouteFeature):
    """Leaves canaries out."""

    __slots__ = ()

    annotations: ClassVar[tuple[str, ...]] = ("canary",)

    @classmethod
    def key(cls) -> str:
        """Feature."""
        return "canary"

    @classmethod
    def is_served(cls, annotations: Annotations) -> bool:
        """Feature."""
        if not annotations.boolean("canary", False):
            return True
        annotations.fault("canary", "not implemented; the Ingress is not served")
        return False
