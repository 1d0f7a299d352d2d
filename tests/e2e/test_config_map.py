"""
The ConfigMap of ingress-nginx, the default backend and error pages, while the process serves.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import ClassVar

import yaml

from tests.e2e.case import ProcessTestCase
from tests.support.endpoints import EchoEndpoint
from tests.support.manifest import (
    Manifest,
    config_map_manifest,
    ingress_manifest,
    served_manifests,
)
from tests.support.process import IngressProcess, replace_file, wait_until

SOON = 5.0
"""Seconds until a change is served."""

NAME = "nginx-settings"
GUARD = {"whitelist-source-range": "10.0.0.0/8"}


class ConfigMapTests(ProcessTestCase):
    """A process with a ConfigMap among its files, a default backend, and a folder of pages."""

    web: ClassVar[EchoEndpoint]
    fallback: ClassVar[EchoEndpoint]
    pages: ClassVar[Path]
    workers: ClassVar[int] = 1

    @classmethod
    def prepare(cls, folder: Path) -> None:
        cls.web, cls.fallback = cls.echo("web"), cls.echo("fallback")
        cls.pages = folder / "pages"
        cls.pages.mkdir()
        (cls.pages / "403.html").write_text("page of 403")
        cls.start_with(folder, {})

    @classmethod
    def start_with(cls, folder: Path, data: dict[str, str]) -> None:
        cls.serve(
            folder,
            *served_manifests("web", cls.web.port),
            *served_manifests("fallback", cls.fallback.port),
            ingress_manifest("web", "a.example", {"/app": "web"}),
            config_map_manifest(NAME, data),
            config_map=f"default/{NAME}",
            default_backend="default/fallback",
            error_pages=str(cls.pages),
            workers=cls.workers,
        )

    def change(self, data: dict[str, str] | None) -> None:
        """Replace the data of the ConfigMap; None removes it."""
        manifests = [
            *served_manifests("web", self.web.port),
            *served_manifests("fallback", self.fallback.port),
            ingress_manifest("web", "a.example", {"/app": "web"}),
        ]
        if data is not None:
            manifests.append(config_map_manifest(NAME, data))
        self.process.write("all.yaml", *manifests)

    def expect(self, condition: Callable[[], bool], what: str) -> None:
        wait_until(condition, what, SOON)

    def status(self, fields: str = "") -> int:
        return self.get("/app", fields=fields).status

    def test_live(self) -> None:
        """Values apply as they change, go bad, are mended, and go."""
        self.change({"block-user-agents": "~*evil"})
        evil = "User-Agent: Evil\r\n"
        self.expect(lambda: self.status(evil) == 403, "a blocked User-Agent")
        self.assertEqual(self.status(), 200)
        self.change({"block-user-agents": "~("})
        self.process.wait_for_line("the last good value still applies")
        self.assertEqual((self.status(evil), self.status()), (403, 200))
        self.change(None)
        self.process.wait_for_line("its last values still apply")
        self.assertEqual((self.status(evil), self.status()), (403, 200))
        self.change({})
        self.expect(lambda: self.status(evil) == 200, "an open path")

    def test_closed(self) -> None:
        """A list that was never good closes everything, until it is mended."""
        self.change({"whitelist-source-range": "everybody"})
        self.expect(lambda: self.status() == 503, "a closed path")
        self.assertEqual(self.get(host="b.example").status, 503)
        self.change({"whitelist-source-range": "127.0.0.0/8"})
        self.expect(lambda: self.status() == 200, "an open path")
        self.change({"whitelist-source-range": "192.0.2.0/24"})
        self.expect(lambda: self.status() == 403, "a refused client")
        self.change({})
        self.expect(lambda: self.status() == 200, "an open path")

    def test_default_backend(self) -> None:
        """What no rule matches goes to the default backend as it is."""
        for host, target in (("a.example", "/x?y"), ("b.example", "/app")):
            reply = self.get(target, host)
            self.assertEqual((reply.status, reply.echo["name"]), (200, "fallback"))

    def test_pages(self) -> None:
        """The page of a status is served as it is, and follows its file."""
        self.change({"denylist-source-range": "127.0.0.0/8"})
        self.expect(lambda: self.status() == 403, "a refused client")
        reply = self.get("/app", fields="Accept: text/html\r\n")
        self.assertEqual(reply.body, b"page of 403")
        self.assertEqual(reply.all("Content-Type"), ["text/html; charset=utf-8"])
        replace_file(self.pages / "403.json", '{"page": 403}')
        json = "Accept: application/json\r\n"
        self.expect(lambda: self.get("/app", fields=json).body == b'{"page": 403}', "a new page")
        replace_file(self.pages / "403.html", "another page")
        self.expect(lambda: self.get("/app").body == b"another page", "a changed page")
        replace_file(self.pages / "other", "")
        self.process.wait_for_line("other is none of these")
        self.assertEqual(self.get("/app").body, b"another page")
        for name in ("other", "403.json"):
            (self.pages / name).unlink()
        replace_file(self.pages / "403.html", "page of 403")
        self.expect(lambda: self.get("/app", fields=json).body == b"page of 403", "the old page")
        self.change({})
        self.expect(lambda: self.status() == 200, "an open path")


class UnreadTests(ProcessTestCase):
    """A process whose files cannot all be read when it starts."""

    web: ClassVar[EchoEndpoint]

    @classmethod
    def prepare(cls, folder: Path) -> None:
        cls.web = cls.echo("web")
        cls.process = IngressProcess(folder, config_map=f"default/{NAME}")
        cls.process.write("all.yaml", *served_manifests("web", cls.web.port), *cls.open())
        (cls.process.manifests / "settings.yaml").write_bytes(b"\x1f\x8b\xff")
        admin = ingress_manifest("admin", "b.example", {"/admin": "web"}, annotations=GUARD)
        (cls.process.manifests / "admin.yaml").write_text(f"{yaml.safe_dump(admin)}\tbroken")
        cls.resources.callback(cls.process.stop)
        cls.process.start()

    @staticmethod
    def open() -> list[Manifest]:
        return [ingress_manifest(name, f"{name}.example", {"/": "web"}) for name in "ab"]

    def test_start(self) -> None:
        """Everything is closed until the ConfigMap is known, and what an Ingress guards until it is."""
        self.assertEqual(self.get().status, 503)
        self.process.wait_for_line("no entry can be read, and each may decide access")
        self.process.write("settings.yaml", config_map_manifest(NAME, {}))
        wait_until(lambda: self.get().status == 200, "an open path", SOON)
        self.assertEqual(self.get("/admin/x", "b.example").status, 503)
        self.assertEqual(self.get("/", "b.example").status, 200)
        admin = ingress_manifest("admin", "b.example", {"/admin": "web"}, annotations=GUARD)
        self.process.write("admin.yaml", admin)
        wait_until(lambda: self.get("/admin", "b.example").status == 403, "a guarded path", SOON)


class WorkerTests(ConfigMapTests):
    """The same with workers."""

    workers = 2

    @classmethod
    def prepare(cls, folder: Path) -> None:
        super().prepare(folder)
