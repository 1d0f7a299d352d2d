"""Tests of the build as a whole: from scratch, after a change, in steps."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from ingress.config import TLS, Cluster, Config, Hosts, IngressClassFilter, Limits
from ingress.endpoint import UpstreamKey
from ingress.kube.objects import KubeObject, Secret
from ingress.policy.https_redirect import HttpsRedirect
from ingress.policy.policy import Policy
from ingress.problem import Problem
from ingress.routing.build import Built, build, build_steps
from ingress.routing.build.default_backend import CONFIGURATION
from ingress.routing.match import find_route
from ingress.steps import finish
from tests.support.certs import CertificateAuthority
from tests.support.objects import (
    FILES,
    NOW,
    built,
    endpoint_slice,
    endpoints,
    ingress,
    ingress_class,
    metadata,
    objects,
    problems_of,
    resolved_name,
    secret,
    served,
    service,
)

CA = CertificateAuthority()
YEAR = timedelta(days=365)


def tls_secret(name: str, *hosts: str, valid_for: timedelta = YEAR) -> Secret:
    issued = CA.issue(*hosts, not_before=NOW - YEAR, not_after=NOW + valid_for)
    return secret(name, issued.chain_pem, issued.key_pem)


def policies_of(
    result: Built, host: bytes = b"a.example", path: bytes = b"/"
) -> tuple[Policy, ...]:
    route = find_route(result.snapshot, host, path)
    assert route is not None
    return route.policies


ONE = tls_secret("one", "a.example", "*.example")
TWO = tls_secret("two", "a.example")
BAD = secret("one", b"half a", b"file")


class IdentityTests(SynchronousTestCase):
    """What did not change is the same object, because others tell changes by that."""

    def test_nothing(self) -> None:
        """Building again without a change gives the same Snapshot and the same Problems."""
        items = [ingress("a.example", {"/": "web:80"}, annotations={"x": "1"}), *served("web")]
        first = built(*items)
        again = built(*items, previous=first)
        self.assertIs(again.snapshot, first.snapshot)
        self.assertEqual(again.problems, first.problems)
        for owner, problems in first.problems.items():
            self.assertIs(again.problems[owner], problems)

    def test_endpoints(self) -> None:
        """New endpoints leave the hosts as they are; a new host leaves the upstreams."""
        web = ingress("a.example", {"/": "web:80"})
        first = built(web, served("web"))
        second = built(web, service("web"), endpoint_slice("web", "10.0.0.2"), previous=first)
        self.assertIs(second.snapshot.hosts, first.snapshot.hosts)
        self.assertIsNot(second.snapshot.upstreams, first.snapshot.upstreams)
        other = ingress("b.example", {"/": "web:80"}, name="other")
        third = built(web, other, served("web"), previous=first)
        self.assertIs(third.snapshot.upstreams, first.snapshot.upstreams)
        self.assertIs(third.snapshot.hosts[b"a.example"], first.snapshot.hosts[b"a.example"])

    def test_same_endpoints(self) -> None:
        """A slice that changes in nothing that matters leaves the upstreams."""
        web = ingress("a.example", {"/": "web:80"})
        first = built(web, served("web"))
        second = built(web, served("web"), previous=first)
        self.assertIs(second.snapshot.upstreams, first.snapshot.upstreams)

    def test_problems(self) -> None:
        """The Problems of an Ingress stay the same tuple while another one's change."""
        one = ingress("a.example", {"/": "one:80"}, name="one")
        two = ingress("b.example", {"/": "two:80"}, name="two")
        first = built(one, two)
        second = built(one, two, served("two"), previous=first)
        owner = ("Ingress", "default", "one")
        self.assertIs(second.problems[owner], first.problems[owner])
        self.assertNotIn(("Ingress", "default", "two"), second.problems)

    def test_problems_of_other_configuration(self) -> None:
        """Equal Problems stay the same tuples even if the configuration changes."""
        web = ingress("a.example", {"/": "web:80"})
        first = built(web)
        second = built(web, previous=first, config=replace(FILES, ssl_redirect=False))
        owner = ("Ingress", "default", "web")
        self.assertIs(second.problems[owner], first.problems[owner])


