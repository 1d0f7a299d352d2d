"""
Session affinity by cookie, as a browser sees it (docs/compatibility.md, section 2.4).
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import ClassVar

import yaml

from tests.e2e.case import ProcessTestCase, run
from tests.support.client import HTTPClient, Reply, trusting_all
from tests.support.endpoints import EchoEndpoint
from tests.support.manifest import ingress_manifest, served_manifests
from tests.support.process import replace_file, wait_until

ATTRIBUTES = {
    "session-cookie-name": "route",
    "session-cookie-expires": "3600",
    "session-cookie-max-age": "1800",
    "session-cookie-samesite": "Lax",
    "session-cookie-domain": "attributes.example",
}


class AffinityTests(ProcessTestCase):
    """Three endpoints behind several Ingresses."""

    endpoints: ClassVar[list[EchoEndpoint]]

    @classmethod
    def prepare(cls, folder: Path) -> None:
        cls.endpoints = [cls.echo(name) for name in ("one", "two", "three")]
        affinity = {"affinity": "cookie"}
        cls.serve(
            folder,
            ingress_manifest("web", "a.example", {"/": "web", "/app": "web"}, annotations=affinity),
            ingress_manifest("free", "a.example", {"/free": "web"}),
            ingress_manifest(
                "set", "attributes.example", {"/": "web"}, annotations=affinity | ATTRIBUTES
            ),
            *served_manifests("web", *(endpoint.port for endpoint in cls.endpoints)),
        )

    def ask(self, cookie: str | None = None, target: str = "/", host: str = "a.example") -> Reply:
        fields = f"Cookie: first=1; {cookie}; last=2\r\n" if cookie else ""
        return self.get(target, host, fields=fields)

    def session(self, reply: Reply) -> str:
        """The cookie of a reply, without its attributes."""
        (value,) = reply.all("Set-Cookie")
        return value.partition(";")[0]

    def test_stays(self) -> None:
        """A session stays on its endpoint, and its cookie is set once."""
        reply = self.ask()
        session, name = self.session(reply), reply.echo["name"]
        for _ in range(12):
            reply = self.ask(session)
            self.assertEqual(reply.echo["name"], name)
            self.assertEqual(reply.all("Set-Cookie"), [])

    def test_spread(self) -> None:
        """Sessions are spread over all endpoints."""
        names = {self.ask().echo["name"] for _ in range(60)}
        self.assertEqual(names, {"one", "two", "three"})

    def test_foreign_value(self) -> None:
        """A value that is none of ours, an old controller's say, gets a new session."""
        for value in ("INGRESSCOOKIE=1654.38.292|" + "0" * 32, "INGRESSCOOKIE=", "INGRESSCOOKIE=é"):
            reply = self.ask(value)
            self.assertEqual(reply.status, 200)
            self.assertTrue(self.session(reply).startswith("INGRESSCOOKIE="))

    def test_plain_cookie(self) -> None:
        """Each path has its own cookie, HttpOnly, and not Secure over http."""
        for target, path in (("/", "/"), ("/app/x", "/app")):
            (value,) = self.ask(target=target).all("Set-Cookie")
            self.assertTrue(
                re.fullmatch(
                    rf"INGRESSCOOKIE=[^;|]+\|[0-9a-f]{{32}}; Path={path}; HttpOnly", value
                ),
                value,
            )

    def test_secure(self) -> None:
        """Over https the cookie is Secure."""
        with HTTPClient(self.process.port("https"), tls=trusting_all()) as client:
            (value,) = client.request().all("Set-Cookie")
        self.assertIn("; Secure; HttpOnly", value)

    def test_attributes(self) -> None:
        """Name and attributes are those of the annotations, in ingress-nginx's order."""
        (value,) = self.ask(host="attributes.example").all("Set-Cookie")
        day = r"[MTWFS][a-z]{2}, \d\d-[A-Z][a-z]{2}-\d\d \d\d:\d\d:\d\d GMT"
        self.assertTrue(
            re.fullmatch(
                rf"route=[^;]+; Expires={day}; Max-Age=1800; Domain=attributes\.example; "
                r"Path=/; HttpOnly; SameSite=Lax",
                value,
            ),
            value,
        )

    def test_other_ingress(self) -> None:
        """Another Ingress of the host has no affinity of it."""
        self.assertEqual(self.ask(target="/free").all("Set-Cookie"), [])

    def test_endpoint_is_gone(self) -> None:
        """A session whose endpoint is gone gets another one, and a new cookie; the others stay."""
        file = self.process.manifests / "shrinking.yaml"
        self.addCleanup(file.unlink)

        def write(*endpoints: EchoEndpoint) -> None:
            objects = [
                ingress_manifest(
                    "shrink",
                    "shrink.example",
                    {"/": "shrink"},
                    annotations={"affinity": "cookie", "affinity-mode": "persistent"},
                ),
                *served_manifests("shrink", *(endpoint.port for endpoint in endpoints)),
            ]
            replace_file(file, yaml.safe_dump_all(objects))

        def sessions() -> dict[str, str]:
            reply = self.ask(host="shrink.example")
            if reply.status == 200:
                found[reply.echo["name"]] = self.session(reply)
            return found

        found: dict[str, str] = {}
        write(*self.endpoints)
        wait_until(lambda: len(sessions()) == 3, "a session on each endpoint")
        write(*self.endpoints[1:])

        def has_moved() -> bool:
            reply = self.ask(found["one"], host="shrink.example")
            return reply.echo["name"] != "one" and bool(self.session(reply))

        wait_until(has_moved, "the session to move")
        for name in ("two", "three"):
            reply = self.ask(found[name], host="shrink.example")
            self.assertEqual((reply.echo["name"], reply.all("Set-Cookie")), (name, []))

    def test_curl(self) -> None:
        """curl with a cookie jar stays where it is."""
        port = self.process.port("http")
        done = run(
            *("curl", "-s", "-b", "", "-H", "Host: a.example", f"http://127.0.0.1:{port}/[1-8]"),
        )
        self.assertEqual(len(set(re.findall(rb'"name": "(\w+)"', done.stdout))), 1)
