"""Tests of taking one Ingress apart, beyond the golden cases."""

from __future__ import annotations

from dataclasses import replace

import msgspec
from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from ingress.config import Config, Limits
from ingress.config.nginx_settings import AnnotationSafety, NginxSettings
from ingress.endpoint import UpstreamKey
from ingress.kube.objects import Ingress, IngressBackend, IngressRule
from ingress.policy.annotation import Extent
from ingress.policy.backend_secret import BackendSecret
from ingress.policy.proxy_settings import ProxySettings
from ingress.policy.refusal import Refusal
from ingress.policy.registry import REGISTRY
from ingress.policy.ssl_passthrough import SSLPassthrough
from ingress.routing.build import Built, build
from ingress.routing.build.ingress import (
    MAX_PATH_LENGTH,
    IngressReader,
    SecretLookup,
    read_ingress,
)
from ingress.routing.build.ingress_class import class_rule
from ingress.routing.build.rule_set import RuleSet, WeightedBackend
from ingress.steps import finish
from tests.support.objects import FILES, NOW, ingress, objects, served, service

ANNOTATIONS = (
    *("ssl-redirect", "affinity", "affinity-mode", "session-cookie-path", "session-cookie-expires"),
    *("proxy-body-size", "proxy-connect-timeout", "proxy-next-upstream-tries"),
    *("proxy-next-upstream", "proxy-next-upstream-timeout", "proxy-buffer-size", "load-balance"),
    *("upstream-hash-by", "upstream-hash-by-subset", "upstream-hash-by-subset-size"),
    *("backend-protocol", "proxy-ssl-secret", "proxy-ssl-verify", "proxy-ssl-verify-depth"),
    *("proxy-ssl-name", "proxy-ssl-server-name", "proxy-ssl-protocols", "proxy-ssl-ciphers"),
    *("proxy-buffering", "unknown"),
)
strange_text = st.one_of(
    st.text(),
    st.sampled_from(("https", "on", "off", "true", "0", "8m", "default/x", "$uri", "\ud800", "٣")),
    st.from_regex(r"\A[$@{}/:!+_a-zA-Z0-9 .-]{0,40}\Z"),
)

NO_SECRETS = SecretLookup(lambda name: None, lambda name: BackendSecret(fault="is none"))


def reader(config: Config = FILES) -> IngressReader:
    return IngressReader({}, class_rule({}, config), config, REGISTRY, NO_SECRETS)


def rules_of(item: Ingress, config: Config = FILES) -> RuleSet:
    return finish(read_ingress(item, reader(config)))


class ReadIngressTests(SynchronousTestCase):
    def test_host_case(self) -> None:
        """Hosts of rules and of tls entries are in lower case, however they are written."""
        rules = rules_of(ingress("A.Example", {"/": "web:80"}, tls={"s": ["A.EXAMPLE"]}))
        self.assertEqual(list(rules.hosts), ["a.example"])
        self.assertEqual(rules.tls_hosts, {"a.example": (0,)})

    def test_same_host_twice(self) -> None:
        """Two rules for one host are one part of it."""
        one = ingress("a.example", {"/one": "web:80"})
        rules = (*one.spec.rules, *ingress("A.example", {"/two": "web:80"}).spec.rules)
        both = msgspec.structs.replace(one, spec=msgspec.structs.replace(one.spec, rules=rules))
        self.assertEqual(
            [rule.path for rule in rules_of(both).hosts["a.example"]], [b"/one", b"/two"]
        )

    def test_long_path(self) -> None:
        """A path longer than any request's is left out, with a Problem."""
        rules = rules_of(
            ingress("a.example", {"/" + "x" * MAX_PATH_LENGTH: "web:80", "/y": "web:80"})
        )
        self.assertEqual(len(rules.hosts["a.example"]), 1)
        (problem,) = rules.problems
        self.assertEqual(problem.field, "spec.rules[0].http.paths[0].path")
        self.assertLess(len(problem.value), 100)

    def test_backends(self) -> None:
        """Each Service port is named once, with the place where it stands first."""
        rules = rules_of(ingress("a.example", {"/a": "web:80", "/b": "web:80", "/c": "web:http"}))
        self.assertEqual(
            rules.upstreams,
            {
                UpstreamKey("default", "web", "80"): "spec.rules[0].http.paths[0].backend.service",
                UpstreamKey(
                    "default", "web", "http"
                ): "spec.rules[0].http.paths[2].backend.service",
            },
        )

    def test_no_backend(self) -> None:
        """A backend that names nothing is a rule without Upstream, and a Problem."""
        web = ingress("a.example", {}, default="web:80")
        spec = msgspec.structs.replace(web.spec, default_backend=IngressBackend())
        rules = rules_of(msgspec.structs.replace(web, spec=spec))
        assert rules.default is not None
        self.assertEqual(rules.default.backends, (WeightedBackend(None),))
        self.assertEqual(len(rules.problems), 1)

    def test_many_rules(self) -> None:
        """Thousands of hosts and of tls entries in one Ingress are read in steps."""
        web = ingress(
            "a.example", {"/": "web:80"}, tls={f"s{n}": ["a.example"] for n in range(600)}
        )
        rules = tuple(IngressRule(host=f"h{n}.example") for n in range(600))
        many = msgspec.structs.replace(web, spec=msgspec.structs.replace(web.spec, rules=rules))
        self.assertGreaterEqual(len(list(read_ingress(many, reader()))), 4)

    def test_canary(self) -> None:
        """A canary has no rules of its own."""
        rules = rules_of(
            ingress("a.example", {"/": "web:80"}, default="x:1", annotations={"canary": "true"})
        )
        self.assertEqual((rules.hosts, rules.default), ({}, None))
        self.assertEqual(list(rules.canary_hosts), ["a.example"])
        self.assertEqual([key.service for key in rules.upstreams], ["web", "x"])

    def test_limits(self) -> None:
        """What the configuration says of requests holds until annotations say otherwise."""
        config = replace(FILES, limits=Limits(body_size=None, read_timeout=7.0, head_size=2048))
        for annotated, body_size, count in (
            ({}, None, 0),
            ({"load-balance": "ewma"}, None, 0),
            ({"proxy-body-size": "1k", "proxy-buffer-size": "2k"}, 1024, 0),
            ({"proxy-body-size": "1k", "proxy-buffer-size": "3k"}, 1024, 1),
        ):
            item = ingress("a.example", {"/": "web:80"}, annotations=annotated)
            rules = rules_of(item, config)
            proxy = rules.hosts["a.example"][0].features["proxy"]
            assert isinstance(proxy, ProxySettings)
            self.assertEqual(proxy.body_size, body_size)
            self.assertEqual(proxy.read_timeout, 7.0)
            self.assertEqual(len(rules.problems), count)

    @settings(max_examples=200, deadline=None)
    @given(st.dictionaries(st.sampled_from(ANNOTATIONS), strange_text, min_size=1, max_size=6))
    def test_strange_values(self, annotated: dict[str, str]) -> None:
        """Whatever is written into annotations, the Ingress is read, and the fault told once."""
        item = ingress("a.example", {"/": "web:80"}, annotations=annotated)
        rules = rules_of(item)
        self.assertEqual(list(rules.hosts), ["a.example"])
        told = [problem.field for problem in rules.problems]
        self.assertEqual(len(told), len(set(told)))
        for problem in rules.problems:
            self.assertTrue(str(problem).isprintable())

    def test_pattern(self) -> None:
        """Only what is closed and looks like a regular expression closes more than its rules."""
        for path, annotated, expected in (
            ("~/a(/|$)(.*)", {"auth-url": "x"}, {"refusal": Refusal(extent=Extent.HOSTS)}),
            ("~/a.b", {"auth-url": "x"}, {}),
            ("~/a(/|$)(.*)", {"use-regex": "true"}, {}),
        ):
            with self.subTest(path=path, annotations=annotated):
                rules = rules_of(ingress("a.example", {path: "web:80"}, annotations=annotated))
                self.assertEqual(rules.host_wide, expected)


