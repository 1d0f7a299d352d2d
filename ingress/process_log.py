"""
The process log: where it goes, in which format, from which level on.

twistd asks `ProcessLog` for its observer in place of its own. By default twistd -n logs to
standard output, which belongs to the access log here, so that the process log goes to
standard error. twistd's log file could not be reopened: at SIGUSR1 twistd begins a new file
next to the old one, under another name, but a log rotator has already moved the file and
wants it reopened under the same name.
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import MutableMapping
from datetime import UTC, datetime
from typing import IO, Any, Final

from twisted.logger import (
    FileLogObserver,
    FilteringLogObserver,
    ILogObserver,
    LogEvent,
    Logger,
    LogLevel,
    LogLevelFilterPredicate,
    eventAsText,
    formatEventAsClassicLogText,
)
from twisted.python.failure import Failure
from twisted.python.logfile import LogFile

from ingress.config import ProcessLogSettings

_DEFAULT_NAME: Final = "twistd.log"
"""twistd's default for a daemon without --logfile."""

_FACTORY: Final = "ingress.process_log.PROCESS_LOG.open"

_MODE: Final = 0o640
"""The mode of a new log file: names of hosts and objects are not for everybody."""


class ProcessLog:
    """The log of this process, unless twistd sends it to syslog or to another observer."""

    log = Logger()

    def __init__(self) -> None:
        self._path = ""
        self._stream: IO[str] | None = None
        self._file: LogFile | None = None
        self._is_json = False
        self._filter = LogLevelFilterPredicate()

    def __repr__(self) -> str:
        return f"<ProcessLog {self._path or 'of a stream'}>"

    def take_over(
        self, twistd_options: MutableMapping[str, Any], settings: ProcessLogSettings
    ) -> None:
        """
        Make twistd ask this object for its observer, unless its options name another one.

        :param twistd_options: those before the command's name, which twistd has not
            looked through yet.
        """
        self.configure(settings)
        options = twistd_options
        path = options.get("logfile") or ""
        is_daemon = not (options.get("nodaemon") or options.get("debug"))
        # twistd itself refuses to log to the standard output of a daemon.
        if options.get("logger") or options.get("syslog") or (is_daemon and path == "-"):
            return
        if path == "-":
            self._stream = sys.stdout
        elif not path and not is_daemon:
            self._stream = sys.stderr
        else:
            self._path = path or _DEFAULT_NAME
        # twistd takes a name only, and calls the object of that name when it begins to log.
        options["logger"] = _FACTORY

    def configure(self, settings: ProcessLogSettings) -> None:
        """Use this format and this level from now on."""
        self._is_json = settings.format == "json"
        # The empty namespace stands for all.
        self._filter.setLogLevelForNamespace("", LogLevel.levelWithName(settings.level))

    def open(self) -> ILogObserver:
        """The observer, with its file opened; twistd calls this when it begins to log."""
        stream: Any = self._stream
        if stream is None:
            # LogFile would change the mode of a file that exists.
            mode = None if os.path.exists(self._path) else _MODE
            stream = self._file = LogFile.fromFullPath(self._path, defaultMode=mode)
        return FilteringLogObserver(FileLogObserver(stream, self._format), [self._filter])

    def reopen(self) -> None:
        """Begin a new file, because a log rotator has moved the old one."""
        if self._file is None:
            return
        try:
            # A file that cannot be opened must not cost us the open one.
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

    def _format(self, event: LogEvent) -> str | None:
        return format_json(event) if self._is_json else formatEventAsClassicLogText(event)


def format_json(event: LogEvent) -> str:
    """The event as one line of JSON, with the names that log collectors know."""
    level = event.get("log_level")
    line = {
        "time": datetime.fromtimestamp(event["log_time"], UTC).isoformat(timespec="milliseconds"),
        "level": level.name if level is not None else "info",
        "logger": event.get("log_namespace") or "-",
        "message": eventAsText(
            event, includeTraceback=False, includeTimestamp=False, includeSystem=False
        ),
    }
    if "worker" in event:
        line["worker"] = event["worker"]
    failure = event.get("log_failure")
    if isinstance(failure, Failure):
        line["traceback"] = failure.getTraceback()
    return json.dumps(line, ensure_ascii=False, default=str) + "\n"


PROCESS_LOG: Final = ProcessLog()
"""The log of the process; twistd finds it by this name."""
