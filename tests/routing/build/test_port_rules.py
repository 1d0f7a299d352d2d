"""
Tests for `ingress.routing.build.port_rules`, within whole builds.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from twisted.trial.unittest import SynchronousTestCase

from ingress.config import Cluster, Config, PortServices
from ingress.endpoint import Endpoint, UpstreamKey
from ingress.kube.objects import ConfigMap, EndpointPort, KubeObject, ServicePort
from ingress.port_service import TCP, UDP, PortKey
from ingress.problem_code import Code
from ingress.routing.build import Built
from ingress.routing.build.port_rules import MAX_PORTS
from tests.routing.build.test_config_map import config_map
from tests.support.objects import FILES, built, endpoint_slice, ingress, served, service

TCP_NAME = ("ingress-nginx", "tcp-services")
UDP_NAME = ("ingress-nginx", "udp-services")
CONFIG = replace(FILES, port_services=PortServices(tcp=TCP_NAME, udp=UDP_NAME))
DNS = (
    service("dns", ServicePort(port=53, name="dns", protocol="UDP")),
    endpoint_slice("dns", "10.0.0.9", ports=(EndpointPort(port=5353, name="dns", protocol="UDP"),)),
)


def tcp(data: Mapping[str, str]) -> ConfigMap:
    return config_map(data, TCP_NAME)


def udp(data: Mapping[str, str]) -> ConfigMap:
    return config_map(data, UDP_NAME)


def build_ports(
    *items: KubeObject | tuple[KubeObject, ...],
    config: Config = CONFIG,
    previous: Built | None = None,
) -> Built:
    return built(*items, *DNS, served("web"), config=config, previous=previous)


def told(result: Built) -> dict[str, tuple[Code | None, str]]:
    """The Problems by field."""
    return {each.field: (each.code, each.message) for each in result.all_problems()}


class ConfigMapTests(SynchronousTestCase):
    """The ConfigMaps of ingress-nginx."""

    def test_tcp(self) -> None:
        """A port leads to the endpoints of a Service port, by name or number."""
        result = build_ports(tcp({"9000": "default/web:80"}), udp({}))
        found = result.snapshot.ports[PortKey(TCP, 9000)]
        key = UpstreamKey("default", "web", "80")
        self.assertEqual((found.upstream, found.interface), (key, ""))
        self.assertEqual(result.snapshot.upstreams[key].endpoints, (Endpoint("10.0.0.1", 8080),))
        self.assertEqual(str(found), "TCP port 9000 to default/web:80")
        self.assertEqual(told(result), {})

    def test_udp(self) -> None:
        """A port of UDP leads to the port of UDP, whatever TCP has."""
        result = build_ports(tcp({"53": "default/web:80"}), udp({"53": "default/dns:dns"}))
        found = result.snapshot.ports[PortKey(UDP, 53)]
        self.assertEqual(found.upstream, UpstreamKey("default", "dns", "dns", is_udp=True))
        upstream = result.snapshot.upstreams[found.upstream]
        self.assertEqual(upstream.endpoints, (Endpoint("10.0.0.9", 5353),))
        self.assertEqual(len(result.snapshot.ports), 2)
        self.assertEqual(told(result), {})

    def test_proxy(self) -> None:
        """PROXY at the two places, in any case; for UDP it is told and has no effect."""
        options = {"": (False, False), ":PROXY": (True, False), "::proxy": (False, True)}
        options |= {":Proxy:PROXY": (True, True), ":PROXY:": (True, False), "::": (False, False)}
        data = {str(9000 + each): f"default/web:80{text}" for each, text in enumerate(options)}
        result = build_ports(tcp(data), udp({"53": "default/dns:53:PROXY"}))
        ports = result.snapshot.ports
        self.assertEqual(
            [(ports[PortKey(TCP, int(each))].proxy_in, ports[PortKey(TCP, int(each))].proxy_out)
             for each in data],
            list(options.values()),
        )  # fmt: skip
        found = ports[PortKey(UDP, 53)]
        self.assertEqual((found.proxy_in, found.proxy_out), (False, False))
        code, message = told(result)["data[53]"]
        self.assertEqual(code, Code.PORT_DIFFERS)
        self.assertIn("PROXY has no effect for UDP", message)

    def test_odd_option(self) -> None:
        """Another word than PROXY has no effect, as in ingress-nginx, and is told."""
        result = build_ports(
            tcp({"9000": "default/web:80:PR", "9001": "default/web:80:::x"}), udp({})
        )
        self.assertEqual(len(result.snapshot.ports), 2)
        self.assertEqual(
            {field: code for field, (code, _) in told(result).items()},
            {"data[9000]": Code.PORT_DIFFERS, "data[9001]": Code.PORT_DIFFERS},
        )

    def test_bad_entries(self) -> None:
        """A bad entry is a Problem that says what is accepted; its neighbours are served."""
        for port, value in (
            ("0", "default/web:80"),
            ("65536", "default/web:80"),
            ("99999999999999999999", "default/web:80"),
            ("09000", "default/web:80"),
            ("+9000", "default/web:80"),
            ("٩", "default/web:80"),
            ("http", "default/web:80"),
            ("9000", "web:80"),
            ("9000", "default/web"),
            ("9000", "default/web:"),
            ("9000", "default/web:0"),
            ("9000", "default/web:70000"),
            ("9000", "default/web/x:80"),
            ("9000", "De/Web:80"),
            ("9000", ""),
            ("9000", "default/web:80\r\nx"),
            ("9000", "a" * 100_000),
            ("9000", 'default/"$x":80'),
        ):
            result = build_ports(tcp({port: value, "9001": "default/web:80"}), udp({}))
            self.assertEqual(list(result.snapshot.ports), [PortKey(TCP, 9001)], (port, value[:40]))
            (problem,) = result.all_problems()
            self.assertEqual((problem.code, problem.kind), (Code.PORT_ENTRY, "ConfigMap"))
            self.assertIn("this port is not opened", problem.message)
            self.assertLess(len(str(problem)), 600)

    def test_bounded(self) -> None:
        """There is a bound on the ports of one ConfigMap."""
        data = {str(port): "default/web:80" for port in range(20_000, 20_002 + MAX_PORTS)}
        result = build_ports(tcp(data), udp({}))
        self.assertEqual(len(result.snapshot.ports), MAX_PORTS)
        (problem,) = result.all_problems()
        self.assertIn("2 entries beyond the first 1000", problem.message)

    def test_service_that_cannot_answer(self) -> None:
        """A Service that is not there, has no such port or another protocol is told; it may come."""
        data = {"9000": "default/gone:80", "9001": "default/web:81", "9002": "default/dns:53"}
        result = build_ports(tcp(data), udp({"53": "default/web:80"}))
        self.assertEqual(len(result.snapshot.ports), 4)
        found = told(result)
        for field, text in (
            ("data[9000]", "does not exist"),
            ("data[9001]", "has no port 81; it has 80"),
            ("data[9002]", "port 53 of Service default/dns is UDP"),
            ("data[53]", "port 80 of Service default/web is TCP; a port of UDP is needed"),
        ):
            code, message = found[field]
            self.assertEqual(code, Code.SERVICE_WITHOUT_ENDPOINTS)
            self.assertIn(text, message)
            follows = "datagrams to this port are dropped" if "53]" in field else "closed at once"
            self.assertIn(follows, message)
            self.assertNotIn("503", message)

    def test_missing(self) -> None:
        """A ConfigMap that is not there is a Problem of the configuration."""
        result = build_ports()
        self.assertEqual(dict(result.snapshot.ports), {})
        self.assertEqual(
            {(each.field, each.code) for each in result.all_problems()},
            {
                ("tcp-services", Code.CONFIG_MAP_MISSING),
                ("udp-services", Code.CONFIG_MAP_MISSING),
            },
        )

    def test_changes(self) -> None:
        """A build that continues follows the ConfigMap; without a change the ports are the same."""
        first = build_ports(tcp({"9000": "default/web:80"}), udp({}))
        second = build_ports(
            tcp({"9000": "default/web:80", "9001": "default/web:80"}), udp({}), previous=first
        )
        self.assertEqual({each.port for each in second.snapshot.ports}, {9000, 9001})
        item = tcp({"9000": "default/web:80", "9001": "default/web:80"})
        third = build_ports(item, udp({}), ingress("a", {"/": "web:80"}), previous=second)
        self.assertIs(third.snapshot.ports, second.snapshot.ports)
        gone = build_ports(previous=third)
        self.assertEqual(dict(gone.snapshot.ports), {})
        self.assertEqual(gone.snapshot, build_ports().snapshot)
        again = build_ports(item, udp({}), previous=gone)
        self.assertEqual(again.snapshot.ports, second.snapshot.ports)
        self.assertEqual(told(again), {})

    def test_not_read(self) -> None:
        """A Service of a namespace that is not read is a Problem, with a port by name as well."""
        config = Config(cluster=Cluster(namespaces=("shop",)), port_services=CONFIG.port_services)
        result = build_ports(tcp({"9000": "default/web:http"}), udp({}), config=config)
        code, message = told(result)["data[9000]"]
        self.assertEqual(code, Code.PORT_ENTRY)
        self.assertIn("namespace default is not read", message)
        self.assertEqual(dict(result.snapshot.ports), {})

    def test_same_config_map(self) -> None:
        """One ConfigMap may list the ports of both protocols."""
        config = replace(FILES, port_services=PortServices(tcp=TCP_NAME, udp=TCP_NAME))
        result = build_ports(tcp({"9000": "default/web:80"}), config=config)
        self.assertEqual(set(result.snapshot.ports), {PortKey(TCP, 9000), PortKey(UDP, 9000)})
