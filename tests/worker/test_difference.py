"""
Tests for `ingress.worker.difference`, `ingress.worker.piece` and `ingress.worker.replica`.
"""

from __future__ import annotations

from dataclasses import fields, replace
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from ingress.client_session import ClientTrust
from ingress.config import Config, ConfiguredPolicy
from ingress.endpoint import Endpoint, Upstream, UpstreamKey
from ingress.kube.objects import KubeObject
from ingress.policy.guard import GuardedPolicy
from ingress.routing.build import build
from ingress.routing.build.pattern_list import PatternList
from ingress.routing.build.tree import ResourceTree
from ingress.routing.condition import FieldCondition
from ingress.routing.match import find_route
from ingress.routing.path_pattern import PathForm, PathPattern
from ingress.routing.route import Route
from ingress.routing.snapshot import Snapshot, VirtualHost
from ingress.steps import finish
from ingress.worker.difference import Difference, find_pieces
from ingress.worker.replica import Replica
from tests.support.objects import FILES, NOW, built, ingress, objects, served
from tests.support.own_policies import Stamp
from tests.test_golden import FIXTURES, read_case

WEB = UpstreamKey("default", "web", "80")


def messages(difference: Difference) -> list[bytes]:
    """All of them."""
    found: list[bytes] = []
    while (message := difference.message(len(found))) is not None:
        found.append(message)
    return found


class ReplicaTestCase(SynchronousTestCase):
    """A replica, and the Snapshot that it was told last."""

    def setUp(self) -> None:
        self.replica = Replica()
        self.told: Snapshot | None = None
        self.replaced: list[object] = []

    def tell(self, snapshot: Snapshot) -> Snapshot:
        """:return: what the replica makes of it."""
        for message in messages(Difference(self.told, snapshot)):
            self.replica.take(message)
        self.told = snapshot
        copy, self.replaced = self.replica.finish()
        return copy


class EqualityTests(ReplicaTestCase):
    """What is put together again is what was taken apart."""

    maxDiff = None

    def test_own_policies(self) -> None:
        """Policies of one's own come over with their options, and so does a change of them."""
        for value in ("x", "y"):
            stamp = ConfiguredPolicy("stamp", GuardedPolicy.around("stamp", Stamp(value)), True)
            config = replace(FILES, policies=(stamp,))
            web = ingress("a.example", {"/": "web:80"})
            snapshot = built(web, served("web"), config=config).snapshot
            copy = self.tell(snapshot)
            self.assertEqual(copy, snapshot)
            route = find_route(copy, b"a.example", b"/")
            assert route is not None
            self.assertEqual(route.policies, (stamp.policy,))

    def test_golden(self) -> None:
        """Every golden case comes over whole, from nothing and after any other case."""
        for path in sorted(FIXTURES.glob("*/*.yaml")):
            config, items, _ = read_case(path)
            snapshot = build(objects(items), config, now=NOW).snapshot
            self.assertEqual(self.tell(snapshot), snapshot, path)
            self.replica, self.told = Replica(), None
            self.assertEqual(self.tell(snapshot), snapshot, path)

    def test_order(self) -> None:
        """Rules of equal rank keep their order."""
        paths = {f"~/{number}": "web:80" for number in range(200)}
        snapshot = built(ingress("a.example", paths), *served("web")).snapshot
        copy = self.tell(snapshot).hosts[b"a.example"]
        self.assertEqual(
            [route.path for route in copy.routes()],
            [route.path for route in snapshot.hosts[b"a.example"].routes()],
        )

    def test_deep(self) -> None:
        """A path may have more segments than anything that recurses could follow."""
        deep = "/a" * 4000
        snapshot = built(ingress("a.example", {deep: "web:80", "/": "web:80"})).snapshot
        copy = self.tell(snapshot)
        found = copy.hosts[b"a.example"].route(deep.encode())
        assert found is not None
        self.assertEqual(found.path, deep)
        above = copy.hosts[b"a.example"].route(deep[:-2].encode())
        assert above is not None
        self.assertEqual(above.path, "/")

    def test_patterns_and_conditions(self) -> None:
        """Ordered lists of patterns come over in their order, rules with conditions as well."""
        conditions = (FieldCondition(b"x-version", b"new"),)
        plain, new = (
            Route(("default", "web"), WEB),
            Route(("default", "new"), WEB, conditions=conditions),
        )
        patterns, tree = PatternList(), ResourceTree()
        for number in range(200):
            text = f"/{number:03}[a-z]".encode()
            pattern = PathPattern(PathForm.REGULAR_EXPRESSION, text)
            patterns.add(b"", replace(new if number % 2 else plain, pattern=pattern))
            tree.add(b"/%d" % number, replace(new, path_type="Prefix"))
        tree.add(b"/", plain)
        snapshot = Snapshot(
            Config(),
            hosts={
                b"a.example": finish(patterns.freeze("a.example", plain)),
                b"b.example": finish(tree.freeze("b.example", None)),
            },
        )
        self.assertEqual(self.tell(snapshot), snapshot)
        after = replace(snapshot, hosts={b"b.example": snapshot.hosts[b"b.example"]})
        self.assertEqual(self.tell(after), after)
        self.assertFalse(after.hosts[b"b.example"].is_plain)

    def test_many_endpoints(self) -> None:
        """Endpoints come over in their order, lingering ones apart."""
        every = tuple(Endpoint(f"10.0.{n >> 8}.{n & 255}", 80) for n in range(2500))
        upstream = Upstream(WEB, every[:1200], every[1200:])
        by_service = WEB._replace(is_by_service=True)
        address = Upstream(by_service, every[:1])
        snapshot = Snapshot(Config(), upstreams={WEB: upstream, by_service: address})
        self.assertEqual(self.tell(snapshot), snapshot)

    def test_conditions(self) -> None:
        """Whatever else is known of an Upstream comes over, each on its own."""
        known = [each.name for each in fields(Upstream) if isinstance(each.default, bool)]
        self.assertIn("speaks_http2", known)
        upstreams = {}
        for name in known:
            key = UpstreamKey("default", name, "80")
            condition: dict[str, Any] = {name: True}
            upstreams[key] = Upstream(key, **condition)
        snapshot = Snapshot(Config(), upstreams=upstreams)
        self.assertEqual(self.tell(snapshot), snapshot)

    @given(st.data())
    @settings(deadline=None, max_examples=30)
    def test_any_changes(self, data: st.DataObject) -> None:
        """After any changes one after the other it is the same as from nothing."""
        self.setUp()
        hosts = ("a.example", "b.example", "*.example", "")
        built_before = None
        for _ in range(data.draw(st.integers(1, 4))):
            chosen = data.draw(st.lists(st.sampled_from(hosts), unique=True))
            items: list[KubeObject] = [
                ingress(
                    host,
                    {data.draw(st.sampled_from(("/", "/x", "~/y", "=/z"))): "web:80"},
                    name=f"i{number}",
                )
                for number, host in enumerate(chosen)
            ]
            if data.draw(st.booleans()):
                items += served("web")
            built_before = built(*items, previous=built_before)
            self.assertEqual(self.tell(built_before.snapshot), built_before.snapshot)


