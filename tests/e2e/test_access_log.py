"""
The access log of a real process: a line for each request, wherever it goes and whoever answers.
"""

from __future__ import annotations

import base64
import json
import re
import shutil
import signal
import socket
import tempfile
from pathlib import Path
from typing import Any, ClassVar

from twisted.trial.unittest import SynchronousTestCase

from tests.e2e.case import ProcessTestCase
from tests.support.client import HTTPClient
from tests.support.endpoints import EchoEndpoint, RawEndpoint, RefusingEndpoint, read_head
from tests.support.family import descendants, has_open
from tests.support.manifest import ingress_manifest, served_manifests
from tests.support.process import IngressProcess, wait_until
from tests.support.traffic import Traffic

LINE = re.compile(
    r"(?P<client>\S+) - (?P<user>\S+) \[(?P<time>[^\]]+)\]"
    r' "(?P<request>[^"]*)" (?P<status>\d{3}) (?P<size>\d+) "(?P<referer>[^"]*)" "(?P<agent>[^"]*)"'
    r" (?P<length>\d+) (?P<seconds>\d+\.\d{3}) \[(?P<upstream>\S+)\] \[\] (?P<endpoints>.*)"
    r' (?P<id>[0-9a-f]{32}) (?P<outcome>[a-z_]+) "(?P<reason>[^"]+)"'
)

TIMEOUT = 1
"""Seconds that a head, and an endpoint, may take."""

Line = dict[str, str]


def hang(connection: socket.socket) -> None:
    """Read a request and answer nothing."""
    read_head(connection)
    connection.recv(1)


def break_off(connection: socket.socket) -> None:
    """Begin a response, and end in its midst."""
    read_head(connection)
    connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 50\r\n\r\nhello")


