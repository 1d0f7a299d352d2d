"""
Work with an API server within a command: the reactor runs for as long as it takes.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Coroutine, Mapping
from typing import Any, TypeVar

from twisted.internet.defer import Deferred
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
    # Only now: help, and what reads files, needs no reactor.
    from twisted.internet import reactor as installed

    reactor: Any = installed
    try:
        access = find_api(cluster, environment)
    except ConfigError as error:
        raise CannotRun(str(error)) from None
    results: list[T | Failure] = []

    def begin() -> None:
        client = connect(reactor, access, environment)
        working = Deferred.fromCoroutine(work(reactor, client))
        working.addBoth(results.append)
        working.addCallback(lambda _: Deferred.fromCoroutine(client.close()))
        working.addBoth(lambda _: reactor.stop())

    reactor.callWhenRunning(begin)
    reactor.run()
    if not results:
        raise CannotRun("it was interrupted")
    (result,) = results
    if isinstance(result, Failure):
        result.raiseException()
    return result
