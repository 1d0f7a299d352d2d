"""
External authentication from outside: a browser that signs in at oauth2-proxy, and servers that fail.
"""

from __future__ import annotations

import socket
import threading
from pathlib import Path
from typing import ClassVar
from urllib.parse import urlsplit

from tests.e2e.case import ProcessTestCase
from tests.support.client import HTTPClient, Reply, trusting_all
from tests.support.endpoints import EchoEndpoint, RawEndpoint, RefusingEndpoint, read_head
from tests.support.manifest import (
    Manifest,
    ingress_manifest,
    served_manifests,
    service_manifest,
)
from tests.support.oauth2_proxy import SESSION, OAuth2Proxy
from tests.support.process import wait_until
from tests.support.wire import SWITCHING

HOST = "app.example"
DOCUMENTED = {
    "auth-url": "https://$host/oauth2/auth",
    "auth-signin": "https://$host/oauth2/start?rd=$escaped_request_uri",
    "auth-response-headers": "X-Auth-Request-User, X-Auth-Request-Email, Authorization",
    "proxy-body-size": "0",
}
BY_NAME = {
    "auth-url": "http://oauth2-proxy.default.svc.cluster.local/oauth2/auth",
    "auth-signin": "https://app.example/oauth2/start",
}


def upgraded(connection: socket.socket) -> None:
    """Accept a WebSocket, and send back what comes."""
    head = read_head(connection)
    connection.sendall(SWITCHING + f"user={b'X-Auth-Request-User: alice' in head};".encode())
    while data := connection.recv(1024):
        connection.sendall(data)


def hung(connection: socket.socket) -> None:
    """Read a request, and answer nothing until the proxy has gone."""
    read_head(connection)
    connection.recv(1)


def guarded(name: str, annotations: dict[str, str]) -> Manifest:
    return ingress_manifest(name, f"{name}.example", {"/": "web"}, annotations=annotations)


class Browser:
    """Keeps cookies, and follows redirects on one host."""

    def __init__(self, port: int) -> None:
        self._port = port
        self.cookies: dict[str, str] = {}

    def get(
        self, target: str, *, method: str = "GET", body: bytes = b"", fields: str = ""
    ) -> Reply:
        if self.cookies:
            pairs = "; ".join(f"{name}={value}" for name, value in self.cookies.items())
            fields += f"Cookie: {pairs}\r\n"
        with HTTPClient(self._port, tls=trusting_all(), server_name=HOST) as client:
            reply = client.request(target, HOST, method=method, body=body, fields=fields)
        for cookie in reply.all("Set-Cookie"):
            name, _, value = cookie.partition(";")[0].partition("=")
            self.cookies[name] = value
        return reply

    def follow(self, target: str) -> Reply:
        """Follow redirects to the end."""
        for _ in range(10):
            reply = self.get(target)
            if reply.status != 302:
                return reply
            location = urlsplit(reply.field("Location") or "")
            assert location.netloc in ("", HOST), location
            target = location.path + (f"?{location.query}" if location.query else "")
        raise AssertionError("redirected without end")


