"""
External authentication from client to endpoint: ways to ask, ways to fail, kinds of requests.

Every cell of the matrix expects that the endpoint gets nothing, unless the server has let the
request pass with a whole response of 2xx.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from dataclasses import replace as changed
from functools import cache
from typing import Final

from twisted.internet.address import IPv4Address
from twisted.trial.unittest import SynchronousTestCase

from ingress.config import Config, Limits
from ingress.config.nginx_settings import ErrorDefaults, ForwardedFor, GlobalAuth, NginxSettings
from ingress.config.otlp import OtlpSettings
from ingress.endpoint import Endpoint
from ingress.exchange.subrequest_call import MAX_BODY
from ingress.routing.snapshot import Snapshot
from ingress.telemetry.record import ExchangeRecord
from tests.support.kept_records import KeptRecords
from tests.support.objects import FILES, built, endpoint_slice, ingress, served, service
from tests.support.wire import OK, SWITCHING, UPGRADE, Message, Peer, Wire, request, response

SERVER: Final = Endpoint("10.0.0.7", 8080)
WEB: Final = Endpoint("10.0.0.1", 8080)
NEW: Final = Endpoint("10.0.0.2", 8080)
PAGES: Final = Endpoint("10.0.0.3", 8080)

URL: Final = "http://auth.default.svc/check"
EMPTY: Final = b"Content-Length: 0"


# The server.


def answering(*pieces: bytes) -> Callable[[Peer], None]:
    """The server sends these pieces, and keeps the connection."""

    def answer(server: Peer) -> None:
        for piece in pieces:
            server.send_some(piece)

    return answer


def closing(*pieces: bytes) -> Callable[[Peer], None]:
    """The server sends these pieces, and closes the connection."""

    def answer(server: Peer) -> None:
        answering(*pieces)(server)
        server.close()

    return answer


def without_end(server: Peer) -> None:
    """The server sends a body that has no end."""
    server.send_some(response(200))
    sent = 0
    while sent < 2 * MAX_BODY and server.is_open:
        taken = server.send_some(b"x" * 50_000)
        if not taken:
            break
        sent += taken


def silent(server: Peer) -> None:
    """The server answers nothing."""


CONSENTS: Final[Mapping[str, Callable[[Peer], None]]] = {
    "200": answering(response(200, EMPTY, b"X-User: alice")),
    "204": answering(response(204, b"X-User: alice")),
    "202 with a body": answering(response(202, b"Content-Length: 5", b"X-User: alice") + b"hello"),
    "200 until the end": closing(response(200, b"X-User: alice") + b"hello"),
    "200 after 100": answering(response(100), response(200, EMPTY, b"X-User: alice")),
}
REFUSALS: Final[Mapping[str, tuple[Callable[[Peer], None], int]]] = {
    "401": (answering(response(401, EMPTY)), 401),
    "403": (answering(response(403, EMPTY)), 403),
    "401 to the end": (closing(response(401) + b"no"), 401),
    "500": (answering(response(500, EMPTY)), 500),
    "503": (answering(response(503, EMPTY)), 500),
    "404": (answering(response(404, EMPTY)), 500),
    "302": (answering(response(302, EMPTY, b"Location: /")), 500),
    "304": (answering(response(304)), 500),
    "100 and no more": (closing(response(100)), 500),
    "103 for ever": (closing(response(103) * 200), 500),
    "101": (closing(SWITCHING), 500),
    "nothing": (closing(), 500),
    "half a head": (closing(b"HTTP/1.1 200 OK\r\nX-User: al"), 500),
    "half a body": (closing(response(200, b"Content-Length: 10") + b"01234"), 500),
    "half a chunk": (closing(response(200, b"Transfer-Encoding: chunked") + b"5\r\nab"), 500),
    "no HTTP": (closing(b"220 mail.example ESMTP\r\n\r\n"), 500),
    "status 999": (closing(response(999, EMPTY)), 500),
    "status 099": (closing(b"HTTP/1.1 099 X\r\nContent-Length: 0\r\n\r\n"), 500),
    "two lengths": (closing(response(200, b"Content-Length: 0", b"Content-Length: 1")), 500),
    "a head without end": (closing(response(200, b"X: " + b"x" * 70_000)), 500),
    "too many fields": (closing(response(200, *[b"X: y"] * 300)), 500),
    "a body without end": (without_end, 500),
    "a bad field": (closing(b"HTTP/1.1 200 OK\r\nX-User: a\0b\r\nContent-Length: 0\r\n\r\n"), 500),
}
"""What the server does, and what the client gets."""


# The request.


def get(*fields: bytes, target: bytes = b"/a", method: bytes = b"GET") -> bytes:
    return request(method, *fields, target=target)


REQUESTS: Final[Mapping[str, bytes]] = {
    "GET": get(),
    "HEAD": get(method=b"HEAD"),
    "OPTIONS": get(method=b"OPTIONS"),
    "preflight": get(
        b"Origin: https://b.example", b"Access-Control-Request-Method: PUT", method=b"OPTIONS"
    ),
    "DELETE": get(method=b"DELETE"),
    "POST": get(b"Content-Length: 5", method=b"POST") + b"hello",
    "half a POST": get(b"Content-Length: 500000", method=b"POST") + b"x" * 20_000,
    "chunks": get(b"Transfer-Encoding: chunked", method=b"PUT") + b"2\r\nok\r\n0\r\nX: y\r\n\r\n",
    "Expect": get(b"Content-Length: 5", b"Expect: 100-continue", method=b"POST"),
    "WebSocket": UPGRADE.replace(b"GET / ", b"GET /a "),
    "HTTP/1.0": request(b"GET", target=b"/a", version=b"1.0"),
    "dot segments": get(target=b"/open/../a"),
    "slashes": get(target=b"//a"),
    "escapes": get(target=b"/%61"),
    "hostile fields": get(b"X-User: root", b"X-Original-URL: /open", b"X-Auth-Request-Redirect: /"),
}


# The settings.


@dataclass(frozen=True)
class Setting:
    """
    :ivar annotations: of the Ingress.
    :ivar statuses: what the client gets in place of a status.
    :ivar diverted: whether another Service gives the page of an error.
    """

    annotations: Mapping[str, str]
    statuses: Mapping[int, int] | None = None
    config: Config = FILES
    diverted: bool = False
    canary: bool = False


_AUTH: Final = {"auth-url": URL, "auth-response-headers": "X-User"}
GLOBAL: Final = changed(
    FILES, nginx=NginxSettings(auth=GlobalAuth(url=URL, response_headers=("X-User",)))
)
SETTINGS: Final[Mapping[str, Setting]] = {
    "plain": Setting(_AUTH),
    "own method": Setting({**_AUTH, "auth-method": "POST"}),
    "signing in": Setting({**_AUTH, "auth-signin": "https://b.example/"}, {401: 302}),
    "cached": Setting({**_AUTH, "auth-cache-key": "$request_uri"}),
    "global": Setting({}, config=GLOBAL),
    "any": Setting({**_AUTH, "satisfy": "any", "whitelist-source-range": "10.9.9.9"}),
    "same host": Setting({**_AUTH, "auth-url": "http://$host/sso/check"}),
    "retries": Setting({**_AUTH, "proxy-next-upstream": "error timeout http_500 non_idempotent"}),
    "error pages": Setting(
        {**_AUTH, "default-backend": "pages", "custom-http-errors": "401,403,500,503"},
        diverted=True,
    ),
    "canary": Setting(_AUTH, canary=True),
}


@cache
def snapshot(name: str, *, with_server: bool) -> Snapshot:
    """What is served with one of `SETTINGS`: made once, because thousands of cells need it."""
    return made(SETTINGS[name], with_server=with_server)


def made(setting: Setting, *, with_server: bool = True) -> Snapshot:
    objects = [
        ingress("a.example", {"/": "web:80"}, annotations=setting.annotations),
        ingress("a.example", {"/sso": "auth:80"}, name="sso", annotations=OPEN),
        ingress("a.example", {"/open": "web:80"}, name="open", annotations=OPEN),
        service("web"),
        endpoint_slice("web", WEB.host),
        service("new"),
        endpoint_slice("new", NEW.host),
        service("pages"),
        endpoint_slice("pages", PAGES.host),
    ]
    if with_server:
        objects += [service("auth"), endpoint_slice("auth", SERVER.host)]
    if setting.canary:
        canary = {"canary": "true", "canary-weight": "100"}
        objects.append(ingress("a.example", {"/": "new:80"}, name="new", annotations=canary))
    return built(*objects, config=setting.config).snapshot


class AuthPathCase(SynchronousTestCase):
    def serve(self, setting: Setting, *, with_server: bool = True) -> Wire:
        wire = self.wire = Wire()
        names = [name for name, each in SETTINGS.items() if each is setting]
        kept = snapshot(names[0], with_server=with_server) if names else made(setting)
        wire.plane.publish(kept)
        return wire

    def ask(self, data: bytes) -> Peer:
        client = self.client = self.wire.connect(IPv4Address("TCP", "192.0.2.1", 50000))
        client.send_some(data)
        return client

    def server(self) -> Peer:
        """The server, with the request of the proxy received."""
        dial = self.wire.next_dial()
        self.assertEqual(dial.endpoint, SERVER)
        server = dial.accept()
        self.asked = server.receive()
        return server

    def asked_endpoints(self) -> list[Endpoint]:
        """The endpoints that the proxy connects to now."""
        self.wire.network.settle()
        return [dial.endpoint for dial in self.wire.dials]


OPEN: Final = {"enable-global-auth": "false"}


class MatrixTests(AuthPathCase):
    def closed(
        self, setting: Setting, data: bytes, do: Callable[[Peer], None], status: int
    ) -> None:
        """One cell: the client gets this status, and the endpoint nothing."""
        self.serve(setting)
        client = self.ask(data)
        do(self.server())
        self.retried(do)
        if setting.diverted:
            self.assertEqual(self.asked_endpoints(), [PAGES])
            page = self.wire.accept()
            sent = page.receive()
            self.assertEqual(sent.first_line.split(b" ")[1], b"/")
            self.assertEqual(sent.values(b"X-Code"), [b"%d" % status])
            page.send(response(status, EMPTY))
        self.assertEqual(self.asked_endpoints(), [])
        expected = (setting.statuses or {}).get(status, status)
        got = [line for line in client.read().split(b"\r\n") if line.startswith(b"HTTP/1.")]
        self.assertEqual(int(got[-1].split(b" ")[1]), expected, got)

    def retried(self, do: Callable[[Peer], None]) -> None:
        """The proxy may ask the server again over a new connection, with the same result."""
        while self.asked_endpoints() == [SERVER]:
            do(self.server())

    def test_closed(self) -> None:
        """No way to fail opens a path, for no kind of request and with no setting."""
        cells = 0
        for setting_name, setting in SETTINGS.items():
            for kind, data in REQUESTS.items():
                for way, (do, status) in REFUSALS.items():
                    if setting_name == "same host":
                        # There the proxy itself answers for a server that fails.
                        status = status if way in ("401", "403", "401 to the end") else 500
                    with self.subTest(setting=setting_name, kind=kind, way=way):
                        self.closed(setting, data, do, status)
                        cells += 1
        self.assertGreater(cells, 3000)

    def test_open(self) -> None:
        """A whole response of 2xx lets every kind of request pass, with the server's user."""
        for setting_name, setting in SETTINGS.items():
            for kind, data in REQUESTS.items():
                for way, do in CONSENTS.items():
                    with self.subTest(setting=setting_name, kind=kind, way=way):
                        self.serve(setting)
                        self.ask(data)
                        do(self.server())
                        wanted = NEW if setting.canary else WEB
                        self.assertEqual(self.asked_endpoints(), [wanted])
                        sent = self.wire.accept().receive()
                        self.assertEqual(sent.values(b"X-User"), [b"alice"])

    def test_unreachable(self) -> None:
        """A server that is not there, or does not accept, closes every kind of request."""
        for setting_name, setting in SETTINGS.items():
            for kind, data in REQUESTS.items():
                for how in ("no endpoint", "refused", "timed out"):
                    with self.subTest(setting=setting_name, kind=kind, how=how):
                        self.serve(setting, with_server=how != "no endpoint")
                        client = self.ask(data)
                        while self.asked_endpoints() == [SERVER]:
                            dial = self.wire.next_dial()
                            dial.refuse() if how == "refused" else dial.time_out()
                        if setting.diverted:
                            self.assertEqual(self.asked_endpoints(), [PAGES])
                            continue
                        self.assertEqual(self.asked_endpoints(), [])
                        self.assertIn(b"HTTP/1.1 500 ", client.read())


