"""
Explanations on the wire: the section ``explain`` of the configuration.
"""

from __future__ import annotations

from dataclasses import field

from ingress.frozen import dataclass


@dataclass(frozen=True, slots=True)
class ExplainSettings:
    """Who may ask for explanations."""

    token_file: bytes = field(default=b"", repr=False)
    """
    The token in the file, which the field X-Explain of a request must have; empty if nothing is
    explained.
    """
