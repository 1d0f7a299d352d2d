"""
Standard exchanges, counted: the program that `benchmarks.guard` runs below callgrind.

A whole process of ours with the client and the endpoint of every exchange in the same thread,
over real sockets. It uses nothing of the package but the plugin of twistd, so that the same
program measures any version of it.

Usage: ``python -m benchmarks.guard_program FOLDER LIBRARY COUNTS ROUND SCENARIO...``; the folder
is for its files, the library has the requests to callgrind, which writes files whose names begin
as COUNTS, and rounds differ in what is an accident. Prints a JSON object.
"""

from __future__ import annotations

import ctypes
import gc
import json
import os
import re
import select
import socket
import sys
import time
import traceback
from collections import Counter
from collections.abc import Callable, Sequence
from itertools import repeat
from pathlib import Path
from typing import Any

from benchmarks.guard_client import PIECE, Client, Unsupported
from benchmarks.guard_endpoint import GRPCEndpoint
from benchmarks.guard_scenario import (
    BODY,
    CANARY,
    MISSES,
    SCENARIOS,
    SMALL,
    Scenario,
    get,
    ingress,
    service,
)

PERIOD = 1000
"""Exchanges in which everything happens that happens now and then, as counters are folded."""

TYPES = 97
"""Types more in each round."""

SETTLING = 0.5
"""Seconds: less than the interval of anything that is done again and again."""

PATIENCE = 600
"""Seconds for one answer, or until all hosts are served: callgrind is slow."""


