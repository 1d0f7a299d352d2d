"""
Reads the files that configure name resolution, again when they have changed.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IReactorTime

from ingress.dns.resolv_conf import Hosts, ResolvConf, parse_hosts, parse_resolv_conf

RESOLV_CONF: Final = Path("/etc/resolv.conf")
HOSTS: Final = Path("/etc/hosts")

LOOK_INTERVAL: Final = 5.0
"""The least seconds between two checks of the files."""

MAX_SIZE: Final = 1024 * 1024
"""Bytes of a file; hosts files that block advertisements are that large."""

RunInThread = Callable[..., "Deferred[Any]"]


@dataclass(frozen=True, slots=True)
class SystemConfig:
    """The contents of the files; a missing or unreadable one is empty."""

    resolv_conf: ResolvConf = ResolvConf()
    hosts: Hosts = Hosts()


class SystemFiles:
    """
    Keeps the configuration of name resolution up to date.

    :param clock: for the interval.
    :param run_in_thread: runs the reading.
    """

    def __init__(
        self,
        clock: IReactorTime,
        run_in_thread: RunInThread,
        resolv_conf: Path = RESOLV_CONF,
        hosts: Path = HOSTS,
    ) -> None:
        self._clock = clock
        self._run_in_thread = run_in_thread
        self._paths = (resolv_conf, hosts)
        self._signatures: tuple[object, ...] = ()
        self._looked_at: float | None = None
        self._waiting: list[Deferred[None]] = []
        self._config = SystemConfig()

    def __repr__(self) -> str:
        return f"<SystemFiles {self._config.resolv_conf}>"

    async def current(self) -> SystemConfig:
        """The configuration, at most some seconds old; the same object if it is unchanged."""
        now = self._clock.seconds()
        if not self._waiting and self._is_fresh(now):
            return self._config
        read: Deferred[None] = Deferred()
        self._waiting.append(read)
        if len(self._waiting) == 1:
            self._looked_at = now
            reading = self._run_in_thread(_read_changed, self._paths, self._signatures)
            reading.addCallback(self._take)
            reading.addBoth(self._ended)
        await read
        return self._config

    def _is_fresh(self, now: float) -> bool:
        return self._looked_at is not None and now - self._looked_at < LOOK_INTERVAL

    def _take(self, read: tuple[tuple[object, ...], SystemConfig] | None) -> None:
        if read is not None:
            self._signatures, self._config = read

    def _ended(self, result: object) -> object:
        waiting, self._waiting = self._waiting, []
        for each in waiting:
            if not each.called:
                each.callback(None)
        return result


def _read_changed(
    paths: tuple[Path, Path], known: tuple[object, ...]
) -> tuple[tuple[object, ...], SystemConfig] | None:
    """Read the files in a thread; None if both are unchanged."""
    signatures = tuple(map(_sign, paths))
    if signatures == known:
        return None
    resolv_conf, hosts = map(_read, paths)
    return signatures, SystemConfig(parse_resolv_conf(resolv_conf), parse_hosts(hosts))


def _sign(path: Path) -> object:
    try:
        status = os.stat(path)
    except OSError:
        return None
    return (status.st_dev, status.st_ino, status.st_mtime_ns, status.st_size)


def _read(path: Path) -> str:
    try:
        with open(path, encoding="utf-8", errors="replace") as file:
            return file.read(MAX_SIZE)
    except OSError:
        return ""
