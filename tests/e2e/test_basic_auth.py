"""
Basic authentication from outside: files of htpasswd, changes of Secrets under load, floods.
"""

from __future__ import annotations

import threading
from base64 import b64encode
from pathlib import Path
from typing import ClassVar

import bcrypt

from tests.e2e.case import ProcessTestCase, run
from tests.support.client import HTTPClient, Reply
from tests.support.endpoints import EchoEndpoint
from tests.support.manifest import (
    Manifest,
    ingress_manifest,
    opaque_manifest,
    served_manifests,
)
from tests.support.process import wait_until
from tests.support.traffic import Traffic

BASIC = {"auth-type": "basic", "auth-realm": "Shop"}
KINDS = {"bcrypt": "-B", "md5": "-m", "sha": "-s", "des": "-d", "sha-256": "-2", "sha-512": "-5"}
"""Flags of htpasswd."""

WRITTEN = {
    "bcrypt": "$2y$05$7NahAfovruaG6coeLvDSI.kSve4VNEouKByqWECjbOPC4gIMnWRZK",
    "md5": "$apr1$97wPE1nU$d9Jb6FAen5Yoz0ybAg5WL/",
    "sha": "{SHA}5en6G6MezRroT3XKqkdPOmY/BfQ=",
    "des": "UnxmzQAXtRhWw",
}
"""Hashes of ``secret``."""

SLOW = "alice:$2b$10$" + bcrypt.gensalt(10).decode()[7:] + "x" * 31
"""A hash of bcrypt that takes 50 ms, and that no password has."""


def credentials(user: str, password: str) -> str:
    """The field that a client sends."""
    return f"Authorization: Basic {b64encode(f'{user}:{password}'.encode()).decode()}\r\n"


def protected(name: str, secret: str, **others: str) -> Manifest:
    """An Ingress for ``NAME.example``."""
    annotations = {**BASIC, "auth-secret": secret, **others}
    return ingress_manifest(name, f"{name}.example", {"/": "web"}, annotations=annotations)


