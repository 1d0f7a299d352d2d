"""
What differs for clients in a Snapshot that was published.
"""

from __future__ import annotations

from datetime import datetime
from typing import NamedTuple


class PublishedChange(NamedTuple):
    """What differs in a Snapshot."""

    generation: int
    first: int
    """The number of the first Snapshot after the one that it is compared with."""

    at: datetime
    lines: tuple[str, ...]
    """What differs; what may open access comes first."""

    more: int = 0
    """Further lines that are not kept."""

    opens: bool = False
    """Whether something that decided who gets access does so no longer, or decides otherwise."""
