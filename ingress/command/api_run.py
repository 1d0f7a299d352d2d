"""
Work with an API server within a command: the reactor runs for as long as it takes.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Coroutine, Mapping
from contextlib import suppress
from typing import Any, TypeVar

from twisted.internet.defer import Deferred
from twisted.internet.error import ReactorNotRunning
from twisted.python.failure import Failure

from ingress.command.failure import CannotRun
from ingress.config import Cluster
from ingress.config_file import ConfigError
from ingress.kube.api.client import APIClient
from ingress.kube.api.connect import connect, find_api

T = TypeVar("T")


def run_with_client(
    cluster: Cluster,
    work: Callable[[Any, APIClient], Coroutine[Any, Any, T]],
    environment: Mapping[str, str] = os.environ,
) -> T:
    """
    Run the reactor, which a process can do once.

    :param cluster: which API server, with which credentials.
    :param work: gets the reactor and the client, which is closed behind it.
    :return: its result.
    :raises CannotRun: if there is no such cluster, or if ^C has ended the work.
    :raises Exception: what the work raises.
    """
    try:
        access = find_api(cluster, environment)
    except ConfigError as error:
        raise CannotRun(str(error)) from None

    async def with_client(reactor: Any) -> T:
        client = connect(reactor, access, environment)
        try:
            return await work(reactor, client)
        finally:
            await client.close()

    return run_with_reactor(with_client)


def run_with_reactor(work: Callable[[Any], Coroutine[Any, Any, T]]) -> T:
    """
    Run the reactor for as long as some work takes, which a process can do once.

    :return: its result.
    :raises CannotRun: if ^C has ended the work.
    :raises Exception: what the work raises.
    """
    # Only now: help, and what reads files, needs no reactor.
    from twisted.internet import reactor as installed

    reactor: Any = installed
    results: list[T | Failure] = []

    def begin() -> None:
        working = Deferred.fromCoroutine(work(reactor))
        working.addBoth(results.append)
        working.addBoth(lambda _: stop())

    def stop() -> None:
        # A ^C may have stopped it, while the work came to its end.
        with suppress(ReactorNotRunning):
            reactor.stop()

    reactor.callWhenRunning(begin)
    reactor.run()
    if not results:
        raise CannotRun("it was interrupted")
    (result,) = results
    if isinstance(result, Failure):
        result.raiseException()
    return result
