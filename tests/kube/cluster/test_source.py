"""
Tests for `ingress.kube.cluster.source`, on the fake API server.
"""

from __future__ import annotations

from base64 import b64decode
from dataclasses import replace
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from ingress.config import TLS
from ingress.kube.cluster.contact import MAX_SILENCE
from ingress.kube.cluster.ingress_gate import HOLD_TIMEOUT
from ingress.kube.cluster.reflector import MAX_REFUSED
from ingress.kube.cluster.scope_list import LOOKUPS_AT_ONCE
from tests.support.cluster_scene import (
    CONFIG,
    ClusterScene,
    class_manifest,
    in_namespaces,
    named,
    secret,
    served,
    slice_manifest,
    web,
)
from tests.support.fake_api import Fault, Rule
from tests.support.manifest import service_manifest

READ = ("list", "watch")
KINDS = (
    Rule(READ, ("networking.k8s.io",), ("ingresses", "ingressclasses")),
    Rule(READ, ("discovery.k8s.io",), ("endpointslices",)),
    Rule(READ, ("",), ("services",)),
    Rule(READ, ("",), ("configmaps",)),
)
SECRETS = Rule(READ, ("",), ("secrets",))


class SourceTestCase(SynchronousTestCase):
    def make(self, *args: Any) -> ClusterScene:
        scene = ClusterScene(*args)
        self.addCleanup(self.assert_stops, scene)
        return scene

    def assert_stops(self, scene: ClusterScene) -> None:
        scene.source.stop()
        scene.connections.agent.flush()
        scene.api.end_watches()
        scene.connections.agent.flush()
        self.assertEqual(scene.clock.getDelayedCalls(), [])


class StartTests(SourceTestCase):
    """The start."""

    def test_all(self) -> None:
        """It has started when all kinds are in the store."""
        scene = self.make()
        scene.put(*served(), class_manifest("twisted"))
        scene.start()
        self.successResultOf(scene.started)
        self.assertEqual(scene.names("ingresses"), ["default/web"])
        self.assertEqual(scene.names("ingress_classes"), ["twisted"])
        self.assertEqual(scene.names("services"), ["default/web"])
        self.assertEqual(scene.names("endpoint_slices"), ["default/web-1"])
        self.assertEqual(scene.problems, [])
        self.assertEqual(scene.source.contacts.notes(), [])

    def test_secrets(self) -> None:
        """Secrets that Ingresses name are there as well, by one list and no others."""
        scene = self.make()
        for name in "abc":
            scene.put(web(name, name), secret(name))
        scene.put(secret("other"))
        scene.start()
        self.successResultOf(scene.started)
        self.assertEqual(scene.names("secrets"), ["default/a", "default/b", "default/c"])
        self.assertEqual(scene.asked("secrets"), ["list /", "watch /"])

    def test_missing_secret(self) -> None:
        """A Secret that does not exist delays nothing."""
        scene = self.make()
        scene.put(web("a", "nowhere"))
        scene.start()
        self.successResultOf(scene.started)
        self.assertEqual(scene.names("ingresses"), ["default/a"])

    def test_default_certificate(self) -> None:
        """The Secret of the default certificate is there from the start."""
        scene = self.make(replace(CONFIG, tls=TLS(default=("x", "fallback"))))
        scene.put({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "x"}})
        scene.put(secret("fallback", namespace="x"), secret("other"))
        scene.start()
        self.successResultOf(scene.started)
        self.assertEqual(scene.names("secrets"), ["x/fallback"])

    def test_nothing(self) -> None:
        """An empty cluster counts as read, and no Secrets are asked for."""
        scene = self.make()
        scene.start()
        self.successResultOf(scene.started)
        self.assertEqual(scene.asked("secrets"), [])

    def test_waits(self) -> None:
        """As long as one kind is not read it has not started, and says why."""
        for resource in ("ingresses", "ingressclasses", "services", "endpointslices", "secrets"):
            scene = self.make()
            scene.put(*served("web", "a"), secret("a"), class_manifest("twisted"))
            scene.api.fail(Fault(500, None, resource=resource))
            scene.start()
            scene.turn(60)
            self.assertNoResult(scene.started)
            [note] = scene.source.contacts.notes()
            self.assertIn(f"{resource}", note)
            self.assertIn("has not been read yet (500 InternalError", note)
            [problem] = scene.problems
            self.assertIn("cannot be read: 500", problem)
            scene.api.disturbances.faults.clear()
            scene.turn(20)
            self.successResultOf(scene.started)
            self.assertEqual(scene.problems, [])

    def test_stopped(self) -> None:
        """One that is stopped while it starts is done with it."""
        scene = self.make()
        scene.api.fail(Fault(0, None))
        scene.start()
        scene.source.stop()
        self.successResultOf(scene.started)

    def test_statuses(self) -> None:
        """The observer sees the text of every Ingress."""
        scene = self.make()
        scene.put(web("a"), web("b", class_name="other"))
        scene.start()
        self.assertEqual(sorted(scene.statuses), [("default", "a"), ("default", "b")])
        scene.put({**web("a"), "status": {"loadBalancer": {"ingress": [{"ip": "192.0.2.1"}]}}})
        scene.api.delete("networking.k8s.io/v1", "Ingress", "b")
        generation = scene.store.generation
        scene.turn()
        known = scene.statuses.get(("default", "a"))
        assert known is not None
        self.assertEqual([each.ip for each in known.addresses], ["192.0.2.1"])
        self.assertIsNone(scene.statuses.get(("default", "b")))
        self.assertEqual(scene.store.generation, generation + 1)


