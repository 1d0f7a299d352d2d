"""
Lines of access logs as requests: the formats of ingress-nginx and our own, and any that is written
in nginx's syntax (``log_format``).
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from typing import Any, Final, NamedTuple
from urllib.parse import quote

import msgspec

from ingress.command.failure import CannotRun
from ingress.routing.build import Built

FORMAT_KEY: Final = "log-format-upstream"
"""The key of ingress-nginx's ConfigMap that has the format of its lines."""

INGRESS_NGINX: Final = (
    '$remote_addr - $remote_user [$time_local] "$request" $status $body_bytes_sent '
    '"$http_referer" "$http_user_agent" $request_length $request_time [$proxy_upstream_name] '
    "[$proxy_alternative_upstream_name] $upstream_addr $upstream_response_length "
    "$upstream_response_time $upstream_status $req_id"
)
"""The default of ingress-nginx's ``log-format-upstream``."""

_OLDER: Final = f"$the_real_ip - [$the_real_ip] - {INGRESS_NGINX[len('$remote_addr - ') :]}"
"""The default up to ingress-nginx 0.26."""

_OUTCOME: Final = rb'(?: [a-z_]+ "[^"\\]*(?:\\.[^"\\]*)*")?'
"""What our own format has behind that one."""


class LogEntry(NamedTuple):
    """What a line tells of a request."""

    method: bytes
    """Empty if there was no request, or none that could be read."""

    target: bytes
    host: bytes | None
    is_secure: bool | None
    client: str
    status: int
    upstream: bytes | None
    """``$proxy_upstream_name``; None if the log does not have it, empty or ``-`` for none."""

    asked: bytes | None
    """``$upstream_addr``; None if the log does not have it, ``-`` for none."""

    fields: bytes
    """User-Agent and Referer as lines of a head; empty if the log has neither."""


Reader = Callable[[bytes], "LogEntry | None"]
"""Reads a line without its end; None if it is none of this format."""

_VARIABLE: Final = re.compile(r"\$(?:\{(\w+)\}|(\w+))")
_ESCAPE: Final = re.compile(rb"\\x([0-9A-Fa-f]{2})")
_OUTSIDE_STRINGS: Final = re.compile(r'"[^"\\]*(?:\\.[^"\\]*)*"|(\$\{?\w+\}?)')
_NOT_IN_FIELDS: Final = re.compile(rb"[\x00-\x1f\x7f]")
_CONTAINER: Final = re.compile(rb"\S+ (?:stdout|stderr) [FP] ")
"""What a container runtime writes before each line."""

_NAMES: Final = {
    "request": ("request", "requestline"),
    "request_method": ("requestmethod", "method", "verb", "httpmethod"),
    "request_uri": ("requesturi", "target", "uri", "url", "path", "requestpath"),
    "args": ("args", "query", "querystring", "requestquery"),
    "host": ("host", "httphost", "vhost", "requesthost", "domain", "authority"),
    "status": ("status", "statuscode", "responsecode", "responsestatus"),
    "proxy_upstream_name": ("proxyupstreamname", "upstreamname", "upstream"),
    "upstream_addr": ("upstreamaddr", "upstreamaddress"),
    "remote_addr": ("remoteaddr", "client", "clientip", "remoteip", "realip", "remoteaddress"),
    "scheme": ("scheme", "protocolscheme", "xscheme"),
    "server_port": ("serverport",),
    "http_user_agent": ("httpuseragent", "useragent", "agent"),
    "http_referer": ("httpreferer", "httpreferrer", "referer", "referrer"),
}
"""The variables that are read, with the names of members that JSON variants have for them."""

_VARIABLE_OF: Final = {name: variable for variable, names in _NAMES.items() for name in names}
_SAME: Final = {"http_host": "host", "the_real_ip": "remote_addr", "uri": "request_uri"}
"""Variables that are read as others."""

_LISTS: Final = frozenset(
    f"upstream_{name}"
    for name in (
        "addr", "bytes_received", "bytes_sent", "connect_time", "header_time", "response_length",
        "response_time", "status",
    )
)  # fmt: skip
"""Variables that have a value for each attempt: commas and blanks stand between them."""


