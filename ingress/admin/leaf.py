"""
What all resources of the admin listener have in common.
"""

from __future__ import annotations

from http import HTTPStatus
from typing import Any, Final

from twisted.web.resource import Resource

NOT_FOUND: Final = (404, "not found")


class Leaf(Resource):
    """Serves GET and HEAD, for its own path alone."""

    isLeaf = True

    def render(self, request: Any) -> Any:
        """IResource. Twisted's own logs HEAD requests and describes itself for other methods."""
        request.setHeader(b"cache-control", b"no-store")
        request.setHeader(b"x-content-type-options", b"nosniff")
        if request.method not in (b"GET", b"HEAD"):
            request.setHeader(b"allow", b"GET, HEAD")
            return text(request, 405, "only GET and HEAD are served")
        if request.postpath:
            return text(request, *NOT_FOUND)
        return self.answer(request)

    def answer(self, request: Any) -> Any:
        """:return: see `IResource.render`."""
        raise NotImplementedError


def text(request: Any, status: int, line: str) -> bytes:
    """:return: the body of an answer of one line, whose status and fields are set."""
    body = f"{line}\n".encode()
    request.setResponseCode(status, HTTPStatus(status).phrase.encode("ascii"))
    request.setHeader(b"content-type", b"text/plain; charset=utf-8")
    request.setHeader(b"content-length", b"%d" % len(body))
    return b"" if request.method == b"HEAD" else body