class ServiceTests(SynchronousTestCase):
    def test_appears(self) -> None:
        """A missing Service is 503 with a Problem that says what to write, until it is there."""
        web = ingress("a.example", {"/": "web:80"})
        key = UpstreamKey("default", "web", "80")
        first = built(web)
        self.assertEqual(first.snapshot.upstreams[key].endpoints, ())
        (problem,) = problems_of(first)
        self.assertIn("spec.rules[0].http.paths[0].backend.service: Service default/web", problem)
        self.assertIn("`source.endpoints: {default/web: 127.0.0.1:3000}`", problem)
        second = built(web, served("web"), previous=first)
        self.assertEqual(
            list(map(str, second.snapshot.upstreams[key].endpoints)), ["10.0.0.1:8080"]
        )
        self.assertEqual(second.problems, {})

    def test_shared(self) -> None:
        """Each Ingress that names the Service has the Problem."""
        items = [ingress(f"{name}.example", {"/": "web:80"}, name=name) for name in ("a", "b")]
        first = built(*items)
        self.assertEqual(problems_of(first, "a"), problems_of(first, "b"))
        self.assertEqual(len(list(first.all_problems())), 2)

    def test_unused(self) -> None:
        """Upstreams that nobody names any more are gone, those that somebody does are not."""
        a = ingress("a.example", {"/": "web:80"}, name="a")
        b = ingress("b.example", {"/": "web:80"}, name="b")
        first = built(a, b, served("web"), served("other"))
        self.assertEqual(len(first.snapshot.upstreams), 1)
        second = built(a, served("web"), previous=first)
        self.assertEqual(len(second.snapshot.upstreams), 1)
        third = built(served("web"), previous=second)
        self.assertEqual(third.snapshot.upstreams, {})


class CertificateTests(SynchronousTestCase):
    def test_last_good(self) -> None:
        """A Secret that turns bad keeps its last good pair, with a Problem, while it exists."""
        web = ingress("a.example", {"/": "web:80"}, tls={"one": ["a.example"]})
        first = built(web, served("web"), ONE)
        good = first.snapshot.certificates["a.example"]
        second = built(web, served("web"), BAD, previous=first)
        self.assertIs(second.snapshot.certificates["a.example"], good)
        self.assertIn("the last good one is served", problems_of(second)[0])
        third = built(web, served("web"), previous=second)
        self.assertEqual(third.snapshot.certificates, {})
        self.assertIn("does not exist", problems_of(third)[0])
        fourth = built(web, served("web"), BAD, previous=third)
        self.assertEqual(fourth.snapshot.certificates, {})
        self.assertIn("the default certificate is served", problems_of(fourth)[0])

    def test_last_good_and_configuration(self) -> None:
        """The last good pair outlives a change of the configuration."""
        web = ingress("a.example", {"/": "web:80"}, tls={"one": ["a.example"]})
        first = built(web, served("web"), ONE)
        other = replace(FILES, ssl_redirect=False)
        second = built(web, served("web"), BAD, previous=first, config=other)
        self.assertIn("a.example", second.snapshot.certificates)
        third = built(web, served("web"), previous=second)
        self.assertEqual(third.snapshot.certificates, {})

    def test_default(self) -> None:
        """The configured default certificate follows its Secret; a fault is the configuration's."""
        config = replace(FILES, tls=TLS(default=("default", "one")))
        first = built(config=config)
        self.assertIsNone(first.snapshot.default_certificate)
        (problem,) = first.problems[CONFIGURATION]
        self.assertEqual(
            str(problem),
            "tls.default: default/one: Secret default/one does not exist; "
            "a self-signed certificate is served",
        )
        second = built(ONE, config=config, previous=first)
        self.assertIsNotNone(second.snapshot.default_certificate)
        self.assertEqual(second.problems, {})
        third = built(BAD, config=config, previous=second)
        self.assertIs(third.snapshot.default_certificate, second.snapshot.default_certificate)
        self.assertIn("the last good one is served", third.problems[CONFIGURATION][0].message)

    def test_older_wins(self) -> None:
        """For one host the older certificate wins, but only while it can be used."""
        old = ingress("a.example", {"/old": "web:80"}, name="old", tls={"one": ["a.example"]}, created="2024-01-01")  # fmt: skip
        new = ingress("a.example", {"/new": "web:80"}, name="new", tls={"two": ["a.example"]})
        first = built(old, new, served("web"), ONE, TWO)
        self.assertIn("*.example", first.snapshot.certificates["a.example"].names)
        self.assertIn("Ingress default/old", problems_of(first, "new")[0])
        second = built(old, new, served("web"), TWO, previous=first)
        self.assertEqual(second.snapshot.certificates["a.example"].names, ("a.example",))
        self.assertEqual(problems_of(second, "new"), [])

    def test_without_hosts(self) -> None:
        """A tls entry without hosts follows its Secret; the redirect does not depend on it."""
        web = ingress("a.example", {"/": "web:80"}, tls={"one": []})
        first = built(web, served("web"))
        self.assertEqual(first.snapshot.certificates, {})
        self.assertEqual(policies_of(first), (HttpsRedirect(),))
        second = built(web, served("web"), ONE, previous=first)
        self.assertEqual(list(second.snapshot.certificates), ["a.example"])
        self.assertEqual(policies_of(second), (HttpsRedirect(),))
        third = built(web, served("web"), previous=second)
        self.assertEqual(third.snapshot, first.snapshot)

    def test_time(self) -> None:
        """Time alone makes a certificate expire: it is reported, and served all the same."""
        soon = tls_secret("soon", "a.example", valid_for=timedelta(hours=1))
        web = ingress("a.example", {"/": "web:80"}, tls={"soon": ["a.example"]})
        items = [web, *served("web"), soon]
        first = built(*items)
        self.assertEqual(first.problems, {})
        self.assertEqual(first.next_change, NOW + timedelta(hours=1))
        second = built(*items, previous=first, now=NOW + timedelta(hours=2))
        self.assertIn("expired", problems_of(second)[0])
        self.assertIsNone(second.next_change)
        self.assertIs(second.snapshot, first.snapshot)
        third = built(*items, previous=second, now=NOW)
        self.assertEqual(third.problems, {})


