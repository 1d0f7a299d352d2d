"""
The compression of responses: what the section ``compression`` of the configuration says, and
``gzip-*`` and ``brotli-*`` of ingress-nginx's ConfigMap.
"""

from __future__ import annotations

from typing import Final

from ingress.frozen import dataclass
from ingress.linear_pattern import LinearPattern

_TYPES: Final = """
    application/atom+xml application/javascript application/json application/rss+xml
    application/vnd.ms-fontobject application/wasm application/x-font-ttf application/x-javascript
    application/x-web-app-manifest+json application/xhtml+xml application/xml font/opentype
    image/svg+xml image/x-icon text/css text/html text/javascript text/plain text/x-component
"""

DEFAULT_TYPES: Final = tuple(_TYPES.split())
"""ingress-nginx's list, with ``application/wasm``."""


@dataclass(frozen=True, slots=True)
class CodingSettings:
    """One way to compress."""

    enabled: bool = False
    level: int = 1
    min_length: int = 256
    """Bytes below which a response of known length stays as it is."""

    types: tuple[str, ...] = DEFAULT_TYPES
    """Media types in lower case, ``*`` for all; ``text/html`` is always among them."""


@dataclass(frozen=True, slots=True)
class CompressionSettings:
    """All ways to compress; none is on by default, as in ingress-nginx."""

    gzip: CodingSettings = CodingSettings()
    brotli: CodingSettings = CodingSettings(level=4, min_length=20)
    zstd: CodingSettings = CodingSettings(level=3)

    memory: int = 256 << 20
    """
    The most bytes that all responses under way may need for it in a process. Beyond them responses
    are sent as they are.
    """

    disabled_for: LinearPattern | None = None
    """Clients whose User-Agent matches get nothing compressed (``gzip-disable``)."""
