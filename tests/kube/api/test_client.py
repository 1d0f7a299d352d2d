"""
Tests for `ingress.kube.api.client`: what a real API server was recorded to answer, and what one
should not.
"""

from __future__ import annotations

import gzip
import json
from collections.abc import Callable, Coroutine, Sequence
from typing import Any
from urllib.parse import parse_qsl, urlsplit

from twisted.internet.address import IPv4Address
from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.error import (
    ConnectError,
    ConnectingCancelledError,
    ConnectionRefusedError,
    DNSLookupError,
    TimeoutError,
)
from twisted.internet.task import Clock
from twisted.logger import capturedLogs
from twisted.trial.unittest import SynchronousTestCase

from ingress.kube.api.client import ANSWER_TIMEOUT, MERGE_PATCH, WATCH_GRACE, APIClient
from ingress.kube.api.connection import Connections
from ingress.kube.api.credentials import Credentials, FixedCredentials, Identity
from ingress.kube.api.errors import APIError, APIUnreachable
from ingress.kube.api.server import Server
from ingress.kube.api.tls import UnusableTLS
from tests.support.replay import Exchange, MemoryServer, Request, recorded, respond

SERVER = Server("api.example", 6443)
PATH = "/apis/networking.k8s.io/v1/ingresses"

Answer = Callable[[Request], Sequence[bytes | None]]


class ClientTestCase(SynchronousTestCase):
    """A client, a clock, and a server in memory."""

    unusable = False

    def connect(self, answer: Answer, credentials: Credentials | None = None) -> APIClient:
        # Whatever goes wrong is for the caller to tell.
        self.addCleanup(self.assertEqual, self.enterContext(capturedLogs()), [])
        self.clock = Clock()
        self.server = MemoryServer(answer)
        self.client = APIClient(
            self.clock,
            SERVER,
            credentials or FixedCredentials(Identity(b"Bearer secret")),
            Connections(self.clock, self.make_endpoint),
            wall_clock=lambda: 1_800_000_000.0,
        )
        return self.client

    def make_endpoint(self, *_: object) -> MemoryServer:
        if self.unusable:
            raise UnusableTLS("key values mismatch")
        return self.server

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


class HandCredentials:
    """Credentials that are another one each time that one was refused."""

    def __init__(self) -> None:
        self.refused: list[Identity] = []

    async def identity(self) -> Identity:
        return Identity(b"Bearer %d" % len(self.refused))

    def reject(self, identity: Identity) -> None:
        self.refused.append(identity)


def status(code: int, reason: str, *fields: str) -> bytes:
    """An answer that is a Status."""
    body = json.dumps({"kind": "Status", "code": code, "reason": reason, "message": "no"})
    return respond(f"{code} {reason}", body.encode(), *fields)


CHUNKED = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n"
LAST = b"0\r\n\r\n"


def chunk(data: bytes) -> bytes:
    return b"%x\r\n%b\r\n" % (len(data), data)