class NamespaceTests(SourceTestCase):
    """Some namespaces only."""

    def make_namespaces(self, scene: ClusterScene, *names: str) -> None:
        for name in names:
            scene.put({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}})

    def test_some(self) -> None:
        """Only what is in them is read, with rights in them only."""
        rules = [replace(KINDS[0], resources=("ingressclasses",))]
        for namespace in ("a", "b"):
            rules += [replace(rule, namespace=namespace) for rule in (*KINDS, SECRETS)]
        scene = self.make(in_namespaces("a", "b"), *rules)
        self.make_namespaces(scene, "a", "b", "c")
        for namespace in ("a", "b", "c"):
            scene.put(named(web("web", "s"), namespace), secret("s", namespace=namespace))
        scene.start()
        self.successResultOf(scene.started)
        self.assertEqual(scene.names("ingresses"), ["a/web", "b/web"])
        self.assertEqual(scene.names("secrets"), ["a/s", "b/s"])
        self.assertEqual(scene.problems, [])

    def test_no_classes(self) -> None:
        """
        Without the right to read IngressClasses, the name of the class alone decides: that is
        said once, nothing else is wrong, and the server is asked for it now and then.
        """
        rules = [replace(rule, namespace="a") for rule in KINDS]
        scene = self.make(in_namespaces("a"), *rules)
        self.make_namespaces(scene, "a")
        scene.put(named(web(), "a"), class_manifest("twisted", "example.com/other"))
        scene.start()
        scene.turn(1)
        self.successResultOf(scene.started)
        self.assertEqual(scene.names("ingresses"), ["a/web"])
        scene.turn(10)
        [problem] = scene.problems
        self.assertIn(
            "may not list ingressclasses.networking.k8s.io, so the names of classes alone decide",
            problem,
        )
        scene.turn(3600)
        self.assertEqual(scene.source.contacts.notes(), [])
        self.assertNotIn("IngressClass", scene.source.contacts.staleness)
        self.assertLess(len(scene.asked("ingressclasses")), 40)
        scene.grant(*KINDS)
        scene.turn(MAX_REFUSED)
        self.assertEqual(scene.names("ingress_classes"), ["twisted"])
        self.assertEqual(scene.problems, [])

    def test_classes_refused_at_first(self) -> None:
        """With the right to read IngressClasses, a server that starts does not make us do without."""
        rules = [replace(rule, namespace="a") for rule in KINDS]
        for tenths in range(0, 40, 3):
            scene = self.make(in_namespaces("a"), *rules, KINDS[0])
            self.make_namespaces(scene, "a")
            scene.put(named(web(), "a"), class_manifest("twisted", "example.com/other"))
            scene.api.restart(tenths / 10)
            scene.start()
            while not scene.started.called:
                scene.turn(0.05)
            self.assertEqual(scene.names("ingress_classes"), ["twisted"], tenths)

    def test_default_elsewhere(self) -> None:
        """The default certificate may be in another one, and is read by its name."""
        config = replace(in_namespaces("a"), tls=TLS(default=("b", "s")))
        scene = self.make(config)
        self.make_namespaces(scene, "a", "b")
        scene.put(secret("s", namespace="b"), secret("t", namespace="b"))
        scene.start()
        self.successResultOf(scene.started)
        self.assertEqual(scene.names("secrets"), ["b/s"])
        self.assertEqual(scene.asked("secrets"), ["list b/s", "watch b/s"])


