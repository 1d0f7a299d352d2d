"""
The lines of the access log: an exchange that is over in, a line out.

``nginx`` is the default format of ingress-nginx (docs/compatibility.md, section 4), with
the outcome and its reason behind the request's id::

    ADDRESS - USER [TIME] "REQUEST" STATUS BYTES "REFERER" "USER-AGENT" LENGTH SECONDS
    [UPSTREAM] [] ENDPOINTS LENGTHS SECONDS STATUSES ID OUTCOME "REASON"

Where several endpoints were asked, what is told of them is a list, as nginx has it.
"""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from functools import lru_cache
from time import localtime, strftime

import msgspec

from ingress.errors import Outcome
from ingress.message import Request
from ingress.routing.upstream import Endpoint, UpstreamKey
from ingress.telemetry.record import ExchangeRecord, Try

Formatter = Callable[[ExchangeRecord, bytes], bytes]
"""Makes a line, with its end, of an exchange and the text of the time."""

_UNSAFE = re.compile(rb'[\x00-\x1f"\\\x7f-\xff]')
"""What nginx escapes as well: nothing may end a field, a line, or steer a terminal."""

_MAX_USER = 256
"""Bytes of credentials that are looked at for the name of a user."""


def nginx_time(now: float) -> bytes:
    """nginx's ``$time_local``: ``26/Nov/2026:01:47:27 +0000``."""
    return strftime("%d/%b/%Y:%H:%M:%S %z", localtime(now)).encode("ascii")


def iso_time(now: float) -> bytes:
    """RFC 3339, in UTC, to the second."""
    return datetime.fromtimestamp(int(now), UTC).isoformat().replace("+00:00", "Z").encode("ascii")


def nginx_line(record: ExchangeRecord, time: bytes) -> bytes:
    """:param time: as `nginx_time` has it."""
    request, route, tries = record.request, record.route, record.tries
    if request is None:
        user = referer = agent = b"-"
        line = _escaped(record.line) or b"-"
    else:
        user, referer, agent = request.derived.logged or _describe(request)
        target = request.target
        if b'"' in target or b"\\" in target:
            target = _escaped(target)
        line = (_LINE_OF_HTTP_10 if request.is_http_10 else _LINE) % (request.method, target)
    upstream = route.upstream if route is not None else None
    duration, outcome = record.duration, record.outcome
    return b'%b - %b [%b] "%b" %d %d "%b" "%b" %d %b [%b] [] %b %b %b\n' % (
        record.client_address or b"unix:",
        user,
        time,
        line,
        record.status,
        record.body_size,
        referer,
        agent,
        record.request_size,
        _MILLISECONDS[int(duration * 1000)] if duration < 1 else b"%.3f" % duration,
        b"-" if upstream is None else _upstream_name(upstream),
        _tried(tries, record.body_size) if tries else b"- - - -",
        record.request_id,
        _OK if outcome is _OUTCOME_OK else _ended(outcome, record.detail),
    )


_LINE = b"%b %b HTTP/1.1"
_LINE_OF_HTTP_10 = b"%b %b HTTP/1.0"
_OK = b'ok "-"'
_OUTCOME_OK = Outcome.OK

_MILLISECONDS = tuple(b"0.%03d" % number for number in range(1000))
"""Ready-made: to format a fraction costs as much as to format all else of a line."""


def _ended(outcome: Outcome, detail: str) -> bytes:
    reason = detail.encode("ascii", "backslashreplace") or b"-"
    return b'%b "%b"' % (outcome.encode("ascii"), reason)


def _tried(tries: Sequence[Try], length: int) -> bytes:
    """
    nginx's ``$upstream_addr``, ``_response_length``, ``_response_time`` and ``_status``.

    :param tries: at least one.
    :param length: of the body that the last one gave, in bytes.
    """
    last = tries[-1]
    if len(tries) == 1 and last.header_time is not None:
        time = last.response_time or 0.0
        return b"%b %d %b %d" % (
            _endpoint_name(last.endpoint),
            length,
            _MILLISECONDS[int(time * 1000)] if time < 1 else b"%.3f" % time,
            last.status,
        )
    columns = [
        (
            _endpoint_name(each.endpoint),
            b"%d" % length if each is last and each.header_time is not None else b"0",
            b"%.3f" % (each.response_time or 0.0),
            b"%d" % each.status if each.status else b"-",
        )
        for each in tries
    ]
    return b" ".join([b", ".join(column) for column in zip(*columns, strict=True)])


