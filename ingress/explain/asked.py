"""
The request that an explanation is asked for.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final
from urllib.parse import quote, urlsplit

from ingress.errors import IngressError

_TOKEN: Final = re.compile(r"[!#$%&'*+\-.^_`|~0-9A-Za-z]+")
_NOT_IN_VALUES: Final = re.compile(r"[\r\n\0]")
_PORTS: Final = {"http": 80, "https": 443}


class NotAsked(IngressError):
    """The request cannot be sent by any client; the message says why, and what is accepted."""


@dataclass(frozen=True, slots=True)
class Asked:
    """A request as a client would send it."""

    scheme: str
    authority: str
    """The host as it stands in the URL, with its port."""

    target: str
    method: str = "GET"
    fields: tuple[tuple[str, str], ...] = ()
    client: str = "127.0.0.1"
    """The address of the client's connection."""

    @property
    def url(self) -> str:
        """The URL."""
        return f"{self.scheme}://{self.authority}{self.target}"

    @property
    def is_secure(self) -> bool:
        """Whether the client comes over TLS."""
        return self.scheme == "https"

    @property
    def server_name(self) -> str:
        """The name that the client sends in the TLS handshake."""
        return urlsplit(self.url).hostname or ""

    def head(self) -> bytes:
        """The head as it goes over the wire."""
        lines = [f"{self.method} {self.target} HTTP/1.1"]
        if not any(name.lower() == "host" for name, _ in self.fields):
            lines.append(f"Host: {self.authority}")
        lines += [f"{name}: {value}" for name, value in self.fields]
        return "\r\n".join((*lines, "", "")).encode("utf-8", "surrogateescape")


def ask(
    url: str, method: str = "GET", fields: tuple[str, ...] = (), client: str = "127.0.0.1"
) -> Asked:
    """
    :param url: with the scheme http or https; without one it is http.
    :param fields: ``NAME: VALUE`` each.
    :raises NotAsked: if no client could send this.
    """
    if "://" not in url:
        url = f"http://{url}"
    try:
        parts = urlsplit(url)
        host, _ = parts.hostname, parts.port
    except ValueError as error:
        raise NotAsked(
            f"{url}: {error}; a URL such as https://shop.example/cart is accepted"
        ) from None
    if parts.scheme not in _PORTS or not host:
        raise NotAsked(f"{url}: a URL such as https://shop.example/cart is accepted")
    if not _TOKEN.fullmatch(method):
        raise NotAsked(f"{method}: the name of a method is accepted, such as GET or POST")
    # A browser escapes these; all else goes over the wire as it is written.
    path = quote(parts.path or "/", safe="/%:@!$&'()*+,;=~-._|\\^`{}[]\"<>")
    target = f"{path}?{quote(parts.query, safe=_QUERY)}" if parts.query else path
    authority = parts.netloc.rpartition("@")[2]
    return Asked(parts.scheme, authority, target, method, tuple(map(_field, fields)), client)


_QUERY: Final = "/?%:@!$&'()*+,;=~-._|\\^`{}[]\"<>"


def _field(written: str) -> tuple[str, str]:
    name, colon, value = written.partition(":")
    if not colon or not _TOKEN.fullmatch(name) or _NOT_IN_VALUES.search(value):
        raise NotAsked(f"{written!r}: NAME: VALUE is accepted, in one line")
    return name, value.strip()
