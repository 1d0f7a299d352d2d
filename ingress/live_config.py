"""
The configuration file while the process runs: what changes in it applies live.

All but the keys that need a restart; a mistake keeps what runs.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from twisted.logger import Logger

from ingress.config import Config, changed_needing_restart
from ingress.config.file import ConfigError, load_config


class LiveConfig:
    """
    :param config: what runs, read from a file.
    :param apply: takes each new configuration.
    """

    log = Logger()

    def __init__(self, config: Config, apply: Callable[[Config], None]) -> None:
        self.current = config
        self._apply = apply
        self._told: object = None

    def __repr__(self) -> str:
        return f"<LiveConfig of {self.current.path}>"

    def file_changed(self) -> None:
        """Read the file again."""
        current = self.current
        assert current.path is not None, "a configuration that lives was read from a file"
        try:
            read = load_config(current.path)
        except ConfigError as error:
            self._tell_mistakes(error)
            return
        self._told = None
        for key in changed_needing_restart(current, read):
            self.log.warn("{file}: {key} changed: this needs a restart", file=current.path, key=key)
        applied = replace(
            read, listen=current.listen, source=current.source, workers=current.workers
        )
        if applied != current:
            self.current = applied
            self.log.info("{file}: the changed configuration applies", file=current.path)
            self._apply(applied)

    def _tell_mistakes(self, error: ConfigError) -> None:
        if error.mistakes == self._told:
            return
        self._told = error.mistakes
        for mistake in error.mistakes:
            self.log.error("{mistake}; what runs is kept", mistake=mistake)
