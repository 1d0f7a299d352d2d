"""Tests of which host, route and certificate a request gets."""

from __future__ import annotations

import pickle
from dataclasses import replace
from datetime import UTC, datetime

from twisted.trial.unittest import SynchronousTestCase

from ingress.client_session import ClientTrust
from ingress.config import Config
from ingress.endpoint import Endpoint, Upstream, UpstreamKey
from ingress.routing.match import (
    find_certificate,
    find_client_trust,
    find_host,
    find_route,
    find_upstream_of,
)
from ingress.routing.resource import ReverseProxyResource
from ingress.routing.route import Route
from ingress.routing.snapshot import ServerCertificate, Snapshot, VirtualHost


def host(name: str) -> VirtualHost:
    """A host with one rule, for ``/NAME`` alone."""
    route = Route(("default", name), UpstreamKey("default", name, "80"))
    leaf = ReverseProxyResource(prefix=route)
    return VirtualHost(name, ReverseProxyResource(children={b"path": leaf}))


def certificate(name: str) -> ServerCertificate:
    moment = datetime(2026, 1, 1, tzinfo=UTC)
    return ServerCertificate(b"", b"", (name,), moment, moment, name)


SNAPSHOT = Snapshot(
    Config(),
    hosts={b"foo.example": host("foo.example")},
    wildcard_hosts={b"example": host("*.example")},
    any_host=host(""),
    certificates={name: certificate(name) for name in ("foo.example", "*.example")},
)


class FindUpstreamTests(SynchronousTestCase):
    """The Upstream of a Route, which is found anew in each Snapshot."""

    def test_each_snapshot(self) -> None:
        """It is that of the Snapshot, whatever was found in another one."""
        key = UpstreamKey("default", "web", "80")
        route = Route(("default", "web"), key)
        one, other = (Upstream(key, (Endpoint("10.1.0.1", port),)) for port in (1, 2))
        snapshots = [Snapshot(Config(), upstreams={key: each}) for each in (one, other)]
        for _ in range(2):
            for snapshot, expected in zip(snapshots, (one, other), strict=True):
                for _ in range(2):
                    self.assertIs(find_upstream_of(snapshot, route, key), expected)
        self.assertIsNone(find_upstream_of(Snapshot(Config()), route, key))

    def test_another(self) -> None:
        """What a policy asks in place of it is not taken for it."""
        own, asked = (UpstreamKey("default", name, "80") for name in ("web", "other"))
        route = Route(("default", "web"), own)
        upstreams = {key: Upstream(key) for key in (own, asked)}
        snapshot = Snapshot(Config(), upstreams=upstreams)
        for key in (own, asked, own, UpstreamKey(*own), asked):
            self.assertIs(find_upstream_of(snapshot, route, key), upstreams[key])

    def test_nothing_is_kept_alive(self) -> None:
        """What was found is no part of what is compared or sent."""
        key = UpstreamKey("default", "web", "80")
        route = Route(("default", "web"), key)
        find_upstream_of(Snapshot(Config(), upstreams={key: Upstream(key)}), route, key)
        copy = pickle.loads(pickle.dumps(route))
        self.assertEqual(copy, route)
        self.assertIsNone(copy.found.upstream)


class FindHostTests(SynchronousTestCase):
    def assert_host(self, name: bytes, expected: str) -> None:
        found = find_host(SNAPSHOT, name)
        assert found is not None
        self.assertEqual(found.name, expected)

    def test_exact(self) -> None:
        """An exact host goes before a wildcard."""
        self.assert_host(b"foo.example", "foo.example")

    def test_wildcard(self) -> None:
        """A wildcard takes exactly one label."""
        self.assert_host(b"bar.example", "*.example")
        self.assert_host(b"baz.bar.example", "")
        self.assert_host(b"example", "")
        self.assert_host(b".example", "")

    def test_any(self) -> None:
        """Hosts that nobody names, and no host at all, get the rules without host."""
        self.assert_host(b"other.test", "")
        self.assert_host(b"", "")

    def test_none(self) -> None:
        """Without rules for any host there is no VirtualHost."""
        self.assertIsNone(find_host(Snapshot(Config()), b"foo.example"))