class AnswerTests(ClientTestCase):
    """Answers to what is read and changed, good ones and bad ones."""

    def get(self, *writes: bytes | None) -> Deferred[bytes]:
        return self.run_now(self.connect(lambda _: writes).get("/api"))

    def assert_unreachable(self, asked: Deferred[Any], words: str) -> None:
        error = self.failureResultOf(asked, APIUnreachable).value
        self.assertIn(words, str(error))
        self.assertNotIn("secret", str(error))
        self.assert_closed()

    def assert_closed(self) -> None:
        self.server.pump()
        self.assertTrue(all(each.is_lost for each in self.server.connections))

    def test_unauthorized(self) -> None:
        """Credentials that are refused are had again, and the request tried once more."""
        credentials = HandCredentials()
        answers = [status(401, "Unauthorized"), respond("200 OK", b"{}")]
        self.connect(lambda _: [answers.pop(0)], credentials)
        self.assertEqual(self.successResultOf(self.run_now(self.client.get("/api"))), b"{}")
        self.assertEqual(credentials.refused, [Identity(b"Bearer 0")])
        self.assertEqual(
            [request.headers["authorization"] for request in self.server.requests],
            ["Bearer 0", "Bearer 1"],
        )
        # Who the server takes us for may go by the connection as well.
        self.assertEqual(len(self.server.connections), 2)

    def test_unauthorized_twice(self) -> None:
        """They are refused again: that is the answer. A change is tried once more as well."""
        self.connect(lambda _: [status(401, "Unauthorized")], HandCredentials())
        for work in (
            self.client.get("/api"),
            self.client.send("PATCH", "/api", {}, content_type=MERGE_PATCH),
            self.client.watch("/api", {"watch": "1"}, self.fail),
        ):
            self.server.requests.clear()
            error = self.failureResultOf(self.run_now(work), APIError).value
            self.assertEqual((error.code, error.reason), (401, "Unauthorized"))
            self.assertEqual(len(self.server.requests), 2)

    def test_no_credentials(self) -> None:
        """Nobody in particular sends no credentials."""
        self.connect(lambda _: [respond("200 OK", b"{}")], FixedCredentials())
        self.run_now(self.client.get("/api"))
        self.assertNotIn("authorization", self.server.requests[0].headers)

    def test_retry_after(self) -> None:
        """When to come back is known, in seconds and as a moment."""
        for fields, seconds in (
            ((), None),
            (("Retry-After: 1",), 1.0),
            (("Retry-After: Fri, 15 Jan 2027 08:00:04 GMT",), 4.0),
        ):
            asked = self.get(status(429, "TooManyRequests", *fields))
            error = self.failureResultOf(asked, APIError).value
            self.assertEqual((error.code, error.retry_after), (429, seconds))

    def test_proxy(self) -> None:
        """An answer of a proxy in front of the server is not the API's, and is not repeated."""
        page = b"<html>secret</html>"
        for code, phrase in ((502, "Bad Gateway"), (503, "Service Unavailable"), (403, "No")):
            asked = self.get(respond(f"{code} {phrase}", page, content_type="text/html"))
            error = self.failureResultOf(asked, APIError).value
            self.assertEqual((error.code, error.reason), (code, ""))
            self.assertNotIn("secret", str(error))
        for content_type in ("text/html", "application/jsonp", ""):
            asked = self.get(respond("200 OK", page, content_type=content_type))
            error = self.failureResultOf(asked, APIUnreachable).value
            self.assertIn("not application/json", str(error))
        asked = self.get(respond("200 OK", b"{}", content_type="application/json; charset=utf-8"))
        self.assertEqual(self.successResultOf(asked), b"{}")

    def test_redirect(self) -> None:
        """A redirect is followed nowhere, least of all with credentials."""
        asked = self.get(respond("302 Found", b"", "Location: https://evil.example/secret"))
        error = self.failureResultOf(asked, APIError).value
        self.assertEqual(error.code, 302)
        self.assertNotIn("secret", str(error))
        self.assertEqual(len(self.server.requests), 1)

    def test_nothing(self) -> None:
        """Success without content is success."""
        self.assertEqual(self.successResultOf(self.get(b"HTTP/1.1 204 No Content\r\n\r\n")), b"")

    def test_broken(self) -> None:
        """An incomplete answer is an error."""
        for writes in (
            (b"",),
            (b"HTTP/1.1 200 OK\r\nContent-",),
            (respond("200 OK", b'{"kind"')[:-1],),
            (CHUNKED, chunk(b'{"kind":'), None),
            (CHUNKED, b"7\r\nabc", None),
            (respond("500 Internal", b'{"kind":"Status"}')[:-1],),
            # Without a length nobody can say where the end is.
            (b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n\r\n{}",),
        ):
            asked = self.get(*writes)
            self.assertNoResult(asked)
            self.server.break_connections()
            self.assert_unreachable(asked, "https://api.example:6443: the connection")

    def test_nonsense(self) -> None:
        """An answer that is not HTTP is reported."""
        for answer in (
            b"SSH-2.0-OpenSSH_9.2\r\n",
            b"HTTP/1.1 secret\r\n\r\n",
            b"HTTP/1.1 200 OK\r\nContent-Length: secret\r\n\r\n",
            b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n",
            b"HTTP/1.1 200 OK\r\nTransfer-Encoding: secret\r\n\r\n",
            CHUNKED + b"secret\r\n",
            b"HTTP/1.1 200 OK\r\nX: " + b"secret" * 100_000,
        ):
            self.assert_unreachable(self.get(answer), "https://api.example:6443: ")

    def test_giant(self) -> None:
        """An answer that is too large is cut off, also one that expands, or is an error."""
        million = bytes(1 << 20)
        asked = self.get(CHUNKED, *[chunk(million)] * 65)
        self.assert_unreachable(asked, "more than 67108864 bytes")
        bomb = gzip.compress(bytes(65 << 20))
        asked = self.get(respond("200 OK", bomb, "Content-Encoding: gzip"))
        self.assert_unreachable(asked, "more than 67108864 bytes")
        asked = self.get(
            CHUNKED.replace(b"200 OK", b"500 Internal Server Error"), *[chunk(million)] * 2
        )
        self.assert_unreachable(asked, "more than 1048576 bytes")

    def test_endless_head(self) -> None:
        """An endless head is cut off."""
        asked = self.get(b"HTTP/1.1 200 OK\r\n", *[b"X: y\r\n" * 1000] * 50)
        self.assert_unreachable(asked, "https://api.example:6443: ")

    def test_compressed(self) -> None:
        """Answers are wanted as they are."""
        self.get(respond("200 OK", b"{}"))
        self.assertEqual(self.server.requests[0].headers["accept-encoding"], "identity")

    def test_slow(self) -> None:
        """An answer has a time to come in, however busily it drips."""
        answer = respond("200 OK", b"{" + b" " * 1000 + b"}")
        for sent in (0, 10, len(answer) - 900):
            drops: list[bytes | None] = [answer[:sent]]
            for place in range(sent, len(answer)):
                drops += [None, answer[place : place + 1]]
            asked = self.get(*drops)
            for _ in range(64):
                self.clock.advance(1.0)
                self.server.go_on()
            self.assertNoResult(asked)
            self.clock.advance(ANSWER_TIMEOUT - 64)
            self.assert_unreachable(asked, "no answer within 65 s")

    def test_cancel(self) -> None:
        """Cancelling closes the connection, before and during an answer."""
        for writes in ((), (b"HTTP/1.1 200 OK\r\n",), (CHUNKED,), (CHUNKED, chunk(b"{"))):
            asked = self.get(*writes)
            asked.cancel()
            self.failureResultOf(asked, CancelledError)
            self.assert_closed()
            self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_kept(self) -> None:
        """A connection serves request after request, of any kind, for a minute's idleness."""
        self.connect(lambda _: [respond("200 OK", b"{}", "Set-Cookie: a=b")])
        for _ in range(3):
            self.successResultOf(self.run_now(self.client.get("/api")))
            self.successResultOf(self.run_now(self.client.send("DELETE", "/api", None)))
        self.assertEqual(len(self.server.connections), 1)
        self.assertNotIn("cookie", self.server.requests[-1].headers)
        self.clock.advance(60.0)
        self.assert_closed()

    def test_lost_while_idle(self) -> None:
        """A read over a connection that is gone is repeated; a change is not."""
        self.connect(lambda _: [respond("200 OK", b"{}")])

        def lose() -> None:
            # The server has closed, and we do not know yet.
            self.successResultOf(self.run_now(self.client.get("/api")))
            self.server.connections[-1].close()

        lose()
        self.assertEqual(self.successResultOf(self.run_now(self.client.get("/api"))), b"{}")
        lose()
        asked = self.run_now(self.client.send("PATCH", "/api", {}, content_type=MERGE_PATCH))
        self.failureResultOf(asked, APIUnreachable)

    def test_close(self) -> None:
        """Closing ends what is under way, and what comes later does not begin."""
        asked = self.get()
        closing = self.run_now(self.client.close())
        self.assertIn("closed", str(self.failureResultOf(asked, APIUnreachable).value))
        self.successResultOf(closing)
        self.assert_closed()
        late = self.run_now(self.client.get("/api"))
        self.failureResultOf(late, APIUnreachable)
        self.assertEqual(len(self.server.requests), 1)

    def test_no_server(self) -> None:
        """A server that is not there is reported."""
        for error, words in (
            (ConnectionRefusedError(), "the connection is refused"),
            (DNSLookupError(), "the host name cannot be resolved"),
            (TimeoutError(), "connecting timed out"),
            (ConnectError(), "it cannot be reached"),
        ):
            self.connect(lambda _: [])
            self.server.refusal = error
            asked = self.run_now(self.client.get("/api"))
            refused = self.failureResultOf(asked, APIUnreachable).value
            self.assertIn(f"https://api.example:6443: {words}", str(refused))

    def test_cancel_while_connecting(self) -> None:
        """Cancelling before there is a connection raises nothing else."""
        self.connect(lambda _: [])
        self.server.refusal = ConnectingCancelledError(IPv4Address("TCP", "127.0.0.1", 1))
        asked = self.run_now(self.client.get("/api"))
        self.failureResultOf(asked, CancelledError)

    def test_certificate_of_another_key(self) -> None:
        """A certificate that cannot be used may be half of a new one: it is read again."""
        credentials = HandCredentials()
        self.connect(lambda _: [], credentials)
        self.unusable = True
        asked = self.run_now(self.client.get("/api"))
        error = self.failureResultOf(asked, APIUnreachable).value
        self.assertEqual(str(error), "https://api.example:6443: TLS failed: key values mismatch")
        self.assertEqual(len(credentials.refused), 1)

    def test_path(self) -> None:
        """A path is quoted where it needs be, and comes after that of the server."""
        self.connect(lambda _: [respond("200 OK", b"{}")])
        self.client.server = Server("api.example", 443, base_path="/k8s/c")
        self.run_now(self.client.get("/api/a b%2F?#é", {"labelSelector": "a=b,c in (d, e)"}))
        self.assertEqual(
            self.server.requests[0].target,
            "/k8s/c/api/a%20b%252F%3F%23%C3%A9?labelSelector=a%3Db%2Cc+in+%28d%2C+e%29",
        )


class WatchTests(ClientTestCase):
    """A watch sends events until it ends, one way or the other."""

    def watch(self, *writes: bytes | None, timeout: int | None = None) -> Deferred[None]:
        self.events: list[bytes] = []
        query = {"watch": "1"} | ({} if timeout is None else {"timeoutSeconds": str(timeout)})
        self.connect(lambda _: writes)
        return self.run_now(self.client.watch("/api", query, self.receive))

    def receive(self, event: bytes) -> None:
        self.events.append(event)

    def assert_broken(self, watch: Deferred[None], words: str) -> None:
        self.assertIn(words, str(self.failureResultOf(watch, APIUnreachable).value))
        self.server.pump()
        self.assertTrue(self.server.connections[0].is_lost)

    def test_at_once(self) -> None:
        """An event is there as soon as it has come, and an orderly end is one."""
        watch = self.watch(CHUNKED, chunk(b'{"a":1}\n'), None, chunk(b'{"a":2}\n'), None, LAST)
        self.assertEqual(self.events, [b'{"a":1}'])
        self.server.go_on()
        self.assertEqual(self.events, [b'{"a":1}', b'{"a":2}'])
        self.assertNoResult(watch)
        self.server.go_on()
        self.successResultOf(watch)
        # The connection is as good as before.
        self.run_now(self.client.get("/api"))
        self.assertEqual(len(self.server.connections), 1)

    def test_broken(self) -> None:
        """A connection that is lost is no orderly end, neither between events nor in one."""
        for more in ((), (chunk(b'{"a":2'),), (b"5\r\nab",)):
            watch = self.watch(CHUNKED, chunk(b'{"a":1}\n'), *more)
            self.assertNoResult(watch)
            self.server.break_connections()
            self.assert_broken(watch, "the connection was closed before the answer was complete")
            self.assertEqual(self.events, [b'{"a":1}'])

    def test_opened(self) -> None:
        """The acceptance of a watch is known before its first event."""
        seen: list[object] = []
        answers = [status(403, "Forbidden"), CHUNKED]
        self.connect(lambda _: [answers.pop(0), *([chunk(b"1\n")] if not answers else [])])
        for _ in range(2):
            watch = self.client.watch("/api", {}, seen.append, lambda: seen.append("opened"))
            self.run_now(watch).addErrback(lambda _: seen.append("refused"))
        self.assertEqual(seen, ["refused", "opened", b"1"])

    def test_half_an_event(self) -> None:
        """An end in the middle of an event is a fault, however orderly."""
        watch = self.watch(CHUNKED, chunk(b'{"a":1'), LAST)
        error = self.failureResultOf(watch, APIUnreachable).value
        self.assertIn("in the middle of an event", str(error))
        self.assertEqual(self.events, [])

    def test_endless_event(self) -> None:
        """An event without end is not gathered without end."""
        watch = self.watch(CHUNKED, *[chunk(bytes(1 << 20))] * 9)
        self.assert_broken(watch, "more than 8388608 bytes")
        self.assertEqual(self.events, [])

    def test_overdue(self) -> None:
        """A watch that the server does not end when it has said so is given up."""
        watch = self.watch(CHUNKED, timeout=300)
        self.clock.advance(300 + WATCH_GRACE - 1)
        self.assertNoResult(watch)
        self.clock.advance(1)
        self.assert_broken(watch, "no end of the watch within 330 s")

    def test_no_head(self) -> None:
        """It has to begin as soon as any other answer."""
        watch = self.watch(b"HTTP/1.1 200 OK\r\n", timeout=300)
        self.clock.advance(ANSWER_TIMEOUT)
        self.assert_broken(watch, "no answer within 65 s")

    def test_refused(self) -> None:
        """A watch that is refused is an error like any other."""
        watch = self.watch(status(403, "Forbidden"))
        self.assertEqual(self.failureResultOf(watch, APIError).value.reason, "Forbidden")
        watch = self.watch(respond("200 OK", b"<html>", content_type="text/html"))
        self.assertIn("not application/json", str(self.failureResultOf(watch).value))

    def test_cancel(self) -> None:
        """Cancelling closes the connection, and no more events come."""
        for writes in ((), (CHUNKED, chunk(b'{"a":1}\n{"a"'), None, chunk(b":2}\n"))):
            watch = self.watch(*writes)
            watch.cancel()
            self.failureResultOf(watch, CancelledError)
            self.server.go_on()
            self.assertLess(len(self.events), 2)
            self.assertTrue(self.server.connections[0].is_lost)
            self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_receiver_fails(self) -> None:
        """An exception of the receiver ends the watch, and is raised."""

        class Fault(Exception):
            pass

        def receive(event: bytes) -> None:
            self.events.append(event)
            raise Fault

        self.events = []
        self.connect(lambda _: [CHUNKED, chunk(b"1\n2\n"), chunk(b"3\n")])
        watch = self.run_now(self.client.watch("/api", {"watch": "1"}, receive))
        self.failureResultOf(watch, Fault)
        self.assertEqual(self.events, [b"1"])
        self.assertTrue(self.server.connections[0].is_lost)

    def test_close(self) -> None:
        """Closing the client ends its watches."""
        watch = self.watch(CHUNKED)
        self.successResultOf(self.run_now(self.client.close()))
        self.assert_broken(watch, "closed")
