"""
What a request costs on its way through the data path: time, calls, and bytecode by function.

A client, the proxy and an endpoint in one thread, over real sockets, with our transports
and our reactor; the access log and the counters are on, as by default. The same request
again and again, and one with a field that differs each time, so that no head that was
kept can serve it.

Usage: ``python -m benchmarks.exchange_cost [--profile]``
"""

from __future__ import annotations

import argparse
import os
import socket
import sys
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from functools import partial
from itertools import count, repeat
from pathlib import Path
from random import Random
from types import CodeType, FrameType
from typing import Any

from ingress.config import AccessLog as AccessLogSettings
from ingress.config import Config
from ingress.deadline import Deadlines
from ingress.downstream.http1 import HTTP1Downstream
from ingress.endpoint import Endpoint
from ingress.exchange.client import Client
from ingress.serving.data_plane import DataPlane
from ingress.telemetry.access_log import AccessLog
from ingress.telemetry.recorder import Recorder
from ingress.telemetry.traffic import Traffic
from ingress.transports.connector import connect
from ingress.transports.reactor import DirectEPollReactor
from ingress.transports.socket_transport import SocketTransport
from ingress.upstream.registry import EndpointRegistry
from ingress.upstream.tls import tls_dialers
from tests.support.objects import FILES, built, ingress, served

REQUESTS = 3000
ROUNDS = 9
TRACED = 100
"""Requests that are looked at step by step."""

SHOWN = 25
"""Functions of the profile."""

HEAD = b"GET / HTTP/1.1\r\nHost: bench.example\r\nUser-Agent: bench\r\nX-Number: %d\r\n\r\n"
RESPONSE = (
    b"HTTP/1.1 200 OK\r\nDate: Thu, 26 Nov 2026 01:30:00 GMT\r\nContent-Type: text/plain\r\n"
    b"Content-Length: 19\r\n\r\nhello from backend\n"
)
SIZE = 4096


class Proxy:
    """
    The data plane with one client connected, and one connection to an endpoint.

    :param config: the configuration that it serves by.
    """

    def __init__(self, config: Config = FILES) -> None:
        self.reactor: Any = DirectEPollReactor()
        listening = socket.create_server(("127.0.0.1", 0))
        plane = self.plane = self._plane(Endpoint(*listening.getsockname()), config)
        near, self.client = socket.socketpair()
        self.downstream = HTTP1Downstream(
            plane.clients, plane.exchanges, Client("127.0.0.1", is_secure=False)
        )
        SocketTransport(near, self.reactor, None).start(self.downstream)
        self.client.send(HEAD % 0)
        self.reactor.doPoll(1)
        self.reactor.runUntilCurrent()
        self.endpoint, _ = listening.accept()
        self.reactor.doPoll(1)
        self.answer()

    def _plane(self, endpoint: Endpoint, config: Config) -> DataPlane:
        reactor = self.reactor
        deadlines = Deadlines(reactor)
        log = AccessLog(reactor, None, time.time)
        log.apply(AccessLogSettings(Path(os.devnull)))
        log.start()
        plane = DataPlane(
            EndpointRegistry(partial(connect, reactor), tls_dialers(reactor), deadlines),
            deadlines,
            Random(),
            wall_clock=time.time,
            process=1,
            recorder=Recorder(Traffic(), log),
        )
        objects = (ingress("bench.example", {"/": "web:80"}), served("web"))
        snapshot = built(*objects, config=config).snapshot
        upstreams = {
            key: replace(upstream, endpoints=(endpoint,))
            for key, upstream in snapshot.upstreams.items()
        }
        config = replace(snapshot.config, access_log=AccessLogSettings(Path(os.devnull)))
        plane.publish(replace(snapshot, upstreams=upstreams, config=config))
        return plane

    def answer(self) -> None:
        """The endpoint reads a request and answers; the client gets it."""
        self.endpoint.recv(SIZE)
        self.endpoint.send(RESPONSE)
        self.reactor.doPoll(1)
        assert self.client.recv(SIZE).endswith(b"hello from backend\n")

    def run(self, heads: Iterator[bytes], requests: int) -> None:
        """So many requests, one after the other."""
        for _, head in zip(range(requests), heads, strict=False):
            self.downstream._request_count = 1  # the connection is never too old
            self.client.send(head)
            self.reactor.doPoll(1)
            self.answer()


class Steps:
    """Counts bytecode instructions and calls, function by function."""

    def __init__(self) -> None:
        self.opcodes: Counter[CodeType] = Counter()
        self.calls: Counter[CodeType] = Counter()

    def trace(self, frame: FrameType, event: str, argument: object) -> Any:
        frame.f_trace_opcodes = True
        frame.f_trace_lines = False
        if event == "opcode":
            self.opcodes[frame.f_code] += 1
        elif event == "call":
            self.calls[frame.f_code] += 1
        return self.trace

    def drop_harness(self) -> None:
        """What is of this module costs no request anything."""
        for counter in (self.opcodes, self.calls):
            for code in [code for code in counter if code.co_filename == __file__]:
                del counter[code]


def traced(proxy: Proxy, heads: Iterator[bytes]) -> Steps:
    steps = Steps()
    sys.settrace(steps.trace)
    proxy.run(heads, TRACED)
    sys.settrace(None)
    steps.drop_harness()
    return steps


def microseconds(proxy: Proxy, heads: Iterator[bytes]) -> float:
    """Processor time a request, client and endpoint included: the best of some rounds."""
    best = float("inf")
    for _ in range(ROUNDS):
        began = time.process_time()
        proxy.run(heads, REQUESTS)
        best = min(best, time.process_time() - began)
    return best / REQUESTS * 1e6


def main() -> None:
    """Print both."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("--profile", action="store_true", help="function by function")
    arguments = parser.parse_args()
    proxy = Proxy()
    for name, heads in (
        ("the same request", repeat(HEAD % 0)),
        ("a field that differs", (HEAD % number for number in count(1))),
    ):
        proxy.run(heads, REQUESTS)
        steps = traced(proxy, heads)
        print(
            f"{name}: {microseconds(proxy, heads):.1f} µs with both ends, "
            f"{steps.calls.total() / TRACED:.0f} calls, {steps.opcodes.total() / TRACED:.0f} steps"
        )
        if arguments.profile:
            for code, number in steps.opcodes.most_common(SHOWN):
                where = f"{Path(code.co_filename).stem}.{code.co_name}"
                print(f"  {number / TRACED:6.0f} {steps.calls[code] / TRACED:4.1f}  {where}")
    # The thread of the access log has nothing to say at the end.
    sys.stdout.flush()
    os._exit(0)


if __name__ == "__main__":
    main()
