"""
Error pages of the operator's own: the bodies of errors, by status and form.

The pages are values, read from a folder by the control plane: whoever serves them opens no file.
Nothing in them is interpreted.
"""

from __future__ import annotations

import os
import re
import stat
from collections.abc import Mapping
from dataclasses import field
from pathlib import Path
from typing import Final

from ingress.answer import preferred_form
from ingress.errors import IngressError
from ingress.frozen import dataclass

MAX_PAGE: Final = 256 * 1024
"""Bytes of one page."""

MAX_PAGES: Final = 2 * 1024 * 1024
"""Bytes of all pages together: each worker has a copy, and every change is sent to it."""

_NAME: Final = re.compile(r"([45](?:[0-9]{2}|xx))\.(html|json|txt)")

_FORMS: Final = {"html": "text/html", "json": "application/json", "txt": "text/plain"}
"""What Accept may ask for, by the ending of a file."""

_MEDIA_TYPES: Final = {
    "text/html": b"text/html; charset=utf-8",
    "application/json": b"application/json",
    "text/plain": b"text/plain; charset=utf-8",
}
"""The Content-Type of each form, in the order in which one that nobody asked for is chosen."""


class PagesRefused(IngressError):
    """The folder cannot be used; the message says what is accepted."""


@dataclass(frozen=True, slots=True)
class ErrorPages:
    """All pages."""

    folder: Path | None = None
    pages: Mapping[str, Mapping[str, bytes]] = field(default_factory=dict, repr=False)
    """The bodies by status (``404``, or ``4xx`` for all others of a class) and media type."""

    def __bool__(self) -> bool:
        """Whether there is any page."""
        return bool(self.pages)

    def has(self, status: int) -> bool:
        """Whether there is a page for a status."""
        return any(name in self.pages for name in _names(status))

    def find(self, status: int, accept: bytes | None) -> tuple[bytes, bytes] | None:
        """
        Find the page for an error: that of its status, or else of its class, in the form that the
        client prefers; in another form if there is none.

        :param accept: the client's Accept field, if any.
        :return: the media type and the body; None if there is no page.
        """
        named = [self.pages[each] for each in _names(status) if each in self.pages]
        if not named:
            return None
        form = preferred_form(accept)
        for bodies in named:
            if form in bodies:
                return _MEDIA_TYPES[form], bodies[form]
        bodies = named[0]
        other = next(each for each in _MEDIA_TYPES if each in bodies)
        return _MEDIA_TYPES[other], bodies[other]


NO_PAGES: Final = ErrorPages()


def _names(status: int) -> tuple[str, str]:
    """Return the names of the pages for a status, the better one first."""
    return str(status), f"{status // 100}xx"


def read_pages(folder: Path) -> ErrorPages:
    """
    Read the pages of a folder: ``404.html``, ``404.json``, ``404.txt``, ``5xx.html``. Hidden files
    are skipped, because Kubernetes mounts a ConfigMap with some.

    :raises PagesRefused: if the folder cannot be read, or has something else or too much in it.
    """
    pages: dict[str, dict[str, bytes]] = {}
    total = 0
    try:
        for name in sorted(os.listdir(folder)):
            if name.startswith("."):
                continue
            match = _NAME.fullmatch(name)
            if match is None:
                raise PagesRefused(
                    "a folder of files such as 404.html, 404.json, 404.txt and 5xx.html; "
                    f"{name} is none of these"
                )
            body = _read(folder / name)
            total += len(body)
            if total > MAX_PAGES:
                raise PagesRefused(f"a folder of at most {MAX_PAGES} bytes of pages")
            pages.setdefault(match[1], {})[_FORMS[match[2]]] = body
    except OSError as error:
        raise PagesRefused(f"a folder that can be read: {error.strerror or error}") from None
    return ErrorPages(folder, pages)


def _read(file: Path) -> bytes:
    if not stat.S_ISREG(os.stat(file).st_mode):
        raise PagesRefused(f"a folder of files; {file.name} is none")
    with file.open("rb") as opened:
        body = opened.read(MAX_PAGE + 1)
    if len(body) > MAX_PAGE:
        raise PagesRefused(f"pages of at most {MAX_PAGE} bytes; {file.name} is larger")
    return body