class PathTests(AuthPathCase):
    def sent_to_both(
        self, data: bytes, setting: Setting = SETTINGS["plain"]
    ) -> tuple[bytes, bytes]:
        """:return: the URL that the server decides about, and the target of the endpoint."""
        self.serve(setting)
        self.ask(data)
        server = self.server()
        server.send(response(200, EMPTY))
        (url,) = self.asked.values(b"X-Original-URL")
        return url, self.wire.accept().receive().first_line.split(b" ")[1]

    def test_same_path(self) -> None:
        """The server decides about the path that the endpoint gets."""
        for target in (b"/a", b"/a?b=/../c", b"/open/../a", b"//a", b"/a/./b", b"/%61", b"/a%2Fb"):
            url, sent = self.sent_to_both(get(target=target))
            self.assertEqual(url, b"http://a.example" + sent, target)

    def test_guarded_reading(self) -> None:
        """A path that an endpoint may read as a guarded one is refused, without the server."""
        self.serve(SETTINGS["plain"])
        for target in (b"/open/..%2Fa", b"/open/..;/a", b"/open%2F..%2Fa"):
            self.assertIn(b"HTTP/1.1 400 ", self.ask(get(target=target)).read(), target)
        self.assertEqual(self.asked_endpoints(), [])

    def test_trace(self) -> None:
        """The server is asked within the trace of the request, as the endpoint is (OpenTelemetry)."""
        otlp = OtlpSettings("http://127.0.0.1:4318/v1/traces", for_all=True)
        client_span = b"traceparent: 00-" + b"a" * 32 + b"-" + b"b" * 16 + b"-01"
        self.serve(Setting(_AUTH, config=changed(FILES, otlp=otlp)))
        self.ask(get(client_span))
        server = self.server()
        server.send(response(200, EMPTY))
        (asked,) = self.asked.values(b"traceparent")
        (sent,) = self.wire.accept().receive().values(b"traceparent")
        # The server's span is below that of the exchange, the endpoint's below its attempt.
        self.assertEqual(asked[:36], sent[:36])
        self.assertNotEqual(asked, sent)
        self.assertEqual(sent[:36], client_span[13:49])
        self.assertNotIn(b"b" * 16, sent)

    def test_rewrite(self) -> None:
        """With a rewrite, the server sees the path of the client, resolved."""
        rewriting = Setting({**_AUTH, "use-regex": "true", "rewrite-target": "/inner"})
        url, sent = self.sent_to_both(get(target=b"/open/../a?x=1"), rewriting)
        self.assertEqual((url, sent), (b"http://a.example/a?x=1", b"/inner?x=1"))


