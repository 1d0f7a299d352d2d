"""
Tests for `ingress.kube.cluster.mirror`.
"""

from __future__ import annotations

import json
from typing import Any

import msgspec
from hypothesis import given
from hypothesis import strategies as st
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from ingress.kube.cluster.mirror import Mirror
from ingress.kube.cluster.problem_book import ProblemBook
from ingress.kube.cluster.resource import INGRESSES, SERVICES, Resource
from ingress.kube.cluster.wire import Head, decode_head
from ingress.kube.objects import KubeObject, ObjectKey, ObjectName
from ingress.kube.store import key_of
from ingress.steps import finish
from tests.support.hand_api import stored
from tests.support.manifest import Manifest, ingress_manifest, service_manifest


class RecordingSink:
    """Records the remaining objects, and the number of calls."""

    def __init__(self) -> None:
        self.objects: dict[ObjectKey, KubeObject] = {}
        self.calls = 0

    def put(self, item: KubeObject) -> None:
        self.calls += 1
        self.objects[key_of(item)] = item

    def delete(self, key: ObjectKey) -> None:
        self.calls += 1
        self.objects.pop(key, None)

    @property
    def names(self) -> list[str]:
        return sorted(name for _, _, name in self.objects)


class RecordingObserver:
    def __init__(self) -> None:
        self.events: list[str] = []

    def saw(self, text: msgspec.Raw) -> None:
        self.events.append(f"saw {json.loads(bytes(text))['metadata']['name']}")

    def lost(self, name: ObjectName) -> None:
        self.events.append(f"lost {name[1]}")


def raw(manifest: Manifest) -> msgspec.Raw:
    return msgspec.Raw(json.dumps(stored(manifest)).encode())


def broken(name: str) -> Manifest:
    """A Service of a shape that the API does not have."""
    return {**service_manifest(name), "spec": {"ports": "none"}}


class MirrorTestCase(SynchronousTestCase):
    resource: Resource = SERVICES

    def setUp(self) -> None:
        self.clock = Clock()
        self.sink = RecordingSink()
        self.book = ProblemBook(self.clock)
        self.wanted: set[str] | None = None
        self.observer = RecordingObserver()
        self.mirror = Mirror(self.resource, self.sink, self.book, self.is_wanted, self.observer)

    def is_wanted(self, name: ObjectName) -> bool:
        return self.wanted is None or name[1] in self.wanted

    def take_list(self, *pages: list[Manifest]) -> None:
        self.mirror.begin_list()
        for page in pages:
            finish(self.mirror.take_page([raw(item) for item in page]))
        finish(self.mirror.end_list())

    def event(self, change: str, manifest: Manifest) -> None:
        text = raw(manifest)
        head = decode_head(text)
        assert isinstance(head, Head)
        self.mirror.take_event(change, text, head)

    def problems(self) -> list[str]:
        self.clock.advance(0)
        return sorted(str(each) for those in self.book.current.values() for each in those)

    def item(self, name: str) -> Any:
        return self.sink.objects[self.resource.kind, "default", name]


