"""
Servers of TCP and UDP that send back what they receive, and free ports.
"""

from __future__ import annotations

import socket
import threading
from contextlib import suppress


def free_port() -> int:
    """A port that neither TCP nor UDP has in use on loopback."""
    while True:
        with socket.create_server(("127.0.0.1", 0)) as listening:
            port = int(listening.getsockname()[1])
            datagrams = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
            with datagrams, suppress(OSError):
                datagrams.bind(("127.0.0.1", port))
                return port


class EchoPorts:
    """
    Sends back what comes, of TCP with a name in front of the first piece.

    :ivar port: of TCP and of UDP.
    """

    def __init__(self, name: str) -> None:
        self._name = name.encode()
        self.port = free_port()
        self._listening = socket.create_server(("127.0.0.1", self.port))
        self._datagrams = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._datagrams.bind(("127.0.0.1", self.port))
        for target in (self._accept, self._reply):
            threading.Thread(target=target, daemon=True).start()

    @property
    def address(self) -> str:
        return f"127.0.0.1:{self.port}"

    def _accept(self) -> None:
        with suppress(OSError):
            while True:
                connection, _ = self._listening.accept()
                threading.Thread(target=self._echo, args=(connection,), daemon=True).start()

    def _echo(self, connection: socket.socket) -> None:
        with suppress(OSError), connection:
            connection.sendall(self._name)
            while data := connection.recv(1 << 16):
                connection.sendall(data)

    def _reply(self) -> None:
        with suppress(OSError):
            while True:
                data, address = self._datagrams.recvfrom(1 << 16)
                if address is None:
                    return
                self._datagrams.sendto(self._name + data, address)

    def stop(self) -> None:
        """Close the listeners."""
        # A thread that waits in accept keeps a socket open that is only closed.
        for each in (self._listening, self._datagrams):
            with suppress(OSError):
                each.shutdown(socket.SHUT_RDWR)
            each.close()