class ChangeTests(SourceTestCase):
    """Changes after the start."""

    def setUp(self) -> None:
        self.scene = self.make()
        self.scene.put(*served("web", "a"), secret("a"))
        self.scene.start()
        self.seen: list[tuple[list[str], list[str]]] = []
        self.scene.store.subscribe(self.see)

    def see(self) -> None:
        """Keep the Ingresses and Secrets of each moment."""
        self.seen.append((self.scene.names("ingresses"), self.scene.names("secrets")))

    def test_endpoints(self) -> None:
        """Endpoints change with the next turn."""
        self.scene.put(slice_manifest("web", "10.0.0.2", "10.0.0.3"))
        self.scene.turn()
        (item,) = self.scene.store.view().endpoint_slices.values()
        self.assertEqual(len(item.endpoints), 2)

    def test_new_ingress(self) -> None:
        """A new Ingress comes with its Secret, which is read by its name, and not before it."""
        self.scene.put(secret("b"))
        self.scene.turn()
        self.assertEqual(self.scene.names("secrets"), ["default/a"])
        self.scene.put(web("new", "b"))
        self.scene.turn()
        self.assertEqual(
            self.seen[-1], (["default/new", "default/web"], ["default/a", "default/b"])
        )
        self.assertTrue(all(len(moment[0]) == len(moment[1]) for moment in self.seen), self.seen)
        self.assertEqual(self.scene.asked("secrets")[2:], ["list default/b"])

    def test_other_secret(self) -> None:
        """An Ingress that names another Secret has one of both at any moment."""
        self.scene.put(secret("b"))
        self.scene.put(web("web", "b"))
        self.scene.turn()
        self.assertTrue(all(secrets for _, secrets in self.seen), self.seen)
        self.assertEqual(self.scene.names("secrets"), ["default/b"])

    def test_secret_changes(self) -> None:
        """A Secret that changes, goes and comes again is followed by the watch of all."""
        self.scene.put(secret("a", "eQ=="))
        self.scene.turn()
        (item,) = self.scene.store.view().secrets.values()
        self.assertEqual(item.data["tls.crt"], b"y")
        self.scene.api.delete("v1", "Secret", "a")
        self.scene.turn()
        self.assertEqual(self.scene.names("secrets"), [])
        self.scene.put(secret("a"))
        self.scene.turn()
        self.assertEqual(self.scene.names("secrets"), ["default/a"])
        self.assertEqual(self.scene.asked("secrets"), ["list /", "watch /"])

    def test_dropped(self) -> None:
        """A Secret that is no longer named is dropped."""
        self.scene.api.delete("networking.k8s.io/v1", "Ingress", "web")
        self.scene.turn()
        self.assertEqual(self.scene.names("secrets"), [])
        self.scene.put(secret("a", "eQ=="))
        self.scene.turn()
        self.assertEqual(self.scene.names("secrets"), [])

    def test_refused(self) -> None:
        """A Secret that the server cannot give at first is asked for again."""
        self.scene.put(secret("b"))
        self.scene.api.fail(Fault(500, 2, "list", "secrets"))
        self.scene.put(web("new", "b"))
        self.scene.turn()
        self.assertNotIn("default/new", self.scene.names("ingresses"))
        self.scene.turn(3)
        self.assertIn("default/new", self.scene.names("ingresses"))
        self.assertIn("default/b", self.scene.names("secrets"))

    def test_gone_while_looked_up(self) -> None:
        """A Secret that is no longer named before it was found is no longer looked up."""
        self.scene.api.fail(Fault(500, None, "list", "secrets"))
        self.scene.put(web("new", "b"))
        self.scene.turn()
        self.scene.api.delete("networking.k8s.io/v1", "Ingress", "new")
        self.scene.turn()
        count = len(self.scene.asked("secrets"))
        self.scene.turn(30)
        self.assertEqual(len(self.scene.asked("secrets")), count)

    def test_hangs(self) -> None:
        """An Ingress is not kept back for ever, and what was served is served meanwhile."""
        self.scene.api.fail(Fault(0, None, resource="secrets"))
        self.scene.put(web("web", "b"), web("new", "c"), web("plain"))
        self.scene.turn(HOLD_TIMEOUT - 1)
        self.assertEqual(self.scene.names("ingresses"), ["default/plain", "default/web"])
        self.assertEqual(self.scene.names("secrets"), ["default/a"])
        self.scene.turn(2)
        self.assertIn("default/new", self.scene.names("ingresses"))
        self.assertEqual(self.scene.names("secrets"), [])

    def test_gone_while_held(self) -> None:
        """One that is deleted while it is kept back never comes."""
        self.scene.api.fail(Fault(0, None, resource="secrets"))
        self.scene.put(web("new", "b"))
        self.scene.turn()
        self.scene.api.delete("networking.k8s.io/v1", "Ingress", "new")
        self.scene.turn(HOLD_TIMEOUT + 1)
        self.assertEqual(self.scene.names("ingresses"), ["default/web"])

    def test_many(self) -> None:
        """If very many Secrets become named together, none is read by its name."""
        for number in range(120):
            self.scene.put(secret(f"s{number}"))
        self.scene.put(class_manifest("twisted", "example.com/other"))
        self.scene.turn()
        for number in range(120):
            self.scene.put(web(f"w{number}", f"s{number}", class_name="twisted"))
        self.scene.turn()
        self.assertEqual(self.scene.names("secrets"), ["default/a"])
        self.scene.api.delete("networking.k8s.io/v1", "IngressClass", "twisted")
        self.scene.turn(5)
        self.assertEqual(len(self.scene.names("secrets")), 121)
        self.assertEqual(self.scene.names("ingress_classes"), [])
        self.assertEqual(set(self.scene.asked("secrets", "list")), {"list /"})


