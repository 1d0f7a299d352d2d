"""
Lines of the access log in a format of one's own: ``log-format-upstream``.

A format is compiled once, to the functions that give the values of its variables. Values that
peers sent are escaped as nginx does it with ``escape=default``, ``json`` or ``none``; a line is one
line in each of them. A variable without a value is ``-``, or empty with ``json`` and ``none``.

Source of the rules: https://nginx.org/en/docs/http/ngx_http_log_module.html
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Callable, Sequence
from datetime import datetime
from functools import lru_cache
from socket import gethostname
from time import time as wall_clock
from typing import Final

from ingress.config.access_log import CustomLine
from ingress.errors import Outcome
from ingress.field_edits import EXPLAIN
from ingress.message import argument_of
from ingress.telemetry.log_line import (
    Formatter,
    endpoint_name,
    escaped,
    seconds_text,
    user_of,
)
from ingress.telemetry.record import AttemptRecord, ExchangeRecord

Value = Callable[[ExchangeRecord, bytes], bytes]
"""The value of a variable for an exchange and the text of the time; empty for none."""

Escape = Callable[[bytes], bytes]

_EMPTY: Final = frozenset(
    {
        "http2",
        "https",
        "ingress_name",
        "is_args",
        "location_path",
        "namespace",
        "proxy_alternative_upstream_name",
        "request_completion",
        "service_name",
        "service_port",
    }
)
"""The variables that are empty where others have no value."""

_HOSTNAME: Final = gethostname().encode()
_CONTROLS: Final = re.compile(rb"[\x00-\x1f\x7f]")


def compile_line(custom: CustomLine) -> Formatter:
    """:return: what formats an exchange, with the time as `log_line.nginx_time` has it."""
    escape = _ESCAPES[custom.escape]
    absent = b"-" if custom.escape == "default" else b""
    text = b""
    values: list[tuple[Value, bytes]] = []
    for part in custom.template.parts:
        if part.variable:
            text += b"%b"
            value = _escaped_value(part.variable, custom, escape)
            values.append((value, b"" if part.variable in _EMPTY else absent))
        else:
            octets = _CONTROLS.sub(b" ", part.text.encode("utf-8", "backslashreplace"))
            text += octets.replace(b"%", b"%%")
    text += b"\n"

    def line(record: ExchangeRecord, time: bytes) -> bytes:
        return text % tuple([value(record, time) or other for value, other in values])

    return line


def _escaped_value(name: str, custom: CustomLine, escape: Escape) -> Value:
    ready = _READY.get(name)
    if ready is not None:
        return ready
    value = _value_of(name, custom)
    if name == "remote_user" and custom.escape == "default":
        # It is not quoted in the default format, so that a blank would end it.
        return lambda record, time: escape(value(record, time)).replace(b" ", rb"\x20")
    return lambda record, time: escape(value(record, time))


def _value_of(name: str, custom: CustomLine) -> Value:
    """:return: the function for a variable whose value may be a peer's."""
    plain = _PLAIN.get(name)
    if plain is not None:
        return plain
    if name in ("server_port", "pass_server_port", "pass_port"):
        http, https = b"%d" % custom.http_port, b"%d" % custom.https_port
        return lambda record, time: https if record.is_secure else http
    if name == "proxy_protocol_addr" and custom.has_proxy_protocol:
        return lambda record, time: record.client_address
    for prefix, family in _FAMILIES.items():
        if name.startswith(prefix) and name != prefix:
            return family(name.removeprefix(prefix).encode())
    return lambda record, time: b""


# Escaping.


def _as_json(value: bytes) -> bytes:
    """The inside of a JSON string, in ASCII; bytes that are no UTF-8 as ``\\xNN``."""
    if value.isalnum():
        return value
    text = json.dumps(value.decode("utf-8", "backslashreplace"))[1:-1]
    return text.replace("\x7f", "\\u007f").encode("ascii")


