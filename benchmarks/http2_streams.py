"""
HTTP/2 on a real process: what a slow stream does to others, and what large bodies and idle
connections cost in memory.

Usage: ``python -m benchmarks.http2_streams [--runs 5] [--requests 1000] [--mebibytes 1024]``

- *Slow streams*: requests are timed one after the other, on a connection with nothing else, beside
  a download that nobody reads, and beside an upload of a byte now and then. The 99th percentile is
  the median of the runs; it may grow by a fifth or by 2 ms.
- *Bodies*: a download and an upload by curl. The process may grow by 8 MiB.
- *Idle connections*: in the clear, after one request each. One may take 24 KiB.

The exit status is 1 if a bound is exceeded.
"""

from __future__ import annotations

import argparse
import socket
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from pathlib import Path

from tests.support.h2_socket import H2Socket
from tests.support.manifest import endpoint_manifests, ingress_manifest, service_manifest
from tests.support.process import CHECKOUT, ENVIRONMENT, IngressProcess

HOST = "a.example"
MEBIBYTE = 1 << 20
PIECE = bytes(1 << 16)
LARGE = 8 * MEBIBYTE
"""Bytes of the download that nobody reads: more than all buffers on its way hold."""

MOST_GROWTH = 1.2
MOST_DELAY = 0.002
MOST_MEMORY = 8 * 1024
MOST_IDLE = 24
"""The bounds: a ratio, seconds, KiB, and KiB for a connection."""

IDLE = 1000
"""Connections."""


# The endpoint, which is a process of its own.


def serve_endpoint() -> None:
    """Print a port, and answer until standard input ends."""
    listening = socket.create_server(("127.0.0.1", 0), backlog=1024)
    print(listening.getsockname()[1], flush=True)
    threading.Thread(target=_accept, args=(listening,), daemon=True).start()
    sys.stdin.read()


def _accept(listening: socket.socket) -> None:
    while True:
        connection, _ = listening.accept()
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        threading.Thread(target=_answer, args=(connection,), daemon=True).start()


def _answer(connection: socket.socket) -> None:
    """``/SIZE`` is a download of this size; what is sent is read."""
    received = b""
    try:
        while True:
            while b"\r\n\r\n" not in received:
                data = connection.recv(1 << 16)
                if not data:
                    return
                received += data
            head, _, received = received.partition(b"\r\n\r\n")
            lines = head.lower().split(b"\r\n")
            lengths = [int(each[15:]) for each in lines if each.startswith(b"content-length:")]
            received = _drop(connection, received, lengths[0] if lengths else 0)
            size = int(head.split(b" ")[1][1:])
            connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % size)
            while size:
                piece = PIECE[: min(size, len(PIECE))]
                connection.sendall(piece)
                size -= len(piece)
    except OSError:
        pass
    finally:
        connection.close()


def _drop(connection: socket.socket, received: bytes, length: int) -> bytes:
    """:return: what follows a body of this length."""
    buffer = bytearray(1 << 18)
    left = length - len(received)
    while left > 0:
        count = connection.recv_into(buffer, min(left, len(buffer)))
        if not count:
            raise ConnectionResetError
        left -= count
    return received[length:]


# What is measured.


def unread_download(client: H2Socket) -> Callable[[], None]:
    """Begin a download whose stream is given no window after the first one."""
    stream_id = client.begin(HOST, f"/{LARGE}")
    client.unread.add(stream_id)
    client.read_until(lambda: len(client.answers[stream_id].body) >= 65_535)
    return lambda: None


def slow_upload(client: H2Socket) -> Callable[[], None]:
    """:return: sends another byte of an upload."""
    fields = (("content-length", str(1 << 20)),)
    stream_id = client.begin(HOST, "/2", fields, method="POST", is_end=False)

    def send_more() -> None:
        client.h2.send_data(stream_id, b"x")
        client.flush()

    return send_more


def nothing(client: H2Socket) -> Callable[[], None]:
    """The same without anything slow."""
    return lambda: None


def percentile(port: int, begin: Callable[[H2Socket], Callable[[], None]], requests: int) -> float:
    """:return: the 99th percentile of the seconds that a request takes."""
    times = []
    with H2Socket(port) as client:
        go_on = begin(client)
        for number in range(requests):
            if number % 50 == 0:
                go_on()
            began = time.perf_counter()
            answer = client.ask(HOST, "/2")
            times.append(time.perf_counter() - began)
            assert answer.body == b"\0\0", answer.fields
    return sorted(times)[int(0.99 * len(times))]


