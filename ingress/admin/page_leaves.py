"""
What the page needs beside pages: its files, and the stream of changes.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from twisted.web.http import CACHED
from twisted.web.resource import Resource
from twisted.web.server import NOT_DONE_YET

from ingress.admin.html.assets import ASSETS, VERSION, Asset
from ingress.admin.html.fields import FIELDS
from ingress.admin.leaf import NOT_FOUND, Leaf, text
from ingress.admin.live import MEDIA_TYPE, Live
from ingress.telemetry.observed_proxy import ObservedProxy

_RETRY_AFTER: Final = b"10"


def make_leaves(proxy: ObservedProxy, clock: Any) -> Mapping[str, Resource]:
    """
    :param clock: schedules the looks for changes.
    :return: the leaves by name.
    """
    return {
        "assets": _Assets(),  # type: ignore[no-untyped-call]
        "live": _LiveLeaf(Live(proxy, clock, VERSION)),
    }


class _Assets(Resource):
    """The files of the page."""

    def getChild(self, path: bytes, request: Any) -> Resource:
        """IResource."""
        return _Asset(ASSETS.get(path.decode("ascii", "replace")))

    def render(self, request: Any) -> Any:
        """IResource: the folder itself is nothing."""
        return text(request, *NOT_FOUND)


class _Asset(Leaf):
    """One file; a browser asks whether its copy is the same."""

    def __init__(self, asset: Asset | None) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self._asset = asset

    def answer(self, request: Any) -> Any:
        asset = self._asset
        if asset is None:
            return text(request, *NOT_FOUND)
        for field in FIELDS:
            request.setHeader(*field)
        request.setHeader(b"cache-control", b"no-cache")
        request.setHeader(b"content-type", asset.media_type)
        if request.setETag(asset.tag) is CACHED:
            return b""
        request.setHeader(b"content-length", b"%d" % len(asset.content))
        return b"" if request.method == b"HEAD" else asset.content


class _LiveLeaf(Leaf):
    """The stream of changes."""

    def __init__(self, live: Live) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self._live = live

    def answer(self, request: Any) -> Any:
        if request.args:
            return text(request, 400, "a parameter is unknown; none is accepted here")
        if self._live.is_full:
            request.setHeader(b"retry-after", _RETRY_AFTER)
            return text(request, 503, "too many browsers follow; close one of them")
        for field in FIELDS:
            request.setHeader(*field)
        request.setHeader(b"content-type", MEDIA_TYPE)
        # A proxy between us and the browser must not wait for the end.
        request.setHeader(b"x-accel-buffering", b"no")
        if request.method == b"HEAD":
            return b""
        self._live.follow(request)
        return NOT_DONE_YET
