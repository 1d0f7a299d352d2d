"""
``/assets/``: the files of the page.
"""

from __future__ import annotations

from typing import Any

from twisted.web.http import CACHED
from twisted.web.resource import Resource

from ingress.admin.html.assets import ASSETS, Asset
from ingress.admin.html.fields import FIELDS
from ingress.admin.leaf import NOT_FOUND, Leaf, text


class PageFiles(Resource):
    """The folder, which is nothing itself."""

    def getChild(self, path: bytes, request: Any) -> Resource:
        """IResource."""
        return _File(ASSETS.get(path.decode("ascii", "replace")))

    def render(self, request: Any) -> Any:
        """IResource."""
        return text(request, *NOT_FOUND)


class _File(Leaf):
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
