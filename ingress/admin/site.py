"""
The HTTP site of the admin listener.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from io import BytesIO
from typing import Any, Final

from twisted.internet.defer import CancelledError, Deferred
from twisted.logger import Logger
from twisted.python.failure import Failure
from twisted.web.http import HTTPChannel, Request
from twisted.web.iweb import IRequest
from twisted.web.resource import Resource
from twisted.web.server import NOT_DONE_YET, Site
from twisted.web.server import Request as SiteRequest

from ingress.admin.access_check import AccessCheck
from ingress.admin.leaf import NOT_FOUND, Leaf, text
from ingress.admin.live_stream import LiveStream
from ingress.admin.page import Content, LiveContent, Page, PageError, PageRequest
from ingress.admin.page_files import PageFiles
from ingress.admin.readiness import Readiness
from ingress.admin.shared_text import SharedText, Stream
from ingress.admin.streaming import takes_gzip
from ingress.admin.texts import FAILED, Texts
from ingress.admin.turns import Turns
from ingress.token_bucket import TokenBucket

TIMEOUT = 60.0
"""Seconds that a client of the admin listener may be silent."""

RATE: Final = 20
"""
Requests a second, and at once, of one connection, which ends with the last one of them. Whoever
sends more at a time than he waits for would keep the process from all else.
"""

_NO_PAGES: Mapping[str, Page] = {}


def make_admin_site(
    readiness: Readiness,
    turns: Turns,
    pages: Mapping[str, Page] = _NO_PAGES,
    access: AccessCheck | None = None,
    health_path: str = "",
) -> Site:
    """
    The factory of the admin listener.

    ``/healthz`` answers 200 as long as the process should live: 500 while it ends,
    as in ingress-nginx. ``/readyz`` answers 200, or 503 with one reason a line;
    notes follow.

    :param turns: those of long work; the clock of the site.
    :param pages: by name, which is their path; the empty one is that of ``/``.
    :param access: decides who gets what.
    :param health_path: a path that answers 200 while the process serves, and 500 before it does and
        while it ends: for Deployments with one path for all probes. Empty for none.
    """

    def healthz() -> tuple[int, str]:
        return (500, "the process is ending") if readiness.is_ending else (200, "ok")

    def readyz() -> tuple[int, str]:
        reasons = readiness.reasons
        return 503 if reasons else 200, "\n".join([*(reasons or ("ok",)), *readiness.notes])

    def health() -> tuple[int, str]:
        reasons = readiness.reasons
        return (500, "\n".join(reasons)) if reasons else (200, "ok")

    root = _Root(health_path.encode(), _Check(health))
    root.putChild(b"healthz", _Check(healthz))
    root.putChild(b"readyz", _Check(readyz))
    texts = Texts(turns)
    for name, page in pages.items():
        root.putChild(name.encode(), _Paged(name, page, texts, turns))
    root.putChild(b"assets", PageFiles())  # type: ignore[no-untyped-call]
    site = _AdminSite(root, reactor=turns, timeout=TIMEOUT)  # type: ignore[no-untyped-call]
    site.access = access if access is not None else AccessCheck()
    return site


class _Root(Resource):
    def __init__(self, health_path: bytes, health: Resource) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self._health_path = health_path
        self._health = health

    def getChildWithDefault(self, path: bytes, request: Any) -> Resource:
        """IResource: the path of health goes before those that are there anyway."""
        if self._health_path and request.path == self._health_path:
            request.postpath.clear()
            return self._health
        child: Resource = super().getChildWithDefault(path, request)  # type: ignore[no-untyped-call]
        return child

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


class _AdminChannel(HTTPChannel):
    """A connection, which does not take as many requests as a client can write."""

    site: Any

    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self._bucket = TokenBucket(RATE, RATE - 1)

    def checkPersistence(self, request: Any, version: bytes) -> bool:
        """HTTPChannel: whether another request may follow."""
        persists: bool = super().checkPersistence(request, version)  # type: ignore[no-untyped-call]
        if persists and self._bucket.take(self.site.reactor.seconds()) > 0:
            request.responseHeaders.setRawHeaders(b"connection", [b"close"])
            return False
        return persists


class _AdminSite(Site):
    """
    Answers those who may ask, under our own names.

    It logs no requests: a line for each probe would hide all others.
    """

    noisy = False
    displayTracebacks = False
    requestFactory = _AdminRequest
    protocol = _AdminChannel  # type: ignore[assignment]
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
        return text(request, self._status, self._reason)


class _Check(Leaf):
    """Answers with the status and the text that a function returns."""

    def __init__(self, check: Callable[[], tuple[int, str]]) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self._check = check

    def answer(self, request: Any) -> Any:
        return text(request, *self._check())


class _Paged(Leaf):
    """Answers with a page, in pieces."""

    log = Logger()

    def __init__(self, name: str, page: Page, texts: Texts, turns: Turns) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self._name = name
        self._page = page
        self._texts = texts
        self._turns: Any = turns

    def answer(self, request: Any) -> Any:
        answering = Deferred.fromCoroutine(self._answer(request))
        answering.addErrback(self._failed, request)
        request.notifyFinish().addErrback(lambda _: answering.cancel())
        return NOT_DONE_YET

    async def _answer(self, request: Any) -> None:
        query = self._page.read_query(request.args)
        asked = PageRequest(query, request.getHeader(b"accept"))
        is_compressed = takes_gzip(request.getHeader(b"accept-encoding"))
        begin = partial(self._begin, request, is_compressed)
        await self._texts.answer(self._name, self._page, asked, is_compressed, begin)

    def _begin(
        self,
        request: Any,
        is_compressed: bool,
        content: Content | LiveContent,
        shared: SharedText | None,
    ) -> None:
        request.setHeader(b"content-type", content.media_type)
        request.setHeader(b"vary", b"Accept, Accept-Encoding")
        if isinstance(content, LiveContent):
            # A page that is left open is a page that is read: compressing would delay it.
            request.setHeader(b"x-accel-buffering", b"no")
            if request.method == b"HEAD":
                content.ended()
                request.finish()
            else:
                LiveStream(request, content, self._turns).start()
            return
        for field in content.fields:
            request.setHeader(*field)
        if is_compressed:
            request.setHeader(b"content-encoding", b"gzip")
        if request.method == b"HEAD" or shared is None:
            request.finish()
        else:
            Stream(request, shared, self._turns).start()

    def _failed(self, failure: Failure, request: Any) -> None:
        error = failure.value
        if isinstance(error, CancelledError):
            return  # The client is gone.
        if isinstance(error, PageError):
            body = text(request, error.status, str(error))
        else:
            self.log.failure("{path} cannot be served", failure, path=request.path)
            body = text(request, 500, FAILED)
        request.write(body)
        request.finish()
