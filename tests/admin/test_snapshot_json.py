"""
Tests for `ingress.admin.snapshot_json` and `ingress.admin.route_json`.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from ingress.admin.route_json import route_json
from ingress.admin.snapshot_json import Published, host_json, snapshot_json
from ingress.config import TLS, Config, ConfiguredPolicy, FilesSource
from ingress.endpoint import Endpoint, UpstreamKey
from ingress.kube.objects import KubeObject
from ingress.policy.guard import GuardedPolicy
from ingress.problem import Origin, Problem
from ingress.routing.route import Route
from ingress.telemetry.endpoint_state import EndpointState
from ingress.telemetry.vitals import HTTP2Vitals
from tests.support.certs import CertificateAuthority
from tests.support.objects import (
    FILES,
    LEAVING,
    NOW,
    built,
    endpoint_slice,
    ingress,
    ingress_class,
    secret,
    served,
    service,
)
from tests.support.own_policies import Plain, Stamp


def read(pieces: Iterator[bytes] | None) -> dict[str, Any]:
    assert pieces is not None
    document: dict[str, Any] = json.loads(b"".join(pieces))
    return document


class SnapshotTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.config: Config = FILES
        self.problems: list[Problem] = []
        self.endpoints: dict[Endpoint, EndpointState] = {}

    def published(self, *items: KubeObject | tuple[KubeObject, ...]) -> Published:
        result = built(*items, config=self.config)
        problems = self.problems or list(result.all_problems())
        return Published(result, 3, NOW, problems, self.endpoints)

    def document(self, *items: KubeObject | tuple[KubeObject, ...]) -> dict[str, Any]:
        return read(snapshot_json(self.published(*items)))

    def test_empty(self) -> None:
        """Where nothing is served there is a document nevertheless."""
        document = self.document()
        self.assertEqual(document["generation"], 3)
        self.assertEqual(document["publishedAt"], "2026-11-23T00:00:00Z")
        for name in ("hosts", "certificates", "problems"):
            self.assertEqual(document[name], [])
        self.assertEqual(document["upstreams"], {})
        self.assertEqual(document["foreignIngresses"], {})

    def test_own_policies(self) -> None:
        """Policies of one's own are shown with the configuration and with their rules."""
        stamp = GuardedPolicy.around("stamp", Stamp("x", secret="hidden"))
        plain = GuardedPolicy.around("plain", Plain())
        self.config = replace(
            FILES,
            policies=(
                ConfiguredPolicy("stamp", stamp, is_for_all=True),
                ConfiguredPolicy("plain", plain, is_for_all=True),
            ),
        )
        document = self.document(ingress("a.example", {"/": "web:80"}), served("web"))
        shown = {
            "stamp": {"class": f"{Stamp.__module__}.Stamp", "phases": [], "value": "x"},
            "plain": {"class": f"{Stamp.__module__}.Plain", "phases": ["access"]},
        }
        self.assertEqual(document["hosts"][0]["paths"][0]["policies"], shown)
        self.assertEqual(
            document["config"]["policies"],
            [{"name": name, "forAll": True, **shown[name]} for name in ("stamp", "plain")],
        )
        self.assertNotIn("hidden", json.dumps(document))

    def test_http2(self) -> None:
        """Connections in HTTP/2 are told with their streams: of all, and of each endpoint."""
        self.endpoints = {
            Endpoint("10.0.0.1", 8080): EndpointState(3, http2_connections=1, http2_streams=3)
        }
        published = self.published(ingress("a.example", {"/": "web:80"}), served("web"))
        document = read(snapshot_json(published._replace(http2=HTTP2Vitals(4, 5, 1, 3))))
        (endpoint,) = document["upstreams"]["default/web:80"]["endpoints"]
        self.assertEqual(endpoint["http2"], {"connections": 1, "streams": 3})
        self.assertEqual(
            document["http2"],
            {
                "client": {"connections": 4, "streams": 5},
                "endpoint": {"connections": 1, "streams": 3},
            },
        )

    def test_foreign(self) -> None:
        """Ingresses of other classes are counted by class."""
        document = self.document(
            ingress_class("twisted"), ingress("a.example", {"/": "web:80"}, class_name="nginx")
        )
        self.assertEqual(document["foreignIngresses"], {"nginx": 1})

    def test_paths(self) -> None:
        """Each host is told with its paths, whose they are and where they lead."""
        document = self.document(
            ingress("a.example", {"/": "web:80", "=/exact": "web:80"}),
            ingress("*.b.example", {"/": "web:80"}, name="wildcard"),
            ingress("", {"/": "web:80"}, name="any", default=""),
            ingress("c.example", {}, name="default", default="web:80"),
            served("web"),
        )
        hosts = {host["host"]: host for host in document["hosts"]}
        self.assertEqual(set(hosts), {"a.example", "*.b.example", "", "c.example"})
        paths = {path["path"]: path for path in hosts["a.example"]["paths"]}
        self.assertEqual(set(paths), {"/", "/exact"})
        self.assertEqual(paths["/exact"]["pathType"], "Exact")
        self.assertEqual(paths["/"]["namespace"], "default")
        self.assertEqual(paths["/"]["ingress"], "web")
        self.assertEqual(paths["/"]["upstream"], "default/web:80")
        self.assertIsNone(hosts["a.example"]["default"])
        self.assertEqual(hosts["c.example"]["default"]["ingress"], "default")

    def path(self, **annotations: str) -> dict[str, Any]:
        """What is told of a rule with these annotations; ``_`` for ``-``."""
        settings = {name.replace("_", "-"): value for name, value in annotations.items()}
        document = self.document(
            ingress("a.example", {"/": "web:80"}, annotations=settings), served("web")
        )
        found: dict[str, Any] = document["hosts"][0]["paths"][0]
        return found

    def test_policies(self) -> None:
        """What annotations come to is told with each path."""
        plain = self.path()
        self.assertEqual(plain["loadBalance"], {"algorithm": "round_robin"})
        self.assertEqual(plain["proxy"]["bodySize"], 1024 * 1024)
        for absent in ("affinity", "backendTLS", "httpsRedirect", "refused"):
            self.assertNotIn(absent, plain)
        self.assertEqual(self.path(force_ssl_redirect="true")["httpsRedirect"], ["*"])
        self.assertIn("access", self.path(auth_type="basic")["refused"])
        self.assertEqual(
            self.path(affinity="cookie")["affinity"],
            {"cookie": "INGRESSCOOKIE", "path": "/", "mode": "balanced"},
        )
        self.assertEqual(
            self.path(upstream_hash_by="$request_uri")["loadBalance"]["hashBy"], "$request_uri"
        )
        self.assertEqual(self.path(proxy_body_size="5m")["proxy"]["bodySize"], 5 * 1024 * 1024)
        tls = self.path(backend_protocol="HTTPS")["backendTLS"]
        self.assertEqual((tls["verified"], tls["clientCertificate"]), (False, False))
        refused = self.path(backend_protocol="HTTPS", proxy_ssl_secret="default/nowhere")
        self.assertIn("TLS", refused["refused"])

    def test_redirected_hosts(self) -> None:
        """Rules for any host may be redirected for some hosts only."""
        document = self.document(
            ingress("", {"/": "web:80"}, tls={"pair": ["x.a.example"]}), served("web")
        )
        self.assertEqual(document["hosts"][0]["paths"][0]["httpsRedirect"], ["x.a.example"])

    def test_canaries(self) -> None:
        """A rule has its canaries, and its host their endpoints."""
        canary = ingress(
            "a.example",
            {"/": "new:80"},
            name="next",
            annotations={"canary": "true", "canary-weight": "5", "canary-by-header": "X"},
        )
        published = self.published(
            *served("web"), *served("new"), ingress("a.example", {"/": "web:80"}), canary
        )
        found = read(host_json(published, "a.example"))
        self.assertEqual(list(found["upstreams"]), ["default/new:80", "default/web:80"])
        (path,) = found["hosts"][0]["paths"]
        self.assertEqual(
            path["canaries"],
            [
                {
                    "namespace": "default",
                    "ingress": "next",
                    "upstream": "default/new:80",
                    "share": 0.05,
                    "weight": 5,
                    "weightTotal": 100,
                    "header": "x",
                }
            ],
        )

    def test_resource_backend(self) -> None:
        """A rule without Service leads nowhere."""
        self.assertIsNone(route_json(Route(("default", "web"), None))["upstream"])

    def test_endpoints(self) -> None:
        """Each Service port has its endpoints, with requests of all and ejections of its own."""
        own, foreign = (UpstreamKey(each, "web", "80") for each in ("default", "other"))
        self.endpoints = {
            Endpoint("10.0.0.1", 8080): EndpointState(5, frozenset({foreign})),
            Endpoint("10.0.0.2", 8080): EndpointState(0, frozenset({own, foreign})),
        }
        document = self.document(
            ingress("a.example", {"/": "web:80", "/x": "empty:80"}),
            service("web"),
            endpoint_slice("web", "10.0.0.1", "10.0.0.2", ("10.0.0.3", LEAVING)),
            service("empty"),
        )
        web = document["upstreams"]["default/web:80"]
        self.assertEqual(
            web["endpoints"],
            [
                {"address": "10.0.0.1:8080", "inFlight": 5, "ejected": False, "unhealthy": False},
                {"address": "10.0.0.2:8080", "inFlight": 0, "ejected": True, "unhealthy": False},
            ],
        )
        self.assertNotIn("http2", web["endpoints"][0])
        self.assertEqual([each["address"] for each in web["lingering"]], ["10.0.0.3:8080"])
        self.assertEqual(web["name"], "default-web-80")
        self.assertIsNone(web["fault"])
        empty = document["upstreams"]["default/empty:80"]
        self.assertEqual(empty["endpoints"], [])
        self.assertIn("has no endpoints", empty["fault"])

    def test_many_endpoints(self) -> None:
        """A large Service is told in parts."""
        addresses = [f"10.0.{number // 250}.{number % 250}" for number in range(1000)]
        document = self.document(
            ingress("a.example", {"/": "web:80"}),
            service("web"),
            endpoint_slice("web", *addresses),
        )
        endpoints = document["upstreams"]["default/web:80"]["endpoints"]
        self.assertEqual({each["address"] for each in endpoints}, {f"{a}:8080" for a in addresses})

    def test_certificates(self) -> None:
        """Certificates are told with names, dates and fingerprint, and keys never."""
        authority = CertificateAuthority("Some CA")
        issued, fallback = authority.issue("a.example"), authority.issue("fallback.example")
        self.config = replace(FILES, tls=TLS(default=("default", "fallback")))
        items = (
            ingress("a.example", {"/": "web:80"}, tls={"pair": ["a.example"]}),
            secret("pair", issued.chain_pem, issued.key_pem),
            secret("fallback", fallback.chain_pem, fallback.key_pem),
            served("web"),
        )
        document = self.document(*items)
        first, default = document["certificates"]
        self.assertEqual((first["host"], first["names"]), ("a.example", ["a.example"]))
        self.assertEqual((first["secret"], first["issuer"]), ("default/pair", "Some CA"))
        self.assertEqual(len(first["fingerprint"]), 64)
        self.assertEqual(default["host"], "")
        text = b"".join(snapshot_json(self.published(*items)))
        self.assertNotIn(b"PRIVATE", text)
        self.assertNotIn(issued.key_pem.splitlines()[1], text)

    def test_problems(self) -> None:
        """Problems have object, field, value, message and place."""
        origin = Origin("/k8s/a.yaml", 12)
        self.problems = [
            Problem("bad", "Ingress", "default", "web", "spec.rules[0].host", '"x"', origin)
        ]
        self.assertEqual(
            self.document()["problems"],
            [
                {
                    "code": None,
                    "kind": "Ingress",
                    "namespace": "default",
                    "name": "web",
                    "field": "spec.rules[0].host",
                    "value": '"x"',
                    "message": "bad",
                    "file": "/k8s/a.yaml",
                    "line": 12,
                }
            ],
        )

    def test_config(self) -> None:
        """The configuration is told in plain values."""
        source = FilesSource((Path("k8s"),), {("default", "web", ""): (("127.0.0.1", 3000),)})
        self.config = replace(FILES, source=source)
        config = self.document()["config"]
        self.assertEqual(config["source"]["paths"], ["k8s"])
        self.assertEqual(config["source"]["endpoints"], {"default/web/": [["127.0.0.1", 3000]]})
        self.assertEqual(config["limits"]["headTimeout"], 60.0)
        self.assertTrue(config["sslRedirect"])

    def test_half_a_character(self) -> None:
        """A path that no encoding has is told as well."""
        document = self.document(ingress("a.example", {"/\ud800": "web:80"}), served("web"))
        self.assertEqual(document["hosts"][0]["paths"][0]["path"], "/\ud800")

    def test_pieces(self) -> None:
        """Each piece is little work, however much there is in all."""
        names = [f"web-{number}" for number in range(300)]
        published = self.published(
            *(ingress(f"{name}.example", {"/": "web:80"}, name=name) for name in names),
            served("web"),
        )
        settings, *pieces = snapshot_json(published)
        self.assertIn(b'"config"', settings)
        self.assertGreater(len(pieces), 300)
        self.assertLess(max(map(len, pieces)), 4096)

    def test_field_names(self) -> None:
        """The name of a field is text, though it is kept as bytes."""
        document = self.document(served("web"))
        forwarded = document["config"]["nginx"]["forwardedFor"]
        self.assertEqual(forwarded["field"], "x-forwarded-for")