def make_reader(written: str) -> Reader:
    """
    :param written: a format in nginx's syntax; empty for those that need none.
    :raises CannotRun: if lines of that format could not be taken apart.
    """
    if written:
        text = _unfolded(written)
        variables = _json_variables(text) if text.startswith("{") else None
        if variables is not None:
            return lambda line: _of_json(line, variables)
        return _Texts(_compile(text)).read
    texts = _Texts(*(_compile(text, _OUTCOME) for text in (INGRESS_NGINX, _OLDER)))

    def read(line: bytes) -> LogEntry | None:
        found = _of_json(line, None) if line[:1] == b"{" else texts.read(line)
        if found is not None:
            return found
        prefix = _CONTAINER.match(line)
        return read(line[prefix.end() :]) if prefix is not None else None

    return read


def configured_format(built: Built) -> str:
    """:return: ``log-format-upstream`` of ingress-nginx's ConfigMap; empty for none."""
    item = built.memo.config_map.item
    return item.data.get(FORMAT_KEY, "").strip() if item is not None else ""


def _unfolded(written: str) -> str:
    """Take the format out of a directive ``log_format NAME [escape=…] '…' '…';``."""
    match = re.fullmatch(r"\s*log_format\s+\S+\s+(?:escape=\w+\s+)?(.*?);?\s*", written, re.DOTALL)
    text = match[1] if match is not None else written.strip()
    if text[:1] in ("'", '"') and text[-1:] == text[:1] and match is not None:
        return "".join(part for part in re.findall(rf"{text[0]}([^{text[0]}]*){text[0]}", text))
    return text


# Text.


class _Texts:
    """Lines that one of several patterns fits; the one that fitted last is tried first."""

    def __init__(self, *patterns: re.Pattern[bytes]) -> None:
        self._patterns = list(patterns)

    def read(self, line: bytes) -> LogEntry | None:
        for index, pattern in enumerate(self._patterns):
            match = pattern.fullmatch(line)
            if match is not None:
                if index:
                    self._patterns.insert(0, self._patterns.pop(index))
                return _entry(match.groupdict())
        return None


def _compile(written: str, tail: bytes = b"") -> re.Pattern[bytes]:
    """
    Make a pattern that takes a line apart in linear time: each variable ends where the text behind
    it begins, and nowhere else.
    """
    parts, end, seen = [], 0, set[str]()
    variables = list(_VARIABLE.finditer(written))
    if not variables:
        raise CannotRun("the log format has no variables such as $status")
    for index, match in enumerate(variables):
        parts.append(re.escape(written[end : match.start()].encode()))
        end = match.end()
        following = variables[index + 1].start() if index + 1 < len(variables) else len(written)
        literal = written[end:following]
        name = match[1] or match[2]
        if not literal and index + 1 < len(variables):
            raise CannotRun(f"the log format has nothing between ${name} and the next variable")
        name = _SAME.get(name, name)
        value = _value(name, literal.encode(), is_last=not literal and not tail)
        is_read = name in _NAMES and name not in seen
        seen.add(name)
        parts.append(b"(?P<%b>%b)" % (name.encode(), value) if is_read else value)
    parts += (re.escape(written[end:].encode()), tail)
    if "status" not in seen or not seen & {"request", "request_uri"}:
        raise CannotRun("the log format needs $status, and $request or $request_uri")
    return re.compile(b"".join(parts), re.DOTALL)


def _value(name: str, literal: bytes, *, is_last: bool) -> bytes:
    """:return: the pattern of a value that ends before `literal`."""
    if is_last:
        return b".*"
    if literal.startswith(b'"'):
        return rb'[^"\\]*(?:\\.[^"\\]*)*'
    stop = re.escape(literal.lstrip()[:1] or b" ")
    if name in _LISTS:
        return rb"[^ ,%b]*(?:(?:, | : )[^ ,%b]+)*" % (stop, stop)
    return rb"[^%b]*" % stop


def _plain(value: bytes) -> bytes:
    """:return: a value as it was before nginx escaped it."""
    if b"\\" not in value:
        return value
    return _ESCAPE.sub(lambda match: bytes.fromhex(match[1].decode()), value)


# JSON.


