"""
The one canonical form of a path, for matching and for access decisions.

Two spellings of a path that an endpoint may take for the same must meet the
same rule, or a rule that refuses is walked around (docs/compatibility.md,
section 5, "Paths"; RFC 3986 section 6.2.2). The raw target still goes upstream.
"""

from __future__ import annotations

import re
from typing import Final

from ingress.errors import RequestError

_UNRESERVED: Final = frozenset(
    b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~"
)
# RFC 3986 section 3.3, and brackets, which browsers do not escape. All else must be escaped: URL
# parsers of several endpoints read a backslash as a slash.
_SEGMENT: Final = rb"!$&'()*+,\-.0-9:;=@A-Z\[\]_a-z~"
_PLAIN: Final = re.compile(rb"(?:/[%b][%b]*+)*/?" % (_SEGMENT.replace(rb"\-.", rb"\-"), _SEGMENT))
"""
A path with nothing to resolve: no segment begins with a dot. One expression, because three
times `in` costs more: bytes can also contain numbers, and finding that these do not takes
longer than the search.
"""

_PATH: Final = re.compile(rb"[/%%%b]*+" % _SEGMENT)
_ESCAPE: Final = re.compile(rb"%([0-9A-Fa-f]{2})?")
_OUTSIDE_PATH: Final = re.compile(rb"[^\x21\x23-\x3b\x3d\x3f-\x5b\x5d\x5f\x61-\x7a\x7e]")
_KEPT_AS_WRITTEN: Final = frozenset(b"/\\")


def canonical_path(path: bytes) -> bytes:
    """
    :param path: the raw path of a target, beginning with ``/``, without query.
    :return: the path with dot segments resolved, runs of slashes merged and
        escapes of unreserved characters decoded. ``%2F`` and ``%5C`` are data,
        never separators, and stay as written; other escapes are in upper case.
    :raises RequestError: for a character that no path of a URI has, a broken escape, an escaped
        NUL, a path that climbs above the root, and one that climbs out of an empty segment
        (``//..``).
    """
    if _PLAIN.fullmatch(path):
        return path
    if _PATH.fullmatch(path) is None:
        raise RequestError("The path has a character that must be escaped.")
    return _resolve_segments(_ESCAPE.sub(_decode_escape, path))


def canonical_rule_path(path: str) -> bytes:
    """
    The canonical form of a path in an Ingress rule.

    :param path: as written; characters that cannot stand in the path of a request are escaped,
        because a request has them escaped too.
    :raises RequestError: as `canonical_path`; the message fits a Problem.
    """
    raw = path.encode("utf-8", "surrogatepass")  # JSON can spell half a character.
    if _OUTSIDE_PATH.search(raw) is not None:
        raw = _OUTSIDE_PATH.sub(lambda match: b"%%%02X" % match[0][0], raw)
    return canonical_path(raw)


def _decode_escape(match: re.Match[bytes]) -> bytes:
    digits = match[1]
    if digits is None:
        raise RequestError("The path has a broken percent escape.")
    octet = int(digits, 16)
    if octet in _UNRESERVED:
        return bytes((octet,))
    if octet == 0:
        raise RequestError("The path has an escaped NUL.")
    if octet in _KEPT_AS_WRITTEN:
        return match[0]
    return match[0].upper()


def _resolve_segments(path: bytes) -> bytes:
    """
    RFC 3986 section 5.2.4, but a climb above the root is an error.

    A climb out of an empty segment is one, too: ``/a//../b`` is ``/b`` for an
    endpoint that merges slashes first, and ``/a/b`` for one that does not, and the
    rule of ``/a`` may be there to keep requests from either.
    """
    resolved: list[bytes] = []
    segments = path.split(b"/")[1:]
    for segment in segments:
        if segment == b"..":
            if not resolved:
                raise RequestError("The path climbs above the root.")
            if not resolved.pop():
                raise RequestError("The path climbs out of an empty segment.")
        elif segment != b".":
            resolved.append(segment)
    is_directory = segments[-1] in (b"", b".", b"..")
    named = [segment for segment in resolved if segment]
    if not named:
        return b"/"
    return b"/" + b"/".join(named) + (b"/" if is_directory else b"")
