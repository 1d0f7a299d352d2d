"""
The part of the soak for TCP and UDP services: ports, echoes behind them, and clients.
"""

from __future__ import annotations

import socket
from collections.abc import Callable
from random import Random

from tests.support.echo_ports import EchoPorts, free_port
from tests.support.manifest import config_map_manifest
from tests.support.process import LOOPBACK, PATIENCE

LARGE = 1 << 20
"""Bytes of the largest piece: more than all buffers between a client and its echo."""

ATTEMPTS = 3
"""Of a datagram, which may be lost."""


class SoakPorts:
    """A port of both protocols that two echoes serve, and one that comes and goes."""

    def __init__(self) -> None:
        self._echoes = [EchoPorts(""), EchoPorts("")]
        self._port, self._passing = free_port(), free_port()

    @property
    def settings(self) -> dict[str, object]:
        """What the configuration says of them."""
        where = {f"127.0.0.1:{self._port}": "default/echo:1"}
        return {
            "listen": {
                "http": LOOPBACK,
                "https": LOOPBACK,
                "admin": LOOPBACK,
                "tcp": where,
                "udp": where,
            },
            "source": {
                "files": ["manifests"],
                "endpoints": {"default/echo": [echo.address for echo in self._echoes]},
            },
            "tcp-services": "default/tcp-services",
        }

    def config_map(self, step: int) -> dict[str, object]:
        """The ConfigMap at a step: every other one has a port."""
        data = {str(self._passing): "default/echo:1"} if step % 2 else {}
        return config_map_manifest("tcp-services", data)

    @property
    def kinds(self) -> list[tuple[str, Callable[[Random], None]]]:
        """What clients do, by name."""
        return [("TCP", self._stream), ("UDP", self._datagrams)]

    def _stream(self, random: Random) -> None:
        """Send a piece of any size, end, and get it back."""
        data = random.randbytes(random.choice((1, 1000, 100_000, LARGE)))
        with socket.create_connection(("127.0.0.1", self._port), PATIENCE) as client:
            received = bytearray()
            for begin in range(0, len(data), 1 << 16):
                client.sendall(data[begin : begin + (1 << 16)])
                received += client.recv(1 << 16)
            client.shutdown(socket.SHUT_WR)
            while piece := client.recv(1 << 16):
                received += piece
        assert received == data, f"{len(received)} of {len(data)} bytes"

    def _datagrams(self, random: Random) -> None:
        """Send some datagrams from one port, and get each back."""
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as client:
            client.settimeout(PATIENCE / ATTEMPTS)
            client.connect(("127.0.0.1", self._port))
            for _ in range(5):
                data = random.randbytes(random.choice((1, 100, 1200, 9000)))
                self._ask(client, data)

    def _ask(self, client: socket.socket, data: bytes) -> None:
        for attempt in range(1, ATTEMPTS + 1):
            client.send(data)
            try:
                assert client.recv(1 << 16) == data
            except TimeoutError:
                if attempt == ATTEMPTS:
                    raise
            else:
                return

    def stop(self) -> None:
        for echo in self._echoes:
            echo.stop()
