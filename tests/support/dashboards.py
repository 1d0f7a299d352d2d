"""
The dashboards of etc/chart, as they are in the files.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

from tests.support.chart import CHART

Document = dict[str, Any]

DASHBOARDS = tuple(sorted(file.stem for file in (CHART / "dashboards").glob("*.json")))


def load(name: str) -> Document:
    loaded: Document = json.loads((CHART / "dashboards" / f"{name}.json").read_text())
    return loaded


def panels(dashboard: Document, *, is_row: bool | None = False) -> list[Document]:
    """:param is_row: whether rows are meant; None for rows and panels."""
    return [
        each for each in dashboard["panels"] if is_row is None or (each["type"] == "row") == is_row
    ]


def expressions(dashboard: Document) -> Iterator[tuple[str, str]]:
    """Yield each expression of a panel, or of an annotation, after its title."""
    for panel in panels(dashboard):
        for target in panel["targets"]:
            yield panel["title"], target["expr"]
    for annotation in dashboard["annotations"]["list"]:
        if "expr" in annotation:
            yield annotation["name"], annotation["expr"]
