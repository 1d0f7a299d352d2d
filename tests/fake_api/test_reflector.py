"""
The real reflector, through the real client, knows what the fake has, whatever happens to it.
"""

from __future__ import annotations

from random import Random

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from ingress.kube.api.client import APIClient
from ingress.kube.api.credentials import FixedCredentials, Identity
from ingress.kube.api.server import Server
from ingress.kube.cluster.contact import Contact
from ingress.kube.cluster.mirror import Mirror
from ingress.kube.cluster.problem_book import ProblemBook
from ingress.kube.cluster.reflector import MAX_TIMEOUT, Access, Reflector
from ingress.kube.cluster.resource import SERVICES, Target
from ingress.kube.objects import Service
from ingress.kube.slices import Slices
from tests.kube.cluster.test_mirror import RecordingSink
from tests.support.fake_api import FakeAPI, Fault
from tests.support.fake_api.api import TOKEN
from tests.support.fake_api.kind import Document, find_kind
from tests.support.memory_connections import MemoryConnections

NAMES = ("a", "b", "c", "d")


def service(name: str, port: int) -> Document:
    spec = {"ports": [{"port": port}]}
    return {"apiVersion": "v1", "kind": "Service", "metadata": {"name": name}, "spec": spec}


class Scene:
    """A server and a reflector, on one clock."""

    def __init__(self) -> None:
        self.clock = Clock()
        self.api = FakeAPI(self.clock, Random(1))
        self.connections = MemoryConnections(self.clock, self.api.resource)
        client = APIClient(
            self.clock,
            Server("api.example", 6443),
            FixedCredentials(Identity(f"Bearer {TOKEN}".encode())),
            self.connections,
        )
        access = Access(client, self.clock, Random(1), Slices(self.clock, lambda: None))
        target = Target(SERVICES)
        self.contact = Contact(target, self.clock, lambda: None, access.liveness)
        self.mirror = Mirror(target.resource, RecordingSink(), ProblemBook(self.clock))
        self.reflector = Reflector(access, self.mirror, self.contact)
        self.reflector.start()
        self.advance(1)

    def advance(self, seconds: float) -> None:
        """Let time pass, with a turn of everybody each second."""
        passed = 0.0
        while passed <= seconds:
            self.connections.agent.flush()
            self.clock.pump([0, 0, 0])
            self.connections.agent.flush()
            self.clock.advance(1)
            passed += 1

    @property
    def known(self) -> dict[str, int]:
        """Ports by name, as the reflector has them."""
        found = {}
        for item in self.mirror:
            assert isinstance(item, Service)
            found[item.metadata.name] = item.spec.ports[0].port
        return found

    @property
    def present(self) -> dict[str, int]:
        """The same, as the server has them."""
        kind = find_kind("", "v1", "services")
        assert kind is not None
        return {
            name: document["spec"]["ports"][0]["port"]
            for (_, name), document in self.api.store.objects(kind.stored)
        }

    # What may happen.

    def put(self, name: str, port: int) -> None:
        self.api.put(service(name, port))

    def delete(self, name: str, _: int) -> None:
        if name in self.present:
            self.api.delete("v1", "Service", name)

    def forget(self, _: str, number: int) -> None:
        """Compact, mostly while no client is connected."""
        if number % 3:
            self.api.drop_watches()
        self.api.forget_history()

    def lose(self, _: str, number: int) -> None:
        self.api.lose_state()
        self.api.drop_watches()

    def end(self, _: str, number: int) -> None:
        self.api.drop_watches() if number % 2 else self.api.end_watches()

    def cut(self, _: str, number: int) -> None:
        self.api.disturbances.cuts = number % 3

    def split(self, _: str, number: int) -> None:
        self.api.disturbances.piece = number % 100 or None

    def fail(self, _: str, number: int) -> None:
        code = (401, 403, 404, 410, 429, 500, 503)[number % 7]
        verb = ("list", "watch", "")[number % 3]
        retry_after = number % 5 if code == 429 else None
        self.api.fail(Fault(code, 1 + number % 3, verb, retry_after=retry_after))

    def hang(self, _: str, number: int) -> None:
        self.api.disturbances.are_watches_silent = bool(number % 2)

    def wait(self, _: str, number: int) -> None:
        self.advance(number % 30)

    def bookmark(self, _: str, number: int) -> None:
        self.api.send_bookmarks()


HAPPENINGS = (
    *("put", "put", "put", "delete", "delete", "wait", "wait", "forget", "lose", "end"),
    *("cut", "split", "fail", "hang", "bookmark"),
)


class ReflectorTests(SynchronousTestCase):
    """Whatever happens."""

    def test_follows(self) -> None:
        """A change is known as soon as it is sent."""
        scene = Scene()
        self.assertTrue(scene.contact.has_synced)
        scene.put("a", 80)
        scene.connections.agent.flush()
        self.assertEqual(scene.known, {"a": 80})

    @settings(max_examples=40, deadline=None)
    @given(
        st.lists(
            st.tuples(st.sampled_from(HAPPENINGS), st.sampled_from(NAMES), st.integers(1, 400)),
            max_size=30,
        )
    )
    def test_whatever_happens(self, happenings: list[tuple[str, str, int]]) -> None:
        """When it is over the reflector knows what there is, and nothing else."""
        scene = Scene()
        for name, *arguments in happenings:
            getattr(scene, name)(*arguments)
            scene.connections.agent.flush()
        scene.api.disturbances.faults.clear()
        scene.api.disturbances.are_watches_silent = False
        scene.api.disturbances.cuts = 0
        # A watch that was silent for a while has missed something: that is found out when
        # it should have ended.
        scene.advance(MAX_TIMEOUT + 120)
        self.assertEqual(scene.known, scene.present)
        self.assertIsNone(scene.contact.error)