class FindRouteTests(SynchronousTestCase):
    def test_no_fallback(self) -> None:
        """The host that was chosen decides: no rule of another host is tried."""
        snapshot = Snapshot(
            Config(),
            hosts={b"foo.example": VirtualHost("foo.example")},
            any_host=host(""),
        )
        self.assertIsNone(find_route(snapshot, b"foo.example", b"/path"))
        self.assertIsNotNone(find_route(snapshot, b"bar.example", b"/path"))

    def test_default(self) -> None:
        """A host's default backend serves what no path matches."""
        default = Route(("default", "x"), None)
        snapshot = Snapshot(Config(), hosts={b"a": VirtualHost("a", default=default)})
        self.assertIs(find_route(snapshot, b"a", b"/anything"), default)

    def test_default_of_all(self) -> None:
        """The default route gets what no rule of any kind of host matches, and nothing else."""
        default, own = Route(("", ""), None), Route(("default", "x"), None)
        snapshot = Snapshot(
            Config(),
            hosts={
                b"a": VirtualHost("a"),
                b"b": VirtualHost("b", default=own),
                b"c": VirtualHost("c", has_conditions=True),
            },
            default_route=default,
        )
        for name, expected in ((b"a", default), (b"b", own), (b"c", default), (b"d", default)):
            self.assertIs(find_route(snapshot, name, b"/"), expected, name)

    def test_nothing(self) -> None:
        """No host, no route."""
        self.assertIsNone(find_route(Snapshot(Config()), b"a", b"/"))


class FindCertificateTests(SynchronousTestCase):
    def assert_certificate(self, name: str | None, expected: str | None) -> None:
        found = find_certificate(SNAPSHOT, name)
        self.assertEqual(found.names[0] if found else None, expected)

    def test_exact(self) -> None:
        """The exact name goes first, in any case and with a trailing dot."""
        self.assert_certificate("foo.example", "foo.example")
        self.assert_certificate("FOO.Example.", "foo.example")

    def test_wildcard(self) -> None:
        """Then the wildcard of one label."""
        self.assert_certificate("Bar.example", "*.example")
        self.assert_certificate("baz.bar.example", None)

    def test_default(self) -> None:
        """Without name, or with one that nobody knows, the default one serves."""
        default = certificate("default")
        snapshot = Snapshot(Config(), default_certificate=default)
        self.assertIs(find_certificate(snapshot, None), default)
        self.assertIs(find_certificate(snapshot, "foo"), default)
        self.assert_certificate(None, None)


class FindClientTrustTests(SynchronousTestCase):
    def test_hosts(self) -> None:
        """A handshake asks for what the host of that name asks for."""
        exact, wildcard, rest = (ClientTrust(name) for name in (b"exact", b"wildcard", b"rest"))
        asking = replace(
            SNAPSHOT,
            hosts={
                b"foo.example": replace(host("foo.example"), client_trust=exact),
                b"open.example": host("open.example"),
            },
            wildcard_hosts={b"example": replace(host("*.example"), client_trust=wildcard)},
            any_host=replace(host(""), client_trust=rest),
        )
        for name, expected in (
            ("foo.example", exact),
            ("FOO.Example.", exact),
            ("open.example", None),
            ("bar.example", wildcard),
            ("a.bar.example", rest),
            ("192.0.2.1", rest),
            ("\xe4.example", wildcard),
            ("", rest),
            (None, rest),
        ):
            self.assertEqual(find_client_trust(asking, name), expected, name)
        self.assertEqual(
            dict(asking.client_trusts()), {"foo.example": exact, "*.example": wildcard, "": rest}
        )

    def test_nobody(self) -> None:
        """Without such a host it asks for nothing."""
        for snapshot in (SNAPSHOT, Snapshot(Config())):
            for name in ("foo.example", None):
                self.assertIsNone(find_client_trust(snapshot, name))
            self.assertEqual(list(snapshot.client_trusts()), [])
