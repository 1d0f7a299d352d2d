"""Tests of which namespace a host belongs to."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from ingress.routing.build.host_owner import HostOwners, Ownership, hosts_below, wildcard_of
from ingress.steps import finish
from tests.support.objects import built, ingress


def owner(host: str, ownership: Ownership, **hosts: str) -> str | None:
    """
    :param hosts: by the name of its Ingress; the first is the oldest.
    :return: the name of the Ingress that owns `host`.
    """
    items = [
        ingress(hosts[name], {"/": "web:80"}, name=name, created=f"2024-01-{day:02}")
        for day, name in enumerate(hosts, 1)
    ]
    memo = built(*items).memo
    found = HostOwners(memo.hosts.users, memo.rules, ownership).owner(host)
    return found.source.name if found is not None else None


class HostOwnersTests(SynchronousTestCase):
    def test_oldest(self) -> None:
        """The oldest object with rules for a host owns it."""
        for ownership in ("shared", "namespace"):
            self.assertEqual(owner("a.example", ownership, a="a.example", b="a.example"), "a")
            self.assertIsNone(owner("c.example", ownership, a="a.example", b=""))

    def test_wildcard(self) -> None:
        """A wildcard owns the hosts below it that have no rules, and all younger ones if asked."""
        hosts = {"a": "*.example", "b": "b.example"}
        self.assertEqual(owner("c.example", "shared", **hosts), "a")
        self.assertEqual(owner("b.example", "shared", **hosts), "b")
        self.assertEqual(owner("b.example", "namespace", **hosts), "a")
        self.assertEqual(owner("b.example", "namespace", b="b.example", a="*.example"), "b")
        self.assertIsNone(owner("c.b.example", "namespace", **hosts))

    def test_wildcard_of(self) -> None:
        """A wildcard covers one label; nothing covers a wildcard, or hosts that nobody names."""
        for host, expected in (
            ("a.b.example", "*.b.example"),
            ("*.b.example", ""),
            ("example", ""),
            ("", ""),
        ):
            self.assertEqual(wildcard_of(host), expected)

    def test_below(self) -> None:
        """The hosts below some wildcards are found among all."""
        hosts = ["a.example", "a.b.example", "*.example", "example", ""]
        self.assertEqual(finish(hosts_below(["*.example", "*.x"], hosts)), {"a.example"})
        self.assertEqual(finish(hosts_below(["*.x"], hosts)), set())
        self.assertEqual(finish(hosts_below([], hosts)), set())
