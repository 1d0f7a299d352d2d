"""
A real API server that restarts, is killed, and has forgotten: what is served goes on being served.
"""

from __future__ import annotations

import signal
from pathlib import Path

from tests.real_cluster.case import (
    NAMESPACE,
    RealClusterTestCase,
    manual_slice,
    refusal,
    web_ingress,
)
from tests.support.manifest import service_manifest
from tests.support.process import wait_until
from tests.support.traffic import Traffic

A, B = "10.244.1.10", "10.244.1.11"


class OutageTests(RealClusterTestCase):
    """The API server and the requests of clients have nothing to do with each other."""

    @classmethod
    def prepare(cls, folder: Path) -> None:
        cls.install(folder)
        for name, address in (("a", A), ("b", B)):
            cls.answer(name, address)

    def setUp(self) -> None:
        super().setUp()
        self.apply(
            *(web_ingress(), web_ingress("old", "old.example")),
            *(service_manifest("web"), manual_slice("web", [A])),
        )
        self.wait_for_answer("a")
        self.wait_for_answer("a", "old.example")

    def ready(self) -> tuple[int, str]:
        """Status and reasons of its readiness."""
        reply = self.process.get("/readyz", listener="admin")
        return reply.status, reply.text

    def restart(self) -> None:
        """Kill the API server, and start it again."""
        self.cluster.stop(is_sudden=True)
        self.cluster.start()

    def test_restart(self) -> None:
        """The server restarts, first in good order and then suddenly; changes arrive."""
        with Traffic(self.process.connect, "a.example") as traffic:
            for is_sudden, name, address in ((False, "b", B), (True, "a", A)):
                self.cluster.stop(is_sudden=is_sudden)
                self.cluster.start()
                self.apply(manual_slice("web", [address]))
                traffic.wait_for(name)
        self.assertEqual(traffic.failed, [])

    def test_outage(self) -> None:
        """While there is none, the replica says so, stays ready and serves what it knows."""
        with Traffic(self.process.connect, "a.example") as traffic:
            self.cluster.stop()
            wait_until(lambda: "last heard" in self.ready()[1], "the outage to be told")
            self.assertEqual(self.ready()[0], 200)
            self.cluster.start()
            wait_until(lambda: "last heard" not in self.ready()[1], "the outage to be over")
            traffic.wait_for("a")
        self.assertEqual(traffic.failed, [])

    def test_without_etcd(self) -> None:
        """While the API server has lost its etcd nothing happens to clients; then changes arrive."""
        wait_until(lambda: self.holder() != "", "a leader")
        with Traffic(self.process.connect, "a.example") as traffic:
            self.cluster.stop_etcd()
            try:
                # Longer than a Lease lasts, so that the leader cannot have kept it.
                self.process.wait_for_line(r"[Ll]ease", since=self.mark)
            finally:
                self.cluster.start_etcd()
            wait_until(
                lambda: not refusal(lambda: self.apply(manual_slice("web", [B]))),
                "etcd to be there",
            )
            traffic.wait_for("b")
            wait_until(lambda: self.holder() == "txingress-0", "it to lead again")
        self.assertEqual(traffic.failed, [])
        self.assertEqual(self.ready()[0], 200)

    def test_forgotten(self) -> None:
        """
        What happened while the replica did not look, and nobody remembers, is found by a list:
        the watches that it wants to continue are too old (410).
        """
        self.process.signal(signal.SIGSTOP)
        try:
            # Its connections end before anything is sent on them.
            self.restart()
            self.kubectl.run("delete", "ingress", "old")
            self.apply(manual_slice("web", [B]))
            self.cluster.compact()
            self.restart()
            before = len(self.cluster.audit.asked(self.user()))
        finally:
            self.process.signal(signal.SIGCONT)
        self.wait_for_answer("b")
        self.wait_for_status(404, "old.example")
        asked = self.cluster.audit.asked(self.user())[before:]
        self.assertIn("list", {each.verb for each in asked if each.resource == "ingresses"})

    def test_late(self) -> None:
        """A replica that starts without a server waits for one, and accepts nothing before."""
        replica = self.make_replica("txingress-late")
        self.addCleanup(replica.stop)
        self.cluster.stop()
        try:
            replica.spawn()
            replica.wait_for_line(r" cannot be read: https://")
            self.assertEqual(replica.get("/readyz", listener="admin").status, 503)
            self.assertNotIn("listen.http", replica.log)
        finally:
            self.cluster.start()
        replica.wait_for_line(r"listen\.https on ")
        self.assertEqual(replica.get().echo["name"], "a")

    def test_account(self) -> None:
        """
        The account is deleted and made again, as by a release that is installed anew: its token
        holds no more, nothing that is served changes, and the new token is taken.
        """
        namespace, name = self.account()
        account = self.release.get("ServiceAccount", name)
        self.kubectl.run("delete", "serviceaccount", name, "--namespace", namespace)
        wait_until(
            lambda: "API002" in self.process.log or "401" in self.process.log, "it to be told"
        )
        self.wait_for_answer("a")
        self.apply(account, namespace=NAMESPACE)
        self.process.renew_token()
        self.apply(manual_slice("web", [B]))
        self.wait_for_answer("b")
