"""
Hostile values in every key of the ConfigMap: none harms the reading, the build or a head.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from twisted.trial.unittest import SynchronousTestCase

from ingress.config_map.table import KEYS
from ingress.kube.objects import ConfigMap, Metadata
from ingress.problem import Problem
from ingress.routing.build import build
from tests.support.objects import FILES, NOW, ingress, objects, served

NAME = ("nginx", "controller")
CONFIG = replace(FILES, config_map=NAME)

HOSTILE = (
    "a\r\nSet-Cookie: x=1",
    "a\nb",
    "\x00",
    "\x7f",
    "\ud800",
    '"',
    "'",
    "$host ${x} $",
    "`id`",
    "{{ .Values }}",
    "~(a+)+$",
    "~(?=x)",
    "~*[",
    "-1",
    "99999999999999999999",
    "1e9",
    "NaN",
    "\u0661",
    ",,,",
    "/../../etc/passwd",
    "default/../x",
    "\N{SNOWMAN}",
    "x" * 100 * 1024,
    ",".join(["10.0.0.1"] * 30_000),
    " ".join(["error"] * 10_000),
)


class HostileTests(SynchronousTestCase):
    """Each key has each value."""

    def problems(self, data: dict[str, str]) -> Iterator[Problem]:
        """Build with it; every route and its edits are made."""
        item = ConfigMap(metadata=Metadata(namespace=NAME[0], name=NAME[1]), data=data)
        web = ingress("a.example", {"/": "web:80"}, annotations={"enable-cors": "true"})
        bare = ingress("b.example", {"/": "web:80"}, name="bare")
        result = build(objects(web, bare, served("web"), item), CONFIG, now=NOW)
        for host in (b"a.example", b"b.example"):
            self.assertIsNotNone(result.snapshot.hosts[host].route(b"/"))
        yield from result.all_problems()

    def test_one_by_one(self) -> None:
        """A build succeeds, and what is told is short and one line."""
        for name in KEYS:
            for value in HOSTILE:
                for problem in self.problems({name: value}):
                    text = str(problem)
                    self.assertTrue(text.isprintable(), (name, value[:40], text))
                    self.assertLess(len(text), 1500, (name, value[:40]))

    def test_names(self) -> None:
        """Keys that nobody knows may be called anything."""
        for name in HOSTILE:
            for problem in self.problems({name[:300]: "x"}):
                self.assertTrue(str(problem).isprintable(), name[:40])

    def test_together(self) -> None:
        """All keys at once, each with a value that is never accepted, are Problems alone."""
        found = list(self.problems(dict.fromkeys(KEYS, "\x00")))
        self.assertGreater(len(found), len(KEYS) // 2)

    def test_fields(self) -> None:
        """ConfigMaps with fields harm no head either."""
        for key in ("add-headers", "proxy-set-headers"):
            for value in HOSTILE:
                fields = ConfigMap(
                    metadata=Metadata(namespace="nginx", name="fields"),
                    data={"X-A": value, "X-B": "1", "Connection": "close"},
                )
                item = ConfigMap(
                    metadata=Metadata(namespace=NAME[0], name=NAME[1]),
                    data={key: "nginx/fields"},
                )
                web = ingress("a.example", {"/": "web:80"})
                result = build(objects(web, served("web"), item, fields), CONFIG, now=NOW)
                self.assertIsNotNone(result.snapshot.hosts[b"a.example"].route(b"/"))
                for problem in result.all_problems():
                    self.assertTrue(str(problem).isprintable(), value[:40])
