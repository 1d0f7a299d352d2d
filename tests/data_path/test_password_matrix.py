"""
Basic authentication over everything else that a rule can ask for: each cell is closed but one.
"""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Iterator
from itertools import product
from typing import Final

from twisted.trial.unittest import SynchronousTestCase

from ingress.kube.objects import KubeObject, Secret
from tests.support.objects import built, endpoint_slice, ingress, metadata, service
from tests.support.wire import OK, Message, Wire

SHA: Final = "{SHA}5en6G6MezRroT3XKqkdPOmY/BfQ="
USERS: Final = {"auth": f"alice:{SHA}\nbob:$2y$05$x\n".encode()}
BASIC: Final = {"auth-type": "basic", "auth-secret": "users"}

FEATURES: Final[dict[str, dict[str, str]]] = {
    "alone": {},
    "regular expression": {"use-regex": "true"},
    "rewrite": {"rewrite-target": "/x"},
    "error pages": {"custom-http-errors": "401,503", "default-backend": "errors"},
    "default backend": {"default-backend": "errors"},
    "cookies": {"affinity": "cookie"},
    "https to the endpoint": {"backend-protocol": "HTTPS"},
    "other host": {"upstream-vhost": "other.example"},
    "cors for some": {"enable-cors": "true", "cors-allow-origin": "https://b.example"},
    "source ranges": {"whitelist-source-range": "192.0.2.0/24"},
    "limits": {"limit-rps": "1000", "limit-connections": "1000"},
    "redirect": {"permanent-redirect": "https://b.example"},
    "page of the root": {"app-root": "/app"},
}
"""What an Ingress asks for beside authentication."""

METHODS: Final[dict[str, bytes]] = {
    "GET": b"GET %b HTTP/1.1\r\nHost: a.example\r\n%b\r\n",
    "HEAD": b"HEAD %b HTTP/1.1\r\nHost: a.example\r\n%b\r\n",
    "OPTIONS": b"OPTIONS %b HTTP/1.1\r\nHost: a.example\r\n%b\r\n",
    "other method": b"PROPFIND %b HTTP/1.1\r\nHost: a.example\r\n%b\r\n",
    "HTTP/1.0": b"GET %b HTTP/1.0\r\nHost: a.example\r\n%b\r\n",
    "body": b"POST %b HTTP/1.1\r\nHost: a.example\r\nContent-Length: 4\r\n%b\r\nbody",
    "expectation": b"PUT %b HTTP/1.1\r\nHost: a.example\r\nContent-Length: 4\r\n"
    b"Expect: 100-continue\r\n%b\r\n",
    "chunks": b"POST %b HTTP/1.1\r\nHost: a.example\r\nTransfer-Encoding: chunked\r\n%b\r\n"
    b"4\r\nbody\r\n0\r\nAuthorization: Basic YWxpY2U6c2VjcmV0\r\n\r\n",
    "WebSocket": b"GET %b HTTP/1.1\r\nHost: a.example\r\nConnection: Upgrade\r\n"
    b"Upgrade: websocket\r\nSec-WebSocket-Version: 13\r\n"
    b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n%b\r\n",
    "connection": b"GET %b HTTP/1.1\r\nHost: a.example\r\nConnection: Authorization\r\n%b\r\n",
}

TARGETS: Final = (b"/", b"/a/b?c=d", b"/a/../b", b"/a//b", b"/%61")


def field(user: bytes, password: bytes) -> bytes:
    return b"Authorization: Basic %b\r\n" % b64encode(user + b":" + password)


RIGHT: Final = field(b"alice", b"secret")
WRONG: Final[dict[str, bytes]] = {
    "none": b"",
    "wrong password": field(b"alice", b"Secret"),
    "unknown user": field(b"carol", b"secret"),
    "user with a bad hash": field(b"bob", b"$2y$05$x"),
    "no colon": b"Authorization: Basic YWxpY2U=\r\n",
    "no Base64": b"Authorization: Basic alice:secret\r\n",
    "other scheme": RIGHT.replace(b"Basic", b"Bearer"),
    "twice": RIGHT + RIGHT,
    "other field": RIGHT.replace(b"Authorization", b"Proxy-Authorization"),
    "other spelling": RIGHT.replace(b"Authorization", b"Authorization_"),
}


