"""
Records of finished exchanges.
"""

from __future__ import annotations

from collections.abc import Mapping

from ingress.message import Request
from ingress.routing.route import Route
from ingress.telemetry.record import AttemptRecord, ExchangeRecord
from tests.support.wire import ENDPOINT, UPSTREAM

ID = b"0123456789abcdef0123456789abcdef"


def request_of(
    fields: Mapping[bytes, bytes] | None = None, *, target: bytes = b"/", is_http_10: bool = False
) -> Request:
    """
    Make a request as a codec would pass it on, or an invalid one.

    :param fields: values by name in lower case; any value is possible.
    """
    return Request(
        method=b"GET",
        target=target,
        path=b"/",
        authority=b"a.example",
        host=b"a.example",
        fields=[(name, name, value) for name, value in (fields or {}).items()],
        body_length=0,
        is_http_10=is_http_10,
    )


def answered(request: Request | None = None, **values: object) -> ExchangeRecord:
    """
    Make the record of an exchange that went well, except for the given values.

    :param values: values of the record's fields.
    """
    record = ExchangeRecord(b"192.0.2.1", 100.0, request or request_of())
    record.request_id = ID
    record.route = Route(ingress=("default", "web"), upstream=UPSTREAM)
    record.tries = [AttemptRecord(ENDPOINT, 100.0, 200, None, 0.002, 0.0305)]
    record.status, record.body_size, record.request_size = 200, 512, 80
    record.duration = 0.031
    for name, value in values.items():
        setattr(record, name, value)
    return record
