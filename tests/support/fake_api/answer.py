"""
Writes answers: their fields, their encoding, their form.
"""

from __future__ import annotations

import gzip
import uuid
from typing import Any

from tests.support.fake_api.disturbance import Fault
from tests.support.fake_api.kind import Document, Kind
from tests.support.fake_api.listing import Page
from tests.support.fake_api.status import PHRASES, StatusError
from tests.support.fake_api.table import make_table
from tests.support.fake_api.watch import encode

COMPRESSED_FROM = 128 * 1024
"""The size in bytes from which the real server compresses, if the client accepts that."""

WARNINGS = {
    "endpoints": '299 - "v1 Endpoints is deprecated in v1.33+; use discovery.k8s.io/v1 EndpointSlice"'
}


def begin_answer(request: Any, code: int, content_type: str = "application/json") -> None:
    """Set the fields that every answer has."""
    request.setResponseCode(code, PHRASES.get(code))
    headers = request.responseHeaders
    headers.removeHeader(b"server")
    headers.setRawHeaders(b"audit-id", [str(uuid.uuid4()).encode()])
    headers.setRawHeaders(b"cache-control", [b"no-cache, private"])
    headers.setRawHeaders(b"content-type", [content_type.encode()])


def warn(request: Any, kind: Kind) -> None:
    """Add the real server's warning about a deprecated kind."""
    if not kind.group and kind.plural in WARNINGS:
        request.responseHeaders.setRawHeaders(b"warning", [WARNINGS[kind.plural].encode()])


def answer(
    request: Any, code: int, document: Document, content_type: str = "application/json"
) -> None:
    """Answer with JSON."""
    begin_answer(request, code, content_type)
    body = encode(document)
    accepted = request.getHeader("accept-encoding") or ""
    if len(body) > COMPRESSED_FROM and "gzip" in accepted:
        body = gzip.compress(body, 1)
        request.responseHeaders.setRawHeaders(b"content-encoding", [b"gzip"])
    _finish(request, body)


def refuse(request: Any, error: StatusError) -> None:
    """Answer with a ``Status``."""
    if error.retry_after is not None:
        request.setHeader("retry-after", str(error.retry_after))
    if error.code == 403:
        request.setHeader("x-content-type-options", "nosniff")
    answer(request, error.code, error.document())


def fail(request: Any, fault: Fault) -> None:
    """Answer with a fault."""
    error = fault.to_error()
    if not fault.is_plain:
        refuse(request, error)
        return
    if fault.retry_after is not None:
        request.setHeader("retry-after", str(fault.retry_after))
    begin_answer(request, fault.code, "text/plain; charset=utf-8")
    _finish(request, f"{error.message}\n".encode())


def wants_table(request: Any) -> bool:
    """Return whether the request asks for a table, as ``kubectl get`` does."""
    return "as=Table" in (request.getHeader("accept") or "")


def answer_object(request: Any, code: int, kind: Kind, document: Document, now: float) -> None:
    if wants_table(request):
        metadata = {"resourceVersion": document["metadata"]["resourceVersion"]}
        answer(request, code, make_table(kind, [document], metadata, now))
    else:
        answer(request, code, kind.named(document))


def answer_list(request: Any, kind: Kind, page: Page, now: float) -> None:
    if wants_table(request):
        answer(request, 200, make_table(kind, page.items, page.metadata, now))
        return
    head = {"kind": f"{kind.name}List", "apiVersion": kind.api_version}
    answer(request, 200, {**head, "metadata": page.metadata, "items": page.items})


def _finish(request: Any, body: bytes) -> None:
    request.setHeader("content-length", str(len(body)))
    if request.method != b"HEAD":
        request.write(body)
    request.finish()
