"""
The configuration file while the process runs: what changes in it applies live.

All but the keys that need a restart; a mistake keeps what runs.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from twisted.internet.defer import Deferred
from twisted.logger import Logger

from ingress.config import Config, Listen, changed_needing_restart, with_restart_fields
from ingress.config.section import Mistakes
from ingress.config_file import ConfigError, load_config

RunInThread = Callable[..., "Deferred[Any]"]
"""Calls a function with its arguments where it may take its time."""


class LiveConfig:
    """
    :param config: the running configuration, read from a file.
    :param apply: takes each new configuration.
    :param run_in_thread: for reading the file.
    """

    log = Logger()

    def __init__(
        self, config: Config, apply: Callable[[Config], None], run_in_thread: RunInThread
    ) -> None:
        assert config.path is not None, "a live configuration comes from a file"
        self.current = config
        self._path = config.path
        self._apply = apply
        self._run_in_thread = run_in_thread
        self._told: object = None
        self._is_reading = False
        self._is_due = False
        self._is_asked = False
        self._reread: Callable[[], None] | None = None
        self._has_stopped = False

    def __repr__(self) -> str:
        return f"<LiveConfig of {self._path}{', reading' if self._is_reading else ''}>"

    @property
    def has_mistakes(self) -> bool:
        """Whether the last version of the file could not be applied."""
        return self._told is not None

    def look(self) -> None:
        """Read the file, which may have changed; read it again if it is being read."""
        if self._is_reading:
            self._is_due = True
        else:
            self._read()

    def reread(self, done: Callable[[], None] | None = None) -> None:
        """
        Read the file because somebody asked for it: say what came of it in any case.

        :param done: called when it is applied or refused; not called if `stop` is.
        """
        self._is_asked = True
        self._reread = done
        self.look()

    def stop(self) -> None:
        """Apply no change from now on, not even one that is being read."""
        self._has_stopped = True

    def _read(self) -> None:
        self._is_reading = True
        self._is_due = False
        reading = self._run_in_thread(load_live, self._path, self.current.listen)
        reading.addCallbacks(self._take, self._refuse)
        reading.addErrback(self._failed)
        reading.addCallback(self._ended)

    def _ended(self, result: object) -> None:
        self._is_reading = False
        if not self._is_due:
            self._is_asked = False
            done, self._reread = self._reread, None
            if done is not None and not self._has_stopped:
                done()
        if self._is_due and not self._has_stopped:
            self._read()

    def _take(self, read: Config) -> None:
        self._told = None
        current = self.current
        applied = with_restart_fields(read, current)
        if self._has_stopped:
            return
        for key in changed_needing_restart(current, read):
            self.log.warn("{file}: the change of {key} needs a restart", file=self._path, key=key)
        if applied != current:
            self.current = applied
            self.log.info("{file}: the changed configuration is applied", file=self._path)
            self._apply(applied)
        elif self._is_asked:
            self.log.info("{file}: the configuration is unchanged", file=self._path)

    def _refuse(self, failure: Any) -> None:
        failure.trap(ConfigError)
        mistakes = failure.value.mistakes
        if (mistakes == self._told and not self._is_asked) or self._has_stopped:
            return
        self._told = mistakes
        for mistake in mistakes:
            self.log.error("{mistake}; the running configuration stays", mistake=mistake)

    def _failed(self, failure: Any) -> None:
        self.log.failure("{file} could not be read", failure, file=self._path)


def load_live(path: Path, running: Listen) -> Config:
    """
    Read a file that has been read before (`load_config`).

    :raises ConfigError: with every mistake of the file, or if it is not a regular file:
        a pipe, which can be read once, could block a thread for ever.
    """
    if path.exists() and not path.is_file():
        mistakes = Mistakes(str(path))
        mistakes.in_file("is not a regular file")
        raise ConfigError(mistakes.in_order())
    return load_config(path, running)