class ClassTests(SourceTestCase):
    """IngressClasses decide whose Secrets are read."""

    def test_not_ours(self) -> None:
        """The Secrets of Ingresses of other classes are not read."""
        scene = self.make()
        scene.put(web("a", "a", class_name="other"), secret("a"))
        scene.put(class_manifest("other", "example.com/other"))
        scene.start()
        self.successResultOf(scene.started)
        self.assertEqual(scene.asked("secrets"), [])
        self.assertEqual(scene.names("ingresses"), ["default/a"])

    def test_becomes_ours(self) -> None:
        """An IngressClass that makes an Ingress ours comes with the Secrets of the latter."""
        scene = self.make()
        scene.put(web("a", "a", class_name="other"), secret("a"), web("b", "b"), secret("b"))
        scene.start()
        self.assertEqual(scene.names("secrets"), ["default/b"])
        moments: list[tuple[int, int]] = []
        scene.store.subscribe(
            lambda: moments.append(
                (len(scene.names("ingress_classes")), len(scene.names("secrets")))
            )
        )
        scene.put(class_manifest("other"))
        scene.turn()
        self.assertEqual(moments[-1], (1, 2))
        self.assertNotIn((1, 1), moments)
        scene.api.delete("networking.k8s.io/v1", "IngressClass", "other")
        scene.turn()
        self.assertEqual(scene.names("secrets"), ["default/b"])

    def test_hangs(self) -> None:
        """A class is not kept back for ever either."""
        scene = self.make()
        scene.put(web("a", "a", class_name="other"), web("b", "b"))
        scene.start()
        scene.api.fail(Fault(0, None, resource="secrets"))
        scene.put(class_manifest("other"))
        scene.turn(HOLD_TIMEOUT - 1)
        self.assertEqual(scene.names("ingress_classes"), [])
        scene.turn(2)
        self.assertEqual(scene.names("ingress_classes"), ["other"])

    def test_configuration(self) -> None:
        """A configuration that makes Ingresses ours, or changes the default certificate, applies with the Secrets."""
        scene = self.make(
            replace(CONFIG, ingress_class=replace(CONFIG.ingress_class, without_class=False))
        )
        scene.put(web("a", "a"), secret("a"), secret("b"))
        scene.start()
        self.assertEqual(scene.names("secrets"), [])
        scene.source.reconfigure(replace(CONFIG, tls=TLS(default=("default", "b"))))
        scene.turn()
        self.assertEqual(scene.names("secrets"), ["default/a", "default/b"])
        scene.source.reconfigure(CONFIG)
        scene.turn()
        self.assertEqual(scene.names("secrets"), ["default/a"])


