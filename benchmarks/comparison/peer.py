"""
What the benchmark has to know of a proxy, and one that runs.
"""

from __future__ import annotations

import http.client
import socket
import sys
import sysconfig
from collections.abc import Mapping
from contextlib import ExitStack
from dataclasses import dataclass, field
from importlib.util import find_spec
from pathlib import Path
from shutil import which
from typing import Protocol

from benchmarks.comparison.process import Process, wait_until
from benchmarks.comparison.site import HOST, SMALL, Site

STARTUP = 180.0
"""Seconds that a proxy has to start: some need long for 10,000 hosts."""


@dataclass(frozen=True)
class Place:
    """
    Where one proxy runs: its folder, and its ports of 127.0.0.1.

    :ivar h2c: HTTP/2 in the clear, with prior knowledge; of its own because nginx 1.22 cannot
        tell it from HTTP/1.1.
    """

    folder: Path
    http: int
    https: int
    h2c: int
    admin: int

    @property
    def log(self) -> Path:
        """The access log."""
        return self.folder / "access.log"


@dataclass(frozen=True)
class Command:
    line: list[str]
    environment: Mapping[str, str] = field(default_factory=dict)


class Peer(Protocol):
    """A proxy, and how an expert of it configures it for a site."""

    @property
    def name(self) -> str:
        """The row of the table."""

    @property
    def notes(self) -> str:
        """What of its configuration a reader should know."""

    def find(self) -> str:
        """
        :return: its version.
        :raises NotInstalled: with what to do about it.
        """

    def command(self, site: Site, place: Place) -> Command:
        """Write its configuration; it must stay in the foreground."""


class NotInstalled(Exception):
    """A proxy is not there; its message says where it was looked for."""


def find_program(name: str, module: str = "", inside: str = "") -> str:
    """
    Find a program on the path, or beside the interpreter, where pip puts scripts.

    :param module: of this interpreter, in whose folder the program may be as `inside`.
    :raises NotInstalled: if it is in none of them.
    """
    if module and (spec := find_spec(module)) and spec.origin:
        program = Path(spec.origin).parent / inside
        if program.exists():
            return str(program)
    folders = [Path(sysconfig.get_path("scripts")), Path(sys.executable).parent]
    path = ":".join(map(str, folders))
    found = which(name) or which(name, path=path) or which(name, path="/usr/sbin:/usr/local/sbin")
    if found is None:
        raise NotInstalled(f"no {name} on PATH or beside {sys.executable}")
    return found


class Contender:
    """A peer that serves a site."""

    def __init__(self, peer: Peer, site: Site, folder: Path, core: int) -> None:
        self.peer = peer
        self.site = site
        folder.mkdir(parents=True)
        self.place = Place(folder, *free_ports(4))
        command = peer.command(site, self.place)
        self.process = Process(command.line, core, folder / "output", command.environment)
        try:
            wait_until(self._serves, self.process, STARTUP)
        except BaseException:
            self.process.stop()
            raise

    def url(self, scheme: str, path: str) -> str:
        """:param scheme: ``http``, ``https``, or ``h2c`` for HTTP/2 in the clear."""
        place = self.place
        port = {"http": place.http, "https": place.https, "h2c": place.h2c}[scheme]
        return f"{scheme.replace('h2c', 'http')}://{HOST}:{port}{path}"

    def _serves(self) -> bool:
        connection = http.client.HTTPConnection("127.0.0.1", self.place.http, timeout=5)
        try:
            connection.request("GET", SMALL, headers={"Host": self.site.hosts[-1]})
            return connection.getresponse().status == 200
        except (OSError, http.client.HTTPException):
            return False
        finally:
            connection.close()

    def forget_log(self) -> None:
        """Give back the disk that its access log has taken."""
        for file in (self.place.log, self.process.output):
            if file.exists() and file.stat().st_size > 1 << 20:
                file.open("ab").truncate(0)

    def stop(self) -> None:
        self.process.stop()


def listens(port: int) -> bool:
    """Whether somebody does, on that port of 127.0.0.1."""
    with socket.socket() as sock:
        return not sock.connect_ex(("127.0.0.1", port))


def free_ports(number: int) -> list[int]:
    """Different ports of 127.0.0.1 on which nobody listens."""
    with ExitStack() as stack:
        sockets = [stack.enter_context(socket.socket()) for _ in range(number)]
        for each in sockets:
            each.bind(("127.0.0.1", 0))
        return [each.getsockname()[1] for each in sockets]
