"""
What a line of the access log costs: for each request, and at once where lines are handed over.

Usage: ``python -m benchmarks.log_cost``
"""

from __future__ import annotations

import os
import time
import timeit
from collections.abc import Callable
from pathlib import Path

from twisted.internet.task import Clock

from ingress.config import AccessLog as Settings
from ingress.endpoint import Endpoint, UpstreamKey
from ingress.http1.request_head import parse_request_head
from ingress.routing.route import Route
from ingress.telemetry.access_log import AccessLog
from ingress.telemetry.log_line import FORMATS
from ingress.telemetry.record import AttemptRecord, ExchangeRecord

REQUESTS = 100_000
ROUNDS = 7

HEAD = (
    b"GET /api/v1/items?page=1 HTTP/1.1\r\n"
    b"Host: shop.example\r\n"
    b"User-Agent: Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36\r\n"
    b"Referer: https://shop.example/\r\n"
    b"Accept: */*\r\n"
    b"\r\n"
)


class _Clock(Clock):
    """Nobody's reactor: what the thread asks for is done in the thread."""

    def callFromThread(self, function: Callable[..., object], *arguments: object) -> None:
        function(*arguments)


def make_record() -> ExchangeRecord:
    """A request that an endpoint answered."""
    request, _ = parse_request_head(HEAD)
    record = ExchangeRecord(b"192.0.2.1", 100.0, request)
    record.request_id = b"0123456789abcdef0123456789abcdef"
    record.request_size = len(HEAD)
    record.route = Route(("default", "web"), UpstreamKey("default", "web", "80"))
    record.tries = [AttemptRecord(Endpoint("10.1.0.1", 8080), 100.0, 200, None, 0.0011, 0.0012)]
    record.status, record.body_size, record.duration = 200, 512, 0.0015
    return record


def cost(run: Callable[[], object]) -> float:
    """Microseconds of the processor's time that a call takes."""
    return min(timeit.repeat(run, timer=time.process_time, number=REQUESTS, repeat=ROUNDS)) * (
        1e6 / REQUESTS
    )


def main() -> None:
    """Print what each format costs, and the way from a record to the file."""
    record = make_record()
    for name, (to_line, to_text) in FORMATS.items():
        text = to_text(time.time())
        line = to_line(record, text)
        each = cost(lambda to_line=to_line, text=text: to_line(record, text))  # type: ignore[misc]
        print(f"{name:12} {len(line):4} bytes {each:6.2f} µs a line")
    log = AccessLog(_Clock(), Settings(Path(os.devnull)), time.time)
    log.start()
    print(f"{'all of it':12} {'':10} {cost(lambda: log.write(record)):6.2f} µs a request")
    log.stop()


if __name__ == "__main__":
    main()