class RobustnessTests(SynchronousTestCase):
    def test_large_host(self) -> None:
        """Thousands of rules on one host, or in one Ingress, are built in many steps."""
        paths = {f"/{number}": "web:80" for number in range(4000)}
        steps = build_steps(objects(ingress("a.example", paths), served("web")), FILES, now=NOW)
        count = sum(1 for _ in steps)
        self.assertGreater(count, 30)

    def test_given_up(self) -> None:
        """A build that is given up halfway leaves the previous one as it was."""
        web = ingress("a.example", {"/": "web:80"})
        first = built(web, served("web"), ONE)
        other = objects(ingress("b.example", {"/": "two:80"}, tls={"one": ["b.example"]}), TWO)
        for length in range(12):
            steps = build_steps(other, FILES, first, now=NOW)
            for _ in range(length):
                next(steps, None)
            steps.close()
        self.assertEqual(built(web, served("web"), ONE, previous=first), first)

    def test_strange_text(self) -> None:
        """Half a character and control characters harm nobody, and no line of the log."""
        strange = ingress(
            "a.example",
            {"/\ud800\n": "web:80", "/\ud800\n/": "other:80"},
            annotations={"ssl-redirect": "\x1b[2J\n", "affinity": "cookie"},
        )
        result = built(strange, ingress("b.example", {"/": "web:80"}, name="b"), served("web"))
        self.assertIn(b"b.example", result.snapshot.hosts)
        for problem in result.all_problems():
            self.assertTrue(str(problem).isprintable(), ascii(problem))

    def test_default_of_refused(self) -> None:
        """A catch-all Ingress with access rules is closed for every host."""
        closed = ingress("", {}, default="web:80", annotations={"auth-url": "x"})
        host = built(closed, served("web")).snapshot.any_host
        assert host is not None
        route = host.route(b"/x")
        assert route is not None
        self.assertEqual(len(route.policies), 1)

    def test_closed_host_stays_known(self) -> None:
        """A closed Ingress of which every path is broken does not open its host to a wildcard."""
        closed = ingress("a.x.example", {"~/%zz": "web:80"}, annotations={"auth-url": "x"})
        beside = ingress("*.x.example", {"/": "web:80"}, name="open")
        snapshot = built(closed, beside, served("web")).snapshot
        self.assertIsNone(snapshot.hosts[b"a.x.example"].route(b"/%25zz"))


