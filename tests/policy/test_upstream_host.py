"""Tests of `ingress.policy.upstream_host`."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from ingress.policy.policy import phases_of
from ingress.policy.upstream_host import UpstreamHost
from ingress.testing import read_annotations, rule_scope
from tests.support.objects import built, ingress, problems_of, served
from tests.support.wire import Wire


class ReadTests(SynchronousTestCase):
    def test_hosts(self) -> None:
        """A host is accepted with a port or without, and with the variables of its Service."""
        for value in (
            "inner.example",
            "inner_1.example:8080",
            "[2001:db8::1]:8080",
            "$service_name",
            "$service_name.$namespace.svc:$service_port",
            "${service_name}-x.${namespace}.svc:${service_port}",
        ):
            reading = read_annotations(UpstreamHost, {"upstream-vhost": value})
            self.assertEqual((reading.feature, reading.faults), (UpstreamHost(value), {}))

    def test_nothing(self) -> None:
        """Without a value endpoints get the client's own Host."""
        for values in ({}, {"upstream-vhost": ""}, {"upstream-vhost": " "}):
            self.assertEqual(read_annotations(UpstreamHost, values), (None, {}, None))

    def test_bad_values(self) -> None:
        """A value that is no host, or has another variable, is a fault and changes nothing."""
        for value in (
            "a b",
            "a\r\nX-Admin: 1",
            "a\nb",
            "a\0b",
            '"a"',
            "a/b",
            "user@a",
            "a:b",
            "a:80:80",
            "$host",
            "$http_x",
            "$namespaces",
            "${namespace",
            "$",
            "ä.example",
            "a" * 100 * 1024,
        ):
            reading = read_annotations(UpstreamHost, {"upstream-vhost": value})
            self.assertIsNone(reading.feature, value)
            self.assertIn("get the Host field of the client", reading.faults["upstream-vhost"])


class RuleTests(SynchronousTestCase):
    def test_variables(self) -> None:
        """Variables have the values of the rule's Service port."""
        rule = rule_scope(namespace="shop", service="web", port="http")
        for written, host in (
            ("inner.example:81", b"inner.example:81"),
            ("$service_name.$namespace:$service_port", b"web.shop:http"),
            ("${service_name}x-${namespace}", b"webx-shop"),
        ):
            adapted = UpstreamHost(written).at(rule)
            assert adapted is not None
            self.assertEqual(adapted.request_edits.host, host)
            self.assertEqual(adapted.shown(), {"upstreamHost": host.decode()})
            self.assertEqual(adapted.explain(), f"Endpoints get the Host {host.decode()}.")

    def test_no_service(self) -> None:
        """A rule without a Service has no endpoint that could get a Host."""
        rule = rule_scope()._replace(upstream=None)
        self.assertIsNone(UpstreamHost("inner.example").at(rule))

    def test_phases(self) -> None:
        """Nothing is decided for each request."""
        self.assertEqual(phases_of(UpstreamHost), frozenset())


class WireTests(SynchronousTestCase):
    def test_exchange(self) -> None:
        """An endpoint gets that Host alone, and the client's as X-Forwarded-Host."""
        annotations = {"upstream-vhost": "$service_name.$namespace.svc"}
        web = ingress("a.example", {"/": "web:80"}, annotations=annotations)
        result = built(web, served("web"))
        self.assertEqual(problems_of(result), [])
        wire = Wire()
        wire.plane.publish(result.snapshot)
        client = wire.connect()
        for _ in range(2):
            client.send(b"GET / HTTP/1.1\r\nHost: a.example\r\n\r\n")
            endpoint = wire.accept()
            received = endpoint.receive()
            self.assertEqual(received.values(b"Host"), [b"web.default.svc"])
            self.assertEqual(received.values(b"X-Forwarded-Host"), [b"a.example"])
            endpoint.send(b"HTTP/1.1 204 No Content\r\nConnection: close\r\n\r\n")
            endpoint.close()
            self.assertEqual(client.receive().status, 204)
