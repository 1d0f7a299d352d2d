"""
A cluster with a signer, on one clock, without sockets.
"""

from __future__ import annotations

import base64
from collections.abc import Callable, Coroutine
from random import Random
from typing import Any, TypeVar

from twisted.internet.defer import Deferred
from twisted.python.failure import Failure
from twisted.trial.unittest import SynchronousTestCase

from ingress.kube.api.client import APIClient
from ingress.kube.api.credentials import FixedCredentials, Identity
from ingress.kube.api.server import Server
from tests.support.certs import CertificateAuthority
from tests.support.fake_api import FakeAPI
from tests.support.fake_api.api import TOKEN
from tests.support.fake_api.kind import Document
from tests.support.memory_connections import MemoryConnections
from tests.support.turn_clock import TurnClock

T = TypeVar("T")

API = "certificates.k8s.io/v1"
KIND = "CertificateSigningRequest"
SIGNER = "example.com/ingress"


class SigningCase(SynchronousTestCase):
    """Tests with an API server, and a signer that does what a test says."""

    def setUp(self) -> None:
        self.clock = TurnClock()
        self.api = FakeAPI(self.clock, Random(1))
        self.connections = MemoryConnections(self.clock, self.api.resource)
        self.client = APIClient(
            self.clock,
            Server("api.example", 6443),
            FixedCredentials(Identity(f"Bearer {TOKEN}".encode())),
            self.connections,
        )
        self.authority = CertificateAuthority()

    def begin(self, work: Coroutine[Any, Any, T]) -> Deferred[T]:
        """Start it, and let it get as far as it can."""
        begun = Deferred.fromCoroutine(work)
        self.turn()
        return begun

    def turn(self, seconds: float = 0.0) -> None:
        """Let time pass, and let all parts take turns."""
        for step in [1.0] * int(seconds) + [0.0]:
            self.clock.advance(step)
            for _ in range(12):
                self.connections.agent.flush()
                self.clock.advance(0)

    def failed(self, work: Deferred[Any], *kinds: type[Exception]) -> str:
        """:return: the message with which it has failed."""
        failure: Failure = self.failureResultOf(work, *kinds)
        return str(failure.value)

    @property
    def requests(self) -> list[Document]:
        """All CertificateSigningRequests."""
        stored = self.api.store.objects("certificatesigningrequests.certificates.k8s.io")
        return [document for _, document in stored]

    def sign(self, make: Callable[[bytes], bytes] | None = None) -> None:
        """Approve the one request, and sign it."""
        (request,) = self.requests
        pem = base64.b64decode(request["spec"]["request"])
        certificate = (make or self.authority.sign)(pem)
        self.end("Approved", certificate=base64.b64encode(certificate).decode())

    def end(self, condition: str, reason: str = "", **status: str) -> None:
        """Give the one request a condition."""
        (request,) = self.requests
        conditions = [{"type": condition, "status": "True", "reason": reason}]
        self.api.put(
            {
                **request,
                "apiVersion": API,
                "kind": KIND,
                "status": {"conditions": conditions, **status},
            }
        )
        self.turn(1)
