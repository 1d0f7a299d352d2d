"""
Sends the log of a worker to the control plane: one log, one file, one rotation.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable

from twisted.logger import (
    ILogObserver,
    LogEvent,
    Logger,
    eventAsJSON,
    eventFromJSON,
    globalLogPublisher,
)
from twisted.python.failure import Failure
from zope.interface import implementer

from ingress.worker.message import Kind, Message

MAX_WAITING = 1000
"""Events that wait to be sent at most: a worker serves even if its log is not read."""

_REASON = "txingress_reason"
"""The key of the message of an exception, which the JSON of an event leaves out."""


@implementer(ILogObserver)
class LogRelay:
    """
    Takes the log events of this process, for its `Channel` (`Source`).

    :param max_waiting: events beyond that are lost, and counted.
    """

    log = Logger()

    def __init__(self, max_waiting: int = MAX_WAITING) -> None:
        self._max_waiting = max_waiting
        self._waiting: deque[bytes] = deque()
        self._lost = 0
        self.wake: Callable[[], None] = lambda: None
        """Called when there is something to send."""

    def __repr__(self) -> str:
        return f"<LogRelay: {len(self._waiting)} waiting, {self._lost} lost>"

    def __call__(self, event: LogEvent) -> None:
        """ILogObserver."""
        if len(self._waiting) >= self._max_waiting:
            self._lost += 1
            return
        self._waiting.append(_to_bytes(event))
        self.wake()

    def take(self) -> Message | None:
        """Source."""
        if not self._waiting and self._lost:
            lost, self._lost = self._lost, 0
            self.log.warn("Lost lines of the log, because they were too many: {count}", count=lost)
        return (Kind.LOG, self._waiting.popleft()) if self._waiting else None


def _to_bytes(event: LogEvent) -> bytes:
    failure = event.get("log_failure")
    if isinstance(failure, Failure):
        event = {**event, _REASON: failure.getErrorMessage()}
    return eventAsJSON(event).encode("utf-8", "backslashreplace")


def republish(
    content: bytes, worker: int, publish: Callable[[LogEvent], None] = globalLogPublisher
) -> None:
    """
    Log an event of a worker, with its number as part of the log system.

    :param content: of a message of kind `LOG`.
    """
    event = eventFromJSON(content.decode())
    # They referred to objects of the worker.
    event.pop("log_logger", None)
    event.pop("log_source", None)
    failure, reason = event.get("log_failure"), event.pop(_REASON, "")
    if isinstance(failure, Failure):
        failure.value = reason
    level = event.get("log_level")
    event["log_system"] = (
        f"{event.get('log_namespace', '-')}#{level.name if level else '-'}, worker {worker}"
    )
    event["worker"] = worker
    publish(event)


def take_over_log(relay: LogRelay) -> None:
    """
    Make `relay` the only observer of the log of this process.

    Twisted has no public way to list the observers.
    """
    observers: list[ILogObserver] = globalLogPublisher._observers
    for observer in tuple(observers):
        globalLogPublisher.removeObserver(observer)
    globalLogPublisher.addObserver(relay)
