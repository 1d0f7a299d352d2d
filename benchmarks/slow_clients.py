"""
What slow clients do to others: Debian's ``slowhttptest`` against a real process.

Usage: ``python -m benchmarks.slow_clients --seconds 30 --connections 400``

For each of its attacks another client's requests are timed, next to the same without
any attack: how many there were, how many failed, and how long they took. The commands
are printed as they are run; memory and descriptors are those of the proxy at the end of
each attack. The exit status is 1 if a request of the other client failed.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import tempfile
import threading
import time
from dataclasses import dataclass, field
from pathlib import Path

from benchmarks.soak import Endpoints
from benchmarks.soak_load import HOST, PAUSE
from tests.support.client import HTTPClient
from tests.support.manifest import endpoint_manifests, ingress_manifest, service_manifest
from tests.support.process import IngressProcess

ATTACKS = {
    "slow heads (-H)": "-H -i 5 -x 20 -u {url}/steady/small",
    "slow bodies (-B)": "-B -i 5 -x 20 -s 8192 -u {url}/steady/upload",
    "slow reading (-X)": "-X -n 2 -z 32 -w 512 -y 1024 -k 3 -u {url}/steady/large",
    "many ranges (-R)": "-R -a 10 -b 3000 -t HEAD -u {url}/steady/large",
}

ROW = "{:20}{:>10}{:>10}{:>12}{:>12}{:>12}{:>10}{:>8}"


@dataclass
class Timing:
    """The requests of the other client."""

    times: list[float] = field(default_factory=list)
    """In seconds."""

    failures: list[str] = field(default_factory=list)

    def quantile(self, share: float) -> float:
        return sorted(self.times)[int(share * (len(self.times) - 1))] if self.times else 0.0


def measure(port: int, is_over: threading.Event) -> Timing:
    """Ask again and again, every other time on a new connection."""
    timing = Timing()
    while not is_over.wait(PAUSE):
        began = time.monotonic()
        try:
            with HTTPClient(port) as client:
                for _ in range(2):
                    began = time.monotonic()
                    reply = client.request("/steady/small", HOST)
                    assert reply.status == 200, reply.status
                    timing.times.append(time.monotonic() - began)
        except (OSError, AssertionError) as error:
            timing.failures.append(repr(error))
    return timing


def attack(arguments: str, process: IngressProcess, seconds: int) -> Timing:
    """
    :param arguments: of slowhttptest; nothing for no attack.
    """
    is_over = threading.Event()
    timings: list[Timing] = []
    port = process.port("http")
    client = threading.Thread(target=lambda: timings.append(measure(port, is_over)))
    client.start()
    if arguments:
        command = ["slowhttptest", *arguments.split()]
        subprocess.run(command, stdout=subprocess.DEVNULL, check=False, timeout=seconds + 60)
    else:
        time.sleep(seconds)
    is_over.set()
    client.join()
    return timings[0]


def run(folder: Path, seconds: int, connections: int) -> int:
    """:return: how many requests of the other client failed."""
    endpoints = Endpoints()
    process = IngressProcess(folder)
    failed = 0
    try:
        process.write(
            "all.yaml",
            service_manifest("steady"),
            *endpoint_manifests("steady", *endpoints.steady),
            ingress_manifest("steady", "", {"/": "steady"}),
        )
        process.start()
        url = f"http://127.0.0.1:{process.port('http')}"
        common = f" -c {connections} -r {connections // 4} -l {seconds} -p 5"
        print(
            ROW.format(
                "", "requests", "failures", "median, ms", "99 %, ms", "most, ms", "KiB", "fds"
            )
        )
        for name, arguments in {"nobody else": "", **ATTACKS}.items():
            whole = arguments.format(url=url) + common if arguments else ""
            timing = attack(whole, process, seconds)
            failed += len(timing.failures)
            figures = [f"{timing.quantile(share) * 1000:.2f}" for share in (0.5, 0.99, 1)]
            print(
                ROW.format(
                    name,
                    len(timing.times),
                    len(timing.failures),
                    *figures,
                    process.memory,
                    process.descriptors,
                ),
                flush=True,
            )
            if whole:
                print(f"    slowhttptest {whole}".replace(url, "http://127.0.0.1:8080"))
            print(*timing.failures[:3], sep="\n", end="")
    finally:
        process.stop()
        endpoints.stop()
    return failed


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.slow_clients")
    parser.add_argument("--seconds", type=int, default=30)
    parser.add_argument("--connections", type=int, default=400)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="slow-") as folder:
        failed = run(Path(folder), arguments.seconds, arguments.connections)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