# Random changes.

HOSTS = ("", "a.example", "b.example", "*.example")
SERVICES = ("web", "other")
DNS_NAMES = ("x.example", "y.example")
SECRETS = {
    "one": (ONE, tls_secret("one", "b.example")),
    "two": (TWO, tls_secret("two", "*.example", valid_for=-timedelta(days=1))),
    "shop/one": (tls_secret("shop/one", "a.example"), tls_secret("shop/one", "*.example")),
    "shop/two": (tls_secret("shop/two", "*.example"), tls_secret("shop/two", "b.example")),
    "users": (
        Secret(metadata=metadata("users"), data={"auth": b"alice:{PLAIN}secret"}),
        Secret(metadata=metadata("users"), data={"alice": b"{PLAIN}secret", "bob": b""}),
    ),
    "trust": (
        Secret(metadata=metadata("trust"), data={"ca.crt": CA.root_pem}),
        Secret(metadata=metadata("trust"), data={"ca.crt": CA.root_pem * 2, "auth": b"a:b"}),
    ),
}
ANNOTATIONS: tuple[dict[str, str], ...] = (
    {},
    {"auth-url": "x"},
    {"auth-tls-secret": "x"},
    {"auth-tls-secret": "default/trust", "auth-tls-verify-client": "optional"},
    {"auth-tls-secret": "default/trust"},
    {"auth-type": "basic", "auth-secret": "users"},
    {"auth-type": "basic", "auth-secret": "default/users", "auth-secret-type": "auth-map"},
    {"auth-type": "basic", "auth-secret": "trust"},
    {"ssl-redirect": "false"},
    {"affinity": "cookie", "unknown": "x"},
    {"use-regex": "true"},
    {"rewrite-target": "/$1", "server-alias": "alias.example"},
    {"server-alias": "alias.example, *.alias.example, a.example, x.a.example"},
    {"canary": "true", "canary-weight": "50"},
    {"canary": "true", "canary-by-header": "x", "affinity": "cookie"},
    {"backend-protocol": "HTTPS", "proxy-ssl-secret": "default/one"},
    {"backend-protocol": "HTTPS", "proxy-ssl-secret": "default/two", "load-balance": "ewma"},
)
PATHS = ("/", "/a", "=/a", "~/a", "/a/", "~/%zz", "~/(x)", "~/(?!x)")

ingresses = st.builds(
    lambda host, paths, name, default, tls, annotations, created, class_name: ingress(
        host,
        paths,
        name=name,
        default=default,
        tls=tls,
        annotations=annotations,
        created=created,
        class_name=class_name,
    ),
    host=st.sampled_from(HOSTS),
    paths=st.dictionaries(
        st.sampled_from(PATHS), st.sampled_from(("web:80", "other:http")), max_size=3
    ),
    name=st.sampled_from(("a", "b", "c", "shop/a", "shop/b")),
    default=st.sampled_from(("", "web:80", "missing:80")),
    tls=st.dictionaries(
        st.sampled_from(("one", "two")),
        st.lists(st.sampled_from(HOSTS[1:]), max_size=2, unique=True),
        max_size=2,
    ),
    annotations=st.sampled_from(ANNOTATIONS),
    created=st.sampled_from((None, "2024-01-01", "2024-01-02")),
    class_name=st.sampled_from((None, None, "ours", "twisted")),
)
others = st.one_of(
    st.sampled_from(SERVICES).map(service),
    st.builds(
        endpoint_slice,
        st.sampled_from(SERVICES),
        st.sampled_from(("10.0.0.1", "10.0.0.2")),
        name=st.sampled_from(("s1", "s2")),
    ),
    st.builds(
        lambda name, host: service(name, kind="ExternalName", external=host),
        st.sampled_from(SERVICES),
        st.sampled_from(DNS_NAMES),
    ),
    st.builds(
        lambda of, hosts: endpoint_slice(of, *hosts, name="s1", family="FQDN"),
        st.sampled_from(SERVICES),
        st.lists(st.sampled_from(DNS_NAMES), min_size=1, max_size=2, unique=True),
    ),
    st.builds(
        lambda name, addresses, fault: resolved_name(name, *addresses, fault=fault),
        st.sampled_from(DNS_NAMES),
        st.lists(st.sampled_from(("10.0.0.5", "127.0.0.1")), max_size=2, unique=True),
        st.sampled_from(("", "it is silent")),
    ),
    st.builds(endpoints, st.sampled_from(SERVICES), st.sampled_from(("10.0.0.3", "10.0.0.4"))),
    st.sampled_from([secret for pair in SECRETS.values() for secret in pair]),
    st.builds(ingress_class, st.sampled_from(("ours", "twisted")), is_default=st.booleans()),
)
changes = st.lists(
    st.tuples(st.booleans(), st.one_of(ingresses, others), st.integers(0, 3)),
    min_size=1,
    max_size=25,
)
CONFIGS = (
    FILES,
    replace(FILES, hosts=Hosts(ownership="namespace")),
    replace(FILES, ssl_redirect=False),
    replace(FILES, tls=TLS(default=("default", "one"))),
    replace(FILES, limits=Limits(read_timeout=5.0)),
    Config(cluster=Cluster(), ingress_class=IngressClassFilter(without_class=True)),
)


