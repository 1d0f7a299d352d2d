"""
``limits.store``: the server in which all replicas count together.
"""

from __future__ import annotations

from dataclasses import field
from urllib.parse import SplitResult, unquote, urlsplit

from ingress.frozen import dataclass

_MOST_DATABASES = 1 << 16

LEASE = 15.0
"""Seconds: the default of `LimitStore.lease`."""


@dataclass(frozen=True, slots=True)
class LimitStore:
    """A server that speaks the protocol of Redis: Redis, Valkey and others."""

    host: str
    port: int = 6379
    database: int = 0
    user: str = ""
    password: str = field(default="", repr=False)
    is_secure: bool = False
    """Whether TLS is spoken; the certificate is verified for the host."""

    lease: float = LEASE
    """Seconds for which requests in progress count that nobody speaks for any more."""

    authorities: bytes | None = field(default=None, repr=False)
    """The certificates (PEM) of the authorities to trust; None for those of the system."""

    def __str__(self) -> str:
        """Its address, without credentials."""
        scheme = "rediss" if self.is_secure else "redis"
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{scheme}://{host}:{self.port}/{self.database}"


def parse_store(text: str) -> LimitStore | None:
    """
    :param text: ``redis://[USER:PASSWORD@]HOST[:PORT][/DATABASE]``, or with ``rediss``.
    :return: None for anything else.
    """
    try:
        return _parsed(urlsplit(text))
    except ValueError:
        return None


def _parsed(url: SplitResult) -> LimitStore | None:
    """:raises ValueError: for a port that is none."""
    database = url.path.removeprefix("/") or "0"
    has_database = database.isascii() and database.isdigit() and int(database) < _MOST_DATABASES
    is_url = url.scheme in ("redis", "rediss") and not (url.query or url.fragment)
    if not (is_url and url.hostname and has_database):
        return None
    return LimitStore(
        url.hostname,
        url.port or 6379,
        int(database),
        unquote(url.username or ""),
        unquote(url.password or ""),
        url.scheme == "rediss",
    )
