"""
Regular expressions and rewrites in a whole process with two workers.
"""

from __future__ import annotations

import time
from pathlib import Path
from typing import ClassVar

from tests.e2e.case import ProcessTestCase
from tests.support.client import HTTPClient
from tests.support.endpoints import EchoEndpoint
from tests.support.manifest import ingress_manifest, served_manifests

ENOUGH = 10
"""Connections of which all come to the same of two workers once in five hundred times."""

HOSTILE = {
    "/(x+x+)+y": "web",
    "/(a|aa)+$": "web",
    "/.*a.{300}": "web",
    "/(.{1,300}){1,3}z": "web",
    "/closed/(?!open)(.*)": "web",
    "/huge/" + "a{1000}" * 500: "web",
    "/long/" + "|".join(f"path-{number}" for number in range(10_000)): "web",
    "/\\pL" + "\\pL" * 1000: "web",
}


class RewriteTests(ProcessTestCase):
    """Workers get patterns as text, and match them themselves."""

    web: ClassVar[EchoEndpoint]

    @classmethod
    def prepare(cls, folder: Path) -> None:
        cls.web = cls.echo("web")
        rewrite = {"rewrite-target": "/$2", "x-forwarded-prefix": "/$1"}
        many = {f"~/service-{number}(/|$)(.*)": "web" for number in range(2000)}
        cls.serve(
            folder,
            ingress_manifest(
                "rewrite", "a.example", {"~/(app-[0-9]+)/(.*)": "web"}, annotations=rewrite
            ),
            ingress_manifest(
                "hostile",
                "b.example",
                {f"~{path}": service for path, service in HOSTILE.items()},
                annotations={"use-regex": "true"},
            ),
            ingress_manifest("many", "c.example", many, annotations=rewrite),
            *served_manifests("web", cls.web.port),
            workers=2,
        )

    def test_rewritten(self) -> None:
        """Both workers rewrite, with captures in path and prefix."""
        for number in range(ENOUGH):
            with HTTPClient(self.process.port("http")) as client:
                client.request("/warm", host="a.example")
                reply = client.request(f"/APP-{number}/x%20y?a=b", host="a.example")
            echo = reply.echo
            self.assertEqual(echo["target"], "/x%20y?a=b")
            fields = {name.lower(): value for name, value in echo["fields"]}
            self.assertEqual(fields["x-forwarded-prefix"], f"/APP-{number}")

    def test_hostile(self) -> None:
        """Paths that were made for expressions get an answer at once, whatever it is."""
        for path in (
            "/" + "x" * 8000,
            "/" + "a" * 8000 + "!",
            "/" + "ab" * 4000,
            "/closed/x",
            "/huge/a",
            "/long/path-1",
            "/other",
        ):
            began = time.monotonic()
            reply = self.get(path, host="b.example")
            self.assertIn(reply.status, (200, 404, 414, 503), path[:20])
            self.assertLess(time.monotonic() - began, 2, path[:20])
        self.assertEqual(self.get("/closed/open", host="b.example").status, 503)

    def test_many(self) -> None:
        """Thousands of patterns of one host are served like one."""
        reply = self.get("/service-1999/x", host="c.example")
        self.assertEqual((reply.status, reply.echo["target"]), (200, "/x"))
        self.assertEqual(self.get("/service-2000/x", host="c.example").status, 404)