def _as_it_is(value: bytes) -> bytes:
    return _CONTROLS.sub(lambda match: b"\\x%02X" % match[0][0], value)


_ESCAPES: Final[dict[str, Escape]] = {"default": escaped, "json": _as_json, "none": _as_it_is}


# Values that need no escaping.


def _list_of(value: Callable[[AttemptRecord], bytes]) -> Value:
    """A list with a member for each attempt, as nginx writes it."""

    def values(record: ExchangeRecord, time: bytes) -> bytes:
        tries = record.tries
        return value(tries[0]) if len(tries) == 1 else b", ".join(map(value, tries))

    return values


def _seconds_or_none(taken: float | None) -> bytes:
    return b"-" if taken is None else seconds_text(taken)


def _lengths(record: ExchangeRecord, time: bytes) -> bytes:
    tries = record.tries
    if not tries:
        return b""
    last = record.body_size if tries[-1].header_time is not None else 0
    return b", ".join([*[b"0"] * (len(tries) - 1), b"%d" % last])


def _upstream_names(record: ExchangeRecord) -> Sequence[bytes]:
    """The names of the Upstream of the rule, and of its canary."""
    if record.route is None:
        return b"-", b""
    first, _, second = record.route.upstream_names.partition(b"] [")
    return first.removeprefix(b"["), second.removesuffix(b"]")


def _iso_time(record: ExchangeRecord, time: bytes) -> bytes:
    return _iso_text(time)


@lru_cache(maxsize=4)
def _iso_text(time: bytes) -> bytes:
    """:param time: the second for which the text is made: it is made once in each."""
    return datetime.now().astimezone().isoformat(timespec="seconds").encode("ascii")


def _trace_id(record: ExchangeRecord, time: bytes) -> bytes:
    return b"" if record.trace is None else b"%032x" % record.trace.trace_id


def _span_id(record: ExchangeRecord, time: bytes) -> bytes:
    return b"" if record.trace is None else b"%016x" % record.trace.span_id


def _protocol(record: ExchangeRecord, time: bytes) -> bytes:
    request = record.request
    if request is None:
        return b""
    return b"HTTP/" + (b"1.0" if request.is_http_10 else b"2.0" if request.is_http_2 else b"1.1")


_READY: Final[dict[str, Value]] = {
    "body_bytes_sent": lambda record, time: b"%d" % record.body_size,
    "bytes_sent": lambda record, time: b"%d" % record.body_size,
    "hostname": lambda record, time: _HOSTNAME,
    "http2": lambda record, time: b"h2" if record.request and record.request.is_http_2 else b"",
    "https": lambda record, time: b"on" if record.is_secure else b"",
    "msec": lambda record, time: b"%.3f" % wall_clock(),
    "opentelemetry_span_id": _span_id,
    "opentelemetry_trace_id": _trace_id,
    "otel_span_id": _span_id,
    "otel_trace_id": _trace_id,
    "pass_access_scheme": lambda record, time: b"https" if record.is_secure else b"http",
    "pid": lambda record, time: b"%d" % os.getpid(),
    "pipe": lambda record, time: b".",
    "proxy_alternative_upstream_name": lambda record, time: _upstream_names(record)[1],
    "proxy_host": lambda record, time: _upstream_names(record)[0],
    "proxy_upstream_name": lambda record, time: _upstream_names(record)[0],
    "remote_addr": lambda record, time: record.client_address or b"unix:",
    "request_completion": lambda record, time: b"OK" if record.outcome is Outcome.OK else b"",
    "request_length": lambda record, time: b"%d" % record.request_size,
    "request_time": lambda record, time: seconds_text(record.duration),
    "scheme": lambda record, time: b"https" if record.is_secure else b"http",
    "server_protocol": _protocol,
    "status": lambda record, time: b"%03d" % record.status,
    "the_real_ip": lambda record, time: record.client_address or b"unix:",
    "time_iso8601": _iso_time,
    "time_local": lambda record, time: time,
    "txingress_outcome": lambda record, time: record.outcome.value.encode("ascii"),
    "upstream_addr": _list_of(lambda each: endpoint_name(each.endpoint)),
    "upstream_connect_time": _list_of(lambda each: seconds_text(each.connect_time or 0.0)),
    "upstream_header_time": _list_of(lambda each: _seconds_or_none(each.header_time)),
    "upstream_response_length": _lengths,
    "upstream_response_time": _list_of(lambda each: seconds_text(each.response_time or 0.0)),
    "upstream_status": _list_of(lambda each: b"%d" % each.status if each.status else b"-"),
}


