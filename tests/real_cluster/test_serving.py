"""
What is applied to a real API server is served a moment later.
"""

from __future__ import annotations

import json
from pathlib import Path

import yaml

from tests.real_cluster.case import (
    BALANCER,
    NAMESPACE,
    RealClusterTestCase,
    manual_slice,
    of_class,
    refusal,
    selecting_service,
    web_ingress,
)
from tests.support.certs import CertificateAuthority
from tests.support.client import count_names, trusting
from tests.support.manifest import (
    endpoint_manifests,
    external_manifest,
    ingress_manifest,
    secret_manifest,
    service_manifest,
)
from tests.support.pod_network import PORT
from tests.support.process import wait_until
from tests.support.traffic import Traffic

A, B, C = "10.244.1.10", "10.244.1.11", "10.244.1.12"


class ServingTests(RealClusterTestCase):
    """One replica; pods of the application ``web`` come and go."""

    @classmethod
    def prepare(cls, folder: Path) -> None:
        cls.install(folder, {"controller": {"addHeaders": {"X-Installed-By": "Helm"}}})
        cls.give_address()

    def tearDown(self) -> None:
        kinds = "ingresses,services,endpointslices,secrets"
        self.kubectl.run("delete", kinds, "--all", "--wait=false", "--namespace=default")
        self.kubectl.run("delete", "pods", "--all", "--force", "--grace-period=0")
        wait_until(lambda: self.process.get().status == 404, "nothing to be served any more")
        super().tearDown()

    def test_served(self) -> None:
        """
        An Ingress is served with the EndpointSlice that the controllers make, is shown with the
        address, and told about by Events; so is what is wrong, until it is another controller's.
        """
        self.cluster.need_controllers()
        self.assertEqual(self.process.get().status, 404)
        self.run_pod("a", A)
        self.apply(web_ingress(), selecting_service())
        self.wait_for_answer("a")
        self.wait_for_addresses("web", {"ip": BALANCER})
        shown = self.kubectl.run("get", "ingress", "web")
        self.assertIn(BALANCER, shown)
        wait_until(lambda: "Served" in self.events("web"), "the Event")
        self.apply(of_class(ingress_manifest("web", "a.example", {"/": "none"})))
        self.wait_for_status(503)
        wait_until(lambda: "BackendProblem" in self.events("web"), "the problem to be told")
        described = self.kubectl.run("describe", "ingress", "web")
        self.assertRegex(described, r"Warning +BackendProblem ")
        self.apply(of_class(ingress_manifest("web", "a.example", {"/": "web"}), "other"))
        self.wait_for_status(404)
        self.wait_for_addresses("web")

    def test_pods(self) -> None:
        """Pods come, turn unready, terminate and go; no request fails."""
        self.cluster.need_controllers()
        self.run_pod("a", A)
        self.apply(web_ingress(), selecting_service())
        self.wait_for_answer("a")
        with Traffic(self.process.connect, "a.example") as traffic:
            traffic.wait_for("a")
            self.run_pod("b", B)
            traffic.wait_for("a", "b")
            self.set_ready("a", A, is_ready=False)
            traffic.wait_for("b")
            self.set_ready("a", A, is_ready=True)
            traffic.wait_for("a", "b")
            # Terminating: there is no kubelet that could end it.
            self.kubectl.run("delete", "pod", "b", "--wait=false")
            traffic.wait_for("a")
            self.kubectl.run("delete", "pod", "b", "--force", "--grace-period=0")
            traffic.wait_for("a")
        self.assertEqual(traffic.failed, [])

    def test_workload(self) -> None:
        """
        The controllers make the pods of the Deployment, as many as the autoscaler wants at least,
        and the standard ``restricted`` of pod security admits them.
        """
        self.cluster.need_controllers()

        def names() -> list[str]:
            words = ("--namespace", NAMESPACE, "-l", "app.kubernetes.io/name=txingress")
            return self.kubectl.run("get", "pods", "-o", "name", *words).split()

        wait_until(lambda: len(names()) == 2, "two pods", patience=90.0)
        budget = self.kubectl.get("poddisruptionbudget", "txingress", "--namespace", NAMESPACE)
        self.assertEqual(budget["status"]["expectedPods"], 2)

    def test_by_hand(self) -> None:
        """
        A Service without pods gets its addresses from an EndpointSlice made by hand, another one
        from its ExternalName, a third one from Endpoints.
        """
        for name, address in (("a", A), ("b", B), ("c", C)):
            self.answer(name, address)
        legacy = {
            "apiVersion": "v1",
            "kind": "Endpoints",
            "metadata": {"name": "legacy"},
            "subsets": [{"addresses": [{"ip": C}], "ports": [{"port": PORT}]}],
        }
        paths = {"/": "web", "/external": "external", "/legacy": "legacy"}
        self.apply(
            of_class(ingress_manifest("web", "a.example", paths)),
            *(service_manifest("web"), manual_slice("web", [A])),
            external_manifest("external", B, PORT),
            *(service_manifest("legacy"), legacy),
        )
        self.wait_for_answer("a")

        def answers(path: str) -> str:
            reply = self.process.get(path)
            return str(reply.echo["name"]) if reply.status == 200 else str(reply.status)

        wait_until(lambda: answers("/external") == "b", "the ExternalName to answer")
        if self.cluster.has_controllers:
            wait_until(lambda: answers("/legacy") == "c", "the Endpoints to answer")

    def test_extremes(self) -> None:
        """
        What the API server stores at the ends of its rules is read, and the Events about it are
        such that it takes them.
        """
        longest = "w" + "-" * 251 + "w"
        paths = {f"/{number}": f"none-{number}" for number in range(60)}
        odd = {
            "configuration-snippet": 'return 200 "\u2028\x7f\u00e9\\";\r\n# ' + "x" * 100_000,
            "rewrite-target": "/(" * 1000,
            "whitelist-source-range": "10.0.0.0/8\t\r\n,\u0130",
            "auth-url": 'https://a.example/\n"$',
        }
        wild = ingress_manifest("wild", "*.b.example", {"~/a(b|c)+$": "none"}, annotations=odd)
        self.apply(
            of_class(ingress_manifest(longest, "a.example", paths)),
            web_ingress("plain", "c.example"),
        )
        # Server-side apply sends YAML, which has no control characters.
        self.kubectl.run("create", "--validate=strict", "-f", "-", data=json.dumps(of_class(wild)))
        self.wait_for_status(503, "c.example")
        wait_until(lambda: "Warning" in self.events(longest), "it to be told")
        wait_until(lambda: "Warning" in self.events("wild"), "the other one to be told")
        # A leader that cannot write says so.
        said = "\n".join(self.process.log.splitlines()[self.mark :])
        self.assertNotRegex(said, r"cannot be written|Invalid|is invalid|refused")

    def test_in_pod(self) -> None:
        """The command in the pod itself reads with the rights of the pod."""
        self.apply(web_ingress(), service_manifest("web"), manual_slice("web", [A]))
        self.answer("a", A)
        self.wait_for_answer("a")
        for words in (("routes", "--in-cluster"), ("check", "--in-cluster")):
            said = self.process.run_beside(*words)
            self.assertIn("a.example" if words[0] == "routes" else "1 Ingress", said)

    def test_loopback(self) -> None:
        """The API server takes no EndpointSlice with a loopback address."""
        [documents] = endpoint_manifests("web", PORT)
        said = refusal(lambda: self.apply(documents))
        self.assertRegex(said, r"endpoints\[0\]\.addresses\[0\].*loopback")

    def test_paths(self) -> None:
        """Changes of paths, annotations and of the Service's ports arrive."""
        self.answer("a", A)
        self.apply(web_ingress(), service_manifest("web"), manual_slice("web", [A]))
        self.wait_for_answer("a")
        target = {"rewrite-target": "/b"}
        self.apply(web_ingress(annotations=target))
        wait_until(lambda: self.process.get().echo["target"] == "/b", "the annotation to apply")
        self.kubectl.run(
            *("patch", "ingress", "web", "--type=json", "-p"),
            '[{"op": "replace", "path": "/spec/rules/0/http/paths/0/path", "value": "/c"}]',
        )
        self.wait_for_status(404)
        self.assertEqual(self.process.get("/c").status, 200)

    def test_config_map(self) -> None:
        """ConfigMaps of the release apply while it runs."""
        self.apply(web_ingress())
        self.wait_for_status(503)
        self.assertEqual(self.process.get().field("X-Installed-By"), "Helm")
        fields = '{"data": {"X-Installed-By": "somebody"}}'
        words = ("txingress-add-headers", "--type=merge", "--namespace", NAMESPACE, "-p", fields)
        self.kubectl.run("patch", "configmap", *words)
        wait_until(lambda: self.process.get().field("X-Installed-By") == "somebody", "it to apply")

    def test_certificate(self) -> None:
        """A certificate is served, and the one that replaces it, by kubectl."""
        authority = CertificateAuthority()
        first, second = authority.issue("a.example"), authority.issue("a.example", "b.example")
        self.answer("a", A)
        self.apply(
            web_ingress(tls={"tls": ["a.example"]}),
            *(service_manifest("web"), manual_slice("web", [A]), secret_manifest("tls", first)),
        )
        context = trusting(authority.root_pem)
        wait_until(
            lambda: count_names(self.process.folder / "https", context) == 1, "the certificate"
        )
        self.apply(secret_manifest("tls", second))
        wait_until(
            lambda: count_names(self.process.folder / "https", context) == 2, "the new certificate"
        )

    def test_token(self) -> None:
        """The kubelet renews the token, after which the old one need not hold any more."""
        self.process.renew_token()
        self.answer("a", A)
        self.apply(web_ingress(), service_manifest("web"), manual_slice("web", [A]))
        self.wait_for_answer("a")

    def test_delivered(self) -> None:
        """A changed configuration applies when the kubelet has delivered it."""
        self.apply(ingress_manifest("web", "a.example", {"/": "web"}), service_manifest("web"))
        self.apply(web_ingress("other", "b.example"))
        self.wait_for_status(503, "b.example")
        self.assertEqual(self.process.get().status, 404)
        config = self.config()
        settings = yaml.safe_load(config["data"]["ingress.yaml"])
        settings["class"]["without-class"] = True
        config["data"]["ingress.yaml"] = yaml.safe_dump(settings)
        try:
            self.process.deliver(config)
            self.wait_for_status(503)
        finally:
            self.process.deliver(self.config())
        self.wait_for_status(404)