class ListTests(MirrorTestCase):
    """The objects of a list."""

    def test_pages(self) -> None:
        """Nothing is there before the last page, then everything is."""
        self.mirror.begin_list()
        finish(self.mirror.take_page([raw(service_manifest("a"))]))
        self.assertEqual(self.sink.names, [])
        finish(self.mirror.take_page([raw(service_manifest("b"))]))
        finish(self.mirror.end_list())
        self.assertEqual(self.sink.names, ["a", "b"])

    def test_vanished(self) -> None:
        """An object that a second list lacks is gone; an unchanged one is the same object."""
        self.take_list([service_manifest("a"), service_manifest("b")])
        before, calls = self.item("a"), self.sink.calls
        self.take_list([service_manifest("a")])
        self.assertEqual(self.sink.names, ["a"])
        self.assertIs(self.item("a"), before)
        self.assertEqual(self.sink.calls, calls + 1)

    def test_begun_anew(self) -> None:
        """A list that is begun anew forgets the pages of the one before."""
        self.mirror.begin_list()
        page = self.mirror.take_page([raw(service_manifest(name)) for name in "ab"])
        next(page)
        self.take_list([service_manifest("c")])
        finish(page)
        self.assertEqual(self.sink.names, ["c"])

    def test_bad(self) -> None:
        """A bad object is a Problem, and its neighbours are served."""
        self.take_list([service_manifest("a"), broken("b"), service_manifest("c")])
        self.assertEqual(self.sink.names, ["a", "c"])
        self.assertEqual(len(self.problems()), 1)
        self.take_list([service_manifest("a")])
        self.assertEqual(self.problems(), [])

    def test_nameless(self) -> None:
        """One without a name is ignored, with a Problem."""
        self.take_list([{"kind": "Service", "metadata": {}}, service_manifest("a")])
        self.assertEqual(self.sink.names, ["a"])
        self.assertEqual(self.problems(), ["Service: an object without a name is ignored"])

    def test_unwanted(self) -> None:
        """An object that is not wanted is dropped unread."""
        self.wanted = {"a"}
        self.take_list([service_manifest("a"), broken("b")])
        self.assertEqual(self.sink.names, ["a"])
        self.assertEqual(self.problems(), [])
        self.assertEqual(self.observer.events, ["saw a"])

    def test_no_longer_wanted(self) -> None:
        """Nor what was wanted no more when the list ended."""
        self.mirror.begin_list()
        finish(self.mirror.take_page([raw(service_manifest("a"))]))
        self.wanted = set()
        finish(self.mirror.end_list())
        self.assertEqual(self.sink.names, [])


class EventTests(MirrorTestCase):
    """The events of a watch."""

    def test_changes(self) -> None:
        """Objects come, change and go."""
        self.event("ADDED", service_manifest("a"))
        before = self.item("a")
        self.event("MODIFIED", {**service_manifest("a"), "spec": {"ports": [{"port": 81}]}})
        self.assertNotEqual(self.item("a"), before)
        self.event("DELETED", service_manifest("a"))
        self.assertEqual(self.sink.names, [])
        self.assertEqual(self.observer.events, ["saw a", "saw a", "lost a"])

    def test_same(self) -> None:
        """An event about an object that is not wanted is no change."""
        self.event("ADDED", service_manifest("a"))
        self.event("MODIFIED", {**service_manifest("a"), "status": {"x": 1}})
        self.assertEqual(self.sink.calls, 1)
        self.assertEqual(self.observer.events, ["saw a", "saw a"])

    def test_unknown(self) -> None:
        """The deletion of an unknown object is no change."""
        self.event("DELETED", service_manifest("a"))
        self.assertEqual(self.sink.calls, 0)

    def test_turns_bad(self) -> None:
        """An object that turns bad keeps its last good version, until it is good or gone."""
        self.event("ADDED", service_manifest("a"))
        good = self.item("a")
        self.event("MODIFIED", broken("a"))
        self.assertIs(self.item("a"), good)
        self.assertEqual(len(self.problems()), 1)
        self.event("MODIFIED", service_manifest("a"))
        self.assertEqual(self.problems(), [])
        self.event("MODIFIED", broken("a"))
        self.event("DELETED", broken("a"))
        self.assertEqual((self.sink.names, self.problems()), ([], []))

    def test_unwanted(self) -> None:
        """An object that is not wanted stays dropped, whatever happens to it."""
        self.wanted = set()
        for change in ("ADDED", "MODIFIED", "DELETED"):
            self.event(change, broken("a"))
        self.assertEqual((self.sink.calls, self.problems()), (0, []))


class GuardTests(MirrorTestCase):
    """Ingresses with a fault whose annotations decide access."""

    resource = INGRESSES

    def faulty(self) -> Manifest:
        return ingress_manifest("a", "A.example", {"/": "web"}, annotations={"auth-url": "x"})

    def good(self) -> Manifest:
        return ingress_manifest("a", "a.example", {"/": "web"}, annotations={"auth-url": "x"})

    def test_remains(self) -> None:
        """The remains of an object that never was good guard its paths."""
        self.event("ADDED", self.faulty())
        self.assertTrue(self.item("a").only_guards)
        self.event("MODIFIED", self.good())
        self.assertFalse(self.item("a").only_guards)

    def test_last_good(self) -> None:
        """One that was good guards as it did."""
        self.event("ADDED", self.good())
        self.event("MODIFIED", self.faulty())
        self.assertFalse(self.item("a").only_guards)


