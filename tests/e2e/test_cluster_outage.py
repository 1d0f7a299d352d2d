"""
Without an API server, and with one that has forgotten: what is served goes on being served.
"""

from __future__ import annotations

from tests.e2e.cluster_case import READY, ClusterTestCase, Replica, endpoint_slice, served_ingress
from tests.support.manifest import service_manifest
from tests.support.process import wait_until
from tests.support.traffic import Traffic


class OutageTests(ClusterTestCase):
    """The API server and the requests of clients have nothing to do with each other."""

    def setUp(self) -> None:
        super().setUp()
        self.api.put(
            served_ingress("web", "a.example"),
            served_ingress("old", "old.example"),
            service_manifest("web"),
            endpoint_slice("web", a=READY),
        )

    def ready(self, replica: Replica) -> tuple[int, str]:
        """Status and reasons of its readiness."""
        reply = replica.get("/readyz", listener="admin")
        return reply.status, reply.text

    def test_outages(self) -> None:
        """
        The server restarts, drops connections in the middle of events, forgets its history
        and is gone for a while: changes are served when they can be known, no request fails.
        """
        wait_until(lambda: self.process.get().status == 200, "the Ingress to be served")
        with Traffic(self.process.connect, "a.example") as traffic:
            traffic.wait_for("a")
            self.api.restart(loading=2.0)
            self.api.put(endpoint_slice("web", b=READY))
            traffic.wait_for("b")
            self.api.disturb(cuts=1, piece=7)
            self.api.put(endpoint_slice("web", a=READY))
            traffic.wait_for("a")
            self.api.stop()
            # Nobody will ever tell of this, except for a list that lacks it.
            self.api.delete("networking.k8s.io/v1", "Ingress", "old")
            self.api.put(endpoint_slice("web", b=READY))
            self.api.forget_history()
            wait_until(lambda: "last heard" in self.ready(self.process)[1], "the outage to be told")
            self.assertEqual(self.ready(self.process)[0], 200)
            self.assertEqual(self.process.get(host="old.example").status, 200)
            self.assertEqual(set(traffic.answers[-5:]), {"a"})
            self.api.start()
            traffic.wait_for("b")
            wait_until(
                lambda: self.process.get(host="old.example").status == 404, "what is gone to be so"
            )
            wait_until(
                lambda: "last heard" not in self.ready(self.process)[1], "the outage to be over"
            )
        self.assertEqual(traffic.failed, [])

    def test_late(self) -> None:
        """A replica that starts without a server waits for one, and accepts nothing before."""
        self.api.stop()
        replica = self.make_replica("txingress-late")
        self.addCleanup(replica.stop)
        replica.spawn()
        # Whichever kind is the first to find out.
        replica.wait_for_line(r" cannot be read: https://")
        self.assertEqual(self.ready(replica)[0], 503)
        self.assertNotIn("listen.http", replica.log)
        self.api.start()
        replica.wait_for_line(r"listen\.https on ")
        self.assertEqual(replica.get().echo["name"], "a")
