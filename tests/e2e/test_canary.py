"""
Canaries, as clients see them (docs/compatibility.md, section 2.3).
"""

from __future__ import annotations

import re
import socket
from collections import Counter
from pathlib import Path
from typing import ClassVar

import yaml

from tests.e2e.case import ProcessTestCase
from tests.support.client import HTTPClient
from tests.support.endpoints import EchoEndpoint, RawEndpoint, read_head
from tests.support.manifest import ingress_manifest, served_manifests
from tests.support.process import wait_until
from tests.support.wire import SWITCHING, UPGRADE

TIMES = 300
"""Requests that are shared by weight: 20 % of them are between 30 and 90, but for one in 10^8."""


def canary(name: str, host: str, service: str, **annotations: str) -> dict[str, object]:
    written = {key.replace("_", "-"): value for key, value in annotations.items()}
    return ingress_manifest(name, host, {"/": service}, annotations={"canary": "true", **written})


def switching(connection: socket.socket) -> None:
    """Agree to a WebSocket."""
    read_head(connection)
    connection.sendall(SWITCHING)


class CanaryTests(ProcessTestCase):
    """A rule for each kind of canary, in a process with two workers."""

    web: ClassVar[EchoEndpoint]
    new: ClassVar[EchoEndpoint]
    log_file: ClassVar[Path]

    @classmethod
    def prepare(cls, folder: Path) -> None:
        cls.web, cls.new = cls.echo("web"), cls.echo("new")
        cls.log_file = folder / "access.log"
        failing = cls.keep(RawEndpoint(lambda connection: connection.close()))
        tunnel = cls.keep(RawEndpoint(switching))
        hosts = ("none", "all", "some", "header", "cookie", "retry", "socket", "gone")
        sticky = {"affinity": "cookie"}
        cls.serve(
            folder,
            *(ingress_manifest(host, f"{host}.example", {"/": "web"}) for host in hosts),
            ingress_manifest("sticky", "sticky.example", {"/": "web"}, annotations=sticky),
            ingress_manifest("wild", "*.wild.example", {"/": "web"}),
            ingress_manifest("off", "off.example", {"/": "off"}),
            canary("none-c", "none.example", "new", canary_weight="0"),
            canary("all-c", "all.example", "new", canary_weight="100"),
            canary("some-c", "some.example", "new", canary_weight="20"),
            canary("header-c", "header.example", "new", canary_by_header="X-Canary"),
            canary("cookie-c", "cookie.example", "new", canary_by_cookie="canary"),
            canary("sticky-c", "sticky.example", "new", canary_weight="50"),
            canary("wild-c", "*.wild.example", "new", canary_weight="100"),
            canary("off-c", "off.example", "new", canary_by_header="X-Canary"),
            canary("gone-c", "gone.example", "off", canary_weight="100"),
            canary("alone-c", "alone.example", "new", canary_weight="100"),
            canary("retry-c", "retry.example", "half", canary_weight="100"),
            canary("socket-c", "socket.example", "socket", canary_weight="100"),
            *served_manifests("web", cls.web.port),
            *served_manifests("new", cls.new.port),
            *served_manifests("half", cls.new.port, failing.port),
            *served_manifests("socket", tunnel.port),
            workers=2,
            access_log={"path": str(cls.log_file)},
        )

    def name(self, host: str, *, fields: str = "") -> str:
        """The endpoint that answers a request."""
        reply = self.get("/", host, fields=fields)
        self.assertEqual(reply.status, 200)
        found = reply.echo["name"]
        assert isinstance(found, str)
        return found

    def names(self, host: str, times: int, *, fields: str = "") -> Counter[str]:
        return Counter(self.name(host, fields=fields) for _ in range(times))

    def test_none_and_all(self) -> None:
        """A weight of 0 is never, and one of 100 always."""
        self.assertEqual(self.names("none.example", 30), {"web": 30})
        self.assertEqual(self.names("all.example", 30), {"new": 30})
        self.assertEqual(self.names("x.wild.example", 5), {"new": 5})

    def test_share(self) -> None:
        """A canary gets its share of the requests, as the workers draw lots."""
        found = self.names("some.example", TIMES)
        self.assertTrue(30 < found["new"] < 90, found)

    def test_header(self) -> None:
        """The header decides."""
        for value, name in (("always", "new"), ("never", "web"), ("other", "web")):
            found = self.name("header.example", fields=f"X-Canary: {value}\r\n")
            self.assertEqual(found, name)

    def test_cookie(self) -> None:
        """The cookie decides."""
        for value, name in (("always", "new"), ("never", "web"), ("other", "web")):
            found = self.name("cookie.example", fields=f"Cookie: a=b; canary={value}\r\n")
            self.assertEqual(found, name)

    def test_sticky(self) -> None:
        """A client that got the canary keeps it, and so does one that got the Service itself."""
        seen = set()
        for _ in range(30):
            reply = self.get("/", "sticky.example")
            (cookie,) = reply.all("Set-Cookie")
            name = reply.echo["name"]
            seen.add(name)
            fields = f"Cookie: {cookie.partition(';')[0]}\r\n"
            self.assertEqual(self.names("sticky.example", 3, fields=fields), {name: 3})
        self.assertEqual(seen, {"web", "new"})

    def test_without_endpoints(self) -> None:
        """Without endpoints of its own a canary gets nothing; without the rule's it is 503."""
        self.assertEqual(self.name("gone.example"), "web")
        reply = self.get("/", "off.example", fields="X-Canary: always\r\n")
        self.assertEqual(reply.status, 503)

    def test_alone(self) -> None:
        """A canary without a rule is no host."""
        self.assertEqual(self.get("/", "alone.example").status, 404)

    def test_retry(self) -> None:
        """Another try is among the endpoints of the canary, one of which hangs up."""
        self.assertEqual(self.names("retry.example", 12), {"new": 12})

    def test_websocket(self) -> None:
        """A WebSocket goes to the canary as well."""
        with HTTPClient(self.process.port("http")) as client:
            client.send(UPGRADE.replace(b"a.example", b"socket.example"))
            self.assertEqual(client.read_head()[1], 101)

    def test_told(self) -> None:
        """Access log, metrics and the Snapshot say which requests went to a canary."""
        self.name("all.example")
        wait_until(
            lambda: "[default-web-80] [default-new-80]" in self.log_file.read_text(),
            "the line of the access log",
        )
        pattern = r'_requests\{canary="default-new-80",.*host="all.example",.*service="web"'
        wait_until(lambda: re.search(pattern, self.admin("/metrics")), "the requests of the canary")
        shown = self.admin("/snapshot?host=all.example")
        (path,) = yaml.safe_load(shown)["hosts"][0]["paths"]
        (found,) = path["canaries"]
        self.assertEqual((found["upstream"], found["share"]), ("default/new:80", 1.0))

    def admin(self, target: str) -> str:
        """What the admin listener answers."""
        with HTTPClient(self.process.port("admin")) as client:
            return client.request(target, "localhost").text

    def test_removed(self) -> None:
        """A canary that is removed gets nothing more."""
        self.process.write(
            "more.yaml",
            ingress_manifest("later", "later.example", {"/": "web"}),
            canary("later-c", "later.example", "new", canary_weight="100"),
        )
        wait_until(
            lambda: (
                self.get("/", "later.example").status == 200
                and self.names("later.example", 5) == {"new": 5}
            ),
            "the canary",
        )
        self.process.write("more.yaml", ingress_manifest("later", "later.example", {"/": "web"}))
        wait_until(lambda: self.names("later.example", 5) == {"web": 5}, "its end")