def _json_variables(written: str) -> Mapping[str, str] | None:
    """
    :return: the variable of each member of a format that is a JSON object; None if it is none.
    """
    quoted = _OUTSIDE_STRINGS.sub(lambda match: f'"{match[1]}"' if match[1] else match[0], written)
    try:
        members = json.loads(quoted)
    except ValueError:
        return None
    found = {}
    for name, value in members.items():
        match = _VARIABLE.fullmatch(value) if isinstance(value, str) else None
        if match is not None:
            variable = match[1] or match[2]
            found[name] = _SAME.get(variable, variable)
    return found


_guessed: dict[str, str] = {}
"""The variables of members by their names; there are some dozens."""


def _guess(member: str) -> str:
    if len(_guessed) > 1000:
        _guessed.clear()
    found = _guessed.get(member)
    if found is None:
        plain = re.sub(r"[^a-z0-9]", "", member.lower())
        found = _guessed[member] = _VARIABLE_OF.get(plain, "")
    return found


def _of_json(line: bytes, variables: Mapping[str, str] | None) -> LogEntry | None:
    try:
        members = msgspec.json.decode(line)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return None
    if not isinstance(members, dict):
        return None
    values: dict[str, bytes] = {}
    for member, value in members.items():
        variable = variables.get(member, "") if variables is not None else _guess(member)
        if variable and variable not in values and isinstance(value, str | int):
            values[variable] = str(value).encode("utf-8", "surrogateescape")
    if variables is None:
        _add_own(members, values)
    return _entry(values)


def _add_own(members: Mapping[str, Any], values: dict[str, bytes]) -> None:
    """Add what only our own format has: the Service by its parts, and the attempts."""
    if "outcome" not in members:
        return
    parts = [str(members.get(name, "")) for name in ("namespace", "service", "port")]
    values["proxy_upstream_name"] = "-".join(parts).encode() if all(parts) else b"-"
    tried = members.get("endpoints") or ()
    asked = ", ".join(str(each.get("endpoint")) for each in tried if isinstance(each, dict))
    values["upstream_addr"] = asked.encode() or b"-"
    if "line" in members:
        values["request"] = str(members["line"]).encode()


# Values of either.


def _entry(values: Mapping[str, bytes]) -> LogEntry | None:
    """:return: None if there is no status, or neither a request nor a target."""
    status = values.get("status", b"")
    if not status.isdigit() or len(status) > 3:
        return None
    get = values.get
    request = get("request")
    if request is not None:
        method, target = _split(_plain(request))
    else:
        target = _plain(get("request_uri", b""))
        if not target:
            return None
        method = get("request_method", b"GET")
        query = get("args", b"")
        if query not in (b"", b"-") and b"?" not in target:
            target += b"?" + _plain(query)
        target = quote(target, safe="/?%:@!$&'()*+,;=~-._|\\^`{}[]\"<>").encode()
    host = get("host")
    agent, referer = get("http_user_agent", b"-"), get("http_referer", b"-")
    fields = b""
    if agent not in (b"-", b"") or referer not in (b"-", b""):
        fields = _field(b"User-Agent", agent) + _field(b"Referer", referer)
    return LogEntry(
        method,
        target,
        _plain(host) if host not in (None, b"", b"-", b"_") else None,
        _is_secure(values),
        get("remote_addr", b"").decode("ascii", "replace"),
        int(status),
        get("proxy_upstream_name"),
        get("upstream_addr"),
        fields,
    )


def _split(request: bytes) -> tuple[bytes, bytes]:
    """:return: method and target of a request line; both empty if it is none."""
    method, _, rest = request.partition(b" ")
    target, _, version = rest.rpartition(b" ")
    if not target or not version.startswith(b"HTTP/"):
        return b"", b""
    return method, target


def _field(name: bytes, value: bytes) -> bytes:
    if value in (b"", b"-"):
        return b""
    return b"%b: %b\r\n" % (name, _NOT_IN_FIELDS.sub(b"", _plain(value)).strip())


def _is_secure(values: Mapping[str, bytes]) -> bool | None:
    scheme = values.get("scheme")
    if scheme in (b"http", b"https"):
        return scheme == b"https"
    port = values.get("server_port")
    return {b"443": True, b"80": False}.get(port) if port is not None else None
