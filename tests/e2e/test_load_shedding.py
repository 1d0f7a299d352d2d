"""
A Service that gets more than it can answer, through a real process: ``make overload`` runs this, and
``make ci``. `benchmarks.shedding` measures it.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import ClassVar

from twisted.trial.unittest import SkipTest

from tests.e2e.case import ProcessTestCase
from tests.support.client import HTTPClient
from tests.support.manifest import ingress_manifest, served_manifests
from tests.support.metrics import sample_value
from tests.support.overload import Load, QueueingEndpoint
from tests.support.process import wait_until

CAPACITY = 8
SECONDS = 0.04
"""Two hundred requests a second, which slow machines ask for as well."""

FEW = 4
MANY = 40
BOUNDED = 24
"""More than the bound is then: what fits, and a small queue."""


class LoadSheddingTests(ProcessTestCase):
    endpoint: ClassVar[QueueingEndpoint]

    @classmethod
    def prepare(cls, folder: Path) -> None:
        if not os.environ.get("TXINGRESS_TEST_OVERLOAD"):
            raise SkipTest("this takes some seconds (make overload)")
        cls.endpoint = cls.keep(QueueingEndpoint(CAPACITY, SECONDS))
        cls.serve(
            folder,
            ingress_manifest("web", "a.example", {"/": "web"}),
            *served_manifests("web", cls.endpoint.port),
        )

    def load(self, clients: int, served: int) -> tuple[Load, int]:
        """
        :param served: how many requests are to be answered with 200.
        :return: the load, and the most requests that the endpoint had at once.
        """
        self.endpoint.forget()
        load = Load(self.process.port("http"), "a.example")
        load.run(clients, lambda load: load.statuses[200] >= served)
        return load, self.endpoint.most

    def refusals(self) -> float | None:
        """How many the metrics count."""
        with HTTPClient(self.process.port("admin")) as client:
            text = client.request("/metrics").body.decode()
        return sample_value(text, "txingress_limit_refusals_total", limit="concurrency")

    def test_overload(self) -> None:
        """
        Without shedding all requests wait in the endpoint. With it few do, others are refused with
        the reason, and when there is less to do again none are.
        """
        load, most = self.load(MANY, 80)
        self.assertEqual(set(load.statuses), {200})
        self.assertGreater(most, BOUNDED)

        mark = self.process.mark()
        self.process.configure(limits={"concurrency": "auto"})
        self.process.wait_for_line("the changed configuration is applied", since=mark)
        load, _ = self.load(FEW, 40)
        self.assertEqual(set(load.statuses), {200})

        last: list[Load] = []

        def is_bounded() -> bool:
            load, most = self.load(MANY, 80)
            last[:] = [load]
            return most <= BOUNDED

        wait_until(is_bounded, "a bound of what is in progress")
        refusal = last[0].refusal
        self.assertEqual(set(last[0].statuses), {200, 503})
        self.assertIn(b"Retry-After: 1", refusal)
        self.assertIn(b"as many requests in progress as it answers in time", refusal)
        self.assertIn(b"overloaded", refusal)
        self.assertGreater(self.refusals() or 0, 0)

        load, _ = self.load(FEW, 40)
        self.assertEqual(set(load.statuses), {200})
