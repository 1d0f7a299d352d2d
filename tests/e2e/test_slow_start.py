"""
Slow start of endpoints that become ready while requests are served.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any, ClassVar

from tests.e2e.case import ProcessTestCase
from tests.support.endpoints import EchoEndpoint
from tests.support.manifest import ingress_manifest, served_manifests
from tests.support.process import wait_until

TIMES = 200
"""Requests. At most 10 % of the half go to the new endpoint: more than 40 come once in 10^12."""


class SlowStartTests(ProcessTestCase):
    old: ClassVar[EchoEndpoint]
    new: ClassVar[EchoEndpoint]

    @classmethod
    def prepare(cls, folder: Path) -> None:
        cls.old, cls.new = cls.echo("old"), cls.echo("new")
        cls.serve(folder, *cls.manifests(cls.old.port))

    @classmethod
    def manifests(cls, *ports: int) -> list[object]:
        ingress: dict[str, Any] = ingress_manifest("web", "a.example", {"/": "web"})
        ingress["metadata"]["annotations"] = {"txingress.dev/slow-start": "10m"}
        return [ingress, *served_manifests("web", *ports)]

    def test_joins(self) -> None:
        """An endpoint that joins another one gets few requests at first."""
        self.process.write("all.yaml", *self.manifests(self.old.port, self.new.port))
        wait_until(lambda: self.get().echo["name"] == "new", "a request to the new endpoint")
        names = [self.get().echo["name"] for _ in range(TIMES)]
        self.assertLess(names.count("new"), 40)
