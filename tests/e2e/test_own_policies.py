"""
Policies of one's own in a real process: with workers, and while the configuration changes.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import ClassVar

from tests.e2e.case import ProcessTestCase
from tests.support.client import HTTPClient, Reply
from tests.support.endpoints import EchoEndpoint
from tests.support.manifest import ingress_manifest, served_manifests
from tests.support.process import wait_until

OWN = "tests.support.own_policies"
ENOUGH = 10
"""Connections of which all come to the same of two workers once in five hundred times."""


class WorkersTests(ProcessTestCase):
    """Two workers with policies from one module."""

    web: ClassVar[EchoEndpoint]

    @classmethod
    def prepare(cls, folder: Path) -> None:
        cls.web = cls.echo("web")
        manifests = (
            ingress_manifest("web", "a.example", {"/": "web"}),
            *served_manifests("web", cls.web.port),
        )
        cls.serve(folder, *manifests, workers=2, policies=cls.policies("first"))

    @classmethod
    def policies(cls, value: str) -> dict[str, object]:
        return {
            "waits": {"class": f"{OWN}.Threaded", "for-all": True},
            "stamp": {"class": f"{OWN}.Stamp", "for-all": True, "value": value},
        }

    def answers(self) -> list[Reply]:
        """What enough connections get."""
        replies = [self.get() for _ in range(ENOUGH)]
        self.assertEqual({reply.status for reply in replies}, {200})
        return replies

    def values(self, name: str) -> set[str]:
        return {reply.field(name) or "" for reply in self.answers()}

    def admin(self, page: str) -> str:
        with HTTPClient(self.process.port("admin")) as client:
            return client.request(page, "localhost").text

    def test_asynchronous(self) -> None:
        """A policy waits for a thread and for the reactor of the worker that serves."""
        self.assertEqual(self.values("X-Waited"), {"from a thread"})

    def test_changed(self) -> None:
        """A change of options reaches all workers without a restart."""
        self.assertEqual(self.values("X-Stamp"), {"first"})
        self.process.configure(workers=2, policies=self.policies("second"))
        wait_until(lambda: self.values("X-Stamp") == {"second"}, "the other value")
        self.process.configure(workers=2, policies=self.policies("first"))
        wait_until(lambda: self.values("X-Stamp") == {"first"}, "the first value")

    def test_mistake(self) -> None:
        """A class that cannot be imported is reported, and what runs stays."""
        mark = self.process.mark()
        self.process.configure(workers=2, policies={"stamp": "missing_package.Stamp"})
        self.process.wait_for_line(
            r"policies\.stamp.*missing_package cannot: .*; the running configuration stays",
            since=mark,
        )
        self.assertEqual(self.values("X-Stamp"), {"first"})
        self.process.configure(workers=2, policies=self.policies("first"))

    def test_shown(self) -> None:
        """/snapshot shows the policies of each rule."""
        (host,) = json.loads(self.admin("/snapshot"))["hosts"]
        self.assertEqual(
            host["paths"][0]["policies"],
            {
                "waits": {"class": f"{OWN}.Threaded", "phases": ["access"]},
                "stamp": {"class": f"{OWN}.Stamp", "phases": [], "value": "first"},
            },
        )


class FailingTests(ProcessTestCase):
    """Workers with a policy that fails."""

    @classmethod
    def prepare(cls, folder: Path) -> None:
        web = cls.echo("web")
        manifests = (
            ingress_manifest("web", "a.example", {"/": "web"}),
            *served_manifests("web", web.port),
        )
        policies = {"broken": {"class": f"{OWN}.Failing", "for-all": True, "hold": 0.03}}
        cls.serve(folder, *manifests, workers=2, policies=policies)

    def tearDown(self) -> None:
        """Expect a traceback."""

    def test_failing(self) -> None:
        """It is 500, named in the log with its traceback, and counted with its slow calls."""
        mark = self.process.mark()
        for _ in range(ENOUGH):
            self.assertEqual(self.get().status, 500)
        self.process.wait_for_line("The policy broken failed", since=mark)
        self.process.wait_for_line("The policy broken held the process for", since=mark)

        def counted() -> bool:
            with HTTPClient(self.process.port("admin")) as client:
                text = client.request("/metrics", "localhost").text
            return all(
                f'txingress_policy_{what}_total{{policy="broken"}} {ENOUGH}\n' in text
                for what in ("failures", "slow_calls")
            )

        wait_until(counted, "all failures to be counted")