class BasicAuthTests(ProcessTestCase):
    """One process, in which passwords are verified in threads beside the reactor."""

    web: ClassVar[EchoEndpoint]

    @classmethod
    def prepare(cls, folder: Path) -> None:
        cls.web = cls.echo("web")
        cls.serve(
            folder,
            *served_manifests("web", cls.web.port),
            ingress_manifest("open", "a.example", {"/": "web"}),
            opaque_manifest("slow", auth=SLOW),
            protected("slow", "slow"),
        )

    def change(self, name: str, *manifests: Manifest, status: int, fields: str = "") -> None:
        """Replace a file of manifests, and wait until ``NAME.example`` answers so."""
        self.process.write(f"{name}.yaml", *manifests)
        wait_until(
            lambda: self.get(host=f"{name}.example", fields=fields).status == status,
            f"{status} of {name}.example",
        )

    def test_kinds(self) -> None:
        """Hashes of each kind let their users in, and nobody else."""
        lines = [f"{kind}:{stored}" for kind, stored in WRITTEN.items()]
        self.change(
            "kinds",
            opaque_manifest("kinds", auth="\n".join(lines)),
            protected("kinds", "kinds"),
            status=401,
        )
        for kind in WRITTEN:
            for password, status in (("secret", 200), ("secret", 200), ("Secret", 401)):
                reply = self.get(host="kinds.example", fields=credentials(kind, password))
                self.assertEqual(reply.status, status, (kind, password))
        reply = self.get(host="kinds.example")
        self.assertEqual(reply.field("WWW-Authenticate"), 'Basic realm="Shop"')

    def test_htpasswd(self) -> None:
        """What htpasswd has written, curl is let in with."""
        path = self.process.folder / "htpasswd"
        path.write_bytes(b"")
        users = [
            kind
            for kind, flag in KINDS.items()
            if run("htpasswd", "-b", flag, str(path), kind, "opens").returncode == 0
        ]
        self.assertGreaterEqual(len(users), 4)
        self.change(
            "tool",
            opaque_manifest("tool", auth=path.read_text()),
            protected("tool", "tool"),
            status=401,
        )
        for user in users:
            for password, status in (("opens", "200"), ("shut", "401")):
                done = run(
                    "curl",
                    "-s",
                    "-o",
                    "/dev/null",
                    "-w",
                    "%{http_code}",
                    "-u",
                    f"{user}:{password}",
                    "-H",
                    "Host: tool.example",
                    f"http://127.0.0.1:{self.process.port('http')}/",
                )
                self.assertEqual(done.stdout.decode(), status, (user, done.stderr))

    def test_seen(self) -> None:
        """The endpoint does not see the password, and a refused body is not asked for."""
        self.change(
            "seen",
            opaque_manifest("seen", auth=f"a:{WRITTEN['sha']}"),
            protected("seen", "seen"),
            status=401,
        )
        right = credentials("a", "secret")
        echo = self.get(host="seen.example", fields=f"{right}X-Other: 1\r\n").echo
        names = {name.lower() for name, _ in echo["fields"]}
        self.assertIn("x-other", names)
        self.assertNotIn("authorization", names)
        client = self.connect()
        client.send(
            b"POST / HTTP/1.1\r\nHost: seen.example\r\nContent-Length: 5\r\nExpect: 100-continue\r\n\r\n"
        )
        self.assertEqual(client.read_reply("POST").status, 401)
        client = self.connect()
        client.send(f"HEAD / HTTP/1.0\r\nHost: seen.example\r\n{right}\r\n".encode())
        self.assertEqual(client.read_reply("HEAD").status, 200)

    def test_changes(self) -> None:
        """A Secret applies at once, whatever becomes of it; no other request is lost."""
        old, new = credentials("a", "secret"), credentials("b", "secret")
        fast, slow = WRITTEN["sha"], WRITTEN["bcrypt"]
        with Traffic(self.connect, "a.example") as traffic:
            for stored in (fast, slow):
                self.change(
                    "live",
                    opaque_manifest("live", auth=f"a:{stored}"),
                    protected("live", "live"),
                    status=200,
                    fields=old,
                )
                self.change(
                    "live",
                    opaque_manifest("live", auth=f"b:{stored}"),
                    protected("live", "live"),
                    status=401,
                    fields=old,
                )
                self.assertEqual(self.get(host="live.example", fields=new).status, 200)
                self.change(
                    "live",
                    opaque_manifest("live", auth=""),
                    protected("live", "live"),
                    status=401,
                    fields=new,
                )
                self.change("live", protected("live", "live"), status=503, fields=new)
                self.change(
                    "live",
                    opaque_manifest("live", other="x"),
                    protected("live", "live"),
                    status=503,
                    fields=new,
                )
                self.change(
                    "live",
                    opaque_manifest("live", auth=f"a:{stored}"),
                    protected("live", "live"),
                    status=200,
                    fields=old,
                )
        self.assertEqual(traffic.failed, [])
        for line in self.process.log.splitlines():
            self.assertNotIn(fast, line)
            self.assertNotIn(slow, line)

    def test_flood(self) -> None:
        """While passwords that take long are verified, others are served; too many are refused."""
        replies: list[Reply] = []

        def ask(number: int) -> None:
            with HTTPClient(self.process.port("http")) as client:
                fields = credentials("alice", f"wrong {number}")
                replies.append(client.request(host="slow.example", fields=fields))

        threads = [threading.Thread(target=ask, args=(number,)) for number in range(40)]
        for thread in threads:
            thread.start()
        wait_until(lambda: [reply for reply in replies if reply.status == 503], "a refusal")
        for _ in range(20):
            self.assertEqual(self.get().status, 200)
        in_time = len(replies)
        for thread in threads:
            thread.join()
        self.assertLess(in_time, len(replies))
        self.assertEqual({reply.status for reply in replies}, {401, 503})
        refused = [reply for reply in replies if reply.status == 503]
        self.assertEqual({reply.field("Retry-After") for reply in refused}, {"1"})


class WorkerTests(ProcessTestCase):
    """Two workers, which get what they need over their channels."""

    web: ClassVar[EchoEndpoint]

    @classmethod
    def prepare(cls, folder: Path) -> None:
        cls.web = cls.echo("web")
        cls.serve(
            folder,
            *served_manifests("web", cls.web.port),
            opaque_manifest("users", auth=f"a:{WRITTEN['bcrypt']}"),
            protected("shop", "users"),
            workers=2,
        )

    def statuses(self, fields: str) -> set[int]:
        """Those that 20 connections get, so that both workers have some."""
        return {self.get(host="shop.example", fields=fields).status for _ in range(20)}

    def test_workers(self) -> None:
        """Each worker verifies passwords, and follows changes of the Secret."""
        old, new = credentials("a", "secret"), credentials("b", "secret")
        self.assertEqual(self.statuses(old), {200})
        self.assertEqual(self.statuses(new), {401})
        self.process.write(
            "all.yaml",
            *served_manifests("web", self.web.port),
            opaque_manifest("users", auth=f"b:{WRITTEN['bcrypt']}"),
            protected("shop", "users"),
        )
        wait_until(lambda: self.statuses(old) == {401}, "the end of the old password")
        self.assertEqual(self.statuses(new), {200})