class AccessLogTests(ProcessTestCase):
    """Each test asks for a target of its own, by which it knows its lines."""

    path: ClassVar[Path]
    web: ClassVar[EchoEndpoint]
    hanging: ClassVar[RawEndpoint]

    @classmethod
    def prepare(cls, folder: Path) -> None:
        cls.web = cls.echo("web")
        cls.hanging = hanging = cls.keep(RawEndpoint(hang))
        breaking = cls.keep(RawEndpoint(break_off))
        gone = cls.keep(RefusingEndpoint())
        cls.path = folder / "access.log"
        cls.serve(
            folder,
            ingress_manifest(
                "web",
                "a.example",
                {
                    "/": "web",
                    "/nowhere": "nowhere",
                    "/gone": "gone",
                    "/hanging": "hanging",
                    "/breaking": "breaking",
                },
            ),
            ingress_manifest(
                "closed", "closed.example", {"/": "web"}, annotations={"auth-url": "nonsense"}
            ),
            ingress_manifest(
                "tls", "tls.example", {"/": "web"}, annotations={"force-ssl-redirect": "true"}
            ),
            *served_manifests("web", cls.web.port),
            *served_manifests("gone", gone.port),
            *served_manifests("hanging", hanging.port),
            *served_manifests("breaking", breaking.port),
            **cls.settings(),
        )

    @classmethod
    def settings(cls, **log: str) -> dict[str, Any]:
        limits = {"head-timeout": TIMEOUT, "read-timeout": TIMEOUT}
        return {"access_log": {"path": "access.log", **log}, "limits": limits}

    def lines(self, text: str, path: Path | None = None) -> list[str]:
        """Those of the log with this text in them."""
        log = (path or self.path).read_text()
        self.assertTrue(log.isascii())
        return [line for line in log.split("\n") if text in line]

    def line(self, text: str, path: Path | None = None) -> Line:
        """The one with this text in it, taken apart, as soon as it is there."""
        (line,) = wait_until(lambda: self.lines(text, path), f"a line with {text!r}")
        match = LINE.fullmatch(line)
        assert match is not None, line
        return match.groupdict()

    def test_answered(self) -> None:
        """An endpoint's answer, as ingress-nginx tells it."""
        fields = (
            f"Authorization: Basic {base64.b64encode(b'ann:secret').decode()}\r\n"
            'Referer: https://b.example/\r\nUser-Agent: curl "8.5"\x1b\xe9\r\n'
        ).replace("\x1b", "")
        reply = self.get("/answered?x=1", fields=fields)
        line = self.line("/answered")
        self.assertEqual((line["client"], line["user"]), ("127.0.0.1", "ann"))
        self.assertEqual(line["request"], "GET /answered?x=1 HTTP/1.1")
        self.assertEqual((line["status"], line["outcome"], line["reason"]), ("200", "ok", "-"))
        self.assertEqual(line["size"], str(len(reply.body)))
        self.assertEqual(line["referer"], "https://b.example/")
        self.assertEqual(line["agent"], r"curl \x228.5\x22\xE9")
        self.assertEqual(line["upstream"], "default-web-80")
        self.assertTrue(
            line["endpoints"].startswith(f"127.0.0.1:{self.web.port} {len(reply.body)} 0.0"), line
        )
        self.assertEqual(dict(reply.echo["fields"])["X-Request-ID"], line["id"])
        self.assertNotIn("secret", self.path.read_text())

    def check_own(self, text: str, status: int, outcome: str, reason: str) -> Line:
        line = self.line(text)
        self.assertEqual((line["status"], line["outcome"]), (str(status), outcome))
        self.assertIn(reason, line["reason"])
        return line

    def test_own_answers(self) -> None:
        """What the proxy answers itself has an outcome and a reason."""
        cases = (
            ("/own/no-rule", "none.example", 404, "no_route", "No rule matches"),
            ("/nowhere/own", "a.example", 503, "no_endpoint", "no endpoint"),
            ("/gone/own", "a.example", 502, "dial_failed", "refused the connection"),
            ("/own/closed", "closed.example", 503, "access_refused", "."),
            ("/own/tls", "tls.example", 308, "redirected", "served over https"),
            ("/hanging/own", "a.example", 504, "endpoint_timeout", "took too long"),
        )
        replies = [self.get(target, host) for target, host, *_ in cases]
        for reply, (target, _, status, outcome, reason) in zip(replies, cases, strict=True):
            self.assertEqual(reply.status, status, (target, reply))
            line = self.check_own(target, status, outcome, reason)
            self.assertEqual(reply.field("X-Request-ID"), line["id"])
            self.assertEqual(line["size"], str(len(reply.body)))

    def test_refused_requests(self) -> None:
        """So has what was no request, or no good one."""
        post = b"POST /refused/large HTTP/1.1\r\nHost: a.example\r\nContent-Length: 2000000\r\n\r\n"
        cases = (
            (b"GET /refused/slow HTTP/1.1\r\nHo", "/refused/slow", 408, "client_timeout"),
            (b"GET /refused/host HTTP/1.1\r\n\r\n", "/refused/host", 400, "bad_request"),
            (b"\x16\x03\x01\x02\x00\x01\x00", r"\x16\x03\x01\x02\x00\x01", 400, "bad_request"),
            (b"GET /refused/" + b"x" * 33_000, "/refused/xxx", 414, "target_too_long"),
            (
                b"GET /refused/head HTTP/1.1\r\nHost: a\r\n" + b"a: b\r\n" * 300 + b"\r\n",
                *("/refused/head", 431, "head_too_large"),
            ),
            (b"BREW /refused/pot HTTP/1.1\r\nHost: a\r\n\r\n", "/pot", 501, "method_unknown"),
            (post, "/refused/large", 413, "body_too_large"),
        )
        clients = [self.connect() for _ in cases]
        for client, (data, *_) in zip(clients, cases, strict=True):
            client.send(data)
        for client, (_, _, status, _) in zip(clients, cases, strict=True):
            self.assertEqual(client.read_reply().status, status)
        for _, text, status, outcome in cases:
            self.check_own(text, status, outcome, ".")
        self.assertEqual(self.line("/refused/slow")["seconds"], f"{TIMEOUT}.000")

    def test_half_a_response(self) -> None:
        """A response that the endpoint cuts short is told with what the client got of it."""
        with HTTPClient(self.process.port("http")) as client:
            client.send(b"GET /breaking/off HTTP/1.1\r\nHost: a.example\r\n\r\n")
            self.assertRaises(ConnectionError, client.read_reply)
        line = self.check_own("/breaking/off", 200, "endpoint_broke", "closed the connection")
        self.assertEqual(line["size"], "5")

    def test_client_gone(self) -> None:
        """A client that does not wait has nginx's status."""
        before = self.hanging.connections
        client = HTTPClient(self.process.port("http"))
        client.send(b"GET /hanging/gone HTTP/1.1\r\nHost: a.example\r\n\r\n")
        wait_until(lambda: self.hanging.connections > before, "the request")
        client.reset()
        line = self.check_own("/hanging/gone", 499, "client_lost", "client has ended")
        self.assertRegex(line["endpoints"], r"127\.0\.0\.1:\d+ 0 \d\.\d{3} -")

    def test_moved_away(self) -> None:
        """Under load the file is moved away and opened anew: no line is lost or torn."""
        before = len(self.lines('"GET / '))
        moved: list[Path] = []
        with Traffic(self.connect, "a.example") as traffic:
            for number in range(3):
                moved.append(self.path.rename(self.path.with_name(f"moved.{number}")))
                self.process.signal(signal.SIGUSR1)
                wait_until(self.path.exists, "the new file")
                wait_until(lambda: self.lines('"GET / '), "a line in the new file")
        self.assertEqual(traffic.failed, [])
        count = len(traffic.answers)

        def lines() -> list[str]:
            return [line for path in (*moved, self.path) for line in self.lines('"GET / ', path)]

        wait_until(lambda: len(lines()) - before >= count, "all lines")
        self.assertEqual(len(lines()) - before, count)
        for line in lines():
            self.assertIsNotNone(LINE.fullmatch(line), line)

    def test_live_change(self) -> None:
        """Another path and another format are used from the change on; a bad path never."""
        self.addCleanup(self.change_back)
        other = self.path.with_name("other.log")
        self.process.configure(**self.settings(path="other.log", format="json"))
        wait_until(lambda: self.reaches("/live", other), "the other file")
        told = json.loads(other.read_text().splitlines()[-1])
        self.assertEqual((told["target"], told["status"], told["outcome"]), ("/live", 200, "ok"))
        self.assertEqual(told["endpoints"][0]["endpoint"], self.web.address)
        mark = self.process.mark()
        self.process.configure(**self.settings(path="none/other.log"))
        self.process.wait_for_line(
            r'access-log\.path: "none/other\.log": a file in an existing folder; .*'
            "the running configuration stays",
            since=mark,
        )
        wait_until(lambda: self.reaches("/kept", other), "the same file")

    def test_off(self) -> None:
        """Where it is off there are no lines."""
        self.addCleanup(self.change_back)
        limits = {"target-size": 300}
        self.process.configure(access_log="off", limits=limits)
        wait_until(lambda: self.get("/" + "x" * 300).status == 414, "the change")
        self.get("/off")
        self.change_back()
        self.assertEqual(self.lines('"GET /off '), [])

    def reaches(self, target: str, path: Path) -> bool:
        """Whether a request is told in this file."""
        self.get(target)
        return path.exists() and target in path.read_text()

    def change_back(self) -> None:
        self.process.configure(**self.settings())
        mark = len(self.lines("/back"))
        wait_until(
            lambda: self.reaches("/back", self.path) and len(self.lines("/back")) > mark,
            "the configuration that was",
        )