class IdentityTests(ReplicaTestCase):
    """What did not change is the same object, because the data plane tells changes by that."""

    def setUp(self) -> None:
        super().setUp()
        self.before = built(ingress("a.example", {"/": "web:80"}), *served("web")).snapshot
        self.copy = self.tell(self.before)

    def test_nothing(self) -> None:
        """Where nothing changed there is nothing to tell, and the Snapshot stays."""
        self.assertEqual(messages(Difference(self.before, self.before)), [])
        self.assertIs(self.tell(self.before), self.copy)

    def test_one_entry(self) -> None:
        """With one host more, every other thing is the one that was there."""
        added = VirtualHost("b.example", client_trust=ClientTrust(b"x"))
        hosts = {**self.before.hosts, b"b.example": added}
        after = self.tell(replace(self.before, hosts=hosts))
        self.assertEqual(set(after.hosts), {b"a.example", b"b.example"})
        self.assertEqual(after.hosts[b"b.example"], added)
        self.assertIs(after.hosts[b"a.example"], self.copy.hosts[b"a.example"])
        for name in ("config", "upstreams", "certificates", "wildcard_hosts"):
            self.assertIs(getattr(after, name), getattr(self.copy, name), name)
        # Whoever serves from it has it as it was.
        self.assertEqual(set(self.copy.hosts), {b"a.example"})

    def test_gone(self) -> None:
        """What is gone is gone, and handed back to be freed in slices."""
        old = self.copy.hosts[b"a.example"]
        after = self.tell(replace(self.before, hosts={}))
        self.assertEqual(after.hosts, {})
        self.assertTrue(any(one is old for one in self.replaced))

    def test_configuration(self) -> None:
        """Another configuration alone changes nothing else."""
        after = self.tell(replace(self.before, config=Config(snippets="ignore")))
        self.assertEqual(after.config.snippets, "ignore")
        self.assertIs(after.hosts, self.copy.hosts)


class SizeTests(ReplicaTestCase):
    """No message takes long, whatever the Snapshot looks like."""

    def test_many_hosts(self) -> None:
        """Many hosts come in many messages."""
        hosts = {f"h{number}".encode(): VirtualHost(f"h{number}") for number in range(2000)}
        self.check(Snapshot(Config(), hosts=hosts), 5)

    def test_one_large_host(self) -> None:
        """One host with many rules does as well."""
        for form in ("/{}", "~/{}", "=/a/{}"):
            paths = {form.format(number): "web:80" for number in range(2000)}
            self.setUp()
            self.check(built(ingress("a.example", paths)).snapshot, 5)

    def test_one_large_service(self) -> None:
        """And one Service with many endpoints."""
        every = tuple(Endpoint("10.0.0.1", number) for number in range(20_000))
        self.check(Snapshot(Config(), upstreams={WEB: Upstream(WEB, every)}), 5)

    def check(self, snapshot: Snapshot, least: int) -> None:
        made = messages(Difference(None, snapshot))
        self.assertGreater(len(made), least)
        self.assertLess(max(map(len, made)), 100_000)
        self.assertEqual(self.tell(snapshot), snapshot)

    def test_one_change(self) -> None:
        """One change among many is one message."""
        hosts = {f"h{number}".encode(): VirtualHost(f"h{number}") for number in range(2000)}
        before = Snapshot(Config(), hosts=hosts)
        after = replace(before, hosts={**hosts, b"h7": VirtualHost("h7")})
        self.assertEqual(len(messages(Difference(before, after))), 1)
        self.assertEqual(len(list(find_pieces(before, after))), 2)


class DifferenceTests(SynchronousTestCase):
    """The same messages serve all workers."""

    def test_shared(self) -> None:
        """Who comes later gets the same messages as who came first."""
        hosts = {f"h{number}".encode(): VirtualHost(f"h{number}") for number in range(2000)}
        difference = Difference(None, Snapshot(Config(), hosts=hosts))
        first = difference.message(0)
        self.assertIs(difference.message(0), first)
        made = messages(difference)
        self.assertIs(made[0], first)
        self.assertIsNone(difference.message(len(made)))
