"""
A policy as somebody adds one by ARCHITECTURE.md: all of it is in this module.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

from ingress.answer import Answer
from ingress.errors import Outcome
from ingress.policy.annotation import Annotations
from ingress.policy.context import PolicyContext
from ingress.policy.decision import Decision
from ingress.policy.policy import Policy
from ingress.policy.scope import ReadContext

_URL = re.compile(r"https?://[A-Za-z0-9\-._~/:,?&=]+")


@dataclass(frozen=True, slots=True)
class PermanentRedirect(Policy):
    """Answers every request with 301 to one URL."""

    name: ClassVar[str] = "permanent-redirect"
    annotations: ClassVar[tuple[str, ...]] = ("permanent-redirect",)

    url: str

    @classmethod
    def read(cls, annotations: Annotations, context: ReadContext) -> PermanentRedirect | None:
        """Feature."""
        url = annotations.text("permanent-redirect", _URL, "an http or https URL")
        return cls(url) if url else None

    def request(self, context: PolicyContext) -> Decision:
        """Policy."""
        location = (b"Location", self.url.encode("ascii"))
        return Answer(301, Outcome.REDIRECTED, "It has moved.", fields=(location,))

    def explain(self) -> str:
        """Feature."""
        return f"Every request is redirected to {self.url}."

    def shown(self) -> Mapping[str, object]:
        """Feature."""
        return {"permanentRedirect": self.url}
