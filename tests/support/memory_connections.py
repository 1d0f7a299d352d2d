"""
Connections of an API client to a server in the same process, without sockets.
"""

from __future__ import annotations

from typing import Any

from treq.client import HTTPClient
from treq.testing import RequestTraversalAgent
from twisted.internet.task import Clock

from ingress.kube.api.body import make_body_producer
from ingress.kube.api.connection import Connections
from ingress.kube.api.credentials import ClientCertificate


class MemoryConnections(Connections):
    """Connections to a resource of twisted.web."""

    def __init__(self, clock: Clock, resource: Any) -> None:
        super().__init__(clock, self._nowhere)
        self.agent = RequestTraversalAgent(resource)
        self._http = HTTPClient(self.agent, data_to_body_producer=make_body_producer)

    async def client(self, certificate: ClientCertificate | None) -> HTTPClient:
        return self._http

    def _nowhere(self, *_: object) -> Any:
        raise AssertionError("nobody connects")
