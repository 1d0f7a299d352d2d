"""
Load generators, and what they say.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from benchmarks.comparison.process import Failed, run

SLACK = 30.0
"""Seconds that a generator may need beyond its time."""

UNITS = {"us": 1e-6, "ms": 1e-3, "s": 1.0, "m": 60.0}


@dataclass(frozen=True)
class Outcome:
    """
    What clients saw.

    :ivar p50: seconds until the response had come, for half of the requests.
    :ivar faults: answers other than 2xx, and broken connections.
    """

    requests: int
    seconds: float
    p50: float
    p99: float
    faults: str = ""

    @property
    def rate(self) -> float:
        return self.requests / self.seconds


def wrk(
    url: str, core: int, seconds: float, connections: int, *options: str, close: bool = False
) -> Outcome:
    """
    As many requests as the proxy can take.

    :param options: more of wrk's.
    :param close: a connection for each request; over TLS, wrk resumes its session.
    """
    if close:
        options = ("-H", "Connection: close", *options)
    command = ["wrk", "-t1", f"-c{connections}", f"-d{seconds:.0f}s", "--latency", *options, url]
    return parse_wrk(run(command, core, seconds + SLACK))


def parse_wrk(text: str) -> Outcome:
    """:raises Failed: if this is not what wrk says."""
    total = re.search(r"(\d+) requests in ([\d.]+)([a-z]+)", text)
    times = {
        share: float(value) * UNITS[unit]
        for share, value, unit in re.findall(r"^ +(\d+)% +([\d.]+)([a-z]+)", text, re.MULTILINE)
    }
    if total is None or "50" not in times:
        raise Failed(f"wrk said:\n{text}")
    faults = re.findall(r"(?:Non-2xx|Socket errors).*", text)
    return Outcome(
        int(total[1]),
        float(total[2]) * UNITS[total[3]],
        times["50"],
        times["99"],
        "; ".join(faults),
    )
