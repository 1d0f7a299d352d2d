"""
Tests for `ingress.config.value`.
"""

from __future__ import annotations

from collections.abc import Callable
from ipaddress import ip_network

from twisted.trial.unittest import SynchronousTestCase

from ingress.config import value
from ingress.config.section import NotAccepted


class AcceptTests(SynchronousTestCase):
    """Values are turned into ours, or refused with what is accepted."""

    def refusal(self, accept: Callable[[object], object], value: object) -> str:
        return str(self.assertRaises(NotAccepted, accept, value))

    def assert_none_of(self, accept: Callable[[object], object], *values: object) -> None:
        for refused in values:
            self.assertTrue(self.refusal(accept, refused), refused)

    def test_boolean(self) -> None:
        """Only true and false are booleans."""
        self.assertIs(value.boolean(True), True)
        self.assertIs(value.boolean(False), False)
        self.assert_none_of(value.boolean, "true", 1, 0, None, [])

    def test_integer(self) -> None:
        """Whole numbers within bounds, which true is not."""
        self.assertEqual(value.port_number(1), 1)
        self.assertEqual(value.port_number(65535), 65535)
        self.assert_none_of(value.port_number, 0, 65536, True, "80", 80.0, None)

    def test_seconds(self) -> None:
        """Numbers from 0 on become floats; what is no number of seconds is refused."""
        accept = value.seconds(60)
        self.assertEqual([accept(0), accept(60), accept(0.5)], [0.0, 60.0, 0.5])
        self.assert_none_of(accept, -1, 61, float("nan"), float("inf"), True, "30", "30s", None)

    def test_least_seconds(self) -> None:
        """Where none would make no sense, the bound is another, and the refusal names both."""
        accept = value.seconds(60, 0.1)
        self.assertEqual([accept(0.1), accept(60)], [0.1, 60.0])
        self.assertEqual(self.refusal(accept, 0), "a number of seconds from 0.1 to 60")

    def test_size(self) -> None:
        """Bytes as a number, or as text with or without a unit, within bounds."""
        accept = value.size(1024, 65536)
        self.assertEqual([accept(1024), accept("1k"), accept("64K")], [1024, 1024, 65536])
        self.assert_none_of(accept, 1023, "1023", "65k", "64kb", "1 k", -1, 2048.0, True, None, [])

    def test_size_or_no_limit(self) -> None:
        """Nought is no limit, with or without a unit."""
        accept = value.size_or_no_limit
        self.assertEqual([accept("1m"), accept(1), accept("20G")], [1 << 20, 1, 20 << 30])
        self.assertEqual([accept(0), accept("0"), accept("0m")], [None, None, None])
        self.assert_none_of(accept, -1, "-1m", "unlimited", 0.5, False, None, "")

    def test_count_or_no_limit(self) -> None:
        """Nought is no limit."""
        accept = value.count_or_no_limit(100)
        self.assertEqual([accept(0), accept(1), accept(100)], [None, 1, 100])
        self.assert_none_of(accept, -1, 101, "1", True, None)

    def test_one_of(self) -> None:
        """One of the words, and the refusal names them."""
        accept = value.one_of("refuse", "ignore")
        self.assertEqual(accept("ignore"), "ignore")
        self.assertEqual(self.refusal(accept, "allow"), "refuse or ignore")

    def test_or_null(self) -> None:
        """Null beside what else is accepted."""
        accept = value.or_null(value.boolean)
        self.assertIsNone(accept(None))
        self.assertIs(accept(True), True)
        self.assertEqual(self.refusal(accept, 1), "true or false; or null")

    def test_object_name(self) -> None:
        """NAMESPACE/NAME as the API server takes them."""
        self.assertEqual(value.object_name("web/tls.example"), ("web", "tls.example"))
        self.assert_none_of(
            value.object_name, "tls", "a/b/c", "/b", "a/", "A/b", "a.b/c", "a/b\n", 5
        )

    def test_class_name(self) -> None:
        """A class has a name without spaces, a controller a domain and a path."""
        self.assertEqual(value.class_name("nginx_Internal"), "nginx_Internal")
        self.assert_none_of(value.class_name, "", "a b", "a\n", None)
        self.assertEqual(value.controller_name("k8s.io/x"), "k8s.io/x")
        self.assert_none_of(value.controller_name, "k8s.io", "/x", "k8s.io/", "K8S.io/x")

    def test_installation(self) -> None:
        """A name that can stand in a token."""
        self.assertEqual(value.installation("Edge-1.b_c"), "Edge-1.b_c")
        self.assert_none_of(value.installation, "", "a b", "a,b", "a;b", "ä", "a" * 65, 1)

    def test_network(self) -> None:
        """Networks and addresses of both families."""
        for text in ("10.0.0.0/8", "192.0.2.1", "fd00::/8", "::1"):
            self.assertEqual(value.network(text), ip_network(text))
        self.assert_none_of(
            value.network, "", "10/8", "10.0.0.0/33", "web", "fe80::1%eth0", 10, None
        )

    def test_host_bits(self) -> None:
        """An address with a prefix is refused with the two things that it may mean."""
        refusal = self.refusal(value.network, "10.1.2.3/8")
        self.assertIn("10.0.0.0/8 for the network", refusal)
        self.assertIn("10.1.2.3 for the address", refusal)

    def test_admin_host(self) -> None:
        """A host is a name, an address or a domain; a port, or any host at all, is refused."""
        accept = value.admin_host
        for good in ("metrics", "metrics.ingress.svc", "10.0.0.1", "fd00::1", "*.pod.example"):
            self.assertEqual(accept(good), good)
        self.assertEqual(accept("Metrics.Example"), "metrics.example")
        self.assert_none_of(accept, "*", "a:80", "[::1]", "http://a", "a.*", "1.2.3", "", 1, None)

    def test_local_service(self) -> None:
        """NAMESPACE/SERVICE, with or without a port's name or number."""
        accept = value.local_service
        self.assertEqual(accept("default/web"), ("default", "web", ""))
        self.assertEqual(accept("default/web:http"), ("default", "web", "http"))
        self.assertEqual(accept("default/web:80"), ("default", "web", "80"))
        self.assert_none_of(accept, "web", "default/web:", "a/b/c", "default/web:a_b", "a/B", 5)

    def test_local_address(self) -> None:
        """HOST:PORT with a name or an address, IPv6 in brackets."""
        accept = value.local_address
        self.assertEqual(accept("127.0.0.1:3000"), ("127.0.0.1", 3000))
        self.assertEqual(accept("[::1]:3000"), ("::1", 3000))
        self.assertEqual(accept("web.local:80"), ("web.local", 80))
        self.assert_none_of(
            accept,
            *("web", ":80", "::1:80", "[web]:80", "[127.0.0.1]:80", "1.2.3:80", "1.2.3.4:0"),
            *("web:65536", "web:http", "http://web:80", "we b:80", "web:80\n", 80, None),
        )
