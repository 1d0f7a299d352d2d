"""
The lines of the access log, one for each exchange.

``nginx`` is the default format of ingress-nginx (docs/compatibility.md, section 4), with
the outcome and its reason behind the request's id::

    ADDRESS - USER [TIME] "REQUEST" STATUS BYTES "REFERER" "USER-AGENT" LENGTH SECONDS
    [UPSTREAM] [CANARY] ENDPOINTS LENGTHS SECONDS STATUSES ID OUTCOME "REASON"

``nginx-exact`` is the same without those two. If several endpoints were tried, their
fields are lists, as in nginx.

Whatever a peer sends, a line is one line of printable ASCII, and no peer can end a field
early.
"""

from __future__ import annotations

import base64
import binascii
import json
import re
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from functools import lru_cache
from time import localtime, strftime
from typing import Final

import msgspec

from ingress.endpoint import Endpoint
from ingress.errors import Outcome
from ingress.message import Request
from ingress.telemetry.record import AttemptRecord, ExchangeRecord

Formatter = Callable[[ExchangeRecord, bytes], bytes]
"""Formats an exchange and the text of the time as a line, including the line end."""

_UNSAFE: Final = re.compile(rb'[\x00-\x1f"\\\x7f-\xff]')
"""The bytes that nginx escapes: none may end a field or a line, or control a terminal."""

_UNSAFE_IN_USER: Final = re.compile(rb'[\x00-\x20"\\\x7f-\xff]')
"""Those and blanks, which nginx does not escape: the user's name is not quoted."""

_QUOTE: Final = ord('"')
_BACKSLASH: Final = ord("\\")
"""The only bytes of a target that need escapes; `in` is six times as fast for a number."""

_DELETE: Final = 0x7F
"""The one unprintable ASCII character that JSON does not escape."""

_MAX_USER: Final = 256
"""Bytes of credentials that are decoded to find the name of a user; a multiple of four."""

_OK: Final = Outcome.OK
_OK_TAIL: Final = b'ok "-"'
_NO_UPSTREAM: Final = b"[-] []"
_NOBODY: Final = (b"-", b"-", b"-", b"-")
"""Where no endpoint was asked."""

_STATUS_TEXTS: Final = (b"-", *(b"%d" % status for status in range(1, 1000)))
_MILLISECONDS: Final = tuple(b"0.%03d" % number for number in range(1000))
"""Made in advance: formatting a fraction costs as much as the rest of a line."""

MAX_READY: Final = 2048
"""Numbers below have their text made in advance as well: sizes of most heads, and small bodies."""

_NUMBERS: Final = tuple(b"%d" % number for number in range(MAX_READY))


def nginx_time(now: float) -> bytes:
    """nginx's ``$time_local``: ``26/Nov/2026:01:47:27 +0000``."""
    return strftime("%d/%b/%Y:%H:%M:%S %z", localtime(now)).encode("ascii")


def iso_time(now: float) -> bytes:
    """RFC 3339, in UTC, to the second."""
    return datetime.fromtimestamp(int(now), UTC).isoformat().replace("+00:00", "Z").encode("ascii")


# Every request pays for this. Formatting everything at once costs least, and each of its parts
# costs: what is known before has the blanks around it already.


def nginx_line(record: ExchangeRecord, time: bytes) -> bytes:
    """:param time: the result of `nginx_time`."""
    request = record.request
    if request is None:
        return _line_without_request(record, time)
    user, method, version, fields = request.cache.nginx_log or _describe(request)
    route, tries, status, outcome = record.route, record.tries, record.status, record.outcome
    size = number_text(record.body_size)
    if len(tries) == 1:
        only = tries[0]
        endpoints = only.endpoint_name or endpoint_name(only.endpoint)
        sizes = size if only.header_time is not None else b"0"
        seconds = seconds_text(only.response_time or 0.0)
        statuses = _STATUS_TEXTS[only.status]
    else:
        endpoints, sizes, seconds, statuses = _tried(tries, size) if tries else _NOBODY
    return b"%b%b%b%b%b%b%b %b%b%b %b %b %b %b %b %b %b %b\n" % (
        record.client_address or b"unix:",
        user,
        time,
        method,
        request.logged_target or _logged_target(request),
        version,
        _STATUS_TEXTS[status] if status else b"0",
        size,
        fields,
        number_text(record.request_size),
        seconds_text(record.duration),
        _NO_UPSTREAM if route is None else route.upstream_names,
        endpoints,
        sizes,
        seconds,
        statuses,
        record.request_id,
        _OK_TAIL if outcome is _OK else _tail(outcome, record.detail),
    )


