"""
The frame of every page: its head, the navigation and the search.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import UTC, datetime
from typing import Final

from ingress.admin.html.assets import VERSION
from ingress.admin.html.markup import Child, Markup, tag

PACE: Final = 5
"""Seconds between two looks at the traffic; what changes otherwise is shown at once."""

_PLACES: Final = (
    ("/", "Overview"),
    ("/routes", "Routes"),
    ("/endpoints", "Endpoints"),
    ("/rates", "Rates"),
    ("/exchanges", "Exchanges"),
    ("/problems", "Problems"),
    ("/certificates", "Certificates"),
    ("/ports", "Ports"),
    ("/changes", "Changes"),
)

_PLACEHOLDER: Final = "A URL, host, path or Service"
_LABEL: Final = "A URL to explain, or a part of a host, path or Service to find"


def document(
    place: str, title: str, content: Iterable[Markup], *, q: str | None = "", pace: int = PACE
) -> Iterator[bytes]:
    """
    :param place: the path of the page.
    :param content: what the page shows, in pieces that each take a millisecond at most.
    :param q: what the search field has; None leaves the search out.
    :param pace: the seconds after which the page follows the traffic.
    :return: the page.
    """
    as_of = f"{datetime.now(UTC):%H:%M:%S} UTC"
    yield b"<!DOCTYPE html>\n"
    yield f'<html lang="en" data-version="{VERSION}" data-pace="{pace}">'.encode()
    yield _head(title).encode()
    yield f'<body>{_bar(place, as_of)}{_note()}<main id="main" tabindex="-1">'.encode()
    if q is not None:
        yield _search(q).encode()
    for piece in content:
        yield piece.encode()
    yield b"</main></body></html>\n"


def panel(name: str, title: str, *content: Child, note: Child = None, more: Child = None) -> Markup:
    """
    :param name: identifies the panel in the page.
    :param note: a few words beside the title.
    :param more: a link at the end of the line.
    :return: a part of a page under a heading.
    """
    heading = tag("h2", title, id=f"{name}-title")
    beside = [] if note is None else [tag("span", note, class_="muted")]
    after = [] if more is None else [tag("span", more, class_="more")]
    return tag(
        "section",
        tag("header", heading, beside, after),
        *content,
        id=name,
        class_="panel",
        aria_labelledby=f"{name}-title",
    )


def _head(title: str) -> Markup:
    return tag(
        "head",
        tag("meta", charset="utf-8"),
        tag("meta", name="viewport", content="width=device-width, initial-scale=1"),
        tag("meta", name="color-scheme", content="light dark"),
        tag("title", f"{title} · txingress"),
        tag("link", rel="icon", type="image/svg+xml", href="/assets/icon.svg"),
        tag("link", rel="stylesheet", href="/assets/page.css"),
        tag("script", type="module", src="/assets/page.js"),
    )


def _bar(place: str, as_of: str) -> Markup:
    brand = tag(
        "a",
        tag("img", src="/assets/icon.svg", alt="", width=20, height=20),
        "txingress",
        class_="brand",
        href="/",
    )
    places = [
        tag("li", tag("a", name, href=path, aria_current="page" if path == place else None))
        for path, name in _PLACES
    ]
    return tag(
        "header",
        tag("a", "Skip to the content", class_="skip", href="#main"),
        brand,
        tag("nav", tag("ul", places), aria_label="Pages"),
        tag("span", f"as of {as_of}", id="live", class_="live"),
        tag("button", "Pause", type="button", id="pause", hidden=True),
        class_="bar",
    )


def _note() -> Markup:
    """:return: where scripts say why the page is not live; without them it is empty."""
    return tag("p", id="note", class_="banner", role="status", hidden=True)


def _search(q: str) -> Markup:
    field = tag(
        "input",
        name="q",
        type="search",
        id="q",
        value=q,
        placeholder=_PLACEHOLDER,
        aria_label=_LABEL,
        autocomplete="off",
        autocapitalize="off",
        spellcheck="false",
        maxlength=4096,
    )
    return tag(
        "form",
        field,
        tag("button", "Search", type="submit", class_="primary"),
        role="search",
        class_="search",
        action="/",
        method="get",
    )
