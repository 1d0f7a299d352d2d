"""Tests of `ingress.routing.build.endpoint_screen`: what a build does when addresses change."""

from __future__ import annotations

import msgspec
from twisted.trial.unittest import SynchronousTestCase

from ingress.config import Cluster, Config, StatusAddresses
from ingress.endpoint import Endpoint, UpstreamKey
from ingress.kube.objects import KubeObject, Service
from ingress.own_addresses import NO_ADDRESSES, OwnAddresses, pack_all
from ingress.routing.build import Built
from ingress.routing.build.endpoint_screen import (
    MAX_NAMED,
    EndpointScreen,
    RefusedEndpoint,
    describe_refused,
)
from tests.support.objects import built, endpoint_slice, ingress, service

LISTENS = OwnAddresses(pack_all([("0.0.0.0", 8080)]))
OWN = LISTENS.with_local(frozenset({b"\x0a\0\0\1"}))
SLICE = ("EndpointSlice", "default", "web-1")
KEY = UpstreamKey("default", "web", "80")


class ScreenTests(SynchronousTestCase):
    def test_refused(self) -> None:
        """What is refused is remembered once, with its owner and the reason."""
        screen = EndpointScreen(OWN)
        self.assertEqual((repr(screen), screen.reason), ("<EndpointScreen: 0 refused>", ""))
        self.assertTrue(screen.admits(SLICE, Endpoint("10.0.0.2", 8080)))
        for _ in range(2):
            self.assertFalse(screen.admits(SLICE, Endpoint("10.0.0.1", 8080)))
        (refused,) = screen.refused
        self.assertEqual(refused.owner, SLICE)
        self.assertEqual(screen.reason, "10.0.0.1:8080 is a listener of this proxy")

    def test_many(self) -> None:
        """Of many refused endpoints a few are named."""
        refused = [
            RefusedEndpoint(SLICE, Endpoint("10.0.0.1", port), "ours")
            for port in range(1001, 1003 + MAX_NAMED)
        ]
        self.assertTrue(describe_refused(refused[::-1]).startswith("10.0.0.1:1001 is ours; "))
        self.assertTrue(describe_refused(refused).endswith("10.0.0.1:1003 is ours; and 2 more"))


class BuildTests(SynchronousTestCase):
    """Builds one after another."""

    def setUp(self) -> None:
        self.slice = endpoint_slice("web", "10.0.0.1", "10.0.0.2")
        self.web = ingress("a.example", {"/": "web:80"})

    def endpoints(self, result: Built) -> list[str]:
        return [str(endpoint) for endpoint in result.snapshot.upstreams[KEY].endpoints]

    def test_new_address(self) -> None:
        """An address that becomes ours is refused in the next build, and used when it is not."""
        items = (self.web, service("web"), self.slice)
        first = built(*items, own=LISTENS)
        self.assertEqual(self.endpoints(first), ["10.0.0.1:8080", "10.0.0.2:8080"])
        self.assertEqual(first.problems, {})
        ours = built(*items, own=OWN, previous=first)
        self.assertEqual(self.endpoints(ours), ["10.0.0.2:8080"])
        self.assertEqual(list(ours.problems), [SLICE])
        same = built(*items, own=OWN, previous=ours)
        self.assertIs(same.snapshot, ours.snapshot)
        self.assertEqual(same.problems, ours.problems)
        again = built(*items, own=LISTENS, previous=ours)
        self.assertEqual(self.endpoints(again), ["10.0.0.1:8080", "10.0.0.2:8080"])
        self.assertEqual(again.problems, {})

    def test_owner_gone(self) -> None:
        """The Problem goes with the object, its rule, or its endpoint."""
        items = (self.web, service("web"), self.slice)
        before = built(*items, own=OWN)
        without = built(self.web, service("web"), own=OWN, previous=before)
        self.assertNotIn(SLICE, without.problems)
        unused = built(*items[1:], own=OWN, previous=before)
        self.assertEqual(unused.problems, {})
        sound = endpoint_slice("web", "10.0.0.2")
        changed = built(self.web, service("web"), sound, own=OWN, previous=before)
        self.assertEqual(changed.problems, {})

    def test_moved(self) -> None:
        """The Problem shows where the object is now."""
        before = built(self.web, service("web"), self.slice, own=OWN)
        moved = msgspec.structs.replace(self.slice, origin=type(self.slice.origin)("other.yaml", 7))
        after = built(self.web, service("web"), moved, own=OWN, previous=before)
        (problem,) = after.problems[SLICE]
        self.assertEqual(problem.origin.file, "other.yaml")

    def test_front(self) -> None:
        """An address that the Service in front gets is refused from then on."""
        config = Config(cluster=Cluster(status=StatusAddresses(("default", "front"))))
        web = ingress("a.example", {"/": "web:80"}, class_name="twisted")

        def build_with(front: Service, previous: Built | None = None) -> Built:
            items: tuple[KubeObject, ...] = (web, service("web"), self.slice, front)
            return built(*items, config=config, previous=previous, own=NO_ADDRESSES)

        front = service("front")
        first = build_with(front)
        self.assertEqual(len(self.endpoints(first)), 2)
        port = msgspec.structs.replace(front.spec.ports[0], port=8080)
        spec = msgspec.structs.replace(front.spec, ports=(port,), external_ips=("10.0.0.2",))
        second = build_with(msgspec.structs.replace(front, spec=spec), first)
        self.assertEqual(self.endpoints(second), ["10.0.0.1:8080"])
        self.assertEqual(self.endpoints(build_with(front, second)), self.endpoints(first))
