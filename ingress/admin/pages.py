"""
The pages of the admin listener.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial

from ingress.admin.html_pages import HTML_PAGES
from ingress.admin.live import Live, revision
from ingress.admin.page import Content, Page, PageError, PageRequest
from ingress.admin.representation import resource_page
from ingress.admin.resources import make_resources
from ingress.admin.snapshot_json import Published, host_json, snapshot_json
from ingress.admin.turns import Turns
from ingress.live_config import RunInThread
from ingress.telemetry.endpoint_state import with_unhealthy
from ingress.telemetry.exposition import MEDIA_TYPE
from ingress.telemetry.metrics import make_registry, metrics
from ingress.telemetry.observed_proxy import ObservedProxy
from ingress.telemetry.vitals import all_http2


def make_pages(
    proxy: ObservedProxy, turns: Turns, run_in_thread: RunInThread
) -> Mapping[str, Page]:
    """
    :param turns: those of long work.
    :param run_in_thread: for work that cannot be done in slices.
    :return: the pages by name.
    """
    registry = make_registry()

    async def metrics_page(request: PageRequest) -> Content:
        await proxy.reports.refresh()
        return Content(MEDIA_TYPE, metrics(proxy, registry))

    async def snapshot_page(request: PageRequest) -> Content:
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
        if "host" not in request.query:
            return Content(b"application/json", snapshot_json(published))
        found = host_json(published, request.query.text("host"))
        if found is None:
            raise PageError(404, "no rule is for this host")
        return Content(b"application/json", found)

    resources = make_resources(proxy, turns, run_in_thread)
    return {
        # Programs that scrape may have parameters of their own.
        "metrics": Page(metrics_page, None),
        "snapshot": Page(snapshot_page, frozenset({"host"})),
        "live": Live(proxy, turns).page,
        **{
            name: resource_page(resource, HTML_PAGES.get(name), partial(revision, proxy))
            for name, resource in resources.items()
        },
    }
