"""
Servers of Debian on loopback, for as long as a test wants: what TCP and UDP services are for.

None of them runs as a service of the machine, and none leaves a file behind.
"""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path

from twisted.trial.unittest import SkipTest

from tests.support.echo_ports import free_port
from tests.support.process import wait_until

PROGRAMS = {
    "psql": "postgresql",
    "redis-server": "redis-server",
    "mosquitto": "mosquitto",
    "mosquitto_pub": "mosquitto-clients",
    "dnsmasq": "dnsmasq-base",
    "dig": "bind9-dnsutils",
    "msmtpd": "msmtp-mta",
}
"""The Debian package of each program."""


def find_program(name: str) -> str:
    """:raises SkipTest: if it is not installed."""
    found = shutil.which(name, path=f"{os.environ['PATH']}:/usr/sbin")
    if found is None:
        raise SkipTest(f"there is no {name} here (apt install {PROGRAMS.get(name, name)})")
    return found


class Server:
    """
    :param command: makes the command from the port and a folder of its own.
    :param user: runs it, if this process is one of root.
    """

    def __init__(
        self, command: Callable[[int, Path], Sequence[str]], *, user: str | None = None
    ) -> None:
        self.port = free_port()
        self.folder = Path(tempfile.mkdtemp(prefix="ingress-server-"))
        self._process: subprocess.Popen[bytes] | None = None
        try:
            if user is not None and os.geteuid() == 0:
                shutil.chown(self.folder, user)
            self._process = subprocess.Popen(
                command(self.port, self.folder),
                user=user if os.geteuid() == 0 else None,
                cwd=self.folder,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
            )
            wait_until(self._accepts, f"{self._process.args!r}")
        except BaseException:
            self.stop()
            raise

    @property
    def address(self) -> str:
        return f"127.0.0.1:{self.port}"

    def _accepts(self) -> bool:
        with socket.socket() as attempt:
            return attempt.connect_ex(("127.0.0.1", self.port)) == 0

    def stop(self) -> None:
        """End it, and remove its folder."""
        if self._process is not None:
            self._process.terminate()
            self._process.wait(30)
        shutil.rmtree(self.folder, ignore_errors=True)


def postgresql() -> Server:
    """A database whose user postgres needs no password."""
    find_program("psql")
    programs = sorted(Path("/usr/lib/postgresql").glob("*/bin"))
    if not programs:
        raise SkipTest("there is no PostgreSQL here (apt install postgresql)")
    user = "postgres"

    def command(port: int, folder: Path) -> Sequence[str]:
        data = str(folder / "data")
        subprocess.run(
            [programs[-1] / "initdb", "-D", data, "-U", user, "--auth=trust", "--no-sync"],
            user=user if os.geteuid() == 0 else None,
            cwd=folder,
            check=True,
            capture_output=True,
        )
        settings = [f"port={port}", "listen_addresses=127.0.0.1", "unix_socket_directories="]
        return [
            str(programs[-1] / "postgres"),
            "-D",
            data,
            *(word for each in settings for word in ("-c", each)),
        ]

    return Server(command, user=user)


def redis() -> Server:
    """An empty store without a password."""
    program = find_program("redis-server")
    words = ["--bind", "127.0.0.1", "--save", "", "--appendonly", "no"]
    return Server(lambda port, folder: [program, "--port", str(port), *words])


def mosquitto() -> Server:
    """A broker of MQTT that everybody may use."""
    program = find_program("mosquitto")

    def command(port: int, folder: Path) -> Sequence[str]:
        config = folder / "mosquitto.conf"
        config.write_text(f"listener {port} 127.0.0.1\nallow_anonymous true\nuser root\n")
        return [program, "-c", str(config)]

    return Server(command)


def dnsmasq() -> Server:
    """A name server of TCP and UDP that knows ``shop.test`` and a long text."""
    program = find_program("dnsmasq")
    text = ",".join("x" * 250 for _ in range(8))

    def command(port: int, folder: Path) -> Sequence[str]:
        return [
            program,
            "--keep-in-foreground",
            "--conf-file=/dev/null",
            "--no-resolv",
            "--no-hosts",
            "--bind-interfaces",
            "--listen-address=127.0.0.1",
            f"--port={port}",
            "--user=root",
            "--pid-file=",
            "--address=/shop.test/192.0.2.7",
            f"--txt-record=long.test,{text}",
        ]

    return Server(command)


def msmtpd() -> Server:
    """A mail server that puts each mail into the file ``mail`` of its folder."""
    program = find_program("msmtpd")

    def command(port: int, folder: Path) -> Sequence[str]:
        script = folder / "deliver"
        script.write_text(f"#!/bin/sh\ncat > {folder}/part\nmv {folder}/part {folder}/mail\n")
        script.chmod(0o755)
        return [program, "--interface=127.0.0.1", f"--port={port}", f"--command={script}"]

    return Server(command)
