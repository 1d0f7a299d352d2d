"""What tests of gRPC share: the server as a process, and the bytes that are its messages."""

from __future__ import annotations

import subprocess
import sys

from tests.support.process import CHECKOUT, ENVIRONMENT

TIMEOUT = 20.0
"""Seconds that a call may take."""


class GRPCService:
    """
    The server of `tests.support.grpc_service`, as a process of its own.

    :param arguments: the files of a certificate and its key, for a server with TLS.
    """

    def __init__(self, *arguments: str) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-m", "tests.support.grpc_service", *arguments],
            cwd=CHECKOUT,
            env=ENVIRONMENT,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        assert self._process.stdout is not None
        self.port = int(self._process.stdout.readline())

    def stop(self) -> None:
        self._process.communicate()


def same(message: bytes) -> bytes:
    """Serializes messages that are bytes already."""
    return message
