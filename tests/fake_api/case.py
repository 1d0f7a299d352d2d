"""
Requests to a `FakeAPI` in memory.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from random import Random
from typing import Any

from treq.testing import StubTreq
from twisted.internet.task import Clock
from twisted.python.failure import Failure
from twisted.trial.unittest import SynchronousTestCase
from twisted.web.http_headers import Headers

from tests.support.fake_api import FakeAPI
from tests.support.fake_api.api import TOKEN
from tests.support.fake_api.kind import Document

INGRESSES = "/apis/networking.k8s.io/v1/namespaces/default/ingresses"
ALL_INGRESSES = "/apis/networking.k8s.io/v1/ingresses"
LEASES = "/apis/coordination.k8s.io/v1/namespaces/default/leases"
EVENTS = "/apis/events.k8s.io/v1/namespaces/default/events"
SLICES = "/apis/discovery.k8s.io/v1/namespaces/default/endpointslices"
SECRETS = "/api/v1/namespaces/default/secrets"
CONFIG_MAPS = "/api/v1/namespaces/default/configmaps"

BEARER = {"Authorization": f"Bearer {TOKEN}"}


class Answer:
    """:ivar document: of the body."""

    def __init__(self, response: Any, body: bytes) -> None:
        self.code: int = response.code
        self.phrase: str = response.phrase.decode()
        self.headers: Headers = response.headers
        self.body = body

    @property
    def document(self) -> Document:
        found: Document = json.loads(self.body)
        return found

    def field(self, name: str) -> str | None:
        return next(iter(self.headers.getRawHeaders(name, [])), None)


class Watching:
    """
    A watch that is open.

    :ivar code: of its answer.
    :ivar pieces: what came, as it came.
    :ivar ended: how it ended; None while it lasts.
    """

    def __init__(self, response: Any) -> None:
        self.code: int = response.code
        self.pieces: list[bytes] = []
        self.ended: Failure | None = None
        response.deliverBody(self)

    # IProtocol, as far as a body needs it.

    def makeConnection(self, transport: object) -> None: ...

    def connectionMade(self) -> None: ...

    def dataReceived(self, data: bytes) -> None:
        self.pieces.append(data)

    def connectionLost(self, reason: Failure) -> None:
        self.ended = reason

    @property
    def events(self) -> list[tuple[str, Document]]:
        """Type and object of each that came whole; forgets them."""
        *lines, rest = b"".join(self.pieces).split(b"\n")
        self.pieces[:] = [rest]
        return [(event["type"], event["object"]) for event in map(json.loads, lines)]

    @property
    def names(self) -> list[tuple[str, str]]:
        """Type and name of the object of each; forgets them."""
        return [(kind, each["metadata"]["name"]) for kind, each in self.events]


class FakeAPITestCase(SynchronousTestCase):
    """Each test has a server and a clock."""

    def setUp(self) -> None:
        self.clock = Clock()
        self.clock.advance(1_795_000_000)
        self.api = FakeAPI(self.clock, Random(1))
        self.stub: Any = StubTreq(self.api.resource)

    def ask(
        self,
        path: str,
        method: str = "GET",
        body: object = None,
        headers: Mapping[str, str] = BEARER,
        content_type: str = "application/json",
    ) -> Answer:
        """The answer to a request; with the administrator's token unless `headers` say else."""
        response = self.successResultOf(self._begin(path, method, body, headers, content_type))
        return Answer(response, self.successResultOf(response.content()))

    def watch(self, path: str, **query: object) -> Watching:
        """Begin to watch."""
        asked = "".join(f"&{key}={value}" for key, value in query.items())
        begun = self._begin(f"{path}?watch=1{asked}", "GET", None, BEARER, "application/json")
        watching = Watching(self.successResultOf(begun))
        self.flush()
        return watching

    def flush(self) -> None:
        """Have delivered what the server has sent."""
        self.stub.flush()

    def advance(self, seconds: float) -> None:
        self.clock.advance(seconds)
        self.flush()

    def _begin(
        self, path: str, method: str, body: object, headers: Mapping[str, str], content_type: str
    ) -> Any:
        sent = dict(headers)
        data = None
        if body is not None:
            sent["Content-Type"] = content_type
            data = json.dumps(body).encode()
        return self.stub.request(
            method, f"https://127.0.0.1{path}", data=data, headers=sent, unbuffered=True
        )


def ingress(name: str, host: str = "a.example", **metadata: object) -> Document:
    """An Ingress, with the fields that it must have."""
    backend = {"service": {"name": "web", "port": {"number": 80}}}
    path = {"path": "/", "pathType": "Prefix", "backend": backend}
    return {
        "apiVersion": "networking.k8s.io/v1",
        "kind": "Ingress",
        "metadata": {"name": name, **metadata},
        "spec": {"rules": [{"host": host, "http": {"paths": [path]}}]},
    }


def config_map(name: str, namespace: str = "default", **data: str) -> Document:
    metadata = {"name": name, "namespace": namespace}
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata, "data": data}
