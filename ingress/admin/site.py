"""
The HTTP site of the admin listener.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from http import HTTPStatus
from io import BytesIO
from typing import Any

from twisted.internet.defer import CancelledError, Deferred
from twisted.logger import Logger
from twisted.python.failure import Failure
from twisted.web.http import Request
from twisted.web.iweb import IRequest
from twisted.web.resource import Resource
from twisted.web.server import NOT_DONE_YET, Site
from twisted.web.server import Request as SiteRequest

from ingress.admin.access_check import AccessCheck
from ingress.admin.page import Page, PageError, PageRequest
from ingress.admin.readiness import Readiness
from ingress.admin.streaming import Stream, compressed, takes_gzip

TIMEOUT = 60.0
"""Seconds that a client of the admin listener may be silent."""


_NO_PAGES: Mapping[str, Page] = {}


def make_admin_site(
    readiness: Readiness,
    reactor: Any,
    pages: Mapping[str, Page] = _NO_PAGES,
    access: AccessCheck | None = None,
) -> Site:
    """
    The factory of the admin listener.

    ``/healthz`` answers 200 as long as the process should live: 500 while it ends,
    as in ingress-nginx. ``/readyz`` answers 200, or 503 with one reason a line;
    notes follow.

    :param pages: by name, which is their path; the empty one is that of ``/``.
    :param access: decides who gets what.
    """

    def healthz() -> tuple[int, str]:
        return (500, "the process is ending") if readiness.is_ending else (200, "ok")

    def readyz() -> tuple[int, str]:
        reasons = readiness.reasons
        return 503 if reasons else 200, "\n".join([*(reasons or ("ok",)), *readiness.notes])

    root = _Root()  # type: ignore[no-untyped-call]
    root.putChild(b"healthz", _Check(healthz))
    root.putChild(b"readyz", _Check(readyz))
    for name, page in pages.items():
        root.putChild(name.encode(), _Paged(page, reactor))
    site = _AdminSite(root, reactor=reactor, timeout=TIMEOUT)  # type: ignore[no-untyped-call]
    site.access = access if access is not None else AccessCheck()
    return site


NOT_FOUND = (404, "not found")


class _Root(Resource):
    def getChild(self, path: bytes, request: IRequest) -> Resource:
        """IResource: the answer for every other path."""
        return _Check(lambda: NOT_FOUND)


class _AdminRequest(SiteRequest):
    """
    Drops the body, which no page uses. Twisted would keep it to its end, in a temporary
    file if it is large, without a limit.

    The response does not name the software.
    """

    def setHeader(self, name: Any, value: Any) -> None:
        """Request: sets a field, but for the Server field that Twisted sets first of all."""
        if name.lower() != b"server":
            super().setHeader(name, value)  # type: ignore[no-untyped-call]

    def gotLength(self, length: int | None) -> None:
        """HTTPChannel."""
        self.content = BytesIO()

    def handleContentChunk(self, data: bytes) -> None:
        """HTTPChannel: drops a piece of the body."""


class _AdminSite(Site):
    """
    Answers those who may ask, under our own names.

    It logs no requests: a line for each probe would hide all others.
    """

    noisy = False
    displayTracebacks = False
    requestFactory = _AdminRequest
    access: AccessCheck

    def getResourceFor(self, request: Any) -> Any:
        """Site: before any page is looked for, the client must be allowed to ask us."""
        fields = request.requestHeaders
        refusal = self.access.refusal(
            request.path,
            fields.getRawHeaders(b"host", ()),
            fields.getRawHeaders(b"origin", ()),
            getattr(request.getHost(), "host", ""),
            getattr(request.getClientAddress(), "host", ""),
        )
        if refusal is not None:
            return _Refusal(*refusal)
        return super().getResourceFor(request)  # type: ignore[no-untyped-call]

    def log(self, request: Request) -> None:
        """HTTPFactory."""


class _Leaf(Resource):
    """Serves GET and HEAD, for its own path alone."""

    isLeaf = True

    def render(self, request: Any) -> Any:
        """IResource. Twisted's own logs HEAD requests and describes itself for other methods."""
        request.setHeader(b"cache-control", b"no-store")
        request.setHeader(b"x-content-type-options", b"nosniff")
        if request.method not in (b"GET", b"HEAD"):
            request.setHeader(b"allow", b"GET, HEAD")
            return _text(request, 405, "only GET and HEAD are served")
        if request.postpath:
            return _text(request, *NOT_FOUND)
        return self.answer(request)

    def answer(self, request: Any) -> Any:
        """:return: see `IResource.render`."""
        raise NotImplementedError


def _text(request: Any, status: int, text: str) -> bytes:
    body = f"{text}\n".encode()
    request.setResponseCode(status, HTTPStatus(status).phrase.encode("ascii"))
    request.setHeader(b"content-type", b"text/plain; charset=utf-8")
    request.setHeader(b"content-length", b"%d" % len(body))
    return b"" if request.method == b"HEAD" else body


class _Refusal(Resource):
    """Answers with a status and its reason, whatever the path."""

    isLeaf = True

    def __init__(self, status: int, reason: str) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self._status = status
        self._reason = reason

    def render(self, request: Any) -> Any:
        """IResource."""
        request.setHeader(b"cache-control", b"no-store")
        request.setHeader(b"x-content-type-options", b"nosniff")
        return _text(request, self._status, self._reason)


class _Check(_Leaf):
    """Answers with the status and the text that a function returns."""

    def __init__(self, check: Callable[[], tuple[int, str]]) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self._check = check

    def answer(self, request: Any) -> Any:
        return _text(request, *self._check())


class _Paged(_Leaf):
    """Answers with a page, in pieces."""

    log = Logger()

    def __init__(self, page: Page, reactor: Any) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self._page = page
        self._reactor = reactor

    def answer(self, request: Any) -> Any:
        answering = Deferred.fromCoroutine(self._answer(request))
        answering.addErrback(self._failed, request)
        request.notifyFinish().addErrback(lambda _: answering.cancel())
        return NOT_DONE_YET

    async def _answer(self, request: Any) -> None:
        query = self._page.read_query(request.args)
        content = await self._page.answer(PageRequest(query, request.getHeader(b"accept")))
        request.setHeader(b"content-type", content.media_type)
        request.setHeader(b"vary", b"Accept, Accept-Encoding")
        pieces = content.pieces
        if takes_gzip(request.getHeader(b"accept-encoding")):
            request.setHeader(b"content-encoding", b"gzip")
            pieces = compressed(pieces)
        if request.method == b"HEAD":
            request.finish()
        else:
            Stream(request, pieces, self._reactor).start()

    def _failed(self, failure: Failure, request: Any) -> None:
        error = failure.value
        if isinstance(error, CancelledError):
            return  # The client is gone.
        if isinstance(error, PageError):
            text = _text(request, error.status, str(error))
        else:
            self.log.failure("{path} cannot be served", failure, path=request.path)
            text = _text(request, 500, "internal error; the log has the details")
        request.write(text)
        request.finish()