class RightTests(SourceTestCase):
    """Missing rights."""

    def test_missing_right(self) -> None:
        """A right that is missing is a Problem that names it, once, until it is granted."""
        scene = self.make(CONFIG, *KINDS[:1], *KINDS[2:])
        scene.put(*served())
        scene.start()
        scene.turn(60)
        self.assertNoResult(scene.started)
        self.assertEqual(len(scene.told), 1)
        [problem] = scene.problems
        self.assertIn(
            "may not list endpointslices.discovery.k8s.io: grant list and watch of", problem
        )
        self.assertIn('cannot list resource "endpointslices"', problem)
        scene.grant(*KINDS)
        scene.turn(20)
        self.successResultOf(scene.started)
        self.assertEqual(scene.problems, [])

    def test_no_watch(self) -> None:
        """Without the right to watch, what lists give is served, and the Problem stays."""
        rules = [replace(rule, verbs=("list",)) for rule in KINDS]
        scene = self.make(CONFIG, *rules)
        scene.put(*served())
        scene.start()
        self.successResultOf(scene.started)
        scene.put(slice_manifest("web", "10.0.0.2", "10.0.0.3"))
        scene.turn(60)
        (item,) = scene.store.view().endpoint_slices.values()
        self.assertEqual(len(item.endpoints), 2)
        self.assertEqual(len(scene.problems), 5)
        self.assertLessEqual(len(scene.told), 2)

    def test_named_secrets(self) -> None:
        """Without the right to list Secrets, each is watched by its name; that is no Problem."""
        names = Rule(READ, ("",), ("secrets",), names=("a", "b"))
        scene = self.make(CONFIG, *KINDS, names)
        scene.put(web("a", "a"), web("b", "b"), secret("a"), secret("other"))
        scene.start()
        self.successResultOf(scene.started)
        self.assertEqual(scene.names("secrets"), ["default/a"])
        scene.put(secret("b"))
        scene.turn()
        self.assertEqual(scene.names("secrets"), ["default/a", "default/b"])
        scene.api.delete("v1", "Secret", "a")
        scene.turn()
        self.assertEqual(scene.names("secrets"), ["default/b"])
        self.assertEqual(scene.told, [])

    def test_polled_secrets(self) -> None:
        """Without the right to watch it, it is read every minute."""
        scene = self.make(CONFIG, *KINDS, Rule(("get",), ("",), ("secrets",), names=("a",)))
        scene.put(web("a", "a"), secret("a"))
        scene.start()
        self.successResultOf(scene.started)
        self.assertEqual(scene.names("secrets"), ["default/a"])
        scene.put(secret("a", "eQ=="))
        scene.api.fail(Fault(503, 2, "get", "secrets"))
        scene.turn(70)
        (item,) = scene.store.view().secrets.values()
        self.assertEqual(item.data["tls.crt"], b"y")
        self.assertEqual(scene.problems, [])
        scene.api.delete("v1", "Secret", "a")
        scene.turn(70)
        self.assertEqual(scene.names("secrets"), [])

    def test_no_secrets(self) -> None:
        """Without any right, Secrets count as missing, with a Problem until the right is granted."""
        scene = self.make(CONFIG, *KINDS)
        scene.put(web("a", "a"), secret("a"))
        scene.start()
        scene.turn(10)
        self.successResultOf(scene.started)
        self.assertEqual(scene.names("secrets"), [])
        [problem] = scene.problems
        self.assertIn(
            "may not read Secret default/a: grant list and watch of secrets, or get, list and"
            " watch of this one by its name (secrets",
            problem,
        )
        self.assertIn('cannot list resource "secrets"', problem)
        scene.grant(*KINDS, Rule(("get",), ("",), ("secrets",)))
        scene.turn(70)
        self.assertEqual(scene.names("secrets"), ["default/a"])
        self.assertEqual(scene.problems, [])

    def test_listed_after_all(self) -> None:
        """A right to list that is granted later is used after some time."""
        scene = self.make(CONFIG, *KINDS, Rule(READ, ("",), ("secrets",), names=("a", "b")))
        scene.put(web("a", "a"), web("b", "b"), secret("a"))
        scene.start()
        scene.grant(*KINDS, SECRETS)
        scene.turn(700)
        self.assertEqual(scene.names("secrets"), ["default/a"])
        self.assertEqual(scene.asked("secrets", "list")[-2:], ["list /", "list default/b"])
        self.assertEqual(scene.asked("secrets", "watch")[-1], "watch /")
        scene.put(secret("a", "eQ=="), secret("b"))
        scene.turn()
        self.assertEqual(scene.names("secrets"), ["default/a", "default/b"])
        self.assertEqual(scene.store.view().secrets["default", "a"].data["tls.crt"], b"y")
        scene.put(web("c", "c"), secret("c"))
        scene.api.delete("v1", "Secret", "a")
        scene.turn()
        self.assertEqual(scene.names("secrets"), ["default/b", "default/c"])

    def test_revoked(self) -> None:
        """A right to list that is taken away leaves what is there, and it is read by its name."""
        scene = self.make(CONFIG, *KINDS, SECRETS)
        scene.put(web("a", "a"), web("b", "b"), secret("a"), secret("b"))
        scene.start()
        scene.grant(*KINDS, Rule(READ, ("",), ("secrets",), names=("a", "b")))
        scene.api.delete("v1", "Secret", "b")
        scene.api.drop_watches()
        scene.turn(20)
        self.assertEqual(scene.names("secrets"), ["default/a"])
        scene.put(secret("a", "eQ=="))
        scene.turn()
        self.assertEqual(scene.store.view().secrets["default", "a"].data["tls.crt"], b"y")

    def test_many_names(self) -> None:
        """Of very many Secrets some are watched and the others polled."""
        get = Rule((*READ, "get"), ("",), ("secrets",), names=tuple(f"s{n}" for n in range(130)))
        scene = self.make(CONFIG, *KINDS, get)
        for number in range(130):
            scene.put(web(f"w{number}", f"s{number}"), secret(f"s{number}"))
        scene.start()
        scene.turn(2)
        self.successResultOf(scene.started)
        self.assertEqual(len(scene.names("secrets")), 130)
        self.assertEqual(len(scene.asked("secrets", "watch")), 100)
        self.assertEqual(len(scene.asked("secrets", "get")), 30)

    def test_few_at_once(self) -> None:
        """Of those that are polled few are read at once."""
        scene = self.make(CONFIG, *KINDS, Rule(("get",), ("",), ("secrets",)))
        for number in range(150):
            scene.put(web(f"w{number}", f"s{number}"), secret(f"s{number}"))
        scene.api.fail(Fault(0, None, "get", "secrets"))
        scene.start()
        self.assertEqual(len(scene.asked("secrets", "get")), LOOKUPS_AT_ONCE)


