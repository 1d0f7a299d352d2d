"""
Requests that have an end, whatever the API server does.
"""

from __future__ import annotations

from collections.abc import Coroutine
from typing import Any, TypeVar

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IReactorTime

from ingress.kube.api.errors import APIUnreachable

T = TypeVar("T")


async def within(seconds: float, clock: IReactorTime, request: Coroutine[Any, Any, T]) -> T:
    """
    :param request: cancelled when its time is over, which closes its connection.
    :return: its result.
    :raises APIUnreachable: if there is none in time.
    """

    def give_up(result: object, timeout: float) -> T:
        raise APIUnreachable(f"no answer within {timeout:g} s")

    waiting: Deferred[T] = Deferred.fromCoroutine(request)
    waiting.addTimeout(max(0.0, seconds), clock, give_up)
    return await waiting