class Process:
    """
    The proxy, served by calling its reactor, with an endpoint beside it.

    :param scenarios: those that are counted.
    """

    def __init__(self, folder: Path, scenarios: Sequence[Scenario]) -> None:
        self._folder = folder
        # Folders that are watched: nothing else is written there.
        watched = folder / "etc"
        self._manifests = watched / "manifests"
        self._manifests.mkdir(parents=True)
        self._listening = socket.create_server(("127.0.0.1", 0))
        self._listening.setblocking(False)
        self._endpoint: socket.socket | None = None
        self._grpc = GRPCEndpoint(self._listening)
        self.ports = {name: _free_port() for name in ("http", "https", "admin")}
        hosts = ["guard.example", "secure.example", "canary.example"]
        self.write("guard", hosts, secure=["secure.example"], canaries=["canary.example"])
        own = [
            ingress(each.host, each.host, annotations=each.annotations, path=each.path)
            for each in scenarios
            if each.host
        ]
        self._write("policies", own)
        config = watched / "ingress.json"
        config.write_text(json.dumps(self._configuration()))

        from twisted.application.service import IServiceMaker
        from twisted.plugin import getPlugins

        [maker] = [each for each in getPlugins(IServiceMaker) if each.tapname == "ingress"]
        options = maker.options()
        options.parseOptions(["--config", str(config)])
        service: Any = maker.makeService(options)

        from twisted.internet import reactor as installed

        reactor: Any = installed
        self._reactor = reactor
        service.privilegedStartService()
        service.startService()
        reactor.startRunning(installSignalHandlers=False)
        self.poll: Callable[[float], None] = reactor.doIteration
        """Wait for events so long, and let the proxy act on them; nothing else."""

    def _configuration(self) -> dict[str, object]:
        return {
            "listen": {
                name: f"tcp:{port}:interface=127.0.0.1" for name, port in self.ports.items()
            },
            "source": {
                "files": ["manifests"],
                "endpoints": dict.fromkeys(("default/web", "default/new"), self._address),
            },
            "class": {"without-class": True},
            "access-log": {"path": str(self._folder / "access.log")},
            "limits": {"keep-alive-requests": 1_000_000},
        }

    @property
    def _address(self) -> str:
        return f"127.0.0.1:{self._listening.getsockname()[1]}"

    def write(
        self, name: str, hosts: list[str], secure: list[str], canaries: Sequence[str] = ()
    ) -> None:
        """An Ingress for each host, in a file of that name; some have a canary beside it."""
        objects = [ingress(host, host, is_secure=host in secure) for host in hosts]
        for host in canaries:
            objects.append(ingress(f"{host}-canary", host, "new", CANARY))
        if not list(self._manifests.iterdir()):
            objects += map(service, ("web", "new"))
        self._write(name, objects)

    def _write(self, name: str, objects: Sequence[object]) -> None:
        beside = self._folder / name
        beside.write_text(json.dumps({"apiVersion": "v1", "kind": "List", "items": [*objects]}))
        beside.rename(self._manifests / f"{name}.json")

    def turn(self) -> None:
        """Wait for events a moment, and let timers and what comes from threads have their turn."""
        self._reactor.iterate(0.05)

    def wait(self, attempt: Callable[[], bool], what: str) -> None:
        """Turn until the attempt succeeds."""
        end = time.monotonic() + PATIENCE
        while not attempt():
            assert time.monotonic() < end, f"waited in vain for {what}"
            self.turn()

    def accepts(self) -> bool:
        """Whether clients can connect."""
        try:
            socket.create_connection(("127.0.0.1", self.ports["http"])).close()
        except ConnectionRefusedError:
            return False
        return True

    def settle(self) -> None:
        """Let everything that is under way come to its end, in other threads as well."""
        end = time.monotonic() + SETTLING
        while time.monotonic() < end:
            self.turn()

    # The endpoint.

    def answer(self, body: int, response: bytes) -> None:
        """
        The endpoint reads a request with so much of a body, and answers.

        What happens with every exchange asks the reactor for events alone: no timer that
        happens to be due is counted.
        """
        self.poll(0)
        request = self._receive()
        if not _is_whole(request, body):
            received = bytearray(request)

            def is_whole() -> bool:
                received.extend(self._receive())
                return _is_whole(received, body)

            self.wait(is_whole, "a request")
        assert self._endpoint is not None
        for start in range(0, len(response), PIECE):
            if start:
                self.poll(0)
            self._endpoint.send(response[start : start + PIECE])

    def is_asked(self) -> bool:
        """Whether a request has come to the endpoint, or begun to."""
        if self._endpoint is None:
            return bool(select.select([self._listening], [], [], 0)[0])
        try:
            if self._endpoint.recv(1, socket.MSG_PEEK | socket.MSG_DONTWAIT):
                return True
        except BlockingIOError:
            return False
        return bool(self._receive())  # Nothing: the proxy has ended the connection.

    def answer_grpc(self) -> None:
        """The same for a call of gRPC."""
        self.poll(0)
        if not self._grpc.answer():
            self.wait(self._grpc.answer, "a call")

    def _receive(self) -> bytes:
        try:
            if self._endpoint is None:
                self._endpoint, _ = self._listening.accept()
                self._endpoint.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            data = self._endpoint.recv(2 * BODY, socket.MSG_DONTWAIT)
        except BlockingIOError:
            return b""
        if not data:
            self._endpoint.close()
            self._endpoint = None
        return data


def _is_whole(request: bytes | bytearray, body: int) -> bool:
    end = request.find(b"\r\n\r\n")
    return end >= 0 and len(request) >= end + 4 + body


def _free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as sock:
        port: int = sock.getsockname()[1]
        return port


Figures = dict[str, float | None]


class Callgrind:
    """
    Counts instructions, and what else callgrind was told to count.

    :param library: what `guard.c` was made into.
    :param files: where callgrind writes; it adds a number.
    """

    def __init__(self, library: str, files: str) -> None:
        self._callgrind = ctypes.CDLL(library)
        self._callgrind.guard_begin()
        self._files = files
        self._number = 0
        self._empty: Counter[str] = Counter()
        self.start()
        self._empty = self.stop()

    def start(self) -> None:
        self._callgrind.guard_start()

    def stop(self) -> Counter[str]:
        """:return: how many since `start`, by event; `Ir` are instructions."""
        self._callgrind.guard_stop()
        self._number += 1
        file = Path(f"{self._files}.{self._number}")
        counts = re.findall(r"^(?:events|totals): (.*)$", file.read_text(), re.MULTILINE)
        assert len(counts) == 2, f"{file} has no totals"
        file.unlink()
        events, totals = (each.split() for each in counts)
        # Callgrind leaves out zeros at the end.
        counted = Counter(dict(zip(events, map(int, totals), strict=False)))
        counted.subtract(self._empty)
        return counted