class FailureTests(SourceTestCase):
    """When the API server is gone."""

    def test_gone(self) -> None:
        """Known objects stay; that they are stale is reported once, and so is the end of that."""
        scene = self.make()
        scene.put(*served("web", "a"), secret("a"))
        scene.start()
        scene.api.fail(Fault(503, None))
        scene.api.drop_watches()
        scene.turn(60)
        self.assertEqual(scene.names("ingresses"), ["default/web"])
        [problem] = scene.problems
        self.assertIn("the API server does not answer: ", problem)
        self.assertEqual(len(scene.told), 1)
        notes = scene.source.contacts.notes()
        self.assertEqual(len(notes), 6)
        self.assertTrue(all("what was known then is served" in note for note in notes), notes)
        ages = scene.source.contacts.staleness
        self.assertEqual([kind for kind, age in ages.items() if age < 30], [])
        scene.put(slice_manifest("web", "10.0.0.2", "10.0.0.3"))
        scene.api.disturbances.faults.clear()
        scene.turn(15)
        self.assertEqual((scene.problems, scene.source.contacts.notes()), ([], []))
        self.assertGreater(scene.source.contacts.watch_failures["Ingress"], 3)
        self.assertEqual(scene.source.contacts.relists["Ingress"], 0)
        (item,) = scene.store.view().endpoint_slices.values()
        self.assertEqual(len(item.endpoints), 2)

    def test_short(self) -> None:
        """A server that was gone for a moment is not worth a word."""
        scene = self.make()
        scene.put(*served())
        scene.start()
        scene.api.drop_watches()
        scene.turn(3)
        self.assertEqual(scene.told, [])
        self.assertTrue(all(contact.watch_failures for contact in scene.source.contacts))

    def test_idle(self) -> None:
        """A server of which nothing is heard for hours, because nothing changes, is alive."""
        scene = self.make()
        scene.put(*served("web", "a"), secret("a"))
        scene.start()
        for _ in range(300):
            scene.turn(7)
            self.assertEqual(scene.source.contacts.notes(), [])
            self.assertLess(max(scene.source.contacts.staleness.values()), MAX_SILENCE)
        self.assertEqual(scene.told, [])

    def test_hangs(self) -> None:
        """A server that hangs differs from an idle one within 30 s, and its return is noticed."""
        scene = self.make()
        scene.put(*served("web", "a"), secret("a"))
        scene.start()
        scene.turn(100)
        scene.api.fail(Fault(0, None))
        scene.api.disturbances.are_watches_silent = True
        scene.put(slice_manifest("web", "10.0.0.2"), secret("a", "eQ=="))
        scene.turn(30)
        [problem] = scene.problems
        self.assertIn("the API server does not answer: no answer within 5 s", problem)
        notes = scene.source.contacts.notes()
        self.assertEqual(len(notes), 6)
        self.assertRegex(notes[0], r"last heard of \d+ s ago \(no answer within 5 s\)")
        scene.api.disturbances.faults.clear()
        scene.api.disturbances.are_watches_silent = False
        scene.turn(10)
        self.assertEqual((scene.problems, scene.source.contacts.notes()), ([], []))
        (item,) = scene.store.view().endpoint_slices.values()
        self.assertEqual(item.endpoints[0].addresses, ("10.0.0.2",))
        self.assertEqual(scene.store.view().secrets["default", "a"].data["tls.crt"], b"y")
        self.assertEqual(scene.source.contacts.relists["Ingress"], 0)

    def test_overloaded(self) -> None:
        """A server that sheds load answers, and is alive."""
        scene = self.make()
        scene.put(*served())
        scene.start()
        scene.api.fail(Fault(429, None))
        scene.turn(60)
        self.assertEqual((scene.told, scene.source.contacts.notes()), ([], []))

    def test_forgets(self) -> None:
        """A server that has lost everything, history included, is believed."""
        scene = self.make()
        scene.put(*served("web", "a"), secret("a"), class_manifest("twisted"))
        scene.start()
        scene.api.lose_state()
        scene.api.drop_watches()
        scene.put(service_manifest("other"))
        scene.turn(30)
        self.assertEqual(scene.names("services"), ["default/other"])
        for field in ("ingresses", "ingress_classes", "endpoint_slices", "secrets"):
            self.assertEqual(scene.names(field), [], field)
        relists = scene.source.contacts.relists
        self.assertEqual({kind for kind, count in relists.items() if count != 1}, {"ConfigMap"})


