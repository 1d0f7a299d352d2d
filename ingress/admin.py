"""
The admin listener: ``/healthz`` and ``/readyz`` for probes.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from twisted.web.http import Request
from twisted.web.iweb import IRequest
from twisted.web.resource import Resource
from twisted.web.server import Site

TIMEOUT = 60.0
"""Seconds that a client of the admin listener may be silent."""


class Readiness:
    """
    Why the process should get no traffic; it is ready where there is no reason.

    :param reasons: those that it begins with, each a short text by its name.
    """

    def __init__(self, **reasons: str) -> None:
        self._reasons = dict(reasons)
        self.is_ending = False
        """Whether the process is about to end; then it is not healthy either."""

    def __repr__(self) -> str:
        return f"<Readiness {', '.join(self._reasons) or 'ready'}>"

    @property
    def reasons(self) -> tuple[str, ...]:
        """In the order in which they arose; empty where the process is ready."""
        return tuple(self._reasons.values())

    def add(self, name: str, reason: str) -> None:
        """
        :param name: what `clear` takes; a reason of the same name is replaced.
        :param reason: a line for whoever asks.
        """
        self._reasons[name] = reason

    def clear(self, name: str) -> None:
        """The reason holds no more; it need not have been there."""
        self._reasons.pop(name, None)


def make_admin_site(readiness: Readiness, reactor: Any) -> Site:
    """
    The factory of the admin listener.

    ``/healthz`` answers 200 as long as the process should live: 500 while it ends,
    as with ingress-nginx. ``/readyz`` answers 200, or 503 with a reason a line.
    """

    def healthz() -> tuple[int, str]:
        return (500, "the process is ending") if readiness.is_ending else (200, "ok")

    def readyz() -> tuple[int, str]:
        reasons = readiness.reasons
        return (503, "\n".join(reasons)) if reasons else (200, "ok")

    root = _Root()  # type: ignore[no-untyped-call]
    root.putChild(b"healthz", _Check(healthz))
    root.putChild(b"readyz", _Check(readyz))
    return _QuietSite(root, reactor=reactor, timeout=TIMEOUT)  # type: ignore[no-untyped-call]


NOT_FOUND = (404, "not found")


class _Root(Resource):
    def getChild(self, path: bytes, request: IRequest) -> Resource:
        """IResource: every path that has no resource of its own."""
        return _Check(lambda: NOT_FOUND)


class _QuietSite(Site):
    """Probes come every few seconds: a line for each would hide all others."""

    noisy = False
    displayTracebacks = False

    def log(self, request: Request) -> None:
        """HTTPFactory."""


class _Check(Resource):
    """Answers with a status and a text that are asked for each time."""

    isLeaf = True

    def __init__(self, check: Callable[[], tuple[int, str]]) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self._check = check

    def render(self, request: Any) -> bytes:
        """IResource. Twisted's own would log each HEAD, and warn of itself at other methods."""
        if request.method not in (b"GET", b"HEAD"):
            request.setHeader(b"allow", b"GET, HEAD")
            status, text = 405, "only GET and HEAD are served"
        else:
            status, text = NOT_FOUND if request.postpath else self._check()
        body = f"{text}\n".encode()
        request.setResponseCode(status)
        request.setHeader(b"content-type", b"text/plain; charset=utf-8")
        request.setHeader(b"cache-control", b"no-store")
        request.setHeader(b"content-length", b"%d" % len(body))
        return b"" if request.method == b"HEAD" else body
