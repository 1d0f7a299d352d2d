"""
A resource of the admin listener: a value, which is shown as JSON or as HTML.

The value is made in one place and knows nothing of its forms. The field Accept chooses the
form: JSON unless the client prefers HTML, as browsers do.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Coroutine, Iterator, Mapping, Sequence
from typing import Any, Final, NamedTuple

from ingress.admin.html.fields import FIELDS
from ingress.admin.negotiation import choose_type
from ingress.admin.page import Content, LiveContent, Page, PageRequest, Query

JSON: Final = "application/json"
HTML: Final = "text/html"
JSON_LINES: Final = "application/x-ndjson"
EVENTS: Final = "text/event-stream"

_HTML_TYPE: Final = b"text/html; charset=utf-8"

Value = Mapping[str, Any]
"""Plain values, as `json.dumps` takes them."""

Render = Callable[[Value, Query], Iterator[bytes]]
"""Makes HTML of a value and of the query that it answers; in pieces, as `Stream` takes them."""


Next = Callable[[], Coroutine[Any, Any, Sequence[Value]]]
"""Reads what is new since it was called last, the oldest first."""


class Resource(NamedTuple):
    """One resource."""

    read: Callable[[Query], Coroutine[Any, Any, Value]]
    parameters: frozenset[str] = frozenset()
    repeatable: frozenset[str] = frozenset()
    """Those of the parameters that may be given more than once."""

    follow: Callable[[Query], Next | None] = lambda query: None
    """For a query that asks for what comes from now on; None for one that asks for what is."""


def resource_page(
    resource: Resource, render: Render | None = None, revision: Callable[[], str] = str
) -> Page:
    """
    :param render: for HTML; without it there is JSON alone.
    :param revision: tells what the page shows from what it would show later.
    :return: the page of a resource.
    """
    offered = [JSON] if render is None else [JSON, HTML]

    async def answer(request: PageRequest) -> Content | LiveContent:
        following = resource.follow(request.query)
        if following is not None:
            return live_content(following, choose_type(request.accept, [JSON_LINES, EVENTS]))
        # Before the value is read: a page may say too early that it is old, never too late.
        shown = (b"x-revision", revision().encode("ascii"))
        value = await resource.read(request.query)
        if render is not None and choose_type(request.accept, offered) == HTML:
            return Content(_HTML_TYPE, render(value, request.query), (*FIELDS, shown))
        return Content(JSON.encode(), json_pieces(value))

    def is_live(query: Query) -> bool:
        return resource.follow(query) is not None

    return Page(answer, resource.parameters, resource.repeatable, tuple(offered), is_live)


def live_content(following: Next, media_type: str) -> LiveContent:
    """
    :param media_type: `JSON_LINES`, or `EVENTS` (Server-Sent Events).
    :return: the values as they come, one a line.
    """
    begin, end = (b"data: ", b"\n\n") if media_type == EVENTS else (b"", b"\n")

    async def make_next() -> bytes:
        return b"".join(begin + _encoded(value) + end for value in await following())

    return LiveContent(media_type.encode(), make_next, b":\n\n" if media_type == EVENTS else b"\n")


def json_pieces(value: Value) -> Iterator[bytes]:
    """:return: a value as JSON in ASCII; its lists, which may be long, entry by entry."""
    separator = b"{"
    for name, item in value.items():
        yield separator + _encoded(name) + b":"
        separator = b",\n"
        if not isinstance(item, list):
            yield _encoded(item)
            continue
        between = b"["
        for entry in item:
            yield between + _encoded(entry)
            between = b",\n"
        yield b"]" if item else b"[]"
    yield b"}\n" if value else b"{}\n"


def _encoded(value: object) -> bytes:
    # A lone surrogate, which the path of a rule may have, has no UTF-8 encoding.
    return json.dumps(value, separators=(",", ":")).encode("ascii")