def json_line(record: ExchangeRecord, time: bytes) -> bytes:
    """
    An object a line. What is not known is left out.

    :param time: as `iso_time` has it.
    """
    request, route = record.request, record.route
    told: dict[str, object] = {
        "time": time.decode("ascii"),
        "request_id": record.request_id.decode("ascii"),
        "client": record.client_address.decode("ascii"),
        "status": record.status,
        "outcome": record.outcome.value,
        "bytes_sent": record.body_size,
        "bytes_received": record.request_size,
        "seconds": round(record.duration, 6),
    }
    if record.detail:
        told["reason"] = record.detail
    if request is None:
        told["line"] = record.line.decode("latin-1")
    else:
        names = ("user", "referer", "user_agent")
        described = zip(names, request.derived.logged or _describe(request), strict=True)
        told |= {name: text.decode("ascii") for name, text in described if text != b"-"}
        told["method"] = request.method.decode("ascii")
        told["host"] = request.authority.decode("latin-1")
        told["target"] = request.target.decode("latin-1")
        told["version"] = "1.0" if request.is_http_10 else "1.1"
    if route is not None:
        namespace, name = route.ingress
        told |= {"namespace": namespace, "ingress": name, "path": route.path}
        if route.upstream is not None:
            told |= {"service": route.upstream.service, "port": route.upstream.port}
    if record.tries:
        told["endpoints"] = [_told_try(each) for each in record.tries]
    return msgspec.json.encode(told) + b"\n"


def _told_try(one: Try) -> dict[str, object]:
    told: dict[str, object] = {"endpoint": str(one.endpoint)}
    if one.status:
        told["status"] = one.status
    times = {
        "connect_seconds": one.connect_time,
        "header_seconds": one.header_time,
        "seconds": one.response_time,
    }
    return told | {name: round(time, 6) for name, time in times.items() if time is not None}


FORMATS: dict[str, tuple[Formatter, Callable[[float], bytes]]] = {
    "nginx": (nginx_line, nginx_time),
    "json": (json_line, iso_time),
}
"""By name, what makes a line, and what makes the text of the time for it."""


def _describe(request: Request) -> tuple[bytes, bytes, bytes]:
    """User, Referer and User-Agent, escaped; ``-`` where there is none. Kept for the next one."""
    described = request.derived.logged = (
        _user(request.field(b"authorization") or b"") or b"-",
        _escaped(request.field(b"referer") or b"") or b"-",
        _escaped(request.field(b"user-agent") or b"") or b"-",
    )
    return described


def _user(authorization: bytes) -> bytes:
    """
    The user of Basic credentials (RFC 7617), escaped; nobody has checked them.

    :return: empty where there is none; never anything of the password.
    """
    scheme, _, credentials = authorization.partition(b" ")
    if scheme.lower() != b"basic" or len(credentials) > _MAX_USER:
        return b""
    try:
        user, colon, _ = base64.b64decode(credentials.strip(b" "), validate=True).partition(b":")
    except binascii.Error:
        return b""
    return _escaped(user).replace(b" ", b"\\x20") if colon else b""


def _escaped(text: bytes) -> bytes:
    return _UNSAFE.sub(_escape, text) if _UNSAFE.search(text) else text


def _escape(match: re.Match[bytes]) -> bytes:
    return b"\\x%02X" % match[0][0]


@lru_cache(maxsize=4096)
def _endpoint_name(endpoint: Endpoint) -> bytes:
    return str(endpoint).encode("utf-8")


@lru_cache(maxsize=4096)
def _upstream_name(key: UpstreamKey) -> bytes:
    return str(key).encode("utf-8")