def _line_without_request(record: ExchangeRecord, time: bytes) -> bytes:
    return b'%b - - [%b] "%b" %d %d "-" "-" %d %b %b %b %b %b %b %b %b\n' % (
        record.client_address or b"unix:",
        time,
        escaped(record.line) or b"-",
        record.status,
        record.body_size,
        record.request_size,
        seconds_text(record.duration),
        _NO_UPSTREAM,
        *_NOBODY,
        record.request_id,
        _tail(record.outcome, record.detail),
    )


def nginx_exact_line(record: ExchangeRecord, time: bytes) -> bytes:
    """:param time: the result of `nginx_time`."""
    tail = _tail(record.outcome, record.detail)
    return nginx_line(record, time)[: -len(tail) - 2] + b"\n"


def _tried(tries: Sequence[AttemptRecord], size: bytes) -> tuple[bytes, bytes, bytes, bytes]:
    """
    :param size: of the body of the last response.
    :return: nginx's ``$upstream_addr``, ``_response_length``, ``_response_time`` and ``_status``.
    """
    # The client got nothing of the other responses, if there were any.
    lengths = [b"0"] * len(tries)
    if tries[-1].header_time is not None:
        lengths[-1] = size
    return (
        b", ".join([endpoint_name(each.endpoint) for each in tries]),
        b", ".join(lengths),
        b", ".join([seconds_text(each.response_time or 0.0) for each in tries]),
        b", ".join([_STATUS_TEXTS[each.status] for each in tries]),
    )


def number_text(number: int) -> bytes:
    """:param number: not less than 0."""
    return _NUMBERS[number] if number < MAX_READY else b"%d" % number


def seconds_text(duration: float) -> bytes:
    """
    Seconds with milliseconds, rounded down as in nginx. Less than 0 becomes 0: the clocks
    of other reactors can go back.
    """
    if 0 <= duration < 1:
        return _MILLISECONDS[int(duration * 1000)]
    return b"%d.%03d" % divmod(max(int(duration * 1000), 0), 1000)


@lru_cache(maxsize=1024)
def _tail(outcome: Outcome, detail: str) -> bytes:
    """Outcome and reason."""
    reason = escaped(detail.encode("utf-8")) or b"-"
    return b'%b "%b"' % (outcome.value.encode("ascii"), reason)


def _describe(request: Request) -> tuple[bytes, bytes, bytes, bytes]:
    """
    What lies between the parts of a line that each request has of its own: the user; the method;
    the version; Referer and User-Agent. All are escaped, and ``-`` if they are absent.

    They are kept for the next request, in which a client repeats them.
    """
    referer, agent = request.field(b"referer"), request.field(b"user-agent")
    described = request.cache.nginx_log = (
        b" - %b [" % _UNSAFE_IN_USER.sub(_escape, user_of(request) or b"-"),
        b'] "%b ' % request.method,
        b' %b" ' % request.protocol,
        b' "%b" "%b" ' % (_field(referer), _field(agent)),
    )
    return described


def _logged_target(request: Request) -> bytes:
    """The target with nginx's escapes; it is kept for the next request of this head."""
    target = request.target
    if _QUOTE in target or _BACKSLASH in target:
        target = escaped(target)
    request.logged_target = target
    return target


def _field(value: bytes | None) -> bytes:
    return b"-" if value is None else escaped(value)


