"""
What the figures are measured on, and what else it does meanwhile.
"""

from __future__ import annotations

import os
import platform
import re
import resource
import subprocess
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from benchmarks.comparison.process import TICK, Process

IDLE = (3, 4)
"""Fields of /proc/stat with the time in which a core does nothing: idle, iowait."""

GUEST = 8
"""The first of the fields that are part of others."""


@dataclass
class Watch:
    """:ivar foreign: the share of a core that others had, of the one where it was more."""

    foreign: float = 0.0


@dataclass(frozen=True)
class Cores:
    """That of the proxies, and that of all else."""

    proxy: int
    load: int

    @contextmanager
    def watched(self, proxy: Sequence[Process], endpoints: Sequence[Process]) -> Iterator[Watch]:
        """Find out how much of both cores others have in the meantime."""
        watch, began = Watch(), time.monotonic()
        before = self._foreign(proxy, endpoints)
        yield watch
        wall = time.monotonic() - began
        after = self._foreign(proxy, endpoints)
        watch.foreign = max((new - old) / wall for old, new in zip(before, after, strict=True))

    def _foreign(self, proxy: Sequence[Process], endpoints: Sequence[Process]) -> list[float]:
        """Seconds so far of either core, less ours."""
        loads = sum(process.processor_seconds for process in endpoints)
        for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN):
            usage = resource.getrusage(who)
            loads += usage.ru_utime + usage.ru_stime
        proxies = sum(process.processor_seconds for process in proxy)
        return [_busy_seconds(self.proxy) - proxies, _busy_seconds(self.load) - loads]


def _busy_seconds(core: int) -> float:
    """That the core has not been idle for, or that a hypervisor has taken from it."""
    match = re.search(rf"^cpu{core} (.*)$", _text("/proc/stat"), re.MULTILINE)
    assert match is not None, f"no core {core}"
    ticks = list(map(int, match[1].split()[:GUEST]))
    return (sum(ticks) - sum(ticks[field] for field in IDLE)) / TICK


def description() -> dict[str, str]:
    """Figures of two machines say nothing about each other."""
    cpu = re.search(r"^model name\s*: (.*)$", _text("/proc/cpuinfo"), re.MULTILINE)
    system = re.search(r'^PRETTY_NAME="(.*)"$', _text("/etc/os-release"), re.MULTILINE)
    return {
        "Processor": f"{cpu[1] if cpu else platform.machine()}, {os.cpu_count()} cores",
        "System": f"{system[1] if system else platform.system()}, Linux {platform.release()}",
        "Load at start": f"{os.getloadavg()[0]:.2f}",
        "Time": time.strftime("%Y-%m-%d %H:%M %z"),
        "OpenSSL": _first_word("openssl", "version"),
        "h2load": _first_word("h2load", "--version"),
    }


def _text(path: str) -> str:
    file = Path(path)
    return file.read_text() if file.exists() else ""


def _first_word(*command: str) -> str:
    """The second word of what it says: its version."""
    try:
        said = subprocess.run(command, capture_output=True, text=True).stdout
    except FileNotFoundError:
        return "none"
    return " ".join(said.split()[1:2])