class EndTests(AuthPathCase):
    """What ends while the server decides."""

    def test_slow(self) -> None:
        """A server that says nothing is given up, with the time for policies."""
        self.serve(SETTINGS["plain"])
        client = self.ask(get())
        server = self.server()
        self.wire.advance(Limits().policy_timeout)
        self.assertIn(b"HTTP/1.1 500 ", client.read())
        self.assertFalse(server.is_open)
        self.assertEqual(self.asked_endpoints(), [])

    def test_client_gone(self) -> None:
        """The request to the server ends with the client's."""
        self.serve(SETTINGS["plain"])
        client = self.ask(get())
        server = self.server()
        client.reset()
        self.assertFalse(server.is_open)
        self.assertEqual(self.asked_endpoints(), [])

    def test_published(self) -> None:
        """A change while the server decides does not open a path."""
        wire = self.serve(SETTINGS["plain"])
        client = self.ask(get())
        server = self.server()
        opened = ingress("a.example", {"/": "web:80"})
        wire.plane.publish(built(opened, service("web"), endpoint_slice("web", WEB.host)).snapshot)
        server.send(response(403, EMPTY))
        self.assertIn(b"HTTP/1.1 403 ", client.read())

    def test_upload(self) -> None:
        """An upload that is larger than what is kept waits for the server, and passes whole."""
        self.serve(Setting({**_AUTH, "proxy-body-size": "0"}))
        body = b"x" * 2_000_000
        client = self.ask(get(b"Content-Length: %d" % len(body), method=b"POST"))
        taken = client.send_some(body)
        server = self.server()
        self.assertEqual(self.asked.rest, b"")
        server.send(response(200, EMPTY))
        endpoint = self.wire.accept()
        received = endpoint.read()
        while taken < len(body):
            taken += client.send_some(body[taken:])
            received += endpoint.read()
        self.assertEqual(len(received.partition(b"\r\n\r\n")[2]), len(body))

    def test_websocket(self) -> None:
        """A WebSocket that the server lets pass is a tunnel."""
        self.serve(SETTINGS["plain"])
        client = self.ask(REQUESTS["WebSocket"])
        self.server().send(response(200, EMPTY))
        endpoint = self.wire.accept()
        endpoint.read()
        endpoint.send(SWITCHING + b"welcome")
        self.assertIn(b"HTTP/1.1 101 ", client.read())
        client.send(b"hello")
        self.assertEqual(endpoint.read(), b"hello")