def user_of(request: Request) -> bytes:
    """
    The user of Basic credentials (RFC 7617), which are not verified.

    :return: empty without a user; never any part of the password.
    """
    scheme, _, credentials = (request.field(b"authorization") or b"").partition(b" ")
    if scheme.lower() != b"basic":
        return b""
    encoded = credentials.strip(b" ")[:_MAX_USER].rstrip(b"=")
    try:
        decoded = base64.b64decode(encoded + b"=" * (-len(encoded) % 4), validate=True)
    except binascii.Error:
        return b""
    user, colon, _ = decoded.partition(b":")
    return user if colon else b""


def escaped(text: bytes) -> bytes:
    return _UNSAFE.sub(_escape, text) if _UNSAFE.search(text) else text


def _escape(match: re.Match[bytes]) -> bytes:
    return b"\\x%02X" % match[0][0]


@lru_cache(maxsize=4096)
def endpoint_name(endpoint: Endpoint) -> bytes:
    return str(endpoint).encode("utf-8")


# JSON.


def json_line(record: ExchangeRecord, time: bytes) -> bytes:
    """
    One JSON object. Unknown and absent values are left out.

    :param time: the result of `iso_time`.
    """
    request, route = record.request, record.route
    told: dict[str, object] = {
        "time": time.decode("ascii"),
        "request_id": record.request_id.decode("ascii"),
        "client": record.client_address.decode("ascii") or "unix:",
        "status": record.status,
        "outcome": record.outcome.value,
    }
    if record.detail:
        told["reason"] = record.detail
    told |= {
        "bytes_sent": record.body_size,
        "bytes_received": record.request_size,
        "seconds": round(record.duration, 6),
    }
    if request is None:
        told["line"] = _text(record.line)
    else:
        told["target"] = request.target.decode("ascii")
        if request.authority:
            told["host"] = _text(request.authority)
        told |= request.cache.json_log or _describe_for_json(request)
    if route is not None:
        namespace, name = route.ingress
        told |= {"namespace": namespace, "ingress": name, "path": route.path}
        upstream = route.upstream if route.canary_rule is None else route.own_upstream
        if upstream is not None:
            told |= {"service": upstream.service, "port": upstream.port}
        if route.canary_rule is not None:
            told["canary"] = route.labels.canary
    if record.tries:
        told["endpoints"] = [_json_try(each) for each in record.tries]
    line = msgspec.json.encode(told)
    if not line.isascii() or _DELETE in line:
        line = json.dumps(told, separators=(",", ":")).replace("\x7f", r"\u007f").encode("ascii")
    return line + b"\n"


def _describe_for_json(request: Request) -> dict[str, object]:
    """
    The values that all requests with this head share.

    They are kept for the next request, in which a client repeats the head.
    """
    told = request.cache.json_log = {
        "method": request.method.decode("ascii"),
        "version": "1.0" if request.is_http_10 else "2.0" if request.is_http_2 else "1.1",
    }
    for key, value in (
        ("user", user_of(request)),
        ("referer", request.field(b"referer")),
        ("user_agent", request.field(b"user-agent")),
    ):
        if value:
            told[key] = _text(value)
    return told


def _json_try(one: AttemptRecord) -> dict[str, object]:
    told: dict[str, object] = {"endpoint": str(one.endpoint)}
    if one.status:
        told["status"] = one.status
    times = {
        "connect_seconds": one.connect_time,
        "header_seconds": one.header_time,
        "seconds": one.response_time,
    }
    return told | {name: round(time, 6) for name, time in times.items() if time is not None}


def _text(data: bytes) -> str:
    """Text that a peer sent: UTF-8; other bytes are escaped as in nginx."""
    return data.decode("utf-8", "backslashreplace")


FORMATS: dict[str, tuple[Formatter, Callable[[float], bytes]]] = {
    "nginx": (nginx_line, nginx_time),
    "nginx-exact": (nginx_exact_line, nginx_time),
    "json": (json_line, iso_time),
}
"""The formatter of lines and the formatter of times, by name of the format."""
