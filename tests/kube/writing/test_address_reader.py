"""
Tests for `ingress.kube.writing.address_reader`.
"""

from __future__ import annotations

import json
from random import Random
from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from ingress.config import StatusAddresses
from ingress.kube.api.errors import APIError, APIUnreachable
from ingress.kube.ingress_status import Addresses
from ingress.kube.writing.address_reader import (
    NODE_PERIOD,
    PENDING_PERIOD,
    READ_PERIOD,
    REQUEST_TIMEOUT,
    AddressReader,
)
from ingress.kube.writing.addresses import listed_addresses
from tests.support.log_lines import LogLines
from tests.support.recorded import exchange
from tests.support.scripted_api import ScriptedAPI

SERVICES = "/api/v1/namespaces/ingress/services"
SLICES = "/apis/discovery.k8s.io/v1/namespaces/ingress/endpointslices"
NODE = "/api/v1/nodes/"
LONGER = 1.1
"""The longest of a period, with its jitter."""


def balanced(*texts: str) -> dict[str, Any]:
    """The Service, alone in its list."""
    status = {"loadBalancer": {"ingress": [{"ip": text} for text in texts]}}
    return {"items": [{"spec": {"type": "LoadBalancer"}, "status": status}]}


def endpoint(pod: str, node: str = "", *, is_ready: bool = True) -> dict[str, Any]:
    target = {"kind": "Pod", "name": pod}
    return {"nodeName": node, "conditions": {"ready": is_ready}, "targetRef": target}


def slices(*endpoints: dict[str, Any]) -> dict[str, Any]:
    return {"items": [{"endpoints": list(endpoints)}]}


def node(external: str) -> dict[str, Any]:
    return {"status": {"addresses": [{"type": "ExternalIP", "address": external}]}}


class ReaderTestCase(SynchronousTestCase):
    """A reader whose requests the test answers."""

    def setUp(self) -> None:
        self.clock = Clock()
        self.api = ScriptedAPI()
        self.lines = LogLines(self, "ingress.kube.writing.address_reader.AddressReader")
        self.seen: list[Addresses] = []

    def use(self, settings: StatusAddresses, **environment: str) -> None:
        self.reader = AddressReader(
            self.api, settings, environment, clock=self.clock, random=Random(1)
        )
        self.reader.changed = lambda: self.seen.append(self.reader.addresses)
        self.reader.start()

    def assertSeen(self, *expected: str) -> None:
        """Assert the current addresses, and that a change was reported."""
        self.assertEqual(self.reader.addresses, listed_addresses(expected))
        self.assertEqual(self.seen[-1:], [self.reader.addresses])


class ListTests(ReaderTestCase):
    """Addresses that are listed need not be read."""

    def test_list(self) -> None:
        """They are there from the start, and nothing is asked."""
        self.use(StatusAddresses(addresses=("192.0.2.1",)))
        self.assertEqual(self.reader.addresses, listed_addresses(["192.0.2.1"]))
        self.assertEqual((self.api.asked, self.clock.getDelayedCalls()), ([], []))
        self.reader.stop()


class ServiceTests(ReaderTestCase):
    """The addresses of a Service are read again and again."""

    def setUp(self) -> None:
        super().setUp()
        self.use(StatusAddresses(service=("ingress", "front")))

    def test_read(self) -> None:
        """Addresses are reported when they are first read, and when they change."""
        asked = self.api.take("GET", SERVICES)
        self.assertEqual(asked.query, {"fieldSelector": "metadata.name=front"})
        asked.answer(balanced("192.0.2.1"))
        self.assertSeen("192.0.2.1")
        for texts in (("192.0.2.1",), ("192.0.2.2", "192.0.2.1")):
            self.clock.advance(READ_PERIOD * LONGER)
            self.api.take("GET", SERVICES).answer(balanced(*texts))
        self.assertSeen("192.0.2.1", "192.0.2.2")
        self.assertEqual(len(self.seen), 2)
        self.assertEqual(self.lines.take(), [])

    def test_recorded(self) -> None:
        """A Service of a real cluster is understood."""
        raw = exchange("list", "list services").answer
        items = json.loads(raw)["items"]
        self.api.take("GET", SERVICES).answer({"items": items[:1]})
        self.assertSeen(items[0]["spec"]["clusterIP"])

    def test_pending(self) -> None:
        """While there is no address, reads are frequent, and logged once."""
        for _ in range(5):
            self.api.take("GET", SERVICES).answer(balanced())
            self.clock.advance(PENDING_PERIOD * LONGER)
        (line,) = self.lines.take()
        self.assertIn("the Service ingress/front (LoadBalancer) has no address yet", line)
        self.api.take("GET", SERVICES).answer(balanced("192.0.2.1"))
        self.assertSeen("192.0.2.1")

    def test_lost(self) -> None:
        """Addresses that cannot be read any more stay."""
        self.api.take("GET", SERVICES).answer(balanced("192.0.2.1"))
        self.clock.advance(READ_PERIOD * LONGER)
        self.api.take("GET", SERVICES).answer({"items": []})
        self.clock.advance(PENDING_PERIOD * LONGER)
        self.api.take("GET", SERVICES).answered.errback(APIUnreachable("connection refused"))
        self.clock.advance(PENDING_PERIOD * LONGER)
        self.api.take("GET", SERVICES).answer(balanced())
        self.clock.advance(PENDING_PERIOD * LONGER)
        self.clock.advance(REQUEST_TIMEOUT)
        self.assertEqual(len(self.lines.take()), 4)
        self.assertSeen("192.0.2.1")
        self.assertEqual(len(self.seen), 1)

    def test_stop(self) -> None:
        """A stopped reader asks nothing, and keeps its addresses."""
        self.api.take("GET", SERVICES).answer(balanced("192.0.2.1"))
        self.clock.advance(READ_PERIOD * LONGER)
        self.reader.stop()
        self.reader.stop()
        self.assertEqual((self.api.asked, self.clock.getDelayedCalls()), ([], []))
        self.assertSeen("192.0.2.1")


