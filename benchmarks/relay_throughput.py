"""
What a TCP service costs, beside HAProxy: bytes a second, and memory of idle connections.

Usage: ``python -m benchmarks.relay_throughput [--rounds 5] [--mebibytes 2048] [--idle 10000]``

Both proxies relay downloads of the same endpoint to the same client, one after the other in each
round, on one connection and on 100 at once; HAProxy has one thread and does not splice. Shown are
the medians of what came through in a second of the clock, and in a second of the proxy's processor
time, which other work on the machine disturbs little. Then so many connections are left idle, and
what the process grew by is divided by their number. The exit status is 1 if a bound is exceeded.
"""

from __future__ import annotations

import argparse
import resource
import selectors
import shutil
import socket
import statistics
import struct
import subprocess
import sys
import tempfile
import threading
import time
from contextlib import ExitStack, suppress
from pathlib import Path
from typing import NamedTuple

from tests.support.echo_ports import free_port
from tests.support.process import IngressProcess, ModuleProcess, wait_until

MEBIBYTE = 1 << 20
PIECE = bytes(MEBIBYTE)
SIZE = struct.Struct("!Q")
"""What a client sends: the bytes that it wants."""

DESCRIPTORS = 65_536

LEAST_RATIO = 0.8
"""Of HAProxy's bytes a second of processor time."""

MOST_IDLE = 6.0
"""KiB of an idle connection."""

CONFIG = """\
global
    nbthread 1
    maxconn 4096
defaults
    mode tcp
    timeout client 60s
    timeout connect 5s
    timeout server 60s
listen all
    bind 127.0.0.1:{port}
    server one 127.0.0.1:{endpoint}
"""


class Proxy(NamedTuple):
    """A proxy that runs."""

    name: str
    port: int
    pid: int


class Figure(NamedTuple):
    """What one proxy did in one round, in MiB a second."""

    by_clock: float
    by_processor: float


# The endpoint, which is a process of its own.


def serve_endpoint() -> None:
    """Print a port, and send what is asked for until standard input ends."""
    listening = socket.create_server(("127.0.0.1", 0), backlog=4096)
    print(listening.getsockname()[1], flush=True)
    kept = []
    while True:
        connection, _ = listening.accept()
        wanted = SIZE.unpack(connection.recv(SIZE.size, socket.MSG_WAITALL).ljust(SIZE.size, b"\0"))
        if wanted[0]:
            threading.Thread(target=_send, args=(connection, wanted[0]), daemon=True).start()
        else:
            kept.append(connection)


def _send(connection: socket.socket, size: int) -> None:
    with connection:
        while size:
            size -= connection.send(PIECE[:size])


# The client.


def connect(port: int, wanted: int) -> socket.socket:
    """Ask for so many bytes."""
    connection = socket.create_connection(("127.0.0.1", port))
    connection.sendall(SIZE.pack(wanted))
    return connection


