"""Tests of the endpoints of servers that annotations name by host."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from ingress.config import FilesSource
from ingress.endpoint import Endpoint, UpstreamKey
from ingress.kube.objects import ResolvedName
from ingress.own_addresses import NO_ADDRESSES, OwnAddresses, pack_all
from ingress.routing.build.server_host import as_service, resolve_host, service_of_key
from ingress.routing.build.upstream import ResolvedUpstream
from tests.support.objects import FILES, resolved_name, service

CLUSTER = FilesSource()
OURS = OwnAddresses(listeners=pack_all([("127.0.0.1", 8080), ("192.0.2.9", 8080)]))


def resolve(
    host: str,
    *names: ResolvedName,
    port: str = "8080",
    source: FilesSource = CLUSTER,
    own: OwnAddresses = NO_ADDRESSES,
) -> ResolvedUpstream:
    resolved = {name.key: name for name in names}
    return resolve_host(UpstreamKey("", host, port), resolved, source, own)


class ResolveHostTests(SynchronousTestCase):
    def test_address(self) -> None:
        """An address is asked directly."""
        for host in ("192.0.2.1", "2001:db8::1"):
            found = resolve(host)
            self.assertEqual(found.upstream.endpoints, (Endpoint(host, 8080),))
            self.assertEqual((found.fault, found.names), ("", frozenset()))

    def test_name(self) -> None:
        """A name leads to its addresses, and is resolved as long as it is in use."""
        found = resolve("a.example", resolved_name("a.example", "192.0.2.2", "192.0.2.1"))
        self.assertEqual(
            [each.host for each in found.upstream.endpoints], ["192.0.2.1", "192.0.2.2"]
        )
        self.assertEqual((found.fault, found.names), ("", {"a.example"}))

    def test_pending(self) -> None:
        """A name that is not resolved yet has no endpoint and no fault."""
        found = resolve("a.example")
        self.assertEqual((found.upstream.endpoints, found.fault), ((), ""))
        self.assertEqual(found.names, {"a.example"})

    def test_unresolved(self) -> None:
        """A name without address is a fault."""
        name = ResolvedName(
            metadata=resolved_name("a.example").metadata, fault="a.example has no address: gone"
        )
        found = resolve("a.example", name)
        self.assertTrue(found.upstream.is_unresolved)
        self.assertIn("has no address", found.fault)

    def test_refused(self) -> None:
        """Nothing in a cluster leads to this machine, its neighbours or a cloud's metadata."""
        for host in (
            "127.0.0.1",
            "::1",
            "169.254.169.254",
            "fe80::1",
            "0.0.0.0",
            "100.100.100.200",
        ):
            found = resolve(host)
            self.assertEqual(found.upstream.endpoints, (), host)
            self.assertIn("nothing in a cluster may lead to", found.fault)
        found = resolve("a.example", resolved_name("a.example", "192.0.2.1", "127.0.0.1"))
        self.assertEqual(found.upstream.endpoints, ())

    def test_files(self) -> None:
        """With files this is the user's own machine."""
        found = resolve("127.0.0.1", port="9091", source=FILES.source, own=OURS)
        self.assertEqual(found.upstream.endpoints, (Endpoint("127.0.0.1", 9091),))

    def test_own(self) -> None:
        """A host that leads to a listener of ours has no endpoint, and says so."""
        name = resolved_name("a.example", "192.0.2.9")
        for found in (
            resolve("a.example", name, own=OURS),
            resolve("127.0.0.1", source=FILES.source, own=OURS),
        ):
            self.assertTrue(found.upstream.is_own)
            self.assertEqual((found.upstream.endpoints, found.fault), ((), ""))
        both = resolved_name("a.example", "192.0.2.8", "192.0.2.9")
        found = resolve("a.example", both, own=OURS)
        self.assertFalse(found.upstream.is_own)
        self.assertEqual([each.host for each in found.upstream.endpoints], ["192.0.2.8"])


class ServiceTests(SynchronousTestCase):
    def test_short_name(self) -> None:
        """A Service of this name and namespace goes before DNS, as in a cluster."""
        key = UpstreamKey("", "auth.sso", "80")
        self.assertEqual(service_of_key(key), ("sso", "auth"))
        services = {("sso", "auth"): service("auth")}
        self.assertEqual(as_service(key, services, CLUSTER), UpstreamKey("sso", "auth", "80"))
        self.assertIsNone(as_service(key, {}, CLUSTER))
        local = FilesSource(endpoints={("sso", "auth", ""): (("127.0.0.1", 80),)})
        self.assertEqual(as_service(key, {}, local), UpstreamKey("sso", "auth", "80"))

    def test_not_read(self) -> None:
        """A Service of a namespace that is not read is a name, as the cluster has it."""
        key = UpstreamKey("sso", "auth", "80")
        self.assertIsNone(as_service(key, {}, CLUSTER, ("default",)))
        self.assertIs(as_service(key, {}, CLUSTER, ("default", "sso")), key)
        name = resolved_name("auth.sso.svc.cluster.local", "10.96.0.7")
        found = resolve_host(key, {name.key: name}, CLUSTER, NO_ADDRESSES)
        self.assertEqual([each.host for each in found.upstream.endpoints], ["10.96.0.7"])
        self.assertEqual((found.upstream.key, found.names), (key, {"auth.sso.svc.cluster.local"}))

    def test_other_names(self) -> None:
        """Shorter and longer names are for DNS alone."""
        for host in ("auth", "auth.sso.example", "auth."):
            key = UpstreamKey("", host, "80")
            self.assertEqual(service_of_key(key), ("", host))
            self.assertIsNone(as_service(key, {}, CLUSTER))
        key = UpstreamKey("sso", "auth", "80")
        self.assertIs(as_service(key, {}, CLUSTER), key)