class CookieTests(AuthPathCase):
    """Cookies of the server reach the client with some statuses of the endpoint, or with all."""

    COOKIES = (b"Set-Cookie: _oauth2_proxy_0=a; Path=/", b"Set-Cookie: _oauth2_proxy_1=b; Path=/")

    def cookies(self, endpoint: bytes, **annotations: str) -> list[bytes]:
        extra = {name.replace("_", "-"): value for name, value in annotations.items()}
        self.serve(Setting({**_AUTH, **extra}))
        client = self.ask(get())
        self.server().send(response(202, EMPTY, *self.COOKIES))
        self.wire.accept().send(endpoint)
        return client.receive().values(b"Set-Cookie")

    def test_statuses(self) -> None:
        """All of them, beside those of the endpoint."""
        own = b"Set-Cookie: app=1"
        both = [b"app=1", b"_oauth2_proxy_0=a; Path=/", b"_oauth2_proxy_1=b; Path=/"]
        for status in (200, 201, 204, 206, 301, 302, 303, 304, 307, 308):
            fields = (own,) if status in (204, 304) else (EMPTY, own)
            self.assertEqual(self.cookies(response(status, *fields)), both, status)
        for status in (202, 400, 401, 404, 500, 503):
            self.assertEqual(self.cookies(response(status, EMPTY, own)), [b"app=1"], status)
            always = self.cookies(response(status, EMPTY, own), auth_always_set_cookie="true")
            self.assertEqual(always, both, status)


