"""
The suite of `tests.kube_client_suite`, on the fake and on a real cluster.
"""

from __future__ import annotations

from typing import Any

from twisted.internet import reactor as installed

from ingress.kube.api.client import APIClient
from ingress.kube.api.connection import Connections, endpoint_maker
from ingress.kube.api.credentials import FixedCredentials, Identity
from ingress.kube.api.server import Server
from tests import kube_client_suite
from tests.support.fake_api import FakeAPIServer
from tests.support.fake_api.api import TOKEN

reactor: Any = installed


class FakeAPITests(kube_client_suite.APIServerSuite):
    """On the fake, over TLS."""

    async def connect(self) -> APIClient:
        self.server = FakeAPIServer(reactor)
        server = Server("127.0.0.1", self.server.port, ca_pem=self.server.authority.root_pem)
        credentials = FixedCredentials(Identity(f"Bearer {TOKEN}".encode()))
        return APIClient(
            reactor, server, credentials, Connections(reactor, endpoint_maker(reactor, server))
        )

    async def end(self) -> None:
        await super().end()
        await self.server.stop()

    def forget_history(self) -> bool:
        self.server.api.forget_history()
        return True

    async def test_watch_cancelled(self) -> None:
        """A watch that is given up is over for the server as well."""
        await super().test_watch_cancelled()
        self.assertEqual(self.server.api.resource.streams, set())
