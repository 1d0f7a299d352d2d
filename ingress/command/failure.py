"""
The reasons why a command cannot run, and its exit statuses.
"""

from __future__ import annotations

from typing import Final

from ingress.errors import IngressError

FINE: Final = 0
FOUND: Final = 1
"""Something was found that its user wants to know."""

UNABLE: Final = 2
"""The command could not run."""


class CannotRun(IngressError):
    """The command cannot run; the message says why, and what to do."""