# Values that a peer, or the author of an object, chose.


def _request(record: ExchangeRecord, time: bytes) -> bytes:
    request = record.request
    if request is None:
        return record.line
    return b"%b %b %b" % (request.method, request.target, _protocol(record, time))


def _query(record: ExchangeRecord, time: bytes) -> bytes:
    return record.request.query if record.request is not None else b""


def _server_name(record: ExchangeRecord, time: bytes) -> bytes:
    return b"_" if record.route is None else record.route.host.encode() or b"_"


def _of_ingress(index: int) -> Value:
    return lambda record, time: (
        b"" if record.route is None else record.route.ingress[index].encode()
    )


def _of_service(name: str) -> Value:
    def value(record: ExchangeRecord, time: bytes) -> bytes:
        route = record.route
        if route is None:
            return b""
        upstream = route.upstream if route.canary_rule is None else route.own_upstream
        return b"" if upstream is None else str(getattr(upstream, name)).encode()

    return value


def _field(name: bytes) -> Value:
    name = name.replace(b"_", b"-")

    def value(record: ExchangeRecord, time: bytes) -> bytes:
        request = record.request
        # The token for explanations is for nobody to read.
        if request is None or name == EXPLAIN:
            return b""
        return request.listed(name) or b""

    return value


def _forwarded_for(record: ExchangeRecord, time: bytes) -> bytes:
    claimed, address = _field(b"x_forwarded_for")(record, time), record.client_address or b"unix:"
    return b"%b, %b" % (claimed, address) if claimed else address


def _argument(name: bytes) -> Value:
    return lambda record, time: argument_of(_query(record, time), name)


def _cookie(name: bytes) -> Value:
    return lambda record, time: record.request.cookie(name) if record.request else b""


_FAMILIES: Final[dict[str, Callable[[bytes], Value]]] = {
    "http_": _field,
    "cookie_": _cookie,
    "arg_": _argument,
}

_PLAIN: Final[dict[str, Value]] = {
    "args": _query,
    "best_http_host": _field(b"host"),
    "content_length": _field(b"content_length"),
    "content_type": _field(b"content_type"),
    "document_uri": lambda record, time: record.request.path if record.request else b"",
    "host": lambda record, time: record.request.host if record.request else b"",
    "ingress_name": _of_ingress(1),
    "is_args": lambda record, time: b"?" if _query(record, time) else b"",
    "location_path": lambda record, time: record.route.path.encode() if record.route else b"",
    "namespace": _of_ingress(0),
    "proxy_add_x_forwarded_for": _forwarded_for,
    "query_string": _query,
    "remote_user": lambda record, time: user_of(record.request) if record.request else b"",
    "req_id": lambda record, time: record.request_id,
    "request": _request,
    "request_id": lambda record, time: record.request_id,
    "request_method": lambda record, time: record.request.method if record.request else b"",
    "request_uri": lambda record, time: record.request.target if record.request else b"",
    "server_name": _server_name,
    "service_name": _of_service("service"),
    "service_port": _of_service("port"),
    "txingress_reason": lambda record, time: record.detail.encode(),
    "uri": lambda record, time: record.request.path if record.request else b"",
}
