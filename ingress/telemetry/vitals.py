"""
The vital signs of a process that serves: values that are read, not counted.
"""

from __future__ import annotations

import os
import resource
import sys
import time
from collections.abc import Iterable
from pathlib import Path
from typing import Final, NamedTuple


class Connections(NamedTuple):
    """Client connections by activity, in nginx's terms."""

    reading: int = 0
    """The head of a request is being received."""

    writing: int = 0
    """A request is being answered."""

    waiting: int = 0
    """Idle connections."""


class Relays(NamedTuple):
    """What is open of TCP and UDP services."""

    tcp: int = 0
    """Relays that have their endpoint."""

    udp: int = 0
    """Sessions."""


class HTTP2Vitals(NamedTuple):
    """What is open in HTTP/2."""

    client_connections: int = 0
    client_streams: int = 0
    endpoint_connections: int = 0
    endpoint_streams: int = 0

    def shown(self) -> dict[str, dict[str, int]]:
        """:return: connections and streams by side, as names and numbers."""
        return {
            "client": {"connections": self.client_connections, "streams": self.client_streams},
            "endpoint": {
                "connections": self.endpoint_connections,
                "streams": self.endpoint_streams,
            },
        }


def all_http2(vitals: Iterable[Vitals]) -> HTTP2Vitals:
    """:return: what is open in all processes together."""
    columns = zip(*(each.http2 for each in vitals), strict=True)
    return HTTP2Vitals(*map(sum, columns))


class Vitals(NamedTuple):
    """Those of one process, at the moment."""

    connections: Connections
    memory: int
    """Resident memory in bytes."""

    virtual_memory: int = 0
    """In bytes; 0 if the system does not say."""

    started_at: float = 0.0
    """Seconds since 1970."""

    http2: HTTP2Vitals = HTTP2Vitals()
    relays: Relays = Relays()


_NO_HTTP2: Final = HTTP2Vitals()


class Usage(NamedTuple):
    """What a process has used since its start."""

    cpu_seconds: float = 0.0
    read_bytes: int = 0
    """From storage, as nginx's are counted in ingress-nginx: what is cached costs nothing."""

    written_bytes: int = 0
    """To storage."""


def own_vitals(connections: Connections, http2: HTTP2Vitals = _NO_HTTP2) -> Vitals:
    """The vitals of this process."""
    virtual, resident = _memory()
    return Vitals(connections, resident, virtual, _started_at(), http2)


def own_usage() -> Usage:
    """The usage of this process."""
    used = resource.getrusage(resource.RUSAGE_SELF)
    # Not from /proc/self/io, which a process that has shed its privileges may not read.
    return Usage(time.process_time(), used.ru_inblock * _BLOCK, used.ru_oublock * _BLOCK)


_BLOCK: Final = 512
"""Bytes of a block as getrusage(2) counts them."""

_IMPORTED_AT: Final = time.time()


def _memory() -> tuple[int, int]:
    """Bytes of memory that this process has reserved, and has in use."""
    try:
        virtual, resident = Path("/proc/self/statm").read_bytes().split()[:2]
    except OSError:
        # Without /proc, the maximum so far is the best that the system has.
        unit = 1 if sys.platform == "darwin" else 1024
        return 0, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit
    page = resource.getpagesize()
    return int(virtual) * page, int(resident) * page


def _started_at() -> float:
    """When this process was forked, in seconds since 1970."""
    try:
        # After the name, which may contain anything, the 20th field (proc_pid_stat(5)).
        ticks = int(Path("/proc/self/stat").read_bytes().rpartition(b")")[2].split()[19])
        up = time.clock_gettime(time.CLOCK_BOOTTIME)
    except (OSError, AttributeError):
        return _IMPORTED_AT
    return time.time() - up + ticks / os.sysconf("SC_CLK_TCK")
