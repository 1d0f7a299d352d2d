"""
The lines of the access log for connections of TCP services and sessions of UDP services.

``nginx-exact`` is ingress-nginx's ``log-format-stream``. ``nginx`` has more behind it::

    [ADDRESS] [TIME] PROTOCOL STATUS BYTES-SENT BYTES-RECEIVED SECONDS
    PORT [UPSTREAM] ENDPOINT TRIES CONNECT-SECONDS OUTCOME "REASON"

Where TLS was passed through, the protocol is ``TLS``, and the host follows at the end, as a rule
has it.

Nothing in a line comes from a peer.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Final

from ingress.telemetry.relay_outcome import STATUSES
from ingress.telemetry.relay_record import RelayRecord

RelayFormatter = Callable[[RelayRecord, bytes], bytes]
"""Formats a record and the text of the time as a line, including the line end."""


def nginx_exact_line(record: RelayRecord, time: bytes) -> bytes:
    """:param time: the result of `log_line.nginx_time`."""
    return _common(record, time) + b"\n"


def nginx_line(record: RelayRecord, time: bytes) -> bytes:
    """:param time: the result of `log_line.nginx_time`."""
    endpoint = "-" if record.endpoint is None else str(record.endpoint)
    connected = b"-" if record.connect_time is None else _seconds(record.connect_time)
    upstream = f"{record.protocol.lower()}-{record.upstream}"
    rest = f" {record.port} [{upstream}] {endpoint} {record.tries} "
    host = f" {record.host}" if record.host else ""
    tail = f' {record.outcome} "{record.detail or "-"}"{host}\n'
    return _common(record, time) + rest.encode() + connected + tail.encode()


def _common(record: RelayRecord, time: bytes) -> bytes:
    return b"[%b] [%b] %b %d %d %d %b" % (
        (record.client_address or "unix:").encode(),
        time,
        record.protocol.encode(),
        STATUSES[record.outcome],
        record.sent,
        record.received,
        _seconds(record.duration),
    )


def _seconds(seconds: float) -> bytes:
    """Seconds with milliseconds, rounded down as in nginx; never below 0."""
    return b"%d.%03d" % divmod(max(int(seconds * 1000), 0), 1000)


def json_line(record: RelayRecord, time: bytes) -> bytes:
    """
    One JSON object. Unknown and absent values are left out.

    :param time: the result of `log_line.iso_time`.
    """
    key = record.upstream
    told: dict[str, object] = {
        "time": time.decode("ascii"),
        "client": record.client_address or "unix:",
        "protocol": record.protocol,
        "listen_port": record.port,
        "outcome": record.outcome.value,
    }
    if record.host:
        told["host"] = record.host
    if record.detail:
        told["reason"] = record.detail
    told |= {
        "bytes_sent": record.sent,
        "bytes_received": record.received,
        "seconds": round(record.duration, 6),
        "namespace": key.namespace,
        "service": key.service,
        "port": key.port,
    }
    if record.endpoint is not None:
        told["endpoints"] = [{"endpoint": str(record.endpoint)}]
        told["tries"] = record.tries
    if record.connect_time is not None:
        told["connect_seconds"] = round(record.connect_time, 6)
    return json.dumps(told, separators=(",", ":")).encode("ascii") + b"\n"


RELAY_FORMATS: Final[dict[str, RelayFormatter]] = {
    "nginx": nginx_line,
    "nginx-exact": nginx_exact_line,
    "json": json_line,
}
"""The formatter of lines, by name of the format; times are those of `log_line.FORMATS`."""