class CacheTests(AuthPathCase):
    def test_one_question(self) -> None:
        """Further requests of the same key cost no round trip; another key is asked about."""
        self.serve(Setting({**_AUTH, "auth-cache-key": "$cookie_session"}))
        client = self.ask(get(b"Cookie: session=1"))
        self.server().send(response(200, EMPTY, b"X-User: alice"))
        endpoint = self.wire.accept()
        endpoint.receive()
        endpoint.send(OK)
        client.read()
        client.send(get(b"Cookie: session=1", b"X-User: root", target=b"/b"))
        self.assertEqual(endpoint.receive().values(b"X-User"), [b"alice"])
        endpoint.send(OK)
        client.read()
        client.send(get(b"Cookie: session=2"))
        self.assertEqual(self.asked_endpoints(), [])
        self.assertEqual(endpoint.read(), b"")


class SecretTests(AuthPathCase):
    def test_no_secret(self) -> None:
        """Credentials are in no record of a request, however it ends."""
        for do, _ in REFUSALS.values():
            wire = self.serve(SETTINGS["plain"])
            records: list[ExchangeRecord] = []
            wire.plane.exchanges.recorder = KeptRecords(records)
            client = self.ask(get(b"Authorization: Bearer s3cret", b"Cookie: session=s3cret"))
            do(self.server())
            while self.asked_endpoints() == [SERVER]:
                do(self.server())
            self.assertNotIn(b"s3cret", client.read())
            (record,) = records
            self.assertNotIn("s3cret", record.detail)


