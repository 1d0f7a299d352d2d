"""
What a process takes with 10,000 hosts and idle connections, and what requests cost it at first.

Usage: ``python -m benchmarks.footprint [--hosts 10000] [--connections 2000] [--workers 2]
[--twistd PATH]``

- *First second*: the processor time of a request, of those that come in the first second in which
  all hosts are served, one after the other on one connection, each to another host.
- *Memory*: what is resident with these hosts, of the process, and of each of so many workers what
  no other process shares (its private memory).
- *Idle connections*: by how much a process grows for each, in the clear and over TLS. Each kind has
  a process of its own with one host, to which nothing else is sent: what was freed by connections
  of another kind, or while many hosts were built, would be used again and not be seen, and of hosts
  that had requests the rates are kept every minute. Python takes memory by the mebibyte, which is
  half a kibibyte for each of 2,000.
"""

from __future__ import annotations

import argparse
import os
import re
import socket
import ssl
import subprocess
import sys
import tempfile
import time
from contextlib import ExitStack
from pathlib import Path

from tests.support.manifest import endpoint_manifests, ingress_manifest, service_manifest
from tests.support.process import CHECKOUT, ENVIRONMENT, IngressProcess

TICKS = os.sysconf("SC_CLK_TCK")
SETTLING = 2.0
"""Seconds until what follows the load is over."""

GET = b"GET /0 HTTP/1.1\r\nHost: %b\r\n\r\n"


def processor_time(pid: int) -> float:
    """:return: seconds, to the hundredth."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / TICKS


def private_memory(pid: int) -> int:
    """:return: KiB that no other process shares."""
    text = Path(f"/proc/{pid}/smaps_rollup").read_text()
    return sum(map(int, re.findall(r"^Private_\w+: +(\d+) kB$", text, re.MULTILINE)))


def resident_memory(pid: int) -> int:
    """:return: KiB."""
    text = Path(f"/proc/{pid}/smaps_rollup").read_text()
    return int(re.findall(r"^Rss: +(\d+) kB$", text, re.MULTILINE)[0])


def children(pid: int) -> list[int]:
    """:return: its processes, and theirs."""
    text = Path(f"/proc/{pid}/task/{pid}/children").read_text()
    found = [int(each) for each in text.split()]
    return [each for child in found for each in (child, *children(child))]


def get(client: socket.socket, host: str) -> bytes:
    """Ask for nothing; return the first line of the answer, whose body is empty."""
    client.sendall(GET % host.encode("ascii"))
    received = b""
    while b"\r\n\r\n" not in received:
        data = client.recv(65536)
        assert data, "the connection was closed"
        received += data
    return received.partition(b"\r\n")[0]


def wait_for(port: int, host: str) -> None:
    """Wait until a host is served."""
    with socket.create_connection(("127.0.0.1", port)) as client:
        while b" 404" in get(client, host):
            time.sleep(0.01)


def measure_first_second(process: IngressProcess, hosts: int) -> float:
    """:return: microseconds of its processor time for a request."""
    port = process.port("http")
    wait_for(port, f"host-{hosts - 1}.example")
    with socket.create_connection(("127.0.0.1", port)) as client:
        client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        before, end, requests = processor_time(process.pid), time.monotonic() + 1, 0
        while time.monotonic() < end:
            assert b" 200" in get(client, f"host-{requests * 37 % hosts}.example")
            requests += 1
        return (processor_time(process.pid) - before) / requests * 1e6


def measure_idle(process: IngressProcess, count: int, *, is_secure: bool) -> float:
    """:return: KiB for a connection that has had one request."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    port = process.port("https" if is_secure else "http")
    with ExitStack() as stack:

        def connect() -> None:
            client = socket.create_connection(("127.0.0.1", port))
            if is_secure:
                client = context.wrap_socket(client, server_hostname="host-0.example")
            stack.enter_context(client)
            get(client, "host-0.example")

        for _ in range(50):
            connect()
        time.sleep(SETTLING)
        before = resident_memory(process.pid)
        for _ in range(count):
            connect()
        time.sleep(SETTLING)
        return (resident_memory(process.pid) - before) / count


def main() -> int:
    """Measure, and print."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("--hosts", type=int, default=10_000)
    parser.add_argument("--connections", type=int, default=2000)
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--twistd", help="the program of an installation, which is compiled")
    arguments = parser.parse_args()
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        endpoint = subprocess.Popen(
            [sys.executable, "-m", "benchmarks.http2_streams", "endpoint"],
            cwd=CHECKOUT,
            env=ENVIRONMENT,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        stack.callback(endpoint.wait)
        assert endpoint.stdin is not None
        stack.callback(endpoint.stdin.close)
        assert endpoint.stdout is not None
        port = int(endpoint.stdout.readline())

        def serve(name: str, count: int = arguments.hosts, **settings: object) -> IngressProcess:
            process = IngressProcess(
                folder / name, limits={"keep-alive-requests": 1_000_000}, **settings
            )
            if arguments.twistd:
                process.use_installation(arguments.twistd)
            hosts = [f"host-{number}.example" for number in range(count)]
            process.write(
                "all.yaml",
                service_manifest("web"),
                *endpoint_manifests("web", port),
                *(ingress_manifest(host, host, {"/": "web"}) for host in hosts),
            )
            stack.callback(process.stop)
            process.start()
            return process

        last = f"host-{arguments.hosts - 1}.example"
        one = serve("one")
        first = measure_first_second(one, arguments.hosts)
        time.sleep(SETTLING)
        print(f"{first:.0f} us a request in the first second")
        print(f"{resident_memory(one.pid) / 1024:.0f} MiB with {arguments.hosts} hosts", flush=True)
        one.stop()
        for name in ("clear", "secure"):
            process = serve(name, 1)
            wait_for(process.port("http"), "host-0.example")
            idle = measure_idle(process, arguments.connections, is_secure=name == "secure")
            where = " over TLS" if name == "secure" else ""
            print(f"{idle:.1f} KiB an idle connection{where}", flush=True)
            process.stop()
        several = serve("several", workers=arguments.workers)
        wait_for(several.port("http"), last)
        time.sleep(SETTLING)
        each = [private_memory(pid) / 1024 for pid in children(several.pid)]
        print(f"MiB of its own, of each of its processes: {', '.join(f'{x:.0f}' for x in each)}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
