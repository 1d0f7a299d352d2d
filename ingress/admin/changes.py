"""
What changed when: for ``/changes``.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from ingress.admin.page import Query
from ingress.admin.paging import Window, filtered, page_steps
from ingress.admin.snapshot_json import moment_text
from ingress.published_change import PublishedChange
from ingress.steps import Steps


def change_row(change: PublishedChange) -> dict[str, Any]:
    """:return: what differs in a Snapshot, as plain values."""
    return {
        "generation": change.generation,
        "first": change.first,
        "at": moment_text(change.at),
        "opens": change.opens,
        "changes": list(change.lines),
        "more": change.more,
    }


def change_steps(changes: Iterable[PublishedChange], query: Query) -> Steps[dict[str, Any]]:
    """
    Make the page of changes that a query asks for, the newest first.

    :param query: with `paging.PAGING`.
    :raises PageError: if a parameter is wrong.
    """
    window = Window.of(query)
    items = filtered(changes, lambda change: window.contains(*change.lines))
    return page_steps("changes", window, items, change_row)
