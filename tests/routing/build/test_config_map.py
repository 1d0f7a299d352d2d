"""
Tests for `ingress.routing.build.config_map` and `ingress.routing.build.config_map_table`.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import ClassVar

from msgspec import structs
from twisted.trial.unittest import SynchronousTestCase

from ingress.kube.objects import ConfigMap, KubeObject, Metadata
from ingress.policy.annotation import Annotations
from ingress.policy.feature import ObjectReference
from ingress.policy.policy import Policy
from ingress.policy.refusal import Refusal
from ingress.policy.registry import FEATURES, Registry
from ingress.policy.scope import ReadContext
from ingress.routing.build import Built, build
from ingress.routing.build.config_map_table import data_of
from ingress.routing.route import Route
from tests.support.objects import FILES, NOW, ingress, objects, served

NAME = ("nginx", "controller")
CONFIG = replace(FILES, config_map=NAME)
WEB = ingress("a.example", {"/": "web:80"})


def config_map(data: Mapping[str, str], name: tuple[str, str] = NAME) -> ConfigMap:
    return ConfigMap(metadata=Metadata(namespace=name[0], name=name[1]), data=dict(data))


def built(
    *items: KubeObject, before: Built | None = None, registry: Registry | None = None
) -> Built:
    everything = objects(WEB, served("web"), *items)
    return build(everything, CONFIG, before, now=NOW, registry=registry)


def route_of(result: Built) -> Route:
    route = result.snapshot.hosts[b"a.example"].route(b"/")
    assert route is not None
    return route


def messages(result: Built) -> dict[str, str]:
    """The messages by field."""
    return {each.field: each.message for each in result.all_problems()}


class ConfigMapTests(SynchronousTestCase):
    """The values of the ConfigMap are in force in the Snapshot."""

    def test_values(self) -> None:
        """Its values are in the configuration of the Snapshot, and in the routes."""
        result = built(config_map({"proxy-read-timeout": "7"}))
        self.assertEqual(result.snapshot.config.limits.read_timeout, 7)
        self.assertEqual(route_of(result).proxy.read_timeout, 7)
        self.assertEqual(messages(result), {})

    def test_annotation(self) -> None:
        """An annotation takes precedence."""
        item = ingress("a.example", {"/": "web:80"}, annotations={"proxy-read-timeout": "9"})
        everything = objects(item, served("web"), config_map({"proxy-read-timeout": "7"}))
        self.assertEqual(route_of(build(everything, CONFIG, now=NOW)).proxy.read_timeout, 9)

    def test_change(self) -> None:
        """A change applies to all routes; without one the configuration is the same object."""
        before = built(config_map({"proxy-read-timeout": "7"}))
        after = built(config_map({"proxy-read-timeout": "8"}), before=before)
        self.assertEqual(route_of(after).proxy.read_timeout, 8)
        same = built(config_map({"proxy-read-timeout": "8", "hsts": ""}), before=after)
        self.assertIs(same.snapshot.config, after.snapshot.config)

    def test_unchanged(self) -> None:
        """A build in which it did not change publishes the same Snapshot."""
        everything = objects(WEB, served("web"), config_map({"proxy-read-timeout": "7"}))
        before = build(everything, CONFIG, now=NOW)
        self.assertIs(build(everything, CONFIG, before, now=NOW).snapshot, before.snapshot)

    def test_problems(self) -> None:
        """Keys that do not work are Problems of the ConfigMap, and gone with the key."""
        before = built(config_map({"use-gzip": "maybe", "plugins": "x"}))
        self.assertEqual(set(messages(before)), {"data[use-gzip]", "data[plugins]"})
        after = built(config_map({"plugins": "x"}), before=before)
        self.assertEqual(set(messages(after)), {"data[plugins]"})

    def test_trust(self) -> None:
        """That everybody is believed is a Problem."""
        found = messages(built(config_map({"use-proxy-protocol": "true"})))
        self.assertIn("every connection", found["data[use-proxy-protocol]"])
        found = messages(built(config_map({"use-forwarded-headers": "true"})))
        self.assertIn("any client can claim", found["data[use-forwarded-headers]"])

    def test_others(self) -> None:
        """Other ConfigMaps of ingress-nginx still have no effect."""
        other = config_map({"ssl-redirect": "false"}, ("nginx", "ingress-nginx-controller"))
        found = messages(built(config_map({}), other))
        self.assertIn("does not name this ConfigMap", found["data[ssl-redirect]"])

    def test_namesake(self) -> None:
        """An Ingress of its name that is gone does not get its Problems."""
        item = ingress("b.example", {"/": "web:80"}, name="/".join(NAME))
        before = built(item, config_map({"plugins": "x"}))
        after = built(config_map({"plugins": "x"}), before=before)
        self.assertNotIn(("Ingress", *NAME), after.problems)


class AbsenceTests(SynchronousTestCase):
    """The ConfigMap does not exist, or no more."""

    def test_missing(self) -> None:
        """Without it the defaults apply, with a Problem of the configuration."""
        result = built()
        self.assertEqual(result.snapshot.config, CONFIG)
        self.assertIn("the defaults apply", messages(result)["config-map"])

    def test_deleted(self) -> None:
        """If it is deleted its last values apply, with a Problem, until it is back."""
        before = built(config_map({"proxy-read-timeout": "7", "plugins": "x"}))
        gone = built(before=before)
        self.assertEqual(route_of(gone).proxy.read_timeout, 7)
        self.assertIn("its last values still apply", messages(gone)["config-map"])
        self.assertEqual(set(messages(gone)), {"config-map"})
        back = built(config_map({}), before=gone)
        self.assertEqual(route_of(back).proxy.read_timeout, 60)
        self.assertEqual(messages(back), {})

    def test_other_name(self) -> None:
        """Another name in the configuration begins anew."""
        before = built(config_map({"proxy-read-timeout": "7"}))
        config = replace(CONFIG, config_map=("nginx", "other"))
        after = build(objects(WEB, served("web")), config, before, now=NOW)
        self.assertEqual(route_of(after).proxy.read_timeout, 60)
        off = build(objects(WEB, served("web")), FILES, before, now=NOW)
        self.assertEqual(off.snapshot.config, FILES)


class ClosedTests(SynchronousTestCase):
    """Access keys that cannot be honoured close every rule."""

    def test_closed(self) -> None:
        """Every rule answers 503, with annotations or without."""
        item = ingress(
            "b.example", {"/": "web:80"}, name="other", annotations={"ssl-redirect": "true"}
        )
        result = built(item, config_map({"whitelist-source-range": "everybody"}))
        for host in (b"a.example", b"b.example"):
            route = result.snapshot.hosts[host].route(b"/")
            assert route is not None
            self.assertEqual(route.access_policies, (Refusal(),))
        self.assertIn("every path answers 503", messages(result)["data[whitelist-source-range]"])

    def test_unreadable(self) -> None:
        """Of the remains of a ConfigMap the readable entries apply; an access key closes."""
        remains = ConfigMap(
            metadata=Metadata(namespace=NAME[0], name=NAME[1]),
            data={"whitelist-source-range": "10.0.0.0/8", "proxy-read-timeout": "7"},
            unreadable=("gzip-level",),
        )
        result = built(remains)
        self.assertEqual(result.snapshot.config.nginx.closed_by, ())
        self.assertEqual(route_of(result).proxy.read_timeout, 7)
        self.assertNotEqual(route_of(result).access_policies, ())
        closed = built(structs.replace(remains, data={}, unreadable=("whitelist-source-range",)))
        self.assertEqual(route_of(closed).access_policies, (Refusal(),))

    def test_unknown(self) -> None:
        """One of which nothing can be read closes, and opens again when it turns out to be none."""
        unknown = structs.replace(config_map({}), unreadable=("",))
        closed = built(unknown)
        self.assertEqual(route_of(closed).access_policies, (Refusal(),))
        self.assertIn("every path answers 503", messages(closed)["data"])
        absent = built(before=closed)
        self.assertEqual(absent.snapshot.config.nginx.closed_by, ())
        self.assertIn("the defaults apply", messages(absent)["config-map"])
        again = built(unknown, before=absent)
        self.assertEqual(route_of(again).access_policies, (Refusal(),))
        known = built(config_map({"proxy-read-timeout": "7"}), before=closed)
        self.assertEqual(route_of(known).proxy.read_timeout, 7)
        gone = built(before=known)
        self.assertEqual(route_of(gone).proxy.read_timeout, 7)

    def test_opened(self) -> None:
        """They open again when the key is mended; a list that was good is kept if it breaks."""
        before = built(config_map({"whitelist-source-range": "everybody"}))
        after = built(config_map({"whitelist-source-range": "10.0.0.0/8"}), before=before)
        self.assertEqual(after.snapshot.config.nginx.closed_by, ())
        kept = built(config_map({"whitelist-source-range": "10.0.0"}), before=after)
        self.assertEqual(kept.snapshot.config, after.snapshot.config)


@dataclass(frozen=True, slots=True)
class Greeting(Policy):
    """A feature that reads a ConfigMap."""

    name: ClassVar[str] = "greeting"
    annotations: ClassVar[tuple[str, ...]] = ("greeting",)
    words: tuple[str, ...] | None

    @classmethod
    def read(cls, annotations: Annotations, context: ReadContext) -> Greeting | None:
        name = annotations.text("greeting")
        if not name:
            return None
        data = context.config_map_of((context.namespace, name))
        return cls(tuple(data.values()) if data is not None else None)

    @classmethod
    def references(cls, annotations: Annotations, namespace: str) -> Iterable[ObjectReference]:
        name = annotations.text("greeting")
        return [("ConfigMap", namespace, name)] if name else []


class NamedTests(SynchronousTestCase):
    """Annotations may name ConfigMaps."""

    def test_named(self) -> None:
        """A feature finds it, and is read again when it changes, comes or goes."""
        registry = Registry([*FEATURES, Greeting])
        item = ingress(
            "b.example", {"/": "web:80"}, name="greeting", annotations={"greeting": "words"}
        )
        seen: list[tuple[str, ...] | None] = []
        result: Built | None = None
        for words in (None, "hello", "bye", None):
            data = [] if words is None else [config_map({"a": words}, ("default", "words"))]
            result = built(item, config_map({}), *data, before=result, registry=registry)
            route = result.snapshot.hosts[b"b.example"].route(b"/")
            assert route is not None
            (greeting,) = (each for each in route.policies if isinstance(each, Greeting))
            seen.append(greeting.words)
        self.assertEqual(seen, [None, ("hello",), ("bye",), None])

    def test_remains(self) -> None:
        """The remains of a ConfigMap are none for an annotation: it needs all of it."""
        name = ("default", "words")
        remains = structs.replace(config_map({"a": "hello"}, name), unreadable=("b",))
        self.assertIsNone(data_of({name: remains}, name))
