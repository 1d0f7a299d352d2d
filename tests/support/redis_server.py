"""
Debian's ``redis-server``, for as long as a test wants.
"""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import tempfile
from pathlib import Path

from twisted.trial.unittest import SkipTest

from tests.support.process import PATIENCE, wait_until

PROGRAM = "redis-server"
PASSWORD = "correct horse"


def needs_redis() -> None:
    """:raises SkipTest: if there is no server here."""
    if shutil.which(PROGRAM) is None:
        raise SkipTest(f"there is no {PROGRAM} here (apt install redis-server)")


class RedisServer:
    """
    A server on loopback, with a password and an empty database.

    :param tls: the files of its certificate and key, to speak TLS alone.
    """

    def __init__(self, tls: tuple[Path, Path] | None = None) -> None:
        needs_redis()
        with socket.create_server(("127.0.0.1", 0)) as free:
            self.port: int = free.getsockname()[1]
        self._tls = tls
        self._folder = Path(tempfile.mkdtemp(prefix="redis-"))
        self._process: subprocess.Popen[bytes] | None = None
        self.start()

    def start(self) -> None:
        """Start it (again), with nothing in it."""
        where = ["--port", str(self.port)]
        if self._tls is not None:
            certificate, key = map(str, self._tls)
            where = ["--port", "0", "--tls-port", str(self.port), "--tls-auth-clients", "no"]
            where += ["--tls-cert-file", certificate, "--tls-key-file", key]
            where += ["--tls-ca-cert-file", certificate]
        command = [PROGRAM, *where, "--bind", "127.0.0.1", "--dir", str(self._folder)]
        command += ["--save", "", "--appendonly", "no", "--requirepass", PASSWORD]
        self._process = subprocess.Popen(command, stdout=subprocess.DEVNULL)
        wait_until(self._accepts, "a redis-server that accepts")

    def _accepts(self) -> bool:
        try:
            socket.create_connection(("127.0.0.1", self.port)).close()
        except ConnectionRefusedError:
            return False
        return True

    def url(self, password: str = PASSWORD) -> str:
        """Where it is, with the password."""
        scheme = "redis" if self._tls is None else "rediss"
        return f"{scheme}://:{password.replace(' ', '%20')}@localhost:{self.port}/3"

    def freeze(self) -> None:
        """Let it answer nothing, with its connections open."""
        assert self._process is not None
        os.kill(self._process.pid, signal.SIGSTOP)

    def thaw(self) -> None:
        """Let it go on."""
        assert self._process is not None
        os.kill(self._process.pid, signal.SIGCONT)

    def end(self) -> None:
        """Kill it; `start` starts it again."""
        if self._process is not None:
            self._process.kill()
            self._process.wait(PATIENCE)
            self._process = None

    def stop(self) -> None:
        """Kill it, and leave nothing behind."""
        self.end()
        shutil.rmtree(self._folder)