happenings = st.lists(
    st.one_of(
        st.tuples(
            st.just("ingress"),
            st.sampled_from("xyz"),
            st.lists(st.sampled_from("abc"), unique=True, max_size=2),
            st.sampled_from((None, "ours")),
        ),
        st.tuples(st.just("secret"), st.sampled_from("abc"), st.sampled_from(("eA==", "eQ=="))),
        st.tuples(
            st.just("delete"),
            st.sampled_from(
                [("networking.k8s.io/v1", "Ingress", name) for name in "xyz"]
                + [("v1", "Secret", name) for name in "abc"]
                + [("networking.k8s.io/v1", "IngressClass", "ours")]
            ),
        ),
        st.tuples(st.just("class"), st.sampled_from(("txingress.dev/ingress", "example.com/x"))),
        st.tuples(st.just("fail"), st.sampled_from((0, 403, 410, 429, 500)), st.integers(1, 3)),
        st.tuples(st.just("grant"), st.sampled_from(("all", "names", "get"))),
        st.tuples(st.sampled_from(("turn", "drop", "forget", "lose", "end"))),
        st.tuples(st.just("wait"), st.integers(1, 8)),
    ),
    max_size=30,
)
NAMES = ("a", "b", "c")
GRANTS = {
    "all": SECRETS,
    "names": Rule((*READ, "get"), ("",), ("secrets",), names=NAMES),
    "get": Rule(("get",), ("",), ("secrets",), names=NAMES),
}


