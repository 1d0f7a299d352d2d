"""
The limits of the configuration that only a whole process can show.
"""

from __future__ import annotations

from pathlib import Path

from tests.e2e.case import ProcessTestCase
from tests.support.manifest import ingress_manifest, served_manifests

REQUEST = b"GET / HTTP/1.1\r\nHost: a.example\r\n\r\n"


class ConnectionLimitTests(ProcessTestCase):
    """``limits.connections``, over all clients."""

    @classmethod
    def prepare(cls, folder: Path) -> None:
        web = cls.echo("web")
        cls.serve(
            folder,
            ingress_manifest("web", "a.example", {"/": "web"}),
            *served_manifests("web", web.port),
            limits={"connections": 1},
        )

    def test_one_at_a_time(self) -> None:
        """A connection more than may be open waits for one to close; the limit applies live."""
        first, second = self.connect(), self.connect()
        self.assertEqual(first.request("/", "a.example").status, 200)
        second.send(REQUEST)
        self.process.wait_for_line("All 1 connections are in use", since=self.mark)
        first.close()
        self.assertEqual(second.read_reply().status, 200)

        self.process.configure(limits={"connections": 2})
        self.process.wait_for_line("the changed configuration applies", since=self.mark)
        self.addCleanup(self.process.configure, limits={"connections": 1})
        self.assertEqual(self.connect().request("/", "a.example").status, 200)
