"""
Runs a program once, within limits, and returns its output.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import suppress
from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.error import ProcessDone, ProcessExitedAlready, ProcessTerminated
from twisted.internet.interfaces import IProcessTransport
from twisted.internet.protocol import ProcessProtocol
from twisted.python.failure import Failure

from ingress.errors import IngressError

TIMEOUT = 60.0
"""Seconds: some of these programs ask servers of their own."""

MAX_OUTPUT = 1 << 20
"""Bytes. Far more than a token, or a certificate with its chain and key."""


class PluginFailed(IngressError):
    """The program has failed; the message continues after its name."""


def run_plugin(
    reactor: Any, executable: str, args: Sequence[str], environment: Mapping[str, str]
) -> Deferred[bytes]:
    """
    Run a program without input; its standard error is ignored.

    :param executable: the path of its file.
    :param args: the arguments after its name.
    :return: its output. Fails with PluginFailed if it fails, prints too much, or takes too
        long; no message shows its output. Cancelling ends it.
    """
    process = _Process(reactor)
    try:
        reactor.spawnProcess(process, executable, [executable, *args], env=dict(environment))
    except (OSError, ValueError) as error:
        process.fail(f"cannot be run: {getattr(error, 'strerror', None) or error}")
    return process.output


class _Process(ProcessProtocol):
    transport: IProcessTransport

    def __init__(self, reactor: Any) -> None:
        self.output: Deferred[bytes] = Deferred(lambda _: self._abandon("is not needed any more"))
        self._parts: list[bytes] = []
        self._size = 0
        self._timeout = reactor.callLater(TIMEOUT, self._abandon, f"takes more than {TIMEOUT:g} s")
        self._fault = ""

    def connectionMade(self) -> None:
        """The program runs (`IProcessProtocol`)."""
        self.transport.closeStdin()

    def outReceived(self, data: bytes) -> None:
        """The program prints (`IProcessProtocol`)."""
        self._size += len(data)
        if self._fault or self._size > MAX_OUTPUT:
            self._abandon(f"prints more than {MAX_OUTPUT} bytes")
        else:
            self._parts.append(data)

    def errReceived(self, data: bytes) -> None:
        """Ignore standard error (`IProcessProtocol`)."""

    def processEnded(self, reason: Failure) -> None:
        """The program has ended, and its output was read (`IProcessProtocol`)."""
        if self._fault or not reason.check(ProcessDone):
            self.fail(self._fault or _how(reason.value))
        else:
            self._stop()
            self.output.callback(b"".join(self._parts))

    def fail(self, fault: str) -> None:
        """Fail with a message."""
        self._stop()
        if not self.output.called:  # it may have been cancelled
            self.output.errback(PluginFailed(fault))

    def _stop(self) -> None:
        if self._timeout.active():
            self._timeout.cancel()

    def _abandon(self, fault: str) -> None:
        """End the program and the pipes, which a child process may keep open."""
        if not self._fault:
            self._fault = fault
            self._parts.clear()
            with suppress(ProcessExitedAlready):
                self.transport.signalProcess("KILL")
            self.transport.loseConnection()


def _how(error: Any) -> str:
    if isinstance(error, ProcessTerminated) and error.signal is not None:
        return f"was ended by signal {error.signal}"
    return f"failed with exit status {getattr(error, 'exitCode', None)}"
