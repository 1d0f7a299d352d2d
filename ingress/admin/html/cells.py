"""
What stands in many places of the pages: states, objects with their files, times.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any, Final

from ingress.admin.html.markup import Child, Markup, join, link, tag
from ingress.admin.html.words import NOTHING, moment, span

SOON: Final = 21
"""Days before the end of a certificate from which on it is pointed out."""

_KINDS: Final = {"ok": "ok", "failing": "bad", "ejected": "bad", "draining": "idle"}

GOOD_OUTCOMES: Final = frozenset({"ok", "redirected", "answered", "preflight"})


def state(word: str) -> Markup:
    """:return: the state of an endpoint, in a word, a form and a colour."""
    return tag("span", word, class_=f"state {_KINDS.get(word, 'warn')}")


def code(written: str | None, *, is_cut: bool = False) -> Markup | None:
    """:param is_cut: whether it stays on one line; the whole of it is shown on hovering."""
    if written is None:
        return None
    if is_cut:
        return tag("code", written, class_="cut", title=written)
    return tag("code", written)


def place(row: Mapping[str, Any]) -> str:
    """:return: ``FILE:LINE``, as far as it is known."""
    file, line = row.get("file"), row.get("line")
    return "" if not file else f"{file}:{line}" if line else str(file)


def since(written: str | None, now: datetime) -> Child:
    """:return: how long something has been so."""
    then = moment(written)
    if then is None:
        return NOTHING
    return tag("time", span((now - then).total_seconds()), datetime=written, title=written)


def clock(written: str | None) -> Child:
    """:return: the time of day."""
    then = moment(written)
    if then is None:
        return NOTHING
    return tag("time", f"{then:%H:%M:%S}", datetime=written, title=written)


def explained(host: str, path: str, *content: Child, is_secure: bool = False) -> Markup:
    """:return: a link to the explanation of a URL."""
    scheme = "https" if is_secure else "http"
    return tag("a", *content, href=link("/", q=f"{scheme}://{host}{path}"))


def expiry(days: int) -> Markup:
    """:return: how long a certificate is valid, in words."""
    if days < 0:
        return tag("span", "expired", class_="state bad")
    words = f"{days} days" if days != 1 else "1 day"
    return tag("span", words, class_=f"state {'ok' if days > SOON else 'warn'}")


def status(number: int | None) -> Markup:
    """:return: the status of a response."""
    if not number:
        return tag("span", NOTHING, class_="badge")
    kind = "bad" if number >= 500 else "warn" if number >= 400 else "ok"
    return tag("span", number, class_=f"badge {kind}")


def lines(*content: Child) -> Markup:
    """:return: the first one, and the others as notes below it."""
    first, *others = content
    return join(first, [tag("span", each, class_="note") for each in others if each])


def outcome(word: str, detail: str | None) -> Markup:
    """:return: how an exchange ended, and why."""
    kind = "ok" if word in GOOD_OUTCOMES else "bad"
    reason = tag("span", detail, class_="note") if detail else None
    return join(tag("span", word, class_=f"state {kind}"), reason)