class ErrorPageTests(AuthPathCase):
    def test_default_backend(self) -> None:
        """The page of the ConfigMap's errors gets no fields that only the endpoint may get."""
        config = changed(FILES, nginx=NginxSettings(errors=ErrorDefaults(frozenset({403}))))
        setting = Setting({**_AUTH, "default-backend": "pages"}, config=config)
        self.serve(setting)
        client = self.ask(get(b"X-User: root"))
        self.server().send(response(403, EMPTY))
        page = self.wire.accept()
        sent: Message = page.receive()
        self.assertEqual(sent.first_line, b"GET / HTTP/1.1")
        self.assertEqual(sent.values(b"X-User"), [])
        page.send(response(403, EMPTY))
        self.assertEqual(client.receive().status, 403)


class AddressTests(SynchronousTestCase):
    """The address of the client where the rules of the same host are asked."""

    def asked(self, *fields: bytes, **annotations: str) -> list[bytes]:
        """:return: the targets that endpoints got."""
        field = ForwardedFor(field=b"x-client-ip")
        names = {name.replace("_", "-"): value for name, value in annotations.items()}
        result = built(
            ingress("a.example", {"/a": "web:80"}, annotations=names),
            ingress(
                "a.example",
                {"/inside": "web:80"},
                name="inside",
                annotations={"allowlist-source-range": "10.0.0.0/8"},
            ),
            served("web"),
            config=changed(FILES, nginx=NginxSettings(forwarded_for=field)),
        )
        wire = Wire()
        wire.plane.publish(result.snapshot)
        client = wire.connect(IPv4Address("TCP", "192.0.2.1", 50_000))
        client.send(get(*fields))
        wire.network.settle()
        targets = []
        while wire.dials:
            targets.append(wire.accept().receive().first_line.split(b" ")[1])
        return targets

    def test_forged(self) -> None:
        """A field that trusted proxies send does not name the address of other clients."""
        forged = b"X-Client-IP: 10.0.0.1"
        self.assertEqual(self.asked(forged, auth_url="http://$host/inside"), [])
        self.assertEqual(self.asked(forged, mirror_target="http://$host/inside"), [b"/a"])

    def test_removed(self) -> None:
        """No endpoint gets such a field of a client that is not trusted, in any spelling."""
        web = ingress("a.example", {"/": "web:80"})
        wire = Wire()
        client = wire.connect(IPv4Address("TCP", "192.0.2.1", 50_000))
        endpoint: Peer | None = None
        for name, passes in (("x-forwarded-for", True), ("x-client-ip", False)):
            field = ForwardedFor(field=name.encode())
            config = changed(
                FILES, nginx=NginxSettings(forwarded_for=field), field_names="underscores"
            )
            wire.plane.publish(built(web, served("web"), config=config).snapshot)
            for spelling in (b"X-Client-IP", b"x_client_ip"):
                client.send(get(b"%b: 10.0.0.1" % spelling))
                wire.network.settle()
                endpoint = endpoint or wire.accept()
                seen = endpoint.receive()
                self.assertEqual(bool(seen.values(spelling)), passes, (name, spelling))
                endpoint.send(OK)
                client.read()