class HistoryTests(SourceTestCase):
    """Whatever happens, in the end it is known what there is."""

    @settings(max_examples=25, deadline=None)
    @given(happenings)
    def test_any(self, sequence: list[Any]) -> None:
        """All Ingresses and classes, and those Secrets that Ingresses of ours name."""
        scene = ClusterScene(CONFIG, *KINDS, SECRETS)
        scene.start()
        for what, *arguments in sequence:
            self.happen(scene, what, *arguments)
        scene.api.disturbances.faults.clear()
        scene.turn(700)
        self.successResultOf(scene.started)
        self.assertEqual(scene.problems, [])
        self.assertEqual(scene.names("ingresses"), self.present(scene, "Ingress", "xyz"))
        ours = "ours" in map(str, self.classes(scene))
        wanted: set[str] = set()
        for item in scene.store.view().ingresses.values():
            if item.spec.ingress_class_name is None or ours:
                wanted.update(f"default/{entry.secret_name}" for entry in item.spec.tls)
        secrets = self.present(scene, "Secret", "abc", "v1")
        self.assertEqual(scene.names("secrets"), sorted(wanted.intersection(secrets)))
        for (_, name), known in scene.store.view().secrets.items():
            there = scene.api.get("v1", "Secret", name)
            assert there is not None
            self.assertEqual(known.data["tls.crt"], b64decode(there["data"]["tls.crt"]))
        self.assert_stops(scene)

    def present(
        self, scene: ClusterScene, kind: str, names: str, version: str = "networking.k8s.io/v1"
    ) -> list[str]:
        """Those of the names that the server has."""
        return [f"default/{name}" for name in names if scene.api.get(version, kind, name)]

    def classes(self, scene: ClusterScene) -> list[str]:
        """The IngressClasses in the store that are ours."""
        there = scene.store.view().ingress_classes.values()
        has = scene.api.get("networking.k8s.io/v1", "IngressClass", "ours")
        self.assertEqual(bool(there), bool(has))
        return [
            item.metadata.name for item in there if item.spec.controller == "txingress.dev/ingress"
        ]

    def happen(self, scene: ClusterScene, what: str, *arguments: Any) -> None:
        match what, arguments:
            case "ingress", (name, secrets, class_name):
                scene.put(web(name, *secrets, class_name=class_name))
            case "secret", (name, value):
                scene.put(secret(name, value))
            case "delete", [key] if scene.api.get(*key):
                scene.api.delete(*key)
            case "class", [controller]:
                if scene.api.get("networking.k8s.io/v1", "IngressClass", "ours"):
                    scene.api.delete("networking.k8s.io/v1", "IngressClass", "ours")
                scene.put(class_manifest("ours", controller))
            case "fail", (code, times):
                scene.api.fail(Fault(code, times))
            case "grant", [which]:
                scene.grant(*KINDS, GRANTS[which])
                scene.api.drop_watches()
            case "turn", []:
                scene.turn()
            case "wait", [seconds]:
                scene.turn(seconds)
            case "drop", []:
                scene.api.drop_watches()
            case "end", []:
                scene.api.end_watches()
            case "forget", []:
                scene.api.drop_watches()
                scene.api.forget_history()
            case "lose", []:
                scene.api.lose_state()
                scene.api.drop_watches()