class NodeTests(ReaderTestCase):
    """The addresses of nodes are those of the nodes that replicas run on."""

    def test_replicas(self) -> None:
        """The EndpointSlices of the Service name the nodes; each is read now and then only."""
        self.use(StatusAddresses(service=("ingress", "front"), nodes="external"), NODE_NAME="n1")
        asked = self.api.take("GET", SLICES)
        self.assertEqual(asked.query, {"labelSelector": "kubernetes.io/service-name=front"})
        asked.answer(slices(endpoint("a", "n1"), endpoint("b", "n2")))
        self.api.take("GET", NODE + "n1").answer(node("192.0.2.1"))
        self.api.take("GET", NODE + "n2").answer(node("192.0.2.2"))
        self.assertSeen("192.0.2.1", "192.0.2.2")
        self.clock.advance(READ_PERIOD * LONGER)
        self.api.take("GET", SLICES).answer(slices(endpoint("b", "n2"), endpoint("c", "n3")))
        self.api.take("GET", NODE + "n3").answer(node("192.0.2.3"))
        self.assertSeen("192.0.2.2", "192.0.2.3")
        self.clock.advance(NODE_PERIOD)
        self.api.take("GET", SLICES).answer(slices(endpoint("c", "n3")))
        self.api.take("GET", NODE + "n3").answer(node("192.0.2.4"))
        self.assertSeen("192.0.2.4")

    def test_node_gone(self) -> None:
        """A node that is gone has no address; any other error is tried again."""
        self.use(StatusAddresses(service=("ingress", "front"), nodes="external"))
        self.api.take("GET", SLICES).answer(slices(endpoint("a", "n1"), endpoint("b", "n2")))
        self.api.take("GET", NODE + "n1").refuse(404, "NotFound")
        self.api.take("GET", NODE + "n2").answer(node("192.0.2.2"))
        self.assertSeen("192.0.2.2")
        self.clock.advance(READ_PERIOD * LONGER)
        self.api.take("GET", SLICES).answer(slices(endpoint("a", "n1")))
        self.api.take("GET", NODE + "n1").refuse(500, "InternalError")
        self.assertSeen("192.0.2.2")
        self.assertIn("500 InternalError", self.lines.take()[0])

    def test_own_node(self) -> None:
        """Without a Service, or endpoints that name a node, it is the one that we run on."""
        self.use(StatusAddresses(nodes="internal"), NODE_NAME="n1")
        self.api.take("GET", NODE + "n1").answer(exchange_node())
        self.assertSeen("10.244.0.1")
        self.reader.stop()
        self.use(StatusAddresses(service=("ingress", "front"), nodes="internal"), NODE_NAME="n1")
        self.api.take("GET", SLICES).answer(slices())
        self.api.take("GET", NODE + "n1").answer(exchange_node())
        self.assertSeen("10.244.0.1")

    def test_no_node(self) -> None:
        """It is logged that no node is known."""
        self.use(StatusAddresses(nodes="internal"))
        self.assertIn("NODE_NAME", self.lines.take()[0])
        self.reader.stop()
        self.use(StatusAddresses(nodes="internal"), NODE_NAME="n1")
        self.api.take("GET", NODE + "n1").answer({"status": {}})
        self.assertIn("none of the nodes has an address: n1", self.lines.take()[0])


def exchange_node() -> Any:
    """A Node of a real cluster."""
    return json.loads(exchange("more", "list nodes").answer)["items"][0]


class OtherReplicaTests(ReaderTestCase):
    """Before the end one may ask whether another replica is left."""

    def ask(self) -> Deferred[bool]:
        return Deferred.fromCoroutine(self.reader.has_other_replica())

    def test_asked(self) -> None:
        """The EndpointSlices of the Service tell, as they are then."""
        self.use(StatusAddresses(service=("ingress", "front")), POD_NAME="a")
        for is_ready in (True, False):
            answer = self.ask()
            self.api.take("GET", SLICES).answer(
                slices(endpoint("a"), endpoint("b", is_ready=is_ready))
            )
            self.assertIs(self.successResultOf(answer), is_ready)

    def test_no_service(self) -> None:
        """Without a Service there is no other replica."""
        self.use(StatusAddresses(addresses=("192.0.2.1",)))
        self.assertIs(self.successResultOf(self.ask()), False)

    def test_refused(self) -> None:
        """An error is passed on."""
        self.use(StatusAddresses(service=("ingress", "front")))
        answer = self.ask()
        self.api.take("GET", SLICES).refuse(403, "Forbidden")
        self.failureResultOf(answer, APIError)
