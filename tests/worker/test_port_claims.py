"""Tests of `ingress.worker.port_claims`."""

from __future__ import annotations

from dataclasses import replace

from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from ingress.config import Config
from ingress.downstream.bound_socket import ListenError
from ingress.endpoint import UpstreamKey
from ingress.port_service import TCP, PortKey, PortService, PortSource
from ingress.routing.snapshot import Snapshot
from ingress.serving.port_failures import FIRST_RETRY, RETRY
from ingress.worker.port_claims import PortClaims


def service(port: int, interface: str = "") -> PortService:
    return PortService(PortKey(TCP, port), UpstreamKey("a", "b", "1"), PortSource(), interface)


def snapshot(*services: PortService) -> Snapshot:
    return Snapshot(Config(), ports={each.key: each for each in services})


class ClaimTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.clock = Clock()
        self.taken: set[int] = set()
        self.asked: list[int] = []
        self.published: list[Snapshot] = []
        self.claims = PortClaims(self.clock, self.published.append, self.claim)

    def claim(self, wanted: PortService) -> None:
        self.asked.append(wanted.key.port)
        if wanted.key.port in self.taken:
            raise ListenError("Address already in use")

    def ports(self) -> list[int]:
        return [key.port for key in self.published[-1].ports]

    def test_free(self) -> None:
        """Ports that are free are published as they are, and asked for once."""
        first = snapshot(service(1), service(2))
        self.claims.publish(first)
        self.assertIs(self.published[-1], first)
        second = replace(first, ports={**first.ports, PortKey(TCP, 3): service(3)})
        self.claims.publish(second)
        self.assertIs(self.published[-1], second)
        self.assertEqual(self.asked, [1, 2, 3])
        self.assertEqual(repr(self.claims), "<PortClaims: 3>")

    def test_taken(self) -> None:
        """A port that another process has is left out until it is free."""
        self.taken = {2}
        self.claims.publish(snapshot(service(1), service(2)))
        self.assertEqual(self.ports(), [1])
        before = self.published[-1].ports
        self.claims.publish(
            replace(self.published[-1], ports=snapshot(service(1), service(2)).ports)
        )
        self.assertIs(self.published[-1].ports, before)
        self.clock.advance(FIRST_RETRY)
        self.assertEqual(
            dict(self.claims.failures.current), {PortKey(TCP, 2): "Address already in use"}
        )
        count = len(self.published)
        self.clock.advance(RETRY)
        self.assertEqual(len(self.published), count)
        self.taken = set()
        self.clock.advance(RETRY)
        self.assertEqual(self.ports(), [1, 2])
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_gone(self) -> None:
        """A port that no Snapshot has any more is claimed again when it comes back."""
        self.claims.publish(snapshot(service(1)))
        self.claims.publish(snapshot())
        self.claims.publish(snapshot(service(1)))
        self.assertEqual(self.asked, [1, 1])

    def test_moved(self) -> None:
        """Another address is another port."""
        self.claims.publish(snapshot(service(1)))
        self.claims.publish(snapshot(service(1, "127.0.0.1")))
        self.assertEqual(self.asked, [1, 1])
        self.claims.stop()