class OwnProcessTests(SynchronousTestCase):
    """Standard output and several workers."""

    def setUp(self) -> None:
        self.folder = Path(tempfile.mkdtemp(prefix="ingress-"))
        self.addCleanup(shutil.rmtree, self.folder)

    def serve(self, port: int, **settings: object) -> IngressProcess:
        """A process, and one endpoint for all."""
        process = IngressProcess(self.folder, **settings)
        self.addCleanup(process.stop)
        process.write(
            "all.yaml",
            ingress_manifest("web", "a.example", {"/": "web"}),
            *served_manifests("web", port),
        )
        process.start()
        return process

    def test_stdout(self) -> None:
        """Standard output has the lines, beside the log; at the end also of what was cut."""
        hanging = RawEndpoint(hang)
        self.addCleanup(hanging.stop)
        process = self.serve(hanging.port, access_log={"path": "stdout"}, shutdown_grace=0)
        with HTTPClient(process.port("http")) as client:
            client.request("/first", "none.example")
            process.wait_for_line(
                r'^127\.0\.0\.1 - - .* "GET /first HTTP/1.1" 404 .* no_route "No '
            )
            client.send(b"GET /cut HTTP/1.1\r\nHost: a.example\r\n\r\n")
            wait_until(lambda: hanging.connections, "the request")
            process.signal(signal.SIGTERM)
            self.assertEqual(process.wait(), 0)
        (line,) = [line for line in process.log.splitlines() if "/cut" in line]
        match = LINE.fullmatch(line)
        assert match is not None, line
        self.assertEqual((match["status"], match["outcome"]), ("499", "client_lost"))

    def test_workers(self) -> None:
        """Several workers write to one file, and all open it anew: no line is lost or torn."""
        web = EchoEndpoint("web")
        self.addCleanup(web.stop)
        process = self.serve(web.port, access_log={"path": "access.log"}, workers=2)
        path, moved = self.folder / "access.log", self.folder / "moved"

        def connect() -> HTTPClient:
            return HTTPClient(process.port("http"))

        with Traffic(connect, "a.example") as one, Traffic(connect, "a.example") as other:
            wait_until(path.exists, "the file")
            path.rename(moved)
            process.signal(signal.SIGUSR1)
            wait_until(
                lambda: not any(has_open(pid, moved) for pid in descendants(process.pid)),
                "the new file in all",
            )
            wait_until(lambda: path.read_text(), "a line in it")
        self.assertEqual(one.failed + other.failed, [])
        count = len(one.answers) + len(other.answers)

        def lines() -> list[str]:
            return (moved.read_text() + path.read_text()).splitlines()

        wait_until(lambda: len(lines()) >= count, "all lines")
        self.assertEqual(len(lines()), count)
        for line in lines():
            self.assertIsNotNone(LINE.fullmatch(line), line)