class EquivalenceTests(SynchronousTestCase):
    """With a previous build the result is the one from scratch."""

    def assert_same(self, one: Built, other: Built) -> None:
        self.assertEqual(one.snapshot, other.snapshot)
        self.assertEqual(one.problems, other.problems)
        for name in ("rules", "ingresses", "named_secrets", "upstreams", "hosts", "certificates"):
            self.assertEqual(getattr(one.memo, name), getattr(other.memo, name), name)
        self.assertEqual(one.memo.secrets.users, other.memo.secrets.users)
        self.assertEqual(one.memo.secrets.lapses, other.memo.secrets.lapses)
        self.assertEqual(set(one.memo.secrets.pairs), set(other.memo.secrets.pairs))

    @settings(max_examples=150, deadline=None)
    @given(changes, st.integers(0, len(CONFIGS) - 1))
    def test_random_changes(self, sequence: list[tuple[bool, KubeObject, int]], first: int) -> None:
        """Over any sequence of changes, of which each build may see several."""
        items: dict[tuple[type, tuple[str, str]], KubeObject] = {}
        config: Config = CONFIGS[first]
        result: Built | None = None
        history: list[tuple[Built, Built]] = []
        for is_there, item, choice in sequence:
            if is_there:
                items[type(item), item.key] = item
            else:
                items.pop((type(item), item.key), None)
            if choice == 0:
                continue  # The next build sees this change as well.
            if choice == 3:
                config = CONFIGS[len(history) % len(CONFIGS)]
            now = NOW + timedelta(hours=len(history))
            everything = objects(items.values())
            result = build(everything, config, result, now=now)
            history.append((result, build(everything, config, now=now)))
            self.assert_same(*history[-1])
        for before, scratch in history:  # No build has written to an earlier one.
            self.assert_same(before, scratch)

    def test_steps(self) -> None:
        """In steps or at once, the result is the same."""
        items = objects(ingress("a.example", {"/": "web:80"}), served("web"))
        steps: Built = finish(build_steps(items, FILES, now=NOW))
        self.assert_same(steps, build(items, FILES, now=NOW))


class BuiltTests(SynchronousTestCase):
    def test_all_problems(self) -> None:
        """The flat view has the Problems of all owners."""
        result = built(
            ingress("a.example", {"/": "web:80"}, annotations={"x": "1"}),
            ingress("b.example", {"/": "web:80"}, name="b"),
        )
        found = list(result.all_problems())
        self.assertEqual(len(found), 3)
        self.assertTrue(all(isinstance(problem, Problem) for problem in found))


class MappingsTests(SynchronousTestCase):
    def test_all(self) -> None:
        """What a build is made of is named mapping by mapping, for whoever frees it."""
        result = built(*served("a"))
        memo = result.memo
        found = {id(mapping) for mapping in result.mappings()}
        for mapping in (
            result.problems,
            result.snapshot.hosts,
            memo.objects.ingresses,
            memo.rules.sets,
            memo.upstreams.users,
            memo.hosts.problems,
        ):
            self.assertIn(id(mapping), found)
