"""
Tests for `ingress.kube.names`.
"""

from __future__ import annotations

from collections.abc import Callable

from twisted.trial.unittest import SynchronousTestCase

from ingress.kube.names import (
    is_data_key,
    is_dns_1035_label,
    is_dns_label,
    is_dns_subdomain,
    is_label_value,
    is_port_name,
    is_port_number,
    is_qualified_name,
    is_wildcard_subdomain,
)

_HOSTILE = (
    "",
    "a\n",
    "\na",
    "a b",
    "a\0",
    "ä",
    "\u0661",
    "a/../b",
    "-",
    ".",
    "a" * 100_000,
    "a-" * 50_000,
)


class NameTests(SynchronousTestCase):
    """Each rule accepts and refuses what Kubernetes does."""

    def check(
        self, rule: Callable[[str], bool], good: tuple[str, ...], bad: tuple[str, ...]
    ) -> None:
        for name in good:
            self.assertTrue(rule(name), name)
        for name in (*bad, *_HOSTILE):
            self.assertFalse(rule(name), name[:100])

    def test_dns_label(self) -> None:
        """DNS-1123 labels."""
        self.check(
            is_dns_label, ("a", "0a", "a-b", "a" * 63), ("A", "a.b", "-a", "a-", "a_b", "a" * 64)
        )

    def test_dns_1035_label(self) -> None:
        """DNS-1035 labels start with a letter."""
        self.check(is_dns_1035_label, ("a", "a0", "a-0"), ("0a", "A", "a.b", "a-", "a" * 64))

    def test_dns_subdomain(self) -> None:
        """DNS-1123 subdomains; a part may be longer than DNS allows, as in Kubernetes."""
        good = ("a", "a.b", "1.2", "a" * 253, "a-b.c-d")
        self.check(
            is_dns_subdomain, good, ("a..b", "a.", ".a", "A.b", "a.-b", "a_b.c", "a" * 254, "*.a")
        )

    def test_wildcard(self) -> None:
        """A wildcard is the whole first label, and only that."""
        self.check(
            is_wildcard_subdomain,
            ("*.a", "*.a.b"),
            ("*", "*.", "a.b", "*a.b", "*.*.a", "a.*.b", "*.A"),
        )

    def test_qualified_name(self) -> None:
        """Keys of annotations and labels."""
        good = ("a", "A_b.c-d", "a.b/C", "a/b", "x" * 63)
        self.check(
            is_qualified_name, good, ("a/b/c", "/a", "a/", "A/b", "_a", "a-", "x" * 64, "a b/c")
        )

    def test_label_value(self) -> None:
        """Values of labels may be empty."""
        self.assertTrue(is_label_value(""))
        for value in ("a", "A_b.c"):
            self.assertTrue(is_label_value(value))
        for value in ("a/b", "-a", "a b", "x" * 64, "a\n"):
            self.assertFalse(is_label_value(value))

    def test_port_name(self) -> None:
        """Names of ports."""
        good = ("http", "a", "a1", "1a", "8080-x", "a-b-c")
        self.check(is_port_name, good, ("80", "a--b", "-a", "a-", "A", "http_1", "x" * 16, "1-2"))

    def test_port_number(self) -> None:
        """Numbers of ports."""
        self.assertEqual(
            [is_port_number(n) for n in (-1, 0, 1, 65535, 65536)], [False, False, True, True, False]
        )

    def test_data_key(self) -> None:
        """Keys of Secrets."""
        for key in ("a", "tls.crt", ".a", "_", "A-b", "a..b"):
            self.assertTrue(is_data_key(key))
        for key in ("", ".", "..", "..a", "a/b", "a b", "a\n", "x" * 254):
            self.assertFalse(is_data_key(key))
