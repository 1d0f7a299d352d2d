"""
Tests for `ingress.admin.site`.
"""

from __future__ import annotations

from io import BytesIO
from ipaddress import ip_network

from twisted.internet.address import IPv4Address
from twisted.internet.defer import Deferred
from twisted.internet.task import Clock
from twisted.internet.testing import StringTransport
from twisted.python.failure import Failure
from twisted.trial.unittest import SynchronousTestCase

from ingress.admin.access_check import AccessCheck
from ingress.admin.page import Content, Page, PageError, PageRequest, Query
from ingress.admin.readiness import Readiness
from ingress.admin.site import RATE, make_admin_site
from ingress.admin.turns import Turns

LOCAL = IPv4Address("TCP", "127.0.0.1", 50000)


class SiteTests(SynchronousTestCase):
    """What the admin listener answers."""

    def setUp(self) -> None:
        self.readiness = Readiness(snapshot="no routes yet")
        access = AccessCheck(clients=lambda: (ip_network("192.0.2.0/24"),))
        self.site = make_admin_site(self.readiness, Turns(Clock()), access=access)
        self.site.doStart()
        self.addCleanup(self.site.doStop)

    def get(self, path: str, method: str = "GET") -> tuple[int, str]:
        """The status and the body."""
        protocol = self.site.buildProtocol(None)
        transport = StringTransport(peerAddress=LOCAL)
        protocol.makeConnection(transport)
        protocol.dataReceived(f"{method} {path} HTTP/1.0\r\n\r\n".encode())
        head, _, body = transport.value().decode().partition("\r\n\r\n")
        return int(head.split()[1]), body

    def test_health(self) -> None:
        """/healthz is 200 whether ready or not, and 500 while the process ends."""
        self.assertEqual(self.get("/healthz"), (200, "ok\n"))
        self.readiness.clear("snapshot")
        self.assertEqual(self.get("/healthz"), (200, "ok\n"))
        self.readiness.is_ending = True
        self.assertEqual(self.get("/healthz"), (500, "the process is ending\n"))

    def test_ready(self) -> None:
        """/readyz is 503 with a reason a line, and 200 when there is none."""
        self.readiness.add("listeners", "not listening yet")
        self.assertEqual(self.get("/readyz"), (503, "no routes yet\nnot listening yet\n"))
        self.readiness.clear("snapshot")
        self.readiness.clear("listeners")
        self.assertEqual(self.get("/readyz"), (200, "ok\n"))

    def test_health_path(self) -> None:
        """A path for all probes is 500 until the process serves and when it ends, to everybody."""
        for path in ("/healthz", "/health/live"):
            readiness = Readiness(snapshot="no routes yet")
            access = AccessCheck(health_path=path)
            self.site = make_admin_site(readiness, Turns(Clock()), access=access, health_path=path)
            self.site.doStart()
            self.addCleanup(self.site.doStop)
            self.assertEqual(self.get(path), (500, "no routes yet\n"))
            readiness.clear("snapshot")
            self.assertEqual(self.get(f"{path}?x"), (200, "ok\n"))
            readiness.add("drain", "the process is draining")
            self.assertEqual(self.get(path)[0], 500)
            self.assertEqual(self.get(f"{path}x")[0], 404)
            self.assertIsNone(access.refusal(path.encode(), [], [], "", "203.0.113.1"))

    def test_query(self) -> None:
        """A query changes nothing."""
        self.assertEqual(self.get("/healthz?verbose")[0], 200)

    def test_head(self) -> None:
        """HEAD is answered without body."""
        self.assertEqual(self.get("/healthz", "HEAD"), (200, ""))

    def test_other_methods(self) -> None:
        """Nothing can be changed here."""
        self.assertEqual(self.get("/healthz", "POST")[0], 405)

    def test_body(self) -> None:
        """A body is dropped as it comes, however large it is: no file is made for it."""
        size = 200_000
        for field, begin in (
            (f"Content-Length: {size}", b""),
            ("Transfer-Encoding: chunked", b"%x\r\n" % size),
        ):
            protocol = self.site.buildProtocol(None)
            protocol.makeConnection(StringTransport(peerAddress=LOCAL))
            protocol.dataReceived(f"POST /healthz HTTP/1.1\r\nHost: a\r\n{field}\r\n\r\n".encode())
            protocol.dataReceived(begin + b"x" * (size - 1))
            (request,) = protocol.requests
            self.assertIsInstance(request.content, BytesIO, field)
            self.assertEqual(request.content.getvalue(), b"", field)

    def test_many_at_once(self) -> None:
        """A connection ends with the last of the requests that are taken at once."""
        response = self.exchange("GET /healthz HTTP/1.1\r\nHost: a\r\n\r\n" * 2 * RATE)
        self.assertEqual(response.count("HTTP/1.1 200"), RATE)
        self.assertEqual(response.count("Connection: close"), 1)
        self.assertIn("Connection: close", response.rpartition("HTTP/1.1 200")[2])

    def exchange(self, request: str, client: str = "127.0.0.1") -> str:
        """The whole response to a request that came to 127.0.0.1:10254."""
        protocol = self.site.buildProtocol(None)
        address = IPv4Address("TCP", "127.0.0.1", 10254)
        peer = IPv4Address("TCP", client, 50000)
        transport = StringTransport(hostAddress=address, peerAddress=peer)
        protocol.makeConnection(transport)
        protocol.dataReceived(request.encode())
        response: str = transport.value().decode()
        return response

    def test_rebound_browser(self) -> None:
        """A browser whose page made its name resolve to us learns nothing of what is served."""
        for path in ("/missing", "/", "/snapshot", "/%68ealthz"):
            response = self.exchange(
                f"GET {path} HTTP/1.1\r\nHost: attacker.example:10254\r\n"
                "User-Agent: Mozilla/5.0\r\nAccept: */*\r\nConnection: keep-alive\r\n"
                "Referer: http://attacker.example:10254/\r\nSec-Fetch-Site: same-origin\r\n"
                "Sec-Fetch-Mode: cors\r\n\r\n"
            )
            self.assertTrue(response.startswith("HTTP/1.1 421 Misdirected Request\r\n"), response)
            self.assertTrue(
                response.endswith(
                    "this Host is neither an address nor a name of this listener; "
                    "admin.hosts in the configuration can list it\n"
                )
            )

    def test_foreign_origin(self) -> None:
        """A script of another origin gets nothing, not even the answer to its preflight."""
        fields = "Host: 127.0.0.1:10254\r\nOrigin: http://attacker.example\r\n\r\n"
        for method in ("GET", "OPTIONS", "POST"):
            response = self.exchange(f"{method} /snapshot HTTP/1.1\r\n{fields}")
            self.assertTrue(response.startswith("HTTP/1.1 403 Forbidden\r\n"), response)
            self.assertNotIn("access-control", response.lower())

    def test_open(self) -> None:
        """Probes and metrics are answered under any Host, to whoever asks."""
        for path in ("/healthz", "/readyz"):
            response = self.exchange(
                f"GET {path} HTTP/1.1\r\nHost: metrics.example\r\n\r\n", client="192.0.2.1"
            )
            self.assertNotIn(response.split()[1], ("421", "403"), response)

    def test_other_clients(self) -> None:
        """Only this machine and the clients of the configuration learn what is served."""
        request = "GET /snapshot HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n"
        for client, status in (
            ("127.0.0.1", "404"),
            ("::ffff:127.0.0.1", "404"),
            ("::1", "404"),
            ("192.0.2.1", "404"),
            ("::ffff:192.0.2.1", "404"),
            ("192.0.3.1", "403"),
            ("fe80::1%eth0", "403"),
        ):
            response = self.exchange(request, client=client)
            self.assertEqual(response.split()[1], status, client)
        self.assertIn("admin.clients in the configuration can list its address", response)

    def test_own_host(self) -> None:
        """A probe to our address, and a browser on this machine, are answered."""
        for host in ("127.0.0.1:10254", "localhost:8001"):
            response = self.exchange(
                f"GET /healthz HTTP/1.1\r\nHost: {host}\r\nOrigin: http://{host}\r\n\r\n"
            )
            self.assertTrue(response.startswith("HTTP/1.1 200 OK\r\n"), response)

    def test_no_server_field(self) -> None:
        """No answer names the software."""
        for request in (
            "GET /healthz HTTP/1.0\r\n\r\n",
            "GET /missing HTTP/1.0\r\n\r\n",
            "POST /healthz HTTP/1.0\r\n\r\n",
            "OPTIONS * HTTP/1.1\r\nHost: a.example\r\n\r\n",
            "GET /healthz HTTP/1.1\r\nHost: a.example\r\n\r\n",
            "GET / HTTP/1.1\r\nbroken\r\n\r\n",
        ):
            response = self.exchange(request).lower()
            self.assertTrue(response.startswith("http/1."), request)
            self.assertNotIn("server:", response, request)
            self.assertNotIn("twisted", response, request)

    def test_other_paths(self) -> None:
        """Everything else is 404."""
        for path in ("/", "/metrics", "/healthz/x", "/readyz/", "/../healthz", "/x/healthz"):
            self.assertEqual(self.get(path), (404, "not found\n"), path)