def objects(written: dict[str, str], secret: dict[str, bytes] | None) -> Iterator[KubeObject]:
    yield ingress("a.example", {"/": "web:80"}, annotations=written)
    yield ingress(
        "a.example",
        {"/": "new:80"},
        name="canary",
        annotations={"canary": "true", "canary-by-header": "X-New"},
    )
    if secret is not None:
        yield Secret(metadata=metadata("users"), data=secret)
    for name, port in (("web", 1), ("new", 2), ("errors", 3)):
        yield service(name)
        yield endpoint_slice(name, f"10.0.0.{port}")


class MatrixTests(SynchronousTestCase):
    def ask(self, wire: Wire, data: bytes) -> tuple[list[str], Message, bytes]:
        """:return: the endpoints that were asked, the answer, and what endpoints received."""
        client = wire.connect()
        client.send(data)
        asked: list[str] = []
        received = b""
        wire.network.settle()
        while wire.dials:
            asked.append(wire.dials[0].endpoint.host)
            endpoint = wire.accept()
            received += endpoint.read()
            endpoint.send(OK)
            endpoint.close()
            wire.network.settle()
        answer = Message.parse(client.read())
        client.close()
        return asked, answer, received

    def wire(self, written: dict[str, str], secret: dict[str, bytes] | None = USERS) -> Wire:
        wire = Wire()
        wire.plane.publish(built(*objects(written, secret)).snapshot)
        return wire

    def test_refused(self) -> None:
        """Without a user and a password nobody gets anything, with whatever kind of request."""
        for name, others in FEATURES.items():
            wire = self.wire({**BASIC, **others})
            for (method, form), (what, fields) in product(METHODS.items(), WRONG.items()):
                for target, extra in ((b"/", b""), (b"/a/../b", b"X-New: always\r\n")):
                    asked, answer, received = self.ask(wire, form % (target, fields + extra))
                    cell = (name, method, what, target)
                    if "custom-http-errors" in others:
                        self.assertEqual(asked, ["10.0.0.3"], cell)
                        self.assertIn(b"X-Code: 401", received, cell)
                        self.assertNotIn(b"\r\nAuthorization:", received, cell)
                        continue
                    self.assertEqual((asked, answer.status), ([], 401), cell)
                    self.assertEqual(answer.values(b"WWW-Authenticate"), [b'Basic realm=""'], cell)

    def test_let_in(self) -> None:
        """With the right ones a request goes its way, and the password stays here."""
        for name, others in FEATURES.items():
            wire = self.wire({**BASIC, **others})
            for (method, form), target in product(METHODS.items(), TARGETS):
                for extra, endpoint in ((b"", "10.0.0.1"), (b"X-New: always\r\n", "10.0.0.2")):
                    asked, answer, received = self.ask(wire, form % (target, RIGHT + extra))
                    cell = (name, method, target, answer.first_line)
                    self.assertNotEqual(answer.status, 401, cell)
                    self.assertNotIn(b"\r\nAuthorization:", received, cell)
                    if name in ("redirect", "page of the root"):
                        continue
                    self.assertEqual(asked, [endpoint], cell)

    def test_closed(self) -> None:
        """Where the rule cannot be honoured nobody gets anything, with the right password neither."""
        for what, secret, written in (
            ("no Secret", None, BASIC),
            ("another key", {"users": USERS["auth"]}, BASIC),
            ("another namespace", USERS, {**BASIC, "auth-secret": "other/users"}),
            ("another name", USERS, {**BASIC, "auth-secret": "Users"}),
            ("no name", USERS, {"auth-type": "basic"}),
            ("no type", USERS, {"auth-secret": "users"}),
            ("digest", USERS, {**BASIC, "auth-type": "digest"}),
            ("another form", USERS, {**BASIC, "auth-secret-type": "auth-db"}),
        ):
            for name, others in FEATURES.items():
                wire = self.wire({**written, **others}, secret)
                for (method, form), fields in product(METHODS.items(), (b"", RIGHT)):
                    asked, answer, _ = self.ask(wire, form % (b"/", fields + b"X-New: always\r\n"))
                    self.assertEqual((asked, answer.status), ([], 503), (what, name, method))

    def test_emptied(self) -> None:
        """A Secret that has no users any more lets nobody in, from then on."""
        wire = self.wire(BASIC)
        self.assertEqual(self.ask(wire, METHODS["GET"] % (b"/", RIGHT))[1].status, 200)
        for data in (b"", b"# nobody\n", b"alice:\n", b"alice:secret\n"):
            wire.plane.publish(built(*objects(BASIC, {"auth": data})).snapshot)
            for fields in (b"", RIGHT, field(b"alice", b""), field(b"", b"")):
                asked, answer, _ = self.ask(wire, METHODS["GET"] % (b"/", fields))
                self.assertEqual((asked, answer.status), ([], 401))
