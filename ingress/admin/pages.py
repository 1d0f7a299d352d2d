"""
The pages of the admin listener: ``/metrics`` and ``/snapshot``.
"""

from __future__ import annotations

from collections.abc import Mapping

from ingress.admin.site import Content, Page, PageError, Query
from ingress.admin.snapshot_json import Published, host_json, snapshot_json
from ingress.telemetry.endpoint_state import with_unhealthy
from ingress.telemetry.exposition import MEDIA_TYPE
from ingress.telemetry.metrics import make_registry, metrics
from ingress.telemetry.observed_proxy import ObservedProxy
from ingress.telemetry.vitals import all_http2


def make_pages(proxy: ObservedProxy) -> Mapping[str, Page]:
    """The pages by name."""
    registry = make_registry()

    async def metrics_page(query: Query) -> Content:
        await proxy.reports.refresh()
        return Content(MEDIA_TYPE, metrics(proxy, registry))

    async def snapshot_page(query: Query) -> Content:
        built = proxy.published.built
        if built is None:
            raise PageError(503, "the first snapshot is not published yet")
        await proxy.reports.refresh()
        published = Published(
            built,
            proxy.published.generation,
            proxy.published.published_at,
            proxy.problems,
            with_unhealthy(proxy.reports.endpoints(), proxy.unhealthy()),
            all_http2(proxy.reports.vitals()),
        )
        host = query.get("host")
        if host is None:
            return Content(b"application/json", snapshot_json(published))
        found = host_json(published, host)
        if found is None:
            raise PageError(404, "no rule is for this host")
        return Content(b"application/json", found)

    return {"metrics": metrics_page, "snapshot": snapshot_page}
