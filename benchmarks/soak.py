"""
A real process under load for as long as one likes: no request fails, nothing leaks.

Usage: ``python -m benchmarks.soak --seconds N``

Clients of every kind (`benchmarks.soak_load`), in HTTP/1.1, HTTP/2 and gRPC, and of TCP and UDP
services (`benchmarks.soak_relay`) ask a ``twistd ingress`` on loopback, while every 100 ms its
configuration, its certificate, its endpoints, its Ingresses, one of its Services or its ports
change, and endpoints die and come back. Then a table tells how
many requests there were and how many failed, and what memory and descriptors the process had at the
beginning (idle, warm), in the middle and at the end (idle again). The exit status is 1 if a request
failed, if the process ended or logged a traceback, or if it leaks.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path
from random import Random
from statistics import median

from benchmarks.soak_load import GRPC_HOST, HOST, Load, Tally
from benchmarks.soak_relay import SoakPorts
from tests.support.certs import CertificateAuthority
from tests.support.client import HTTPClient, trusting
from tests.support.disk import Disk
from tests.support.grpc_channel import GRPCService
from tests.support.manifest import endpoint_manifests, ingress_manifest, service_manifest
from tests.support.process import CHECKOUT, ENVIRONMENT, IngressProcess, wait_until
from tests.support.websocket_bridge import WebSocketBridge

CHANGE_INTERVAL = 0.1
"""Seconds between two changes."""

DEATH_INTERVAL = 2.0
"""Seconds between two deaths of endpoints."""

DEATH = 0.7
"""Seconds that one is dead."""

MORTAL = 3
"""Endpoints that die; as many that do not serve what must not be asked twice."""

STEADY = 2

MANY = 300
"""Ingresses that nobody asks for, in a file that changes as a whole now and then: so
large a change is settled (`ingress.memory`), and what is in a cycle then never goes."""

MANY_INTERVAL = 30
"""Changes between two of that file."""

MEMORY_SLACK = 4 * 1024
"""KiB that the second half may add: what malloc keeps goes up and down by about 2 MiB."""

DESCRIPTOR_SLACK = 3
"""That it may have more at the end than at the beginning: timers, a file being read."""

SETTINGS: dict[str, object] = {
    "ssl_redirect": False,
    "limits": {"idle-upstream-timeout": 2, "linger-timeout": 1, "udp-idle-timeout": 2},
}
"""So that what is kept for a while is gone soon after the load."""


class Endpoints:
    """The process of `benchmarks.soak_endpoint`."""

    def __init__(self) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-m", "benchmarks.soak_endpoint", str(MORTAL + STEADY)],
            cwd=CHECKOUT,
            env=ENVIRONMENT,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        assert self._process.stdout is not None
        ports = [int(port) for port in self._process.stdout.readline().split()]
        self.mortal, self.steady = ports[:MORTAL], ports[MORTAL:]

    def order(self, order: str, index: int) -> None:
        """``down`` or ``up``."""
        assert self._process.stdin is not None
        self._process.stdin.write(f"{order} {index}\n")
        self._process.stdin.flush()

    def stop(self) -> None:
        self._process.kill()
        self._process.communicate()


class Changes:
    """What changes under the process while it serves."""

    def __init__(
        self,
        process: IngressProcess,
        endpoints: Endpoints,
        services: list[GRPCService],
        ports: SoakPorts,
    ) -> None:
        self.ports = ports
        self._grpc_ports = [service.port for service in services]
        self.number = 0
        self.deaths = 0
        self._process = process
        self._endpoints = endpoints
        self._authority = CertificateAuthority()
        self._certificates = [self._authority.issue(HOST) for _ in range(8)]
        self._secrets = Disk(str(process.folder / "secrets"))
        self._random = Random(0)
        self._steps = count()

    @property
    def root_pem(self) -> bytes:
        return self._authority.root_pem

    def write_all(self) -> None:
        """What there is at the beginning."""
        self._process.configure(**SETTINGS, **self.ports.settings)
        self._ports(0)
        self._certificate(0)
        self._ingress(0)
        self._service(0)
        self._endpoint_slices(0)
        self._many(0)

    def change(self) -> None:
        """Change one thing."""
        step = next(self._steps)
        self.number += 1
        if step % MANY_INTERVAL == MANY_INTERVAL - 1:
            self._many(step)
            return
        kinds = (
            self._endpoint_slices,
            self._certificate,
            self._config,
            self._endpoint_slices,
            self._ingress,
            self._service,
            self._ports,
        )
        kinds[step % len(kinds)](step // len(kinds) + step)

    def _endpoint_slices(self, step: int) -> None:
        """One of them is not in its slice for a while; it goes on serving what it has."""
        for service, ports in (
            ("mortal", self._endpoints.mortal),
            ("steady", self._endpoints.steady),
            ("grpc", self._grpc_ports),
        ):
            left_out = step % (len(ports) + 1)
            left = [port for index, port in enumerate(ports) if index != left_out]
            self._process.write(f"{service}.yaml", *endpoint_manifests(service, *left))

    def _certificate(self, step: int) -> None:
        issued = self._certificates[step % len(self._certificates)]
        self._secrets.mount(
            "default/soak",
            str(step % 16),
            tls_crt=issued.chain_pem.decode(),
            tls_key=issued.key_pem.decode(),
        )

    def _config(self, step: int) -> None:
        hsts = {"max-age": 1000 + step % 7}
        self._process.configure(**SETTINGS, **self.ports.settings, hsts=hsts)

    def _ports(self, step: int) -> None:
        self._process.write("ports.yaml", self.ports.config_map(step))

    def _ingress(self, step: int) -> None:
        paths = {"/mortal": "mortal", "/steady": "steady", f"/other-{step % 50}": "steady"}
        algorithm = ("round_robin", "ewma", "least_request")[step % 3]
        self._process.write(
            "ingress.yaml",
            ingress_manifest(
                "soak",
                HOST,
                paths,
                tls={"soak": [HOST]},
                annotations={"load-balance": algorithm},
            ),
            ingress_manifest(
                "grpc",
                GRPC_HOST,
                {"/": "grpc"},
                annotations={"backend-protocol": "GRPC", "load-balance": algorithm},
            ),
            ingress_manifest(f"other-{step % 20}", f"h{step % 20}.example", {"/": "mortal"}),
        )

    def _service(self, step: int) -> None:
        services = [service_manifest(name) for name in ("mortal", "steady", "grpc")]
        if step % 2:
            services.append(service_manifest(f"other-{step % 20}"))
        self._process.write("services.yaml", *services)

    def _many(self, step: int) -> None:
        """All of them at once."""
        annotations = {"proxy-read-timeout": str(10 + step % 90)}
        self._process.write(
            "many.yaml",
            *(
                ingress_manifest(
                    f"many-{number}",
                    f"many-{number}.example",
                    {"/": "steady"},
                    annotations=annotations,
                )
                for number in range(MANY)
            ),
        )

    def keep_changing(self, is_over: threading.Event) -> None:
        """Until it is over: one change at a time, and one death at a time."""
        next_death = time.monotonic() + DEATH_INTERVAL
        dead: int | None = None
        while not is_over.wait(CHANGE_INTERVAL):
            self.change()
            now = time.monotonic()
            if dead is not None and now > next_death - DEATH_INTERVAL + DEATH:
                self._endpoints.order("up", dead)
                dead = None
            if now > next_death:
                next_death = now + DEATH_INTERVAL
                dead = self._random.randrange(MORTAL)
                self.deaths += 1
                self._endpoints.order("down", dead)
        if dead is not None:
            self._endpoints.order("up", dead)


@dataclass
class Samples:
    """Of the process: at the beginning, idle; under load, once a second; at the end, idle."""

    memory: list[int] = field(default_factory=list)
    """KiB."""

    descriptors: list[int] = field(default_factory=list)

    def take(self, process: IngressProcess) -> None:
        self.memory.append(process.memory)
        self.descriptors.append(process.descriptors)

    def summary(self) -> list[tuple[str, int, int, int]]:
        """What, and its value at the beginning, in the middle and at the end."""
        rows = []
        for name, values in (("memory, KiB", self.memory), ("descriptors", self.descriptors)):
            third = max(1, len(values) // 10)
            centre = len(values) // 2
            middle = median(values[centre - third : centre + third + 1])
            rows.append((name, values[0], int(middle), values[-1]))
        return rows


@dataclass
class SoakResult:
    """What a soak showed."""

    tally: Tally
    samples: Samples
    changes: int
    deaths: int
    seconds: float
    faults: list[str]

    def judge(self) -> None:
        """Add what else is wrong to the faults."""
        failed = sum(self.tally.failures.values())
        if failed:
            self.faults.append(f"{failed} requests failed")
        (_, _, middle, end), (_, open_before, _, open_after) = self.samples.summary()
        if end - middle > MEMORY_SLACK:
            self.faults.append(f"memory grew by {end - middle} KiB in the second half")
        if open_after - open_before > DESCRIPTOR_SLACK:
            self.faults.append(f"{open_after - open_before} descriptors were left open")

    def report(self) -> Iterator[str]:
        yield f"{self.seconds:.0f} s, {self.changes} changes, {self.deaths} deaths of endpoints"
        yield f"{'':16}{'requests':>10}{'failures':>10}"
        for kind, number in sorted(self.tally.requests.items()):
            yield f"{kind:16}{number:10}{self.tally.failures[kind]:10}"
        yield f"{'':16}{'begin':>10}{'middle':>10}{'end':>10}"
        for name, begin, middle, end in self.samples.summary():
            yield f"{name:16}{begin:10}{middle:10}{end:10}"
        yield from self.tally.reasons
        yield from self.faults


def soak(seconds: float, folder: Path) -> SoakResult:
    """Do it."""
    endpoints = Endpoints()
    services = [GRPCService(), GRPCService()]
    ports = SoakPorts()
    process = IngressProcess(folder, **SETTINGS)
    try:
        changes = Changes(process, endpoints, services, ports)
        changes.write_all()
        process.start()
        return _run(process, changes, seconds)
    finally:
        process.stop()
        endpoints.stop()
        ports.stop()
        for service in services:
            service.stop()


def _run(process: IngressProcess, changes: Changes, seconds: float) -> SoakResult:
    http, https = process.port("http"), process.port("https")
    tls = trusting(changes.root_pem)
    with HTTPClient(https, tls=tls, server_name=HOST) as client:
        client.request("/mortal/small", HOST)
    time.sleep(SETTLING)
    samples, is_over = Samples(), threading.Event()
    samples.take(process)
    tls_http2 = trusting(changes.root_pem)
    tls_http2.set_alpn_protocols(["h2"])
    bridge = WebSocketBridge(http)
    load = Load(http, https, bridge.port, tls, tls_http2, changes.ports.kinds)
    changing = threading.Thread(target=changes.keep_changing, args=(is_over,))
    began = time.monotonic()
    load.start()
    changing.start()
    while process.is_running() and changing.is_alive() and time.monotonic() - began < seconds:
        time.sleep(min(1.0, seconds / 10))
        samples.take(process)
    faults = [] if changing.is_alive() else ["nothing was changed any more"]
    is_over.set()
    changing.join()
    load.stop()
    bridge.stop()
    seconds = time.monotonic() - began
    outcome = SoakResult(load.tally, samples, changes.number, changes.deaths, seconds, faults)
    _finish(process, outcome)
    return outcome


SETTLING = 1.0
"""Seconds for what is closed by a sweep."""


def _finish(process: IngressProcess, outcome: SoakResult) -> None:
    """Wait until it is idle, look once more, and judge."""
    samples = outcome.samples
    most = samples.descriptors[0] + DESCRIPTOR_SLACK
    try:
        wait_until(lambda: process.descriptors <= most, "all connections to end", 15.0)
    except AssertionError as error:
        outcome.faults.append(str(error))
    samples.take(process)
    outcome.judge()
    if not process.is_running():
        outcome.faults.append("the process has ended")
    if "Traceback" in process.log:
        outcome.faults.append("the log has a traceback:\n" + process.log[-5000:])


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.soak")
    parser.add_argument("--seconds", type=float, default=60.0)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="soak-") as folder:
        outcome = soak(arguments.seconds, Path(folder))
    for line in outcome.report():
        print(line)
    return 1 if outcome.faults else 0


if __name__ == "__main__":
    sys.exit(main())