class ExternalAuthTests(ProcessTestCase):
    """One process, in front of an application, oauth2-proxy and servers that fail."""

    web: ClassVar[EchoEndpoint]

    @classmethod
    def prepare(cls, folder: Path) -> None:
        cls.web = cls.echo("web")
        proxy, sockets = OAuth2Proxy(), RawEndpoint(upgraded)
        refusing, hanging = RefusingEndpoint(), RawEndpoint(hung)
        for each in (sockets, refusing, hanging):
            cls.keep(each)
        cls.resources.callback(proxy.stop)
        cls.serve(
            folder,
            *served_manifests("web", cls.web.port),
            *served_manifests("sockets", sockets.port),
            *served_manifests("oauth2-proxy", proxy.port),
            *served_manifests("refusing", refusing.port),
            *served_manifests("hanging", hanging.port),
            ingress_manifest("app", HOST, {"/": "web", "/ws": "sockets"}, annotations=DOCUMENTED),
            ingress_manifest("oauth2", HOST, {"/oauth2": "oauth2-proxy"}),
            ingress_manifest("open", "open.example", {"/": "web"}),
            guarded("named", BY_NAME),
            guarded("refusing", {"auth-url": "http://refusing.default.svc/"}),
            guarded("hanging", {"auth-url": "http://hanging.default.svc/"}),
            guarded("literal", {"auth-url": f"http://127.0.0.1:{proxy.port}/oauth2/auth"}),
            limits={"policy-timeout": 2},
        )

    def browser(self) -> Browser:
        return Browser(self.process.port("https"))

    def signed_in(self) -> Browser:
        browser = self.browser()
        browser.follow("/")
        return browser

    def test_sign_in(self) -> None:
        """Who asks for a page is led through the sign-in to that page; the session has two cookies."""
        browser = self.browser()
        reply = browser.follow("/reports?year=2026&q=a%20b")
        self.assertEqual(reply.status, 200)
        self.assertEqual(reply.echo["target"], "/reports?year=2026&q=a%20b")
        fields = dict(reply.echo["fields"])
        self.assertEqual(fields["X-Auth-Request-User"], "alice")
        self.assertEqual(fields["X-Auth-Request-Email"], "alice@example.com")
        self.assertEqual(len(fields["Authorization"]), len("Bearer ") + 2000)
        self.assertEqual(
            browser.cookies["_oauth2_proxy_0"] + browser.cookies["_oauth2_proxy_1"], SESSION
        )

    def test_refreshed(self) -> None:
        """Both cookies of a session that is renewed reach the browser, beside the page."""
        browser = self.signed_in()
        browser.cookies["refresh"] = "1"
        reply = browser.get("/")
        self.assertEqual(reply.status, 200)
        self.assertEqual(len(reply.all("Set-Cookie")), 2)

    def test_sign_out(self) -> None:
        """After the sign-out a page is asked for the sign-in again."""
        browser = self.signed_in()
        self.assertEqual(browser.get("/oauth2/sign_out?rd=%2F").status, 302)
        self.assertEqual(browser.get("/").status, 302)

    def test_forged(self) -> None:
        """Neither fields of the user nor half a session let anybody in."""
        browser = self.signed_in()
        browser.cookies["_oauth2_proxy_1"] = "t"
        reply = browser.get("/", fields="X-Auth-Request-User: alice\r\n")
        self.assertEqual(reply.status, 302)
        browser = self.signed_in()
        reply = browser.get("/", fields="X-Auth-Request-User: root\r\nX_Auth_Request_Email: r\r\n")
        fields = dict(reply.echo["fields"])
        self.assertEqual(fields["X-Auth-Request-User"], "alice")
        self.assertNotIn("X_Auth_Request_Email", fields)

    def test_upload(self) -> None:
        """An upload that is larger than what is kept passes whole; without a session it does not."""
        body = b"x" * 3_000_000
        reply = self.signed_in().get("/upload", method="POST", body=body)
        self.assertEqual((reply.status, reply.echo["length"]), (200, len(body)))
        before = len(self.web.requests)
        reply = self.browser().get("/upload", method="POST", body=b"x" * 10_000)
        self.assertEqual(reply.status, 302)
        self.assertEqual(len(self.web.requests), before)

    def test_websocket(self) -> None:
        """A WebSocket opens for who is signed in."""
        upgrade = (
            f"GET /ws HTTP/1.1\r\nHost: {HOST}\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
            "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"
        )
        cookies = "; ".join(f"{name}={value}" for name, value in self.signed_in().cookies.items())
        for fields, status in (("", 302), (f"Cookie: {cookies}\r\n", 101)):
            port = self.process.port("https")
            with HTTPClient(port, tls=trusting_all(), server_name=HOST) as client:
                client.send(f"{upgrade}{fields}\r\n".encode())
                _, got, _, _ = client.read_head()
                self.assertEqual(got, status)
                if got == 101:
                    self.assertEqual(client.read_exactly(10), b"user=True;")
                    client.send(b"hello")
                    self.assertEqual(client.read_exactly(5), b"hello")

    def test_named(self) -> None:
        """A server by the name of its Service, and by its address, is asked directly."""
        cookies = "; ".join(f"{name}={value}" for name, value in self.signed_in().cookies.items())
        for host in ("named.example", "literal.example"):
            self.assertEqual(self.get(host=host, fields=f"Cookie: {cookies}\r\n").status, 200)
        reply = self.get("/page", host="named.example")
        self.assertEqual(
            (reply.status, reply.field("Location")),
            (302, "https://app.example/oauth2/start?rd=http://named.example%2Fpage"),
        )
        self.assertEqual(self.get(host="literal.example").status, 401)

    def test_unreachable(self) -> None:
        """A server that refuses connections, or says nothing in time, closes its host alone."""
        self.assertEqual(self.get(host="refusing.example").status, 500)
        waiting = [
            threading.Thread(target=self.get, args=("/", "hanging.example")) for _ in range(20)
        ]
        for thread in waiting:
            thread.start()
        self.assertEqual(self.get(host="open.example").status, 200)
        self.assertEqual(self.get(host="hanging.example").status, 500)
        for thread in waiting:
            thread.join()

    def test_changed(self) -> None:
        """A server that goes away while the proxy runs closes the path; one that comes opens it."""
        server = self.keep(RawEndpoint(lambda connection: self._consent(connection)))
        manifest = guarded("changing", {"auth-url": "http://changing.default.svc/"})
        self.process.write("changing.yaml", manifest, service_manifest("changing"))
        self.wait_for(500)
        served = served_manifests("changing", server.port)
        self.process.write("changing.yaml", manifest, *served)
        self.wait_for(200)
        self.process.write("changing.yaml", manifest)
        self.wait_for(500)

    def _consent(self, connection: socket.socket) -> None:
        read_head(connection)
        connection.sendall(b"HTTP/1.1 204 No Content\r\nConnection: close\r\n\r\n")

    def wait_for(self, status: int) -> None:
        wait_until(
            lambda: self.get(host="changing.example").status == status, f"{status} of the host"
        )

    def test_log(self) -> None:
        """Neither sessions nor tokens are in the log of the process."""
        self.signed_in().get("/")
        self.assertNotIn("tttttttt", self.process.log)
        self.assertNotIn("jjjjjjjj", self.process.log)
