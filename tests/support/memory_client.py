"""
The real API client on a `FakeAPI` in the same process, without sockets.
"""

from __future__ import annotations

from typing import Any, cast

from treq.testing import StubTreq

from ingress.kube.api.client import APIClient
from ingress.kube.api.connection import Connections
from ingress.kube.api.credentials import FixedCredentials, Identity
from ingress.kube.api.server import Server
from tests.support.fake_api import FakeAPI
from tests.support.fake_api.api import TOKEN


class _InMemory:
    """The part of the connections that `APIClient` needs."""

    def __init__(self, api: FakeAPI) -> None:
        self._stub = StubTreq(api.resource)

    async def client(self, certificate: object) -> Any:
        return self._stub

    def drop_idle(self) -> None: ...


def memory_client(
    api: FakeAPI, clock: Any, *, token: str = TOKEN, namespace: str = "default"
) -> APIClient:
    """
    :param token: the client's token; the administrator's by default.
    :param namespace: the namespace in which the process runs.
    """
    return APIClient(
        clock,
        Server("127.0.0.1", 6443),
        FixedCredentials(Identity(b"Bearer " + token.encode())),
        cast("Connections", _InMemory(api)),
        namespace=namespace,
        wall_clock=clock.seconds,
    )
