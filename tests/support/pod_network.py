"""
A separate network in which pods have addresses: ``python -m tests.support.pod_network``.

The API server refuses EndpointSlices with a loopback address, and a controller must not use
one from a cluster. So that a test can have endpoints nevertheless, everything runs in a
network namespace of Linux, in which 10.244.0.0/16 is this machine. Nothing inside can reach
anything outside. Processes without a part in the traffic stay outside, and sockets in the
file system lead inside.
"""

from __future__ import annotations

import fcntl
import os
import socket
import struct
import subprocess
import sys
from collections.abc import Sequence

from twisted.trial.unittest import SkipTest

from tests.support.process import CHECKOUT, ENVIRONMENT, PATIENCE

NETWORK, NETMASK = "10.244.0.1", "255.255.0.0"

PORT = 8080
"""The port on which every pod listens."""

SIOCSIFFLAGS, SIOCSIFADDR, SIOCSIFNETMASK = 0x8914, 0x8916, 0x891C
"""<linux/sockios.h>: in place of ``ip link`` and ``ip address``, which some machines lack."""

IFF_UP = 1


class PodNetwork:
    """
    The network and its pods, each of which answers like an `EchoEndpoint`.

    :ivar prefix: the words of a command that runs another command inside.
    :raises SkipTest: if the system does not allow us to make one.
    """

    def __init__(self) -> None:
        is_root = os.getuid() == 0
        self._process = subprocess.Popen(
            [
                *("unshare", *(("--net",) if is_root else ("--net", "--map-root-user"))),
                *(sys.executable, "-m", "tests.support.pod_network"),
            ],
            cwd=CHECKOUT,
            env=ENVIRONMENT,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        if self._read() != "ready":
            assert self._process.stderr is not None
            said = self._process.stderr.read().strip()
            self.close()
            raise SkipTest(f"there can be no network namespace here: {said}")
        user: Sequence[str] = () if is_root else ("--user", "--preserve-credentials")
        self.prefix: Sequence[str] = (
            *("nsenter", f"--target={self._process.pid}", "--net"),
            *user,
            "--",
        )

    def add_pod(self, name: str, address: str) -> None:
        """Start a pod."""
        self._say(f"add {name} {address}")

    def remove_pod(self, address: str) -> None:
        """Stop its listener; open connections stay until they are idle."""
        self._say(f"remove {address}")

    def close(self) -> None:
        """End the network with all pods; for `addCleanup`."""
        streams = (self._process.stdin, self._process.stdout, self._process.stderr)
        assert streams[0] is not None
        streams[0].close()
        self._process.wait(PATIENCE)
        for stream in streams[1:]:
            if stream is not None:
                stream.close()

    def _say(self, line: str) -> None:
        assert self._process.stdin is not None
        self._process.stdin.write(f"{line}\n")
        self._process.stdin.flush()
        assert self._read() == "done"

    def _read(self) -> str:
        assert self._process.stdout is not None
        return self._process.stdout.readline().strip()


def set_up_loopback() -> None:
    """Bring up the loopback interface of a new namespace, also for the pods' addresses."""

    def request(interface: bytes, address: str) -> bytes:
        family = struct.pack("=HH", socket.AF_INET, 0)
        return struct.pack("16s4s4s16x", interface, family, socket.inet_aton(address))

    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as any_socket:
        fcntl.ioctl(any_socket, SIOCSIFFLAGS, struct.pack("16sH22x", b"lo", IFF_UP))
        fcntl.ioctl(any_socket, SIOCSIFADDR, request(b"lo:pods", NETWORK))
        fcntl.ioctl(any_socket, SIOCSIFNETMASK, request(b"lo:pods", NETMASK))


def main() -> None:
    """Run the network and its pods as long as standard input is open."""
    from tests.support.endpoints import EchoEndpoint

    set_up_loopback()
    print("ready", flush=True)
    pods: dict[str, EchoEndpoint] = {}
    for line in sys.stdin:
        match line.split():
            case ["add", name, address]:
                pods[address] = EchoEndpoint(name, PORT, interface=address)
            case ["remove", address]:
                pods.pop(address).stop()
        print("done", flush=True)


if __name__ == "__main__":
    main()
