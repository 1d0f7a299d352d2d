"""
How endpoints read paths that can be read in several ways.

Each row is what is publicly known of a server or framework in its usual configuration: its
documentation, its source, or an advisory about it. Versions and settings differ, so a row is an
example of a way to read, not a statement about every installation. A row that names `measured_by`
is compared with the real thing by the tests.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from urllib.parse import unquote_to_bytes

Step = Callable[[bytes], "bytes | None"]
"""A step of reading a path; None where the endpoint refuses it."""


def decode(path: bytes) -> bytes:
    """Decodes every escape, ``%2F`` too."""
    return unquote_to_bytes(path)


def decode_but_slash(path: bytes) -> bytes:
    """Decodes every escape but ``%2F``."""
    return b"%2F".join(unquote_to_bytes(part) for part in re.split(rb"%2[Ff]", path))


def reject_escaped_slash(path: bytes) -> bytes | None:
    """Refuses ``%2F``."""
    return None if re.search(rb"%2[Ff]", path) else path


def reject_backslash(path: bytes) -> bytes | None:
    """Refuses a backslash, escaped or not."""
    return None if re.search(rb"\\|%5[Cc]", path) else path


def backslashes(path: bytes) -> bytes:
    """Takes a backslash for a slash."""
    return path.replace(b"\\", b"/")


def cut_parameters(path: bytes) -> bytes:
    """Cuts ``;...`` from each segment."""
    return re.sub(rb";[^/]*", b"", path)


def cut_authority(path: bytes) -> bytes:
    """Takes what follows two slashes for the authority of a URL, as a relative reference has it."""
    match = re.match(rb"//[^/]*(/.*)?", path)
    return path if match is None else match[1] or b"/"


def merge_slashes(path: bytes) -> bytes:
    """Merges runs of slashes."""
    return re.sub(rb"/{2,}", b"/", path)


def resolve_dots(path: bytes) -> bytes:
    """Resolves dot segments, and stays at the root (RFC 3986 section 5.2.4)."""
    resolved: list[bytes] = []
    segments = path.split(b"/")[1:]
    for segment in segments:
        if segment == b"..":
            del resolved[-1:]
        elif segment != b".":
            resolved.append(segment)
    if segments[-1:] in ([b"."], [b".."]):
        resolved.append(b"")
    return b"/" + b"/".join(resolved)


def resolve_escaped_dots(path: bytes) -> bytes:
    """The same, escaped or not, and decodes nothing else (the URL standard of the WHATWG)."""
    parts = path.split(b"/")
    return resolve_dots(
        b"/".join(
            re.sub(rb"%2[Ee]", b".", part) if re.fullmatch(rb"(?:\.|%2[Ee]){1,2}", part) else part
            for part in parts
        )
    )


@dataclass(frozen=True)
class Backend:
    """An endpoint, and the steps in which it reads a path before it routes or finds a file."""

    name: str
    steps: tuple[Step, ...]
    measured_by: str = ""

    def read(self, path: bytes) -> bytes | None:
        """
        :param path: as it comes in the target.
        :return: the path that it acts on; None where it refuses the request.
        """
        current: bytes | None = path
        for step in self.steps:
            if current is None:
                break
            current = step(current)
        return current


_FILES: tuple[Step, ...] = (decode, merge_slashes, resolve_dots)

BACKENDS = (
    Backend("nginx, files and locations", _FILES),
    Backend("Apache httpd 2.4", (reject_escaped_slash, *_FILES)),
    Backend("lighttpd 1.4", _FILES),
    Backend("Caddy 2, file_server", _FILES),
    Backend("Go, http.FileServer", _FILES),
    Backend("PHP, built-in server", _FILES),
    Backend("Python, http.server", _FILES, "http.server"),
    Backend("Python, Django on WSGI", (decode,)),
    Backend("Python, Flask (Werkzeug)", (decode, merge_slashes)),
    Backend("Python, Starlette and FastAPI", (decode,)),
    Backend("Python, Twisted's resources", (decode_but_slash,), "twisted.web"),
    Backend("node, Express", ()),
    Backend("node, Fastify 5", ()),
    Backend("node, new URL(request.url, base)", (backslashes, cut_authority, resolve_escaped_dots)),
    Backend("node, Fetch handlers (new Request)", (backslashes, resolve_escaped_dots)),
    Backend("Ruby, Rails", (merge_slashes,)),
    Backend("Ruby, Sinatra (rack-protection)", (decode, backslashes, merge_slashes, resolve_dots)),
    Backend("Java, Tomcat 10", (cut_parameters, reject_escaped_slash, reject_backslash, *_FILES)),
    Backend("Java, Jetty 9", (cut_parameters, *_FILES)),
    Backend(
        "Java, Undertow",
        (cut_parameters, decode_but_slash, backslashes, merge_slashes, resolve_dots),
    ),
    Backend("Java, Spring MVC (PathPattern)", (cut_parameters, decode_but_slash)),
    Backend(".NET, Kestrel", (decode_but_slash, resolve_dots)),
)

TO_ADMIN = (
    b"/admin",
    b"/admin/users/42/../../..",
    b"/admin/..",
    b"/admin/x/%2e%2e/%2e%2e/",
    b"/admin/../",
    b"/admin/./../x",
    b"/x/../admin",
    b"/x/%2E%2e/admin",
    b"/x/..;/admin",
    b"/x/..;a=b/admin",
    b"/x/.%2e;/admin",
    b"/;/admin",
    b"/;x/admin",
    b"/x;/../admin",
    b"/admin;x",
    b"/admin;/x",
    b"//admin",
    b"///admin",
    b"//x/admin",
    b"//x/../admin",
    b"/x//../admin",
    b"/.//admin",
    b"/./admin",
    b"/%2e/admin",
    b"/x\\..\\admin",
    b"/\\x/admin",
    b"/\\admin",
    b"/x/..\\admin",
    b"/x%5C..%5Cadmin",
    b"/x%5c..%5cadmin",
    b"/x/..%5cadmin",
    b"/%5Cadmin",
    b"/x%2F..%2Fadmin",
    b"/x%2f..%2fadmin",
    b"/x/..%2Fadmin",
    b"/x/%2e%2e%2fadmin",
    b"/%2Fadmin",
    b"/%2F/admin",
    b"/x;%2F..%2Fadmin",
    b"/x;%2F..%2F..%2Fadmin",
    b"/x%5C..%2Fadmin",
    b"/admin%2Fx",
    b"/admin%5Cx",
    b"/admin%2F..",
    b"/admin;/..;x",
    b"/admin%2F%2F..",
    b"/admin%2f..%2f",
    b"/%61dmin",
    b"/%61dmin/%2e%2e",
)
"""Paths in which some endpoint reads ``/admin``, in the words of issues and of advisories."""

FROM_PUBLIC = (
    b"/public/../admin",
    b"/public/%2e%2e/admin",
    b"/public/..;/admin",
    b"/public/..;x=y/admin",
    b"/public/..%2Fadmin",
    b"/public/%2e%2e%2fadmin",
    b"/public/..%5Cadmin",
    b"/public/..\\admin",
    b"/public/x%2F..%2F..%2Fadmin",
    b"/public/x%5C..%5c..%5Cadmin",
    b"/public//../admin",
    b"/public/;/../../admin",
    b"/public/;%2F../../admin",
    b"/public/.%2e;%2Fx/admin",
    b"//public/../admin",
    b"//public/x/../../admin",
)
"""Paths that begin below ``/public`` for some reader, and in which some endpoint leaves it."""
