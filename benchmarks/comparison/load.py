"""
Load generators, and what they say.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

from benchmarks.comparison.process import Failed, run

SLACK = 30.0
"""Seconds that a generator may need beyond its time."""

UNITS = {"us": 1e-6, "ms": 1e-3, "s": 1.0, "m": 60.0}

SCRIPTS = Path(__file__).parent


@dataclass(frozen=True)
class LoadResult:
    """
    What clients saw.

    :ivar p50: seconds until the response had come, for half of the requests; None where
        nobody looked.
    :ivar faults: answers other than 2xx, and broken connections.
    """

    requests: int
    seconds: float
    p50: float | None = None
    p99: float | None = None
    faults: str = ""

    @property
    def rate(self) -> float:
        return self.requests / self.seconds if self.seconds else 0.0


def wrk(
    url: str,
    core: int,
    seconds: float,
    connections: int,
    script: str = "",
    *arguments: str,
    close: bool = False,
) -> LoadResult:
    """
    As many requests as the proxy can take, if the script makes no pauses.

    :param script: in Lua, beside this module.
    :param close: a connection for each request; over TLS, wrk resumes its session.
    """
    command = ["wrk", "-t1", f"-c{connections}", f"-d{seconds:.0f}s", "--latency"]
    if close:
        command += ["-H", "Connection: close"]
    if script:
        command += ["-s", str(SCRIPTS / script)]
    return parse_wrk(run([*command, url, "--", *arguments], core, seconds + SLACK))


def parse_wrk(text: str) -> LoadResult:
    """:raises Failed: if this is not what wrk says."""
    total = re.search(r"(\d+) requests in ([\d.]+)([a-z]+)", text)
    times = {
        share: float(value) * UNITS[unit]
        for share, value, unit in re.findall(r"^ +(\d+)% +([\d.]+)([a-z]+)", text, re.MULTILINE)
    }
    if total is None or not {"50", "99"} <= times.keys():
        raise Failed(f"wrk said:\n{text}")
    faults = re.findall(r"(?:Non-2xx|Socket errors).*", text)
    seconds = float(total[2]) * UNITS[total[3]]
    return LoadResult(int(total[1]), seconds, times["50"], times["99"], "; ".join(faults))


def h2load(url: str, core: int, seconds: float, rate: int) -> LoadResult:
    """So many connections a second, without TLS sessions, one request on each."""
    number = str(round(rate * seconds))
    command = ["h2load", "--h1", "-c", number, "-n", number, "-r", "1"]
    command += [f"--rate-period={1000 // rate}ms", "-H", "Connection: close", url]
    return parse_h2load(run(command, core, seconds + SLACK))


def h2load_streams(
    url: str, core: int, seconds: float, clients: int, streams: int, *arguments: str
) -> LoadResult:
    """
    As many requests over HTTP/2 as the proxy can take.

    :param clients: connections.
    :param streams: requests at once on each.
    :param arguments: more of h2load's.
    """
    # Connections end after some requests, as those of browsers do.
    rounds = ["-c", str(clients), "-m", str(streams), "-D", f"{seconds:.0f}"]
    return parse_h2load(run(["h2load", *rounds, *arguments, url], core, seconds + SLACK))


def parse_h2load(text: str) -> LoadResult:
    """:raises Failed: if this is not what h2load says."""
    took = re.search(r"finished in ([\d.]+)([a-z]+)", text)
    done = re.search(r"\d+ total, \d+ started, (\d+) done, \d+ succeeded(.*)", text)
    codes = re.search(r"status codes: \d+ 2xx(.*)", text)
    if took is None or done is None or codes is None:
        raise Failed(f"h2load said:\n{text}")
    # Requests that were under way at the end are neither done nor at fault.
    is_good = int(done[1]) and not re.search(r"[1-9]", done[2] + re.sub(r"\dxx", "", codes[1]))
    faults = "" if is_good else f"{done[0]}; {codes[0]}"
    return LoadResult(int(done[1]), float(took[1]) * UNITS[took[2]], faults=faults)