class PageTests(SynchronousTestCase):
    """Pages that others give the listener."""

    def setUp(self) -> None:
        self.clock = Clock()
        self.asked: list[Query] = []
        self.waiting: Deferred[None] | None = None
        page = Page(self.page, frozenset({"host", "x", "missing", "broken"}), frozenset({"host"}))
        site = make_admin_site(Readiness(), Turns(self.clock), {"page": page})
        site.doStart()
        self.addCleanup(site.doStop)
        self.protocol = site.buildProtocol(None)
        self.transport = StringTransport(peerAddress=LOCAL)
        self.protocol.makeConnection(self.transport)

    async def page(self, request: PageRequest) -> Content:
        query = request.query
        self.asked.append(query)
        if self.waiting is not None:
            await self.waiting
        if "missing" in query:
            raise PageError(404, "there is no such host")
        if "broken" in query:
            raise ZeroDivisionError
        return Content(b"application/json", iter([b"{", b"}"]))

    def request(self, target: str, method: str = "GET") -> None:
        self.protocol.dataReceived(f"{method} {target} HTTP/1.0\r\n\r\n".encode())
        self.clock.pump([0] * 3)

    def answer(self) -> tuple[int, str]:
        head, _, body = self.transport.value().decode().partition("\r\n\r\n")
        return int(head.split()[1]), body

    def test_page(self) -> None:
        """A page is asked with the query, and answers in its own media type."""
        self.request("/page?host=a.example&host=b.example&x=1")
        self.assertEqual(self.answer(), (200, "{}"))
        self.assertEqual(self.asked, [Query({"host": ["a.example", "b.example"], "x": ["1"]})])
        self.assertIn(b"\r\nContent-Type: application/json\r\n", self.transport.value())

    def test_unknown_parameter(self) -> None:
        """A parameter that a page does not know is refused, and those that it knows are named."""
        self.request("/page?other=1")
        self.assertEqual(
            self.answer(),
            (400, "a parameter is unknown; accepted are broken, host, missing, x\n"),
        )

    def test_twice(self) -> None:
        """A parameter that has one value is not given twice."""
        self.request("/page?x=1&x=2")
        status, body = self.answer()
        self.assertEqual(status, 400)
        self.assertTrue(body.startswith("x is given twice; accepted are "), body)

    def test_head(self) -> None:
        """HEAD is answered without body."""
        self.request("/page", "HEAD")
        self.assertEqual(self.answer(), (200, ""))

    def test_other_methods(self) -> None:
        """Nothing can be changed here either."""
        self.request("/page", "POST")
        self.assertEqual(self.answer()[0], 405)
        self.assertEqual(self.asked, [])

    def test_other_paths(self) -> None:
        """There is nothing below a page."""
        self.request("/page/x")
        self.assertEqual(self.answer(), (404, "not found\n"))

    def test_refused(self) -> None:
        """A page may have a reason not to answer."""
        self.request("/page?missing=1")
        self.assertEqual(self.answer(), (404, "there is no such host\n"))

    def test_broken(self) -> None:
        """If it fails the log says how, and the client that it did."""
        self.request("/page?broken=1")
        self.assertEqual(self.answer(), (500, "internal error; the log has the details\n"))
        self.assertEqual(len(self.flushLoggedErrors(ZeroDivisionError)), 1)

    def test_client_gone(self) -> None:
        """A client that is gone before there is an answer is forgotten."""
        cancelled: list[object] = []
        self.waiting = Deferred(cancelled.append)
        self.request("/page")
        self.protocol.connectionLost(Failure(ConnectionResetError()))
        self.assertEqual(cancelled, [self.waiting])
        self.assertEqual(self.transport.value(), b"")
