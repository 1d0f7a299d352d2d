"""
What the transports cost: processor time a round trip, a mebibyte, and memory a connection.

Usage: ``python benchmarks/transport_cost.py [--round-trips N] [--mebibytes N] [--idle N]``

For each kind of transport a server is started in a process of its own, and this
process is its client. What counts is the processor time of the server, which
does not depend on how fast the client is or who else uses the machine's cores:

- *stock*: Twisted's own TCP transport,
- *immediate*: `ingress.transports.socket_transport`,
- *tls-memory*: Twisted's TLS, through memory BIOs,
- *tls-socket*: `ingress.transports.tls_transport`,

each with Twisted's epoll reactor, and with `ingress.transports.reactor` (*-tight*).
"""

from __future__ import annotations

import argparse
import multiprocessing
import os
import selectors
import socket
import ssl
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from functools import partial
from multiprocessing.connection import Connection
from typing import Any

RESPONSE = b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n" + b"x" * 100
REQUEST = b"GET / HTTP/1.1\r\nHost: a.example\r\nUser-Agent: benchmark\r\n\r\n"
CHUNK = b"x" * 65536
KINDS = ("stock", "immediate", "tls-memory", "tls-socket")


def serve(kind: str, report: Connection) -> None:
    """The server's process: its first line says what a connection is for."""
    if kind.endswith("-tight"):
        from ingress.transports.reactor import install_reactor

        install_reactor()
    from twisted.internet import protocol, reactor

    class Server(protocol.Protocol):
        """``G...``: answer each request; ``D``: send without end; else: count and forget."""

        mode = b""
        transport: Any

        def connectionMade(self) -> None:
            self.transport.setTcpNoDelay(True)

        def dataReceived(self, data: bytes) -> None:
            if not self.mode:
                self.mode = data[:1]
                if self.mode == b"D":
                    self.transport.registerProducer(self, True)
                    self.resumeProducing()
            if self.mode == b"G":
                self.transport.write(RESPONSE)

        def resumeProducing(self) -> None:
            self.is_paused = False
            reactor.callLater(0, self.produce)

        def produce(self) -> None:
            # A chunk each time, as from an endpoint.
            if not self.is_paused:
                self.transport.write(CHUNK)
                reactor.callLater(0, self.produce)

        def pauseProducing(self) -> None:
            self.is_paused = True

        def stopProducing(self) -> None:
            self.is_paused = True

    factory = protocol.Factory.forProtocol(Server)
    factory.noisy = False
    port = listen(reactor, kind.removesuffix("-tight"), factory)

    def answer() -> None:
        report.recv()
        report.send((time.process_time(), resident_bytes()))

    reactor.callWhenRunning(lambda: report.send(port.getHost().port))
    watch(reactor, report, answer)
    reactor.run()


def watch(reactor: Any, report: Connection, answer: Any) -> None:
    """Answer what comes over the pipe; end with it."""
    from twisted.internet.abstract import FileDescriptor

    class Pipe(FileDescriptor):
        def fileno(self) -> int:
            return report.fileno()

        def doRead(self) -> None:
            try:
                answer()
            except EOFError:
                os._exit(0)

    reactor.addReader(Pipe(reactor))


def listen(reactor: Any, kind: str, factory: Any) -> Any:
    """A port whose connections have the transport of that kind."""
    from ingress.downstream.self_signed import make_self_signed
    from ingress.downstream.tls import TLSContexts
    from ingress.transports.server_port import as_server
    from ingress.transports.tls_transport import TLSTransport

    contexts = TLSContexts(lambda: None, make_self_signed(datetime.now(UTC)))
    if kind == "tls-memory":
        from twisted.internet.interfaces import IOpenSSLContextFactory
        from twisted.protocols.tls import TLSMemoryBIOFactory
        from zope.interface import implementer

        @implementer(IOpenSSLContextFactory)
        class ContextFactory:
            def getContext(self) -> Any:
                return contexts._base

        factory = TLSMemoryBIOFactory(ContextFactory(), False, factory)
        factory.noisy = False
    port = reactor.listenTCP(0, factory, backlog=4096, interface="127.0.0.1")
    if kind == "immediate":
        port.transport = as_server()
    elif kind == "tls-socket":
        port.transport = as_server(partial(TLSTransport, contexts))
    return port


def resident_bytes() -> int:
    with open("/proc/self/statm", encoding="ascii") as statm:
        return int(statm.read().split()[1]) * os.sysconf("SC_PAGE_SIZE")


