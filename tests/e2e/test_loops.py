"""
Endpoints that lead back to the proxy, of a whole process.
"""

from __future__ import annotations

import contextlib
import re
import selectors
import socket
import threading
from collections.abc import Callable
from pathlib import Path
from typing import ClassVar

from ingress.exchange.loop_marker import MAX_PASSES
from tests.e2e.case import ProcessTestCase
from tests.support.client import HTTPClient
from tests.support.endpoints import RawEndpoint
from tests.support.manifest import endpoint_manifests, ingress_manifest, served_manifests
from tests.support.process import PATIENCE, wait_until

RELAY_HOST = "127.0.0.2"
"""Nothing that the proxy knows of tells that this address leads to its listener."""


class Relay(RawEndpoint):
    """
    Passes connections on as a load balancer does.

    :param port: returns the port that it leads to.
    :ivar accepted: the number of connections so far.
    """

    def __init__(self, port: Callable[[], int]) -> None:
        self.accepted = 0
        self._port = port
        super().__init__(self._relay, host=RELAY_HOST)

    def _relay(self, accepted: socket.socket) -> None:
        self.accepted += 1
        with socket.create_connection(("127.0.0.1", self._port()), PATIENCE) as onward:
            ends = {accepted: onward, onward: accepted}
            with selectors.DefaultSelector() as selector:
                for each in ends:
                    selector.register(each, selectors.EVENT_READ)
                while True:
                    for key, _ in selector.select():
                        assert isinstance(key.fileobj, socket.socket)
                        data = key.fileobj.recv(1 << 16)
                        if not data:
                            return
                        ends[key.fileobj].sendall(data)


class LoopTests(ProcessTestCase):
    """A loop that only its requests show, and one that the addresses show."""

    relay: ClassVar[Relay]

    @classmethod
    def prepare(cls, folder: Path) -> None:
        sound = cls.echo("sound")
        relay = cls.relay = cls.keep(Relay(lambda: cls.process.port("http")))
        (looping,) = endpoint_manifests("relayed", relay.port)
        looping["endpoints"] = [{"addresses": [RELAY_HOST]}]
        cls.serve(
            folder,
            ingress_manifest("loop", "loop.example", {"/": "relayed"}),
            ingress_manifest("web", "a.example", {"/": "sound"}),
            *served_manifests("relayed"),
            looping,
            *served_manifests("sound", sound.port),
            access_log={"path": "access.log"},
        )

    def test_relayed(self) -> None:
        """A loop through another address ends after a few passes, with the reason in the log."""
        self.get()
        descriptors, accepted = self.process.descriptors, self.relay.accepted
        reply = self.get("/round?x", "loop.example")
        self.assertEqual(reply.status, 508)
        self.assertIn("loop_detected", reply.text)
        self.assertLessEqual(self.relay.accepted - accepted, MAX_PASSES)
        self.assertLess(self.process.descriptors - descriptors, 10)
        log = self.process.folder / "access.log"
        pattern = '"GET /round\\?x HTTP/1.1" 508 .* loop_detected "The request has passed through'
        wait_until(lambda: re.search(pattern, log.read_text()), "the line of the refused request")

    def test_others(self) -> None:
        """Other hosts are served while many clients ask for the loop."""
        accepted = self.relay.accepted
        statuses: list[int] = []

        def ask() -> None:
            with contextlib.suppress(OSError), HTTPClient(self.process.port("http")) as client:
                statuses.extend(client.request("/", "loop.example").status for _ in range(20))

        clients = [threading.Thread(target=ask) for _ in range(5)]
        for client in clients:
            client.start()
        while any(client.is_alive() for client in clients):
            self.assertEqual(self.get().status, 200)
        for client in clients:
            client.join()
        self.assertEqual(statuses, [508] * 100)
        self.assertLessEqual(self.relay.accepted - accepted, len(clients) * MAX_PASSES)

    def test_body(self) -> None:
        """A loop of requests with bodies ends as well."""
        with HTTPClient(self.process.port("http")) as client:
            reply = client.request("/", "loop.example", method="POST", body=b"x" * 9000)
        self.assertEqual(reply.status, 508)

    def test_marked(self) -> None:
        """An endpoint sees which installation forwarded a request, behind a client's own field."""
        fields = self.get(fields="CDN-Loop: a.example\r\n").echo["fields"]
        (value,) = [value for name, value in fields if name == "CDN-Loop"]
        self.assertRegex(value, "^a.example, txingress-[0-9a-f]{12}$")

    def test_own_listeners(self) -> None:
        """An endpoint that is a listener is reported and left out; others are served."""
        ports = [self.process.port(name) for name in ("http", "https", "admin")]
        self.process.write(
            "own.yaml",
            ingress_manifest("own", "own.example", {"/": "own", "/both": "both"}),
            *served_manifests("own", *ports),
            *served_manifests("both", ports[0]),
        )
        for number, port in enumerate(ports):
            self.process.wait_for_line(
                f"EndpointSlice default/own-{number}: endpoints: 127.0.0.1:{port} is a listener",
                since=self.mark,
            )
        self.process.wait_for_line("Ingress default/own: .* answered with 503", since=self.mark)
        self.assertEqual(self.get("/", "own.example").status, 503)
        sound = self.echo("both")
        self.process.write(
            "own.yaml",
            ingress_manifest("own", "own.example", {"/": "own", "/both": "both"}),
            *served_manifests("own", *ports),
            *served_manifests("both", ports[0], sound.port),
        )
        wait_until(lambda: self.get("/both", "own.example").status == 200, "the other endpoint")
        for _ in range(4):
            self.assertEqual(self.get("/both", "own.example").status, 200)
