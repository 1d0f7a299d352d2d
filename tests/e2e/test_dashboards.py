"""
A real Prometheus reads a real process under load, and answers what the dashboards ask: ours and those
of ingress-nginx.

It takes half a minute, so that ``make dashboards`` runs it, and continuous integration.
"""

from __future__ import annotations

import math
import os
import re
import socket
import threading
from collections.abc import Callable
from pathlib import Path
from typing import ClassVar
from unittest import skipUnless

import yaml

from tests.chart.test_alerts import ALERTS
from tests.e2e.case import ProcessTestCase
from tests.support.certs import CertificateAuthority
from tests.support.chart import Rendering
from tests.support.chart_process import ChartProcess, install
from tests.support.client import HTTPClient, trusting_all
from tests.support.collector import Collector
from tests.support.dashboards import DASHBOARDS, expressions, load
from tests.support.endpoints import RawEndpoint, RefusingEndpoint, answering
from tests.support.fake_api import FakeAPIProcess
from tests.support.h2_socket import H2Socket
from tests.support.manifest import (
    Manifest,
    ingress_manifest,
    secret_manifest,
    served_manifests,
)
from tests.support.metric_page import differences, documented, families_of
from tests.support.process import CHECKOUT, LOOPBACK, replace_file, wait_until
from tests.support.prometheus import Prometheus, find_program

IS_WANTED = bool(os.environ.get("TXINGRESS_TEST_DASHBOARDS"))

NGINX_DASHBOARDS = CHECKOUT / "tests" / "fixtures" / "chart" / "ingress-nginx-dashboards.yaml"

OWN = "tests.support.own_policies"

UNKNOWN_FRAME = b"\x00\x00\x00\xbb\x00\x00\x00\x00\x00"
"""A frame of HTTP/2 of a type that nobody knows."""

PREFACE = b"PROXY TCP4 192.0.2.1 192.0.2.2 1234 80\r\n"

RARE = {"txingress_share_refusals_total", "txingress_udp_drops_total"}
"""Metrics of what does not happen here."""

VARIABLES = {
    # All of everything, as the dashboards have it by default.
    r"\$\{?(job|instance|host|ingress)\}?": ".*",
    r"\$(namespace|controller_class|controller|exported_namespace)": ".*",
    # Four times the interval at which Prometheus reads.
    r"\$__rate_interval": "4s",
}


def filled_in(expression: str) -> str:
    """An expression as Grafana sends it, with all replicas chosen."""
    for variable, value in VARIABLES.items():
        expression = re.sub(variable, value, expression)
    return expression


def of_class(ingress: Manifest, name: str = "twisted") -> Manifest:
    """The same Ingress, of a class."""
    spec = ingress["spec"]
    assert isinstance(spec, dict)
    return {**ingress, "spec": {**spec, "ingressClassName": name}}


def free_port(kind: int) -> int:
    with socket.socket(socket.AF_INET, kind) as bound:
        bound.bind(("127.0.0.1", 0))
        port: int = bound.getsockname()[1]
    return port


class Load(threading.Thread):
    """
    Clients of every kind, a round of them after the other until `stop`.

    :param play: one round, by its number.
    :ivar failure: what has ended it.
    """

    def __init__(self, play: Callable[[int], None]) -> None:
        super().__init__(daemon=True)
        self.rounds = 0
        self.failure: BaseException | None = None
        self._play = play
        self._is_over = threading.Event()

    def run(self) -> None:
        while not self._is_over.wait(0.05):
            try:
                self._play(self.rounds)
            except BaseException as error:
                self.failure = error
                raise
            self.rounds += 1

    def stop(self) -> None:
        self._is_over.set()
        self.join()


