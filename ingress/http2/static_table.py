"""
The static table of HPACK (RFC 7541 appendix A).
"""

from __future__ import annotations

from typing import Final

_TABLE: Final = """\
:authority
:method GET
:method POST
:path /
:path /index.html
:scheme http
:scheme https
:status 200
:status 204
:status 206
:status 304
:status 400
:status 404
:status 500
accept-charset
accept-encoding gzip, deflate
accept-language
accept-ranges
accept
access-control-allow-origin
age
allow
authorization
cache-control
content-disposition
content-encoding
content-language
content-length
content-location
content-range
content-type
cookie
date
etag
expect
expires
from
host
if-match
if-modified-since
if-none-match
if-range
if-unmodified-since
last-modified
link
location
max-forwards
proxy-authenticate
proxy-authorization
range
referer
refresh
retry-after
server
set-cookie
strict-transport-security
transfer-encoding
user-agent
vary
via
www-authenticate
"""


def _read(line: str) -> tuple[bytes, bytes]:
    name, _, value = line.partition(" ")
    return name.encode("ascii"), value.encode("ascii")


STATIC_TABLE: Final[tuple[tuple[bytes, bytes], ...]] = tuple(
    _read(line) for line in _TABLE.splitlines()
)
"""``(name, value)``; the index of the first one is 1."""

STATIC_COUNT: Final = len(STATIC_TABLE)

STATIC_FIELDS: Final = {
    field: index for index, field in reversed(list(enumerate(STATIC_TABLE, 1))) if field[1]
}
"""The index of each whole field."""

STATIC_NAMES: Final = {
    field[0]: index for index, field in reversed(list(enumerate(STATIC_TABLE, 1)))
}
"""The first index of each name."""
