"""
The pages of the admin listener: ``/metrics`` and ``/snapshot``.
"""

from __future__ import annotations

from collections.abc import Mapping

from ingress.admin.site import Content, Page, PageError, Query
from ingress.admin.snapshot_json import Published, host_json, snapshot_json
from ingress.telemetry.exposition import MEDIA_TYPE
from ingress.telemetry.metrics import make_registry, metrics
from ingress.telemetry.watched import Watched


def make_pages(watched: Watched) -> Mapping[str, Page]:
    """By name."""
    registry = make_registry()

    async def metrics_page(query: Query) -> Content:
        await watched.reports.refresh()
        return Content(MEDIA_TYPE, metrics(watched, registry))

    async def snapshot_page(query: Query) -> Content:
        built = watched.published.built
        if built is None:
            raise PageError(503, "the first snapshot is not published yet")
        await watched.reports.refresh()
        published = Published(
            built,
            watched.published.generation,
            watched.published.published_at,
            watched.problems,
            watched.reports.endpoints(),
        )
        host = query.get("host")
        if host is None:
            return Content(b"application/json", snapshot_json(published))
        found = host_json(published, host)
        if found is None:
            raise PageError(404, "no rule is for this host")
        return Content(b"application/json", found)

    return {"metrics": metrics_page, "snapshot": snapshot_page}