class Server:
    """A server's process, as the client sees it."""

    def __init__(self, kind: str, port: int, report: Connection) -> None:
        self.is_tls = kind.startswith("tls")
        self._port = port
        self._report = report
        self._context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        self._context.check_hostname = False
        self._context.verify_mode = ssl.CERT_NONE

    def connect(self) -> socket.socket:
        sock = socket.create_connection(("127.0.0.1", self._port))
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        return self._context.wrap_socket(sock) if self.is_tls else sock

    def usage(self) -> tuple[float, int]:
        """Processor time in seconds, and resident memory in bytes."""
        self._report.send(None)
        used: tuple[float, int] = self._report.recv()
        return used


@contextmanager
def running(kind: str) -> Iterator[Server]:
    ours, theirs = multiprocessing.Pipe()
    process = multiprocessing.get_context("spawn").Process(target=serve, args=(kind, theirs))
    process.start()
    theirs.close()
    try:
        yield Server(kind, ours.recv(), ours)
    finally:
        ours.close()
        process.join()


def round_trip_cost(server: Server, count: int, connections: int = 32) -> float:
    """Microseconds of the server's processor time for a request and its answer."""
    selector = selectors.DefaultSelector()
    for _ in range(connections):
        sock = server.connect()
        sock.sendall(REQUEST)
        selector.register(sock, selectors.EVENT_READ)
    done = 0
    started = 0.0
    while done < count:
        for key, _ in selector.select():
            ready: Any = key.fileobj
            ready.recv(4096)
            ready.sendall(REQUEST)
            done += 1
            if done == count // 10:
                started, _ = server.usage()
    cost = (server.usage()[0] - started) / (count * 0.9)
    for key in list(selector.get_map().values()):
        key.fileobj.close()  # type: ignore[union-attr]
    return cost * 1e6


def download_cost(server: Server, mebibytes: int) -> float:
    """Milliseconds of the server's processor time for a mebibyte that it sends."""
    with server.connect() as sock:
        sock.sendall(b"D")
        started, _ = server.usage()
        wanted = mebibytes << 20
        buffer = bytearray(1 << 18)
        while wanted > 0:
            wanted -= sock.recv_into(buffer)
        return (server.usage()[0] - started) / mebibytes * 1e3


def upload_cost(server: Server, mebibytes: int) -> float:
    """Milliseconds of the server's processor time for a mebibyte that it receives."""
    with server.connect() as sock:
        sock.sendall(b"U")
        started, _ = server.usage()
        for _ in range(mebibytes * 16):
            sock.sendall(CHUNK)
        return (server.usage()[0] - started) / mebibytes * 1e3


def idle_memory(server: Server, count: int) -> float:
    """KiB of the server's memory for a connection that has had one request."""
    _, before = server.usage()
    connections = [server.connect() for _ in range(count)]
    for sock in connections:
        sock.sendall(REQUEST)
        sock.recv(4096)
    _, after = server.usage()
    for sock in connections:
        sock.close()
    return (after - before) / count / 1024


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n\n")[0])
    parser.add_argument("--round-trips", type=int, default=20000)
    parser.add_argument("--mebibytes", type=int, default=256)
    parser.add_argument("--idle", type=int, default=500)
    parser.add_argument("--rounds", type=int, default=3, help="the best of which counts")
    parser.add_argument("kinds", nargs="*", default=[k + t for t in ("", "-tight") for k in KINDS])
    arguments = parser.parse_args()
    print(f"{'':18}{'µs/round trip':>14}{'ms/MiB down':>13}{'ms/MiB up':>11}{'KiB idle':>10}")
    for kind in arguments.kinds:
        rounds = [measure(kind, arguments) for _ in range(arguments.rounds)]
        trip, down, up, memory = (min(values) for values in zip(*rounds, strict=True))
        print(f"{kind:18}{trip:14.1f}{down:13.2f}{up:11.2f}{memory:10.1f}", flush=True)


def measure(kind: str, arguments: argparse.Namespace) -> tuple[float, float, float, float]:
    """The four figures of one kind, of a new process."""
    with running(kind) as server:
        memory = idle_memory(server, arguments.idle)
        return (
            round_trip_cost(server, arguments.round_trips),
            download_cost(server, arguments.mebibytes),
            upload_cost(server, arguments.mebibytes),
            memory,
        )


if __name__ == "__main__":
    main()