@skipUnless(IS_WANTED, "make dashboards runs it")
class DashboardTests(ProcessTestCase):
    """One process with traffic, and one in a cluster."""

    prometheus: ClassVar[Prometheus]
    api: ClassVar[FakeAPIProcess]
    pod: ClassVar[ChartProcess]
    load: ClassVar[Load]
    tcp: ClassVar[int]
    udp: ClassVar[int]

    @classmethod
    def prepare(cls, folder: Path) -> None:
        find_program("prometheus")
        collector = cls.keep(Collector())
        manifests = cls.manifests()
        cls.serve(
            folder / "edge-0",
            *manifests,
            otlp={"endpoint": collector.url, "for-all": True, "delay": 0.1},
            listen=cls.listen(),
            trusted_proxies=["127.0.0.1"],
            policies={"late": {"class": f"{OWN}.Late"}},
            **{"class": {"name": "twisted", "controller": "txingress.dev/ingress"}},
        )
        cls.in_cluster(folder)
        addresses = (
            f"127.0.0.1:{cls.process.port('admin')}",
            f"127.0.0.1:{cls.pod.port('admin')}",
        )
        targets = {
            address: {
                "namespace": "txingress",
                "service": "txingress-metrics",
                "pod": f"txingress-{number}",
                "endpoint": "metrics",
                "container": "txingress",
            }
            for number, address in enumerate(addresses)
        }
        cls.prometheus = cls.keep(Prometheus(folder / "prometheus", targets, [ALERTS]))
        cls.load = Load(cls.play)
        cls.load.start()
        cls.resources.callback(cls.load.stop)

    @classmethod
    def listen(cls) -> dict[str, object]:
        """http behind a proxy that sends the PROXY protocol, and ports that are passed on."""
        cls.tcp, cls.udp = free_port(socket.SOCK_STREAM), free_port(socket.SOCK_DGRAM)
        return {
            "http": {"endpoint": LOOPBACK, "proxy-protocol": True},
            "https": LOOPBACK,
            "admin": LOOPBACK,
            "tcp": {f"127.0.0.1:{cls.tcp}": "default/web:80"},
            "udp": {f"127.0.0.1:{cls.udp}": "default/web:80"},
        }

    @classmethod
    def in_cluster(cls, folder: Path) -> None:
        """Start the replica whose objects come from an API server."""
        rendering = Rendering()
        cls.api = FakeAPIProcess(folder / "api.log")
        cls.resources.callback(cls.api.close)
        install(cls.api, rendering)
        cls.pod = ChartProcess(folder / "txingress-1", cls.api, rendering)
        cls.resources.callback(cls.pod.stop)
        cls.pod.start()

    @classmethod
    def manifests(cls) -> list[Manifest]:
        """Ingresses of which each shows in another panel."""
        web = cls.echo("web")
        broken = cls.keep(RawEndpoint(answering(b"HTTP/1.1 502 No\r\nContent-Length: 0\r\n\r\n")))
        dead = cls.keep(RefusingEndpoint())
        issued = CertificateAuthority().issue("a.example")
        foreign = of_class(ingress_manifest("foreign", "c.example", {"/": "web"}), "other")
        ours = [
            ingress_manifest("web", "a.example", {"/": "web"}, tls={"web": ["a.example"]}),
            ingress_manifest(
                "slow",
                "b.example",
                {"/late": "web"},
                annotations={
                    "txingress.dev/policies": "late",
                },
            ),
            ingress_manifest("broken", "b.example", {"/broken": "broken"}),
            ingress_manifest(
                "limited",
                "b.example",
                {"/limited": "web"},
                annotations={
                    "limit-rps": "1",
                    "limit-burst-multiplier": "1",
                },
            ),
            ingress_manifest(
                "copied",
                "b.example",
                {"/copied": "web"},
                annotations={
                    "mirror-target": f"http://127.0.0.1:{web.port}/",
                },
            ),
            ingress_manifest(
                "unreliable",
                "b.example",
                {"/unreliable": "unreliable"},
                annotations={
                    "txingress.dev/health-check-path": "/",
                    "txingress.dev/health-check-interval": "1s",
                },
            ),
            ingress_manifest("missing", "b.example", {"/missing": "missing"}),
        ]
        return [
            {
                "apiVersion": "networking.k8s.io/v1",
                "kind": "IngressClass",
                "metadata": {"name": "twisted"},
                "spec": {"controller": "txingress.dev/ingress"},
            },
            secret_manifest("web", issued),
            *map(of_class, ours),
            foreign,
            *served_manifests("web", web.port),
            *served_manifests("broken", broken.port),
            *served_manifests("unreliable", web.port, dead.port),
        ]

    @classmethod
    def play(cls, number: int) -> None:
        """A round of clients."""
        http, https = cls.process.port("http"), cls.process.port("https")
        paths = ("/late", "/broken", "/limited", "/copied", "/unreliable", "/missing", "/none")
        with HTTPClient(http, preface=PREFACE) as client:
            for path in paths:
                client.request(path, "b.example")
            client.request("/late?fail", "b.example", method="POST", body=b"x" * 1000)
        with socket.create_connection(("127.0.0.1", http)) as stranger:
            stranger.sendall(b"GET / HTTP/1.1\r\n\r\n")
        with HTTPClient(cls.tcp) as client:
            client.request("/", "a.example", fields="Connection: close\r\n")
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as datagrams:
            datagrams.sendto(b"x", ("127.0.0.1", cls.udp))
        with HTTPClient(https, tls=trusting_all(), server_name="a.example") as client:
            client.request("/", "a.example")
        with H2Socket(https, tls=trusting_all(), server_name="a.example") as client2:
            client2.ask("a.example", "/")
            client2.h2.reset_stream(client2.begin("a.example", "/"))
            client2.flush()
            client2.socket.sendall(UNKNOWN_FRAME)
            client2.h2.close_connection()
            client2.flush()
        if number % 3 == 0:
            more = of_class(ingress_manifest("more", f"{number}.example", {"/": "web"}))
            cls.process.write("more.yaml", more)
            cls.api.put(more)
            cls.api.forget_history()
            cls.api.drop_watches()

    def samples(self, expression: str) -> list[float]:
        """The numbers that Prometheus has for an expression, without those that are none."""
        values = [float(each["value"][1]) for each in self.prometheus.query(filled_in(expression))]
        return [each for each in values if not math.isnan(each)]

    def check(self, asked: dict[str, list[str]]) -> None:
        """Wait until each expression has had data; tell all that have none."""
        left = {(where, each) for where, listed in asked.items() for each in listed}

        def all_had() -> bool:
            left.difference_update([each for each in left if self.samples(each[1])])
            return not left

        try:
            wait_until(all_had, "data")
        except AssertionError:
            self.assertEqual(left, set(), f"after {self.load.rounds} rounds")

    def tearDown(self) -> None:
        """The only tracebacks are those of the policy that fails."""
        said = "\n".join(self.process.log.splitlines()[self.mark :])
        self.assertEqual(said.count("Traceback"), said.count("RuntimeError: as asked"), said)
        self.assertNotIn("Traceback", self.pod.log)
        self.assertIsNone(self.load.failure)
        self.assertTrue(self.process.is_running())

    def test_ours(self) -> None:
        """Each panel of our dashboards shows something."""
        asked = {
            name: [expression for _, expression in expressions(load(name))] for name in DASHBOARDS
        }
        self.assertGreater(sum(map(len, asked.values())), 80)
        self.check(asked)
        for expression in {each for listed in asked.values() for each in listed}:
            # Prometheus leaves labels out that a metric does not have, and says nothing.
            grouped = re.search(r"by \(([^)]*)\)", expression)
            wanted = set(re.findall(r"\w+", grouped[1])) - {"le"} if grouped else set()
            samples = self.prometheus.query(filled_in(expression))
            found = {name for each in samples for name in each["metric"]}
            if samples and not re.match(r"max\(sum by", expression):
                self.assertLessEqual(wanted, found, expression)

    def test_ingress_nginx(self) -> None:
        """Each panel of ingress-nginx's dashboards shows something."""
        asked = yaml.safe_load(NGINX_DASHBOARDS.read_text())
        self.assertEqual(sum(map(len, asked.values())), 35)
        [failed] = [each for each in asked["nginx.json"] if each.endswith("== 0)")]
        # That says nothing as long as nothing is wrong.
        self.assertEqual(self.samples(failed), [])
        text = self.pod.config.read_text()
        replace_file(self.pod.config, f"{text}mistake: 1\n")
        self.check(asked)
        replace_file(self.pod.config, text)
        wait_until(lambda: not self.samples(failed), "the mistake to be over")

    def test_documented(self) -> None:
        """Each metric of docs/metrics.md is there, of the one process or the other."""
        left = set(documented())

        def all_there() -> bool:
            for process in (self.process, self.pod):
                with HTTPClient(process.port("admin")) as client:
                    text = client.request("/metrics", "localhost").text
                self.assertEqual(differences(text), [])
                left.difference_update(families_of(text))
            # They need more clients than there are here, and a collector that is slow.
            return left <= RARE

        wait_until(all_there, "all metrics")

    def test_alerts(self) -> None:
        """Prometheus evaluates each alert without a complaint."""
        wait_until(
            lambda: all(each["health"] == "ok" for each in self.prometheus.rules()),
            "the rules to be evaluated",
        )
        self.assertEqual(
            [each.get("lastError", "") for each in self.prometheus.rules()],
            [""] * len(self.prometheus.rules()),
        )
