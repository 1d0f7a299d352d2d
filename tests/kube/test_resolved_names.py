"""
Tests for `ingress.kube.resolved_names`.
"""

from __future__ import annotations

from pathlib import Path
from random import Random
from typing import Any

from twisted.internet import reactor as _reactor
from twisted.internet.defer import Deferred, execute
from twisted.names import error
from twisted.trial.unittest import SynchronousTestCase, TestCase

from ingress.dns.lookup import Lookup, client_maker
from ingress.dns.name_resolver import NameResolver, Resolution
from ingress.dns.system_files import SystemFiles
from ingress.kube.objects import KubeObject
from ingress.kube.resolved_names import ResolvedNames
from ingress.kube.store import ObjectStore
from ingress.routing.build import build
from ingress.routing.snapshot import Snapshot
from tests.support.name_server import LOOPBACK, NameServer
from tests.support.objects import FILES, NOW, ingress, service

reactor: Any = _reactor


class ResolvedNamesTests(SynchronousTestCase):
    def test_all(self) -> None:
        """The result of a name is in the store until the name is forgotten."""
        store = ObjectStore()
        names = ResolvedNames(store)
        names.put("a.example", Resolution(("192.0.2.1", "192.0.2.2"), "it is silent"))
        (item,) = store.view().resolved_names.values()
        self.assertEqual(item.key, ("", "a.example"))
        self.assertEqual(item.addresses, ("192.0.2.1", "192.0.2.2"))
        self.assertEqual(item.fault, "it is silent")
        names.forget("a.example")
        self.assertEqual(store.view().resolved_names, {})


class NameServerTests(TestCase):
    """From a name server on the loopback interface to endpoints."""

    def setUp(self) -> None:
        folder = Path(self.mktemp())
        folder.mkdir()
        (folder / "resolv.conf").write_text(f"nameserver {LOOPBACK}\nsearch x.example\n")
        self.server = NameServer(reactor)
        self.addCleanup(self.server.stop)
        files = SystemFiles(reactor, execute, folder / "resolv.conf", folder / "hosts")
        make_client = client_maker(reactor, Random(1), self.server.port)
        lookup = Lookup(files.current, make_client, lambda address: True)
        self.store = ObjectStore()
        self.resolver = NameResolver(reactor, Random(1), lookup, ResolvedNames(self.store))
        self.addCleanup(self.resolver.stop)

    def put(self, *items: KubeObject) -> None:
        self.store.apply([ingress("a.example", {"/": "web:80"}), *items])

    def snapshot(self) -> Snapshot:
        return build(self.store.view(), FILES, now=NOW).snapshot

    def endpoints(self) -> list[str]:
        return sorted(map(str, self.snapshot().endpoints()))

    async def change(self) -> None:
        """Wait until the store changes."""
        changed: Deferred[None] = Deferred()
        unsubscribe = self.store.subscribe(lambda: changed.callback(None))
        await changed
        unsubscribe()

    async def resolve(self) -> None:
        await self.resolver.want(build(self.store.view(), FILES, now=NOW).names)

    async def test_follows(self) -> None:
        """A name leads to its addresses, and to others when its TTL has passed."""
        self.put(service("web", kind="ExternalName", external="api"))
        self.server.put("api.x.example", "192.0.2.1", "192.0.2.2", ttl=0)
        await self.resolve()
        self.assertEqual(self.endpoints(), ["192.0.2.1:80", "192.0.2.2:80"])
        self.server.put("api.x.example", "192.0.2.3", ttl=0)
        await self.change()
        self.assertEqual(self.endpoints(), ["192.0.2.3:80"])
        self.server.forget("api.x.example")
        await self.change()
        (upstream,) = self.snapshot().upstreams.values()
        self.assertTrue(upstream.is_unresolved)

    async def test_fails(self) -> None:
        """A name server that fails leaves the addresses that were known, with a Problem."""
        self.put(service("web", kind="ExternalName", external="api"))
        self.server.put("api.x.example", "192.0.2.1", ttl=0)
        await self.resolve()
        self.server.fail("api.x.example", error.DNSServerError())
        await self.change()
        self.assertEqual(self.endpoints(), ["192.0.2.1:80"])
        (problem,) = build(self.store.view(), FILES, now=NOW).all_problems()
        self.assertIn("fails (SERVFAIL); its last addresses stay in use", problem.message)