class LeftOutTests(SynchronousTestCase):
    """What the configuration leaves out, live: a change of it builds everything again."""

    def setUp(self) -> None:
        self.objects = objects(
            ingress("a.example", {"/": "out:80"}),
            ingress("b.example", {"/": "web:80"}, name="all", default="web:80"),
            ingress(
                "c.example", {"/": "web:80"}, name="raw", annotations={"ssl-passthrough": "true"}
            ),
            service("out", kind="ExternalName", external="192.0.2.7"),
            served("web"),
        )

    def built(self, before: Built | None = None, **settings: bool) -> Built:
        return build(self.objects, replace(FILES, **settings), before, now=NOW)  # type: ignore[arg-type]

    def faults(self, result: Built) -> set[tuple[str, str]]:
        return {(each.name, each.field) for each in result.all_problems()}

    def test_external_names(self) -> None:
        """An ExternalName has no endpoint, and its Ingress is told."""
        before = self.built()
        key = UpstreamKey("default", "out", "80")
        self.assertTrue(before.snapshot.upstreams[key].endpoints)
        after = self.built(before, external_names=False)
        self.assertEqual(after.snapshot.upstreams[key].endpoints, ())
        added = self.faults(after) - self.faults(before)
        self.assertEqual({name for name, _ in added}, {"web"})
        again = self.built(after)
        self.assertTrue(again.snapshot.upstreams[key].endpoints)

    def test_catch_all(self) -> None:
        """An Ingress with a default backend is left out whole, and told."""
        before = self.built()
        self.assertIn(b"b.example", before.snapshot.hosts)
        after = self.built(before, catch_all=False)
        self.assertIsNone(after.snapshot.hosts[b"b.example"].route(b"/"))
        self.assertIn(b"a.example", after.snapshot.hosts)
        self.assertIn(("all", "spec.defaultBackend"), self.faults(after))

    def test_strict_paths(self) -> None:
        """An Ingress with an unusual path of Exact or Prefix is left out, if that is asked for."""
        strange = ingress("d.example", {"/a b": "web:80", "/": "web:80"}, name="strange")
        pattern = ingress("e.example", {"~/a|b": "web:80"}, name="pattern")
        everything = objects(strange, pattern, *self.objects.ingresses.values(), served("web"))
        config = replace(
            FILES, nginx=NginxSettings(annotations=AnnotationSafety(strict_paths=True))
        )
        result = build(everything, config, now=NOW)
        self.assertIsNone(result.snapshot.hosts[b"d.example"].route(b"/"))
        self.assertIsNotNone(result.snapshot.hosts[b"b.example"].route(b"/"))
        strict = [each for each in result.all_problems() if "strict-validate" in each.message]
        self.assertEqual([each.name for each in strict], ["strange"])

    def test_passthrough(self) -> None:
        """TLS ends here for a host that would pass it through, which is told."""
        after = self.built(self.built(), ssl_passthrough=False)
        route = after.snapshot.hosts[b"c.example"].route(b"/")
        assert route is not None
        self.assertNotIn(SSLPassthrough, [type(each) for each in route.policies])
        self.assertIn(
            ("raw", "metadata.annotations[nginx.ingress.kubernetes.io/ssl-passthrough]"),
            self.faults(after),
        )