def download(port: int, connections: int, size: int) -> None:
    """Receive so many bytes on all connections together."""
    selector = selectors.DefaultSelector()
    buffer = bytearray(MEBIBYTE)
    for _ in range(connections):
        selector.register(connect(port, size // connections), selectors.EVENT_READ)
    left = size // connections * connections
    while selector.get_map():
        for key, _ in selector.select():
            received = key.fileobj.recv_into(buffer)  # type: ignore[union-attr]
            left -= received
            if not received:
                selector.unregister(key.fileobj)
                key.fileobj.close()  # type: ignore[union-attr]
    assert not left, f"{left} bytes are missing"


def processor_seconds(pid: int) -> float:
    """What a process has used."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / 100


def measure(proxy: Proxy, connections: int, size: int) -> Figure:
    """One download."""
    began, used = time.monotonic(), processor_seconds(proxy.pid)
    download(proxy.port, connections, size)
    mebibytes = size / MEBIBYTE
    spent = max(processor_seconds(proxy.pid) - used, 0.01)
    return Figure(mebibytes / (time.monotonic() - began), mebibytes / spent)


# The proxies.


def start_haproxy(resources: ExitStack, folder: Path, endpoint: int) -> Proxy:
    """Start HAProxy."""
    port = free_port()
    config = folder / "haproxy.cfg"
    config.write_text(CONFIG.format(port=port, endpoint=endpoint))
    process = subprocess.Popen(["haproxy", "-q", "-dS", "-f", str(config)])
    resources.callback(process.wait)
    resources.callback(process.terminate)
    wait_until(lambda: _accepts(port), "HAProxy")
    return Proxy("HAProxy", port, process.pid)


def _accepts(port: int) -> bool:
    with socket.socket() as attempt:
        return attempt.connect_ex(("127.0.0.1", port)) == 0


def start_ours(resources: ExitStack, folder: Path, endpoint: int, twistd: str) -> Proxy:
    """Start this proxy."""
    port = free_port()
    process = IngressProcess(folder / "ours")
    loopback = "127.0.0.1:0"
    process.configure(
        listen={
            "http": loopback,
            "https": loopback,
            "admin": loopback,
            "tcp": {f"127.0.0.1:{port}": "default/all:1"},
        },
        source={"files": ["manifests"], "endpoints": {"default/all": f"127.0.0.1:{endpoint}"}},
        limits={"connections": 20_000},
        # All connections are those of one client, which is not to be bound to its share.
        trusted_proxies=["127.0.0.1"],
        shutdown_grace=0,
    )
    if twistd:
        process.use_installation(twistd)
    resources.callback(process.stop)
    process.start()
    wait_until(lambda: _accepts(port), "the port")
    return Proxy("txingress", port, process.pid)


def compare(proxies: list[Proxy], connections: int, rounds: int, size: int) -> float:
    """:return: the median of our bytes for each of HAProxy's, by processor time."""
    figures: dict[str, list[Figure]] = {proxy.name: [] for proxy in proxies}
    for proxy in proxies:
        download(proxy.port, connections, size // 8)
    for _ in range(rounds):
        for proxy in proxies:
            figures[proxy.name].append(measure(proxy, connections, size))
    print(f"{connections} connections")
    for name, found in figures.items():
        clock = statistics.median(each.by_clock for each in found)
        processor = statistics.median(each.by_processor for each in found)
        print(f"  {name:10} {clock:8.0f} MiB/s {processor:8.0f} MiB for a second of processor time")
    theirs, ours = figures.values()
    pairs = list(zip(ours, theirs, strict=True))
    ratios = [
        statistics.median(one / other for one, other in values)
        for values in (
            [(one.by_clock, other.by_clock) for one, other in pairs],
            [(one.by_processor, other.by_processor) for one, other in pairs],
        )
    ]
    print(f"  ratio      {ratios[0]:8.2f}       {ratios[1]:8.2f}")
    return ratios[1]


def idle_memory(proxy: Proxy, count: int) -> float:
    """:return: KiB of an idle connection."""
    kept = [connect(proxy.port, 0) for _ in range(100)]
    time.sleep(1)
    before = _memory(proxy.pid)
    kept += [connect(proxy.port, 0) for _ in range(count)]
    # Each is there when its bytes have gone through, which the last one's download shows.
    download(proxy.port, 1, 1)
    time.sleep(2)
    grown = (_memory(proxy.pid) - before) / count
    for each in kept:
        # The endpoint keeps its side, so that an orderly end would leave the relay half-open.
        each.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        each.close()
    return grown


def _memory(pid: int) -> int:
    """Resident KiB."""
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("VmRSS:"))


def raise_descriptor_limit() -> None:
    """Allow all processes the descriptors of so many connections, as far as we may."""
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    for limit in (DESCRIPTORS, hard):
        with suppress(ValueError, OSError):
            resource.setrlimit(resource.RLIMIT_NOFILE, (limit, max(limit, hard)))
            return


def main() -> int:
    parser = argparse.ArgumentParser()
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--mebibytes", type=int, default=2048)
    parser.add_argument("--idle", type=int, default=10_000)
    parser.add_argument("--twistd", default="", help="the program of an installation")
    parser.add_argument("--serve", action="store_true", help="be the endpoint")
    arguments = parser.parse_args()
    if arguments.serve:
        serve_endpoint()
        return 0
    raise_descriptor_limit()
    if shutil.which("haproxy") is None:
        print("haproxy is not installed")
        return 1
    with ExitStack() as resources, tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        endpoint = ModuleProcess("benchmarks.relay_throughput", "--serve")
        resources.callback(endpoint.stop)
        proxies = [
            start_haproxy(resources, folder, endpoint.port),
            start_ours(resources, folder, endpoint.port, arguments.twistd),
        ]
        # First, while the process has no memory that it has used before.
        memory = idle_memory(proxies[1], arguments.idle)
        print(f"{arguments.idle} idle connections: {memory:.2f} KiB each")
        size = arguments.mebibytes * MEBIBYTE
        ratios = [compare(proxies, each, arguments.rounds, size) for each in (1, 100)]
    return int(min(ratios) < LEAST_RATIO or memory > MOST_IDLE)


if __name__ == "__main__":
    sys.exit(main())