class Runs:
    """
    The scenarios, one after the other.
    """

    def __init__(self, process: Process, counter: Callgrind) -> None:
        self._process = process
        self._counter = counter

    def measure(self, name: str) -> Figures:
        """
        :return: instructions an exchange, by the name; None if this version has none of that kind.
            The misses of each cache, if callgrind counts them, have its name behind that.
        """
        counted = self._count(name)
        figures: Figures = {name: None if counted is None else counted["Ir"] / PERIOD}
        for cache, events in MISSES.items():
            if counted is not None and events[0] in counted:
                figures[f"{name} {cache}"] = sum(counted[event] for event in events) / PERIOD
        return figures

    def _count(self, name: str) -> Counter[str] | None:
        scenario = SCENARIOS[name]
        if scenario.hosts > 1:
            self._load_hosts(scenario.hosts)
        try:
            client = self._connect(scenario)
        except Unsupported:
            return None
        self._process.settle()
        gc.collect()
        if scenario.questions:
            client.send(next(scenario.requests))
            for _ in range(scenario.questions):
                self._process.answer(0, scenario.response)
            self._process.answer(0, scenario.response)
            client.read(scenario.response[-8:], scenario.status)
        client = self._run(scenario, client, scenario.warm_up)
        self._counter.start()
        client = self._run(scenario, client, PERIOD)
        counted = self._counter.stop()
        client.close()
        self._process.turn()
        return counted

    def _load_hosts(self, number: int) -> None:
        hosts = [f"host-{each}.example" for each in range(number)]
        self._process.write("hosts", hosts, secure=[])
        request = get(hosts[-1])

        def is_served() -> bool:
            client = Client(self._process)
            client.send(request)
            refusal = bytearray()

            def is_decided() -> bool:
                refusal.extend(client._receive())
                return bool(refusal) or self._process.is_asked()

            self._process.wait(is_decided, "an answer, or a request")
            if not refusal:
                self._process.answer(0, SMALL)
                client.read(SMALL[-8:], b"200")
            client.close()
            return not refusal

        self._process.wait(is_served, f"{number} hosts")
        # Until what comes after it, which is spread over some time, is over as well.
        for _ in range(10):
            self._process.settle()

    def _connect(self, scenario: Scenario) -> Client:
        return Client(self._process, is_secure=scenario.is_secure, is_http2=scenario.is_http2)

    def _run(self, scenario: Scenario, client: Client, number: int) -> Client:
        process, response = self._process, scenario.response
        end = response[-8:]
        for _ in range(number):
            if scenario.connects:
                client.close()
                client = self._connect(scenario)
            request = next(scenario.requests)
            client.send(request)
            if scenario.is_grpc:
                process.answer_grpc()
            elif response:
                process.answer(BODY if len(request) > BODY else 0, response)
            client.read(end, scenario.status)
        return client


def shuffle(number: int) -> list[type]:
    """
    Make types, before any other is used, so that all others get other places in the
    interpreter's cache of attributes. Two in one place cost an exchange up to 5 %.
    """
    made = [type(f"Type{each}", (), {}) for each in range(number)]
    assert not any(hasattr(each, "attribute") for each in made), "which looks into them"
    return made


def measure() -> Figures:
    """:return: the figures of the scenarios named."""
    folder, library, files, number, *names = sys.argv[1:]
    kept = shuffle(int(number) * TYPES)
    # What is done once a second would be counted by chance.
    time.time = repeat(time.time()).__next__
    process = Process(Path(folder), [SCENARIOS[name] for name in names])
    process.wait(process.accepts, "the listener")
    runs = Runs(process, Callgrind(library, files))
    figures: Figures = {}
    for name in names:
        figures |= runs.measure(name)
    del kept
    return figures


def main() -> None:
    """Measure, and end at once: threads of the process would never end."""
    status = 1
    try:
        print(json.dumps(measure()))
        status = 0
    except BaseException:
        traceback.print_exc()
    sys.stdout.flush()
    os._exit(status)


if __name__ == "__main__":
    main()
