"""
Two replicas with a real API server: one leads, by the Lease, and writes; each right is needed.
"""

from __future__ import annotations

import signal
from pathlib import Path
from typing import ClassVar

from tests.real_cluster.case import (
    BALANCER,
    RealClusterTestCase,
    Replica,
    manual_slice,
    of_class,
    web_ingress,
)
from tests.support.certs import CertificateAuthority
from tests.support.manifest import ingress_manifest, secret_manifest, service_manifest
from tests.support.process import wait_until
from tests.support.traffic import Traffic

A = "10.244.1.10"


class ReplicaTests(RealClusterTestCase):
    first: ClassVar[Replica]

    @classmethod
    def prepare(cls, folder: Path) -> None:
        cls.install(folder, {"controller": {"config": {"hsts": "false"}}}, is_served=False)
        cls.give_address()
        cls.answer("a", A)
        cls.first = cls.process
        cls.first.start()
        wait_until(lambda: cls.holder() == "txingress-0", "the first to lead")
        cls.process = cls.make_replica("txingress-1")
        cls.process.start()

    def test_life(self) -> None:
        """
        Both serve; when the one that writes is killed, the other one does. What it wrote goes
        when it has no meaning any more. All rights were needed.
        """
        certificate = CertificateAuthority().issue("b.example")
        self.apply(
            web_ingress(),
            web_ingress("secure", "b.example", tls={"tls": ["b.example"]}),
            of_class(ingress_manifest("broken", "c.example", {"/": "none"})),
            *(service_manifest("web"), manual_slice("web", [A])),
            secret_manifest("tls", certificate),
        )
        for name in ("web", "secure", "broken"):
            self.wait_for_addresses(name, {"ip": BALANCER})
        wait_until(lambda: "BackendProblem" in self.events("broken"), "the problem to be told")
        self.wait_for_answer("a")
        with Traffic(self.process.connect, "a.example") as traffic:
            self.first.signal(signal.SIGKILL)
            wait_until(lambda: self.holder() == "txingress-1", "the second to lead")
            self.apply(web_ingress("new", "d.example"))
            self.wait_for_addresses("new", {"ip": BALANCER})
            wait_until(lambda: self.count("broken") >= 2, "the problem to be told again")
        self.assertEqual(traffic.failed, [])
        self.check_moved()
        self.check_given_back()
        self.assertEqual(self.unused_rights(), [])

    def count(self, name: str) -> int:
        """How often the Event about an Ingress has been told."""
        words = ("--field-selector", f"regarding.name={name},reason=BackendProblem")
        found = self.kubectl.get("events.events.k8s.io", *words)["items"]
        return max((each.get("series", {}).get("count", 1) for each in found), default=0)

    def check_moved(self) -> None:
        """The address of the Service changes, is missing for a while, and is there again."""
        self.give_address("192.0.2.11")
        self.wait_for_addresses("web", {"ip": "192.0.2.11"})
        self.kubectl.run("patch", "ingress", "secure", "-p", '{"spec": {"ingressClassName": "x"}}')
        self.wait_for_addresses("secure")

    def check_given_back(self) -> None:
        """A replica that ends gives the Lease back, so that the next one leads at once."""
        second = self.process
        third = self.make_replica("txingress-2")
        third.start()
        type(self).process = third
        second.stop()
        wait_until(lambda: self.holder() == "txingress-2", "the third to lead", patience=10.0)
        self.assertEqual(self.addresses("web"), [{"ip": "192.0.2.11"}])
