"""
The process log: twistd's log file, opened here so that it can be reopened.

At SIGUSR1 twistd itself begins a new file next to the old one, under another name. A log
rotator has already moved the file and wants it reopened under the same name.
"""

from __future__ import annotations

from collections.abc import MutableMapping
from typing import Any, Final

from twisted.logger import ILogObserver, Logger, textFileLogObserver
from twisted.python.logfile import LogFile

_DEFAULT_NAME: Final = "twistd.log"
"""twistd's default for a daemon without --logfile."""

_FACTORY: Final = "ingress.process_log.PROCESS_LOG.open"


class ProcessLog:
    """The log file of this process, if it logs to a file."""

    log = Logger()

    def __init__(self) -> None:
        self._path = _DEFAULT_NAME
        self._file: LogFile | None = None

    def __repr__(self) -> str:
        return f"<ProcessLog {self._path if self._file is not None else 'not ours'}>"

    def take_over(self, twistd_options: MutableMapping[str, Any]) -> None:
        """
        Have twistd ask us for its log, where that would be a file.

        :param twistd_options: those before the command's name, which twistd has not
            looked through yet.
        """
        options = twistd_options
        path = options.get("logfile")
        is_daemon = not (options.get("nodaemon") or options.get("debug"))
        is_other = options.get("logger") or options.get("syslog") or path == "-"
        if is_other or not (path or is_daemon):
            return
        self._path = path or _DEFAULT_NAME
        # twistd takes a name only, and calls what it finds there when it begins to log.
        options["logger"] = _FACTORY

    def open(self) -> ILogObserver:
        """:return: the same observer that twistd would have made."""
        file: Any = LogFile.fromFullPath(self._path)
        self._file = file
        return textFileLogObserver(file)

    def reopen(self) -> None:
        """The file was moved away: begin another one in its place."""
        if self._file is None:
            return
        try:
            # One that cannot be opened must not cost us the one that we have.
            with open(self._file.path, "ab"):
                pass
        except OSError as error:
            self.log.error(
                "{path} cannot be opened again, the old file is kept: {reason}",
                path=self._file.path,
                reason=error.strerror,
            )
        else:
            self._file.reopen()


PROCESS_LOG: Final = ProcessLog()
"""A process has one; twistd finds it by this name."""