class AdmittedTests(MirrorTestCase):
    """Objects that are read by name, beside the list and the watch."""

    def body(self, manifest: Manifest) -> bytes:
        return json.dumps(stored(manifest)).encode()

    def test_admitted(self) -> None:
        """It is there as if it had been listed."""
        self.mirror.expect(("default", "a"))
        self.mirror.admit(("default", "a"), self.body(service_manifest("a")))
        self.assertEqual(self.sink.names, ["a"])

    def test_missing(self) -> None:
        """A missing object is not added."""
        self.take_list([service_manifest("a")])
        self.mirror.expect(("default", "a"))
        self.mirror.admit(("default", "a"), None)
        self.assertEqual(self.sink.names, [])

    def test_overtaken(self) -> None:
        """An event that came meanwhile is newer."""
        self.mirror.expect(("default", "a"))
        self.event("ADDED", {**service_manifest("a"), "spec": {"ports": [{"port": 81}]}})
        self.mirror.admit(("default", "a"), self.body(service_manifest("a")))
        self.assertEqual(self.item("a").spec.ports[0].port, 81)
        self.mirror.expect(("default", "a"))
        self.event("DELETED", service_manifest("a"))
        self.mirror.admit(("default", "a"), self.body(service_manifest("a")))
        self.assertEqual(self.sink.names, [])

    def test_passed_by(self) -> None:
        """A list that had passed it by before anybody wanted it does not make it vanish."""
        self.wanted = set()
        self.mirror.begin_list()
        finish(self.mirror.take_page([raw(service_manifest("a"))]))
        self.wanted = {"a"}
        self.mirror.expect(("default", "a"))
        self.mirror.admit(("default", "a"), self.body(service_manifest("a")))
        finish(self.mirror.end_list())
        self.assertEqual(self.sink.names, ["a"])
        self.take_list([])
        self.assertEqual(self.sink.names, [])

    def test_newer_than_list(self) -> None:
        """It is newer than what a list that is under way has of it."""
        self.mirror.begin_list()
        finish(self.mirror.take_page([raw(service_manifest("a"))]))
        self.mirror.expect(("default", "a"))
        self.mirror.admit(("default", "a"), None)
        finish(self.mirror.end_list())
        self.assertEqual(self.sink.names, [])


names = st.sampled_from("abcdef")
services = st.builds(
    lambda name, port: {**service_manifest(name), "spec": {"ports": [{"port": port}]}},
    names,
    st.sampled_from((80, 81, 0)),
)
histories = st.lists(
    st.one_of(
        st.tuples(st.sampled_from(("ADDED", "MODIFIED", "DELETED")), services),
        st.tuples(
            st.just("LIST"), st.lists(services, unique_by=lambda each: str(each["metadata"]))
        ),
    ),
    max_size=20,
)


class HistoryTests(MirrorTestCase):
    """Whatever came before, it is the last word about an object that counts."""

    @given(histories)
    def test_any(self, history: list[tuple[str, Any]]) -> None:
        """After any lists and events, what is there is what was there last, as far as it is good."""
        self.setUp()
        there: dict[str, int] = {}
        good: dict[str, int] = {}
        for change, content in history:
            items = content if change == "LIST" else [content]
            found = {each["metadata"]["name"]: each["spec"]["ports"][0]["port"] for each in items}
            if change == "LIST":
                self.take_list(items)
                there = found
            elif change == "DELETED":
                self.event(change, content)
                for name in found:
                    there.pop(name, None)
            else:
                self.event(change, content)
                there |= found
            good = {name: port for name, port in good.items() if name in there}
            good |= {name: port for name, port in there.items() if port}
        self.assertEqual(
            {name: self.item(name).spec.ports[0].port for name in self.sink.names}, good
        )
        faulty = {name for name, port in there.items() if not port}
        self.assertEqual(len(self.problems()), len(faulty))
