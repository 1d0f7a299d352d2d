"""
The files of the page: style, scripts and the icon.
"""

from __future__ import annotations

from collections.abc import Mapping
from hashlib import sha256
from importlib.resources import files
from typing import Final, NamedTuple

_TYPES: Final = {
    "icon.svg": b"image/svg+xml",
    "page.css": b"text/css; charset=utf-8",
    "page.js": b"text/javascript; charset=utf-8",
    "replace.js": b"text/javascript; charset=utf-8",
    "stream.js": b"text/javascript; charset=utf-8",
    "stream_worker.js": b"text/javascript; charset=utf-8",
}


class Asset(NamedTuple):
    """One file."""

    media_type: bytes
    content: bytes

    @property
    def tag(self) -> bytes:
        """The entity tag, which changes with the content."""
        return b'"%b"' % sha256(self.content).hexdigest()[:16].encode()


def _read() -> Mapping[str, Asset]:
    folder = files("ingress.admin.html") / "static"
    return {
        name: Asset(media_type, (folder / name).read_bytes()) for name, media_type in _TYPES.items()
    }


ASSETS: Final = _read()
"""The files by name; a few tens of kilobytes."""

VERSION: Final = sha256(b"".join(each.tag for each in ASSETS.values())).hexdigest()[:16]
"""Changes with any of them, so that a page that was loaded before an upgrade loads itself again."""
