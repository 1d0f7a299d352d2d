"""
The one canonical form of a path, for matching and for access decisions, and the other forms that
endpoints may read in it.

Two spellings of a path that an endpoint may read as the same must meet the same rule, or a rule
that refuses can be bypassed (docs/compatibility.md, section 5, "Paths" and "Characters"; RFC 3986
section 6.2.2).
"""

from __future__ import annotations

import re
from typing import Final

from ingress.errors import RequestError

_UNRESERVED: Final = frozenset(
    b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~"
)
# RFC 3986 section 3.3, and brackets, which browsers do not escape. Everything else must be escaped:
# the URL parsers of several endpoints read a backslash as a slash.
_SEGMENT: Final = rb"!$&'()*+,\-.0-9:;=@A-Z\[\]_a-z~"
_PLAIN: Final = re.compile(rb"(?:/[%b][%b]*+)*/?" % (_SEGMENT.replace(rb"\-.", rb"\-"), _SEGMENT))
"""
A path with nothing to resolve: no segment begins with a dot. One expression is faster than three
uses of `in`, which also has to find out that its left side is not a number.
"""

_PATH: Final = re.compile(rb"[/%%%b]*+" % _SEGMENT)
_ESCAPE: Final = re.compile(rb"%([0-9A-Fa-f]{2})?")
_OUTSIDE_PATH: Final = re.compile(rb"[^\x21\x23-\x3b\x3d\x3f-\x5b\x5d\x5f\x61-\x7a\x7e]")
_KEPT_AS_WRITTEN: Final = frozenset(b"/\\")

_UNRESOLVED: Final = re.compile(rb"//|/(?:\.|%2[Ee]){1,2}(?:/|\Z)")
"""An empty segment before the end of a path, or a dot segment."""

_UNAMBIGUOUS: Final[set[bytes]] = set()
"""Paths without other readings: to find one here takes a fifth of searching it."""

_MOST_KEPT: Final = 4096
_MAX_KEPT: Final = 256
"""Bytes of a path that is kept; all together have 1.5 MiB at most."""

_AMBIGUOUS: Final = re.compile(rb";|%(?:2[Ff]|5[Cc])")
_SEPARATORS: Final = tuple(
    re.compile(expression) for expression in (rb"%2[Ff]", rb"%5[Cc]", rb"%(?:2[Ff]|5[Cc])")
)
_SLASHES: Final = re.compile(rb"/{2,}+")
_PARAMETERS: Final = re.compile(rb";[^/]*+")

MAX_AMBIGUOUS: Final = 4 * 1024
"""
The longest path, in bytes, that may have other readings. Finding them takes up to 4 ms; for a path
of 32 KiB it would cost as much as hundreds of requests.
"""


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


def has_segments_to_resolve(path: bytes) -> bool:
    """
    :param path: as for `canonical_path`.
    :return: whether its canonical form differs by dot segments or runs of slashes, which endpoints
        read in different ways, and not only in how characters are escaped.
    """
    return _UNRESOLVED.search(path) is not None


def other_readings(path: bytes) -> tuple[bytes, ...]:
    """
    Read a path like endpoints that treat ``%2F`` or ``%5C`` as a slash, cut parameters (``;...``)
    from each segment, or do both, in either order. Some of them then resolve dot segments, some
    merge runs of slashes, some do both or neither.

    :param path: the path that goes upstream, raw or canonical.
    :return: these readings without the canonical form of `path`; empty for nearly all paths.
    :raises RequestError: if `canonical_path` refuses a reading, or a path with other readings has
        more than `MAX_AMBIGUOUS` bytes.
    """
    if path in _UNAMBIGUOUS:
        return ()
    if _AMBIGUOUS.search(path) is None:
        if len(path) <= _MAX_KEPT:
            if len(_UNAMBIGUOUS) >= _MOST_KEPT:
                _UNAMBIGUOUS.clear()
            _UNAMBIGUOUS.add(path)
        return ()
    if len(path) > MAX_AMBIGUOUS:
        raise RequestError("The path is too long for one that can be read in several ways.")
    path = _ESCAPE.sub(_decode_escape, path)
    cut = _PARAMETERS.sub(b"", path)
    readings = {cut}
    for separator in _SEPARATORS:
        split = separator.sub(b"/", path)
        readings.update((split, _PARAMETERS.sub(b"", split), separator.sub(b"/", cut)))
    for reading in tuple(readings):
        if _UNRESOLVED.search(reading) is not None:
            readings.add(_SLASHES.sub(b"/", reading))
            readings.add(_resolve_segments(reading))
            readings.add(_resolve_segments(reading, merges=False))
    return tuple(sorted(readings - {_resolve_segments(path)}))


def canonical_rule_path(path: str) -> bytes:
    """
    The canonical form of a path in an Ingress rule.

    :param path: the path as written. Characters that a request must escape are escaped.
    :raises RequestError: as for `canonical_path`; the message is suitable for a Problem.
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


def _resolve_segments(path: bytes, merges: bool = True) -> bytes:
    """
    Resolve dot segments (RFC 3986 section 5.2.4); a path that climbs above the root is an error.

    :param merges: whether runs of slashes are merged.

    A path that climbs out of an empty segment is an error, too: ``/a//../b`` is ``/b`` for an
    endpoint that merges slashes first, and ``/a/b`` for one that does not, and the rule for
    ``/a`` may exist to protect either of them.
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
    if not merges:
        if is_directory and segments[-1]:
            resolved.append(b"")
        return b"/" + b"/".join(resolved)
    named = [segment for segment in resolved if segment]
    if not named:
        return b"/"
    return b"/" + b"/".join(named) + (b"/" if is_directory else b"")
