"""
Tests for `ingress.kube.api.client`: what a real API server was recorded to answer, and what one
should not.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Coroutine, Sequence
from typing import Any
from urllib.parse import parse_qsl, urlsplit

from twisted.internet.defer import Deferred
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from ingress.kube.api.client import APIClient
from ingress.kube.api.connection import Connections
from ingress.kube.api.credentials import Credentials, FixedCredentials, Identity
from ingress.kube.api.errors import APIError
from ingress.kube.api.server import Server
from tests.support.replay import Exchange, MemoryServer, Request, recorded

SERVER = Server("api.example", 6443)
PATH = "/apis/networking.k8s.io/v1/ingresses"

Answer = Callable[[Request], Sequence[bytes | None]]


class ClientTestCase(SynchronousTestCase):
    """A client, a clock, and a server in memory."""

    def connect(self, answer: Answer, credentials: Credentials | None = None) -> APIClient:
        self.clock = Clock()
        self.server = MemoryServer(answer)
        self.client = APIClient(
            self.clock,
            SERVER,
            credentials or FixedCredentials(Identity(b"Bearer secret")),
            Connections(self.clock, lambda *_: self.server),
            wall_clock=lambda: 1_800_000_000.0,
        )
        return self.client

    def run_now(self, work: Coroutine[Any, Any, Any]) -> Deferred[Any]:
        running = Deferred.fromCoroutine(work)
        self.server.pump()
        return running


class ReplayTests(ClientTestCase):
    """The recorded exchanges, one by one."""

    def replay(self, exchange: Exchange, writes: Sequence[bytes]) -> tuple[Any, list[bytes]]:
        """:return: the answer or the error, and the events of a watch."""
        self.connect(lambda _: writes)
        parts = urlsplit(exchange.target)
        query = dict(parse_qsl(parts.query))
        events: list[bytes] = []
        work: Coroutine[Any, Any, Any]
        if query.get("watch"):
            work = self.client.watch(parts.path, query, events.append)
        elif exchange.method == "GET":
            work = self.client.get(parts.path, query)
        else:
            work = self.client.send(
                exchange.method,
                parts.path,
                exchange.body,
                query=query,
                content_type=exchange.headers.get("content-type", "application/json"),
            )
        running = self.run_now(work)
        if exchange.status >= 400:
            return self.failureResultOf(running, APIError).value, events
        return self.successResultOf(running), events

    def check(self, exchange: Exchange, writes: Sequence[bytes]) -> None:
        result, events = self.replay(exchange, writes)
        for request in self.server.requests:
            self.assertEqual((request.method, request.target), (exchange.method, exchange.target))
            self.assertEqual(request.headers["host"], "api.example:6443")
            self.assertEqual(request.headers["accept"], "application/json")
            self.assertEqual(request.headers["authorization"], "Bearer secret")
            self.assertEqual(
                request.headers.get("content-type"), exchange.headers.get("content-type")
            )
            self.assertEqual(json.loads(request.body or b"null"), exchange.body)
        if exchange.status >= 400:
            status = json.loads(exchange.answer)
            self.assertEqual(result.code, status["code"])
            self.assertEqual(result.reason, status["reason"])
            self.assertEqual(result.message, status["message"])
        elif "watch=1" in exchange.target:
            lines = exchange.answer.splitlines()
            self.assertEqual(events, lines)
        else:
            self.assertEqual(result, exchange.answer)


def _add_replays() -> None:
    for file in (
        "certificate-signing-request",
        "discovery",
        "errors",
        "event",
        "ingress-writes",
        "lease",
        "list",
        "more",
        "too-old",
        "watch",
    ):
        for number, exchange in enumerate(recorded(file).values()):

            def test(self: ReplayTests, exchange: Exchange = exchange) -> None:
                self.check(exchange, exchange.writes)
                whole = b"".join(exchange.writes)
                self.check(exchange, [whole])
                self.check(exchange, [whole[place : place + 1] for place in range(len(whole))])

            test.__doc__ = f"{file}: {exchange.name}."
            name = f"test_{file.replace('-', '_')}_{number}"
            setattr(ReplayTests, name, test)


_add_replays()