def measure_streams(port: int, runs: int, requests: int) -> bool:
    """:return: whether the bound holds."""
    kinds = {"alone": nothing, "unread download": unread_download, "slow upload": slow_upload}
    found: dict[str, list[float]] = {kind: [] for kind in kinds}
    percentile(port, nothing, requests)
    for _ in range(runs):
        # In turns, so that what else the machine does meets all of them.
        for kind, begin in kinds.items():
            found[kind].append(percentile(port, begin, requests))
    alone = statistics.median(found["alone"])
    is_fine = True
    for kind, times in found.items():
        median = statistics.median(times)
        is_fine &= median <= max(alone * MOST_GROWTH, alone + MOST_DELAY)
        print(
            f"p99 of a request, {kind}: {median * 1000:.2f} ms "
            f"({', '.join(f'{each * 1000:.2f}' for each in times)})",
            flush=True,
        )
    return is_fine


def measure_bodies(process: IngressProcess, mebibytes: int) -> bool:
    """:return: whether the bound holds."""
    size = mebibytes * MEBIBYTE
    url = f"http://127.0.0.1:{process.port('http')}"
    curl = ["curl", "--silent", "--fail", "--http2-prior-knowledge", "-H", f"Host: {HOST}"]
    is_fine = True
    for name, command in (
        ("download", [*curl, "--output", "/dev/null", f"{url}/{size}"]),
        ("upload", [*curl, "--upload-file", "BODY", f"{url}/2"]),
    ):
        before = process.memory
        process.forget_peak()
        began = time.perf_counter()
        with tempfile.NamedTemporaryFile() as body:
            if "BODY" in command:
                # A file with a hole takes no space.
                body.truncate(size)
            subprocess.run(
                [body.name if each == "BODY" else each for each in command],
                check=True,
                stdout=subprocess.DEVNULL,
            )
        took = time.perf_counter() - began
        grown = process.peak_memory - before
        is_fine &= grown <= MOST_MEMORY
        print(f"{name} of {mebibytes} MiB: at most {grown} KiB more, {took:.1f} s", flush=True)
    return is_fine


def measure_idle(process: IngressProcess, count: int) -> bool:
    """:return: whether the bound holds."""
    port = process.port("http")
    clients: list[H2Socket] = []
    try:
        # The first ones fill what is there already.
        for number in range(count + 100):
            if number == 100:
                before = process.memory
            client = H2Socket(port)
            clients.append(client)
            client.ask(HOST, "/2")
        each = (process.memory - before) / count
    finally:
        for client in clients:
            client.close()
    print(f"idle connection: {each:.1f} KiB of {count} each", flush=True)
    return each <= MOST_IDLE


def main() -> int:
    if sys.argv[1:] == ["endpoint"]:
        serve_endpoint()
        return 0
    parser = argparse.ArgumentParser(description="See benchmarks/README.md.")
    parser.add_argument("--runs", type=int, default=5, help="of the slow streams")
    parser.add_argument("--requests", type=int, default=1000, help="in each run")
    parser.add_argument("--mebibytes", type=int, default=1024, help="of each body")
    parser.add_argument("--connections", type=int, default=IDLE, help="that are idle")
    parser.add_argument("--twistd", help="the program of an installation, which is compiled")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        endpoint = subprocess.Popen(
            [sys.executable, "-m", "benchmarks.http2_streams", "endpoint"],
            cwd=CHECKOUT,
            env=ENVIRONMENT,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        assert endpoint.stdout is not None
        limits = {"body-size": 0, "keep-alive-requests": 1_000_000}
        process = IngressProcess(Path(folder), limits=limits)
        if arguments.twistd:
            process.use_installation(arguments.twistd)
        try:
            process.write(
                "all.yaml",
                service_manifest("web"),
                *endpoint_manifests("web", int(endpoint.stdout.readline())),
                ingress_manifest("web", HOST, {"/": "web"}),
            )
            process.start()
            is_fine = measure_streams(process.port("http"), arguments.runs, arguments.requests)
            is_fine &= measure_bodies(process, arguments.mebibytes)
            is_fine &= measure_idle(process, arguments.connections)
        finally:
            process.stop()
            endpoint.communicate()
    return 0 if is_fine else 1


if __name__ == "__main__":
    sys.exit(main())
