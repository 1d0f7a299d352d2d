"""
Tests for `ingress.routing.build.port_table`, within whole builds.
"""

from __future__ import annotations

from dataclasses import replace
from ipaddress import ip_network

from twisted.trial.unittest import SynchronousTestCase

from ingress.config import Config, Listen, PortServices
from ingress.own_addresses import OwnAddresses, pack_all
from ingress.port_service import (
    TCP,
    UDP,
    PortKey,
    PortService,
    PortSource,
    make_port_service,
    parse_service_reference,
)
from ingress.problem_code import Code
from tests.routing.build.test_port_rules import CONFIG, TCP_NAME, build_ports, tcp, told, udp
from tests.support.objects import FILES, built, endpoint_slice, service


def listed(port: int, text: str, protocol: str = TCP) -> PortService:
    """A line of ``listen.tcp`` or ``listen.udp``."""
    source = PortSource(field=f"listen.{protocol.lower()}[{port}]")
    return make_port_service(PortKey(protocol, port), parse_service_reference(text), source)


def with_listed(*ports: PortService, config: Config = FILES) -> Config:
    return replace(config, port_services=replace(config.port_services, listed=ports))


class ListedTests(SynchronousTestCase):
    """Ports of the configuration."""

    def test_listed(self) -> None:
        """The configuration lists ports of both protocols, with PROXY for TCP alone."""
        config = with_listed(
            listed(9000, "default/web:80:PROXY"),
            listed(53, "default/dns:53:PROXY", UDP),
            config=replace(FILES, trusted_proxies=(ip_network("10.0.0.0/8"),)),
        )
        result = build_ports(config=config)
        ports = result.snapshot.ports
        self.assertEqual(set(ports), {PortKey(TCP, 9000), PortKey(UDP, 53)})
        self.assertTrue(ports[PortKey(TCP, 9000)].proxy_in)
        self.assertFalse(ports[PortKey(UDP, 53)].proxy_in)
        self.assertEqual(told(result), {})

    def test_with_default_backend(self) -> None:
        """The default backend of the configuration stays what it is."""
        config = replace(
            with_listed(listed(9000, "default/web:80")), default_backend=("default", "web", "80")
        )
        result = build_ports(config=config)
        self.assertIsNotNone(result.snapshot.default_route)
        self.assertEqual(len(result.snapshot.ports), 1)

    def test_missing_service(self) -> None:
        """A Service that is not there is a Problem of the configuration."""
        result = build_ports(config=with_listed(listed(9000, "default/gone:80")))
        (problem,) = result.all_problems()
        self.assertEqual(problem.kind, "")
        self.assertEqual(problem.field, "listen.tcp[9000]")
        self.assertIn("does not exist", problem.message)
        self.assertIn("closed at once", problem.message)

    def test_names(self) -> None:
        """An endpoint of UDP that is a name is told; localhost is none."""
        endpoints = {
            ("default", "names", ""): (("dns.example", 53), ("localhost", 5353), ("10.0.0.1", 53))
        }
        source = replace(FILES.source, endpoints=endpoints)
        ports = (listed(53, "default/names:53", UDP), listed(54, "default/names:53"))
        result = built(config=with_listed(*ports, config=replace(FILES, source=source)))
        (problem,) = result.all_problems()
        self.assertEqual((problem.code, problem.field), (Code.PORT_DIFFERS, "listen.udp[53]"))
        self.assertIn("dns.example: endpoints of UDP are IP addresses", problem.message)


class TakenTests(SynchronousTestCase):
    """Ports that have another use."""

    def test_both_places(self) -> None:
        """What the configuration lists goes before the ConfigMap."""
        config = with_listed(listed(9000, "default/web:80"), config=CONFIG)
        result = build_ports(tcp({"9000": "default/dns:53"}), udp({}), config=config)
        found = result.snapshot.ports[PortKey(TCP, 9000)]
        self.assertEqual(found.upstream.service, "web")
        code, message = told(result)["data[9000]"]
        self.assertEqual(code, Code.PORT_TAKEN)
        self.assertIn("listen.tcp[9000] of the configuration has the same port", message)

    def test_listeners(self) -> None:
        """The ports of our listeners are reserved for TCP, and not for UDP."""
        listen = Listen(http=("tcp:8080",), https=("127.0.0.1:8443",), admin=("unix:x",))
        config = replace(CONFIG, listen=listen)
        data = {"8080": "default/web:80", "8443": "default/web:80"}
        result = build_ports(tcp(data), udp({"8443": "default/dns:53"}), config=config)
        self.assertEqual(set(result.snapshot.ports), {PortKey(UDP, 8443)})
        found = told(result)
        self.assertEqual(found["data[8080]"][0], Code.PORT_TAKEN)
        self.assertIn("listen.http has this port", found["data[8080]"][1])
        self.assertIn("listen.https has this port", found["data[8443]"][1])

    def test_chosen_port(self) -> None:
        """A port that the system has chosen for a listener is reserved as well."""
        own = OwnAddresses(pack_all([("0.0.0.0", 41234)]))
        result = built(tcp({"41234": "default/web:80"}), udp({}), config=CONFIG, own=own)
        self.assertEqual(dict(result.snapshot.ports), {})
        self.assertIn("a listener of this proxy has this port", told(result)["data[41234]"][1])

    def test_freed(self) -> None:
        """A Problem is gone with its cause."""
        first = build_ports(tcp({"8080": "default/web:80"}), udp({}))
        second = build_ports(tcp({"8081": "default/web:80"}), udp({}), previous=first)
        self.assertEqual(len(told(first)), 1)
        self.assertEqual(told(second), {})


class LoopTests(SynchronousTestCase):
    """No port leads back to the proxy."""

    def test_own_port(self) -> None:
        """An endpoint at the port of a TCP service of ours gets nothing."""
        listen = Listen(http=("tcp:1",), https=())
        config = replace(FILES, listen=listen, port_services=PortServices(tcp=TCP_NAME))
        own = OwnAddresses(local=frozenset({bytes([10, 0, 0, 7])}))
        for address in ("127.0.0.1", "10.0.0.7"):
            result = built(
                service("loop"),
                endpoint_slice("loop", address),
                tcp({"8080": "default/loop:80"}),
                config=config,
                own=own,
            )
            (upstream,) = result.snapshot.upstreams.values()
            self.assertEqual(upstream.endpoints, ())
            self.assertIn("a TCP service of this proxy", told(result)["endpoints"][1])

    def test_other_protocol(self) -> None:
        """A port of TCP is no loop for UDP, nor at another machine."""
        own = OwnAddresses(udp_services=frozenset({53}), tcp_services=frozenset({53}))
        self.assertTrue(own.claim("127.0.0.1", 53, is_udp=True))
        self.assertEqual(own.claim("10.0.0.1", 53, is_udp=True), "")
        only_tcp = OwnAddresses(tcp_services=frozenset({53}))
        self.assertEqual(only_tcp.claim("127.0.0.1", 53, is_udp=True), "")
        self.assertTrue(only_tcp.claim("localhost", 53))