class HostTests(SynchronousTestCase):
    """What is of concern to one host."""

    def setUp(self) -> None:
        authority = CertificateAuthority()
        one, other = authority.issue("a.example"), authority.issue("*.b.example")
        result = built(
            ingress("a.example", {"/": "web:80"}, name="one", tls={"one": ["a.example"]}),
            ingress("*.b.example", {"/": "api:80"}, name="other", tls={"other": ["*.b.example"]}),
            ingress("c.example", {"/": "nowhere:80"}, name="third"),
            secret("one", one.chain_pem, one.key_pem),
            secret("other", other.chain_pem, other.key_pem),
            served("web"),
            served("api"),
            now=datetime.now(UTC),
        )
        problems = [
            *result.all_problems(),
            Problem("about another", "Ingress", "default", "one"),
            Problem("about a Secret", "Secret", "default", "third"),
        ]
        self.published = Published(result, 1, NOW, problems, {})

    def host(self, name: str) -> dict[str, Any]:
        return read(host_json(self.published, name))

    def test_exact(self) -> None:
        """A host has its paths, its Service ports and its certificate alone."""
        document = self.host("A.Example.")
        self.assertEqual([host["host"] for host in document["hosts"]], ["a.example"])
        self.assertEqual(list(document["upstreams"]), ["default/web:80"])
        self.assertEqual([each["names"] for each in document["certificates"]], [["a.example"]])
        self.assertEqual([each["message"] for each in document["problems"]], ["about another"])

    def test_wildcard(self) -> None:
        """A host that a wildcard serves is told with that one."""
        for name in ("x.b.example", "*.b.example"):
            document = self.host(name)
            self.assertEqual([host["host"] for host in document["hosts"]], ["*.b.example"])
            self.assertEqual([each["host"] for each in document["certificates"]], [name])

    def test_problems(self) -> None:
        """The problems are those of the Ingresses that have a part of the host."""
        document = self.host("c.example")
        self.assertEqual(len(document["problems"]), 1)
        self.assertIn("nowhere", document["problems"][0]["message"])
        self.assertEqual(document["certificates"], [])

    def test_unknown(self) -> None:
        """Where no rule is for a host there is nothing to tell."""
        self.assertIsNone(host_json(self.published, "d.example"))
        self.assertIsNone(host_json(self.published, "ünïcode\ud800"))
