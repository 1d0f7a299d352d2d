"""
In a cluster: what ``kubectl apply`` does is served a moment later, by one replica or by two.
"""

from __future__ import annotations

import signal
from pathlib import Path
from typing import ClassVar

from ingress.kube.cluster.contact import MAX_SILENCE
from tests.e2e.cluster_case import (
    ACCOUNT,
    NAMESPACE,
    NEW_POD,
    PODS,
    READY,
    TERMINATING,
    UNREADY,
    ClusterTestCase,
    Document,
    Replica,
    address,
    endpoint_slice,
    served_ingress,
    with_class,
)
from tests.support.certs import CertificateAuthority
from tests.support.client import count_names, trusting
from tests.support.deploy import DEPLOY, written
from tests.support.fake_api.access import Rule
from tests.support.manifest import (
    config_map_manifest,
    external_manifest,
    secret_manifest,
    service_manifest,
)
from tests.support.metrics import sample_value
from tests.support.pod_network import PORT
from tests.support.process import wait_until
from tests.support.traffic import Traffic


class ServingTests(ClusterTestCase):
    """One replica."""

    def test_served(self) -> None:
        """
        What is applied is served, shown with the address and told as an event; what is
        wrong is told as well; what is another controller's is not served any more.
        """
        self.assertEqual(self.process.get().status, 404)
        web = served_ingress("web", "a.example")
        self.kubectl.apply(web, service_manifest("web"), endpoint_slice("web", a=READY))
        wait_until(lambda: self.process.get().status == 200, "the Ingress to be served")
        self.assertEqual(self.process.get().echo["name"], "a")
        self.wait_for_address("web")
        wait_until(lambda: "Served" in self.describe("web"), "the event")
        self.kubectl.apply(served_ingress("web", "a.example", "none"))
        wait_until(lambda: self.process.get().status == 503, "the Service to be missing")
        wait_until(lambda: "BackendProblem" in self.describe("web"), "the problem to be told")
        self.kubectl.apply(with_class(web, "other"))
        wait_until(lambda: self.process.get().status == 404, "the Ingress not to be served")
        self.wait_for_address("web", "")

    def test_endpoints(self) -> None:
        """Endpoints come, turn unready, terminate and go; no request fails."""
        self.network.add_pod("new", address(NEW_POD))
        self.kubectl.apply(
            served_ingress("web", "a.example"),
            service_manifest("web"),
            endpoint_slice("web", a=READY),
        )
        wait_until(lambda: self.process.get().status == 200, "the Ingress to be served")
        with Traffic(self.process.connect, "a.example") as traffic:
            traffic.wait_for("a")
            self.api.put(endpoint_slice("web", a=READY, new=READY))
            traffic.wait_for("a", "new")
            self.api.put(endpoint_slice("web", a=UNREADY, new=READY))
            traffic.wait_for("new")
            self.api.put(endpoint_slice("web", a=READY, new=TERMINATING))
            traffic.wait_for("a")
            # The last one of all serves while it terminates.
            self.api.put(endpoint_slice("web", new=TERMINATING))
            traffic.wait_for("new")
            self.api.put(endpoint_slice("web", b=READY))
            traffic.wait_for("b")
            self.network.remove_pod(address(NEW_POD))
            traffic.wait_for("b")
        self.assertEqual(traffic.failed, [])

    def test_external_name(self) -> None:
        """An ExternalName leads elsewhere, but never to this machine."""
        self.api.put(
            served_ingress("web", "a.example"), external_manifest("web", "localhost", PORT)
        )
        wait_until(lambda: self.process.get().status == 503, "the name to be refused")
        wait_until(lambda: "a loopback address" in self.process.log, "the problem")
        self.api.put(external_manifest("web", address(PODS["a"]), PORT))
        wait_until(lambda: self.process.get().status == 200, "the other one to be served")

    def test_secret(self) -> None:
        """A Secret that is replaced is the certificate of the next connection."""
        authority = CertificateAuthority()
        first, second = authority.issue("a.example"), authority.issue("a.example", "b.example")
        web = served_ingress("web", "a.example", tls={"tls": ["a.example"]})
        # The Secret first: an Ingress without it is a Problem that also says "may not".
        self.kubectl.apply(secret_manifest("tls", first), web)
        context = trusting(authority.root_pem)
        wait_until(
            lambda: count_names(self.process.folder / "https", context) == 1, "the certificate"
        )
        self.kubectl.apply(secret_manifest("tls", second))
        wait_until(lambda: count_names(self.process.folder / "https", context) == 2, "the new one")
        # A server that starts refuses everything for a while, Secrets included.
        self.api.restart(loading=2.0)
        self.kubectl.apply(secret_manifest("tls", first))
        wait_until(
            lambda: count_names(self.process.folder / "https", context) == 1, "the first one again"
        )
        self.assertNotIn("may not", self.process.log)
        asked = [each for each in self.api.requests if each["user"] == ACCOUNT]
        verbs = {each["verb"] for each in asked if each["resource"] == "secrets"}
        self.assertEqual(verbs, {"list", "watch"})

    def test_config_map(self) -> None:
        """Each key of ingress-nginx's ConfigMap is told until it is gone; no other is read."""
        keys = {"whitelist-source-range": "10.0.0.0/8", "use-gzip": "true"}
        foreign = config_map_manifest(
            "edge-ingress-nginx-controller",
            keys,
            labels={
                "app.kubernetes.io/name": "ingress-nginx",
                "app.kubernetes.io/instance": "edge",
                "helm.sh/chart": "ingress-nginx-4.13.0",
            },
        )
        self.kubectl.apply(foreign, config_map_manifest("tcp-services", {"9000": "a/b:1"}))
        self.kubectl.apply(config_map_manifest("mine", {"use-gzip": "true"}))
        told = [
            r"ConfigMap default/edge-ingress-nginx-controller: data\[whitelist-source-range\]: .*open",
            r"ConfigMap default/edge-ingress-nginx-controller: data\[use-gzip\]: .*ConfigMap",
            r"ConfigMap default/tcp-services: data\[9000\]: .*ports are not open",
        ]
        for each in told:
            self.process.wait_for_line(rf"#warn\] [A-Z]+\d+ {each}$", since=self.mark)
        self.kubectl.run("delete", "configmap", "edge-ingress-nginx-controller", "tcp-services")
        for each in told:
            self.process.wait_for_line(rf"#info\] gone: [A-Z]+\d+ {each}$", since=self.mark)
        self.assertNotIn("default/mine", self.process.log)
        metrics = self.process.get("/metrics", "localhost", "admin").text
        age = sample_value(metrics, "txingress_api_age_seconds", kind="ConfigMap")
        assert age is not None
        self.assertLess(age, MAX_SILENCE)


class ReplicaTests(ClusterTestCase):
    """Two replicas: one is a single process, the other has workers."""

    first: ClassVar[Replica]

    @classmethod
    def prepare(cls, folder: Path) -> None:
        cls.prepare_cluster(folder)
        cls.first = cls.make_replica("txingress-0")
        cls.process = cls.make_replica("txingress-1", workers=2)
        cls.first.start()
        cls.process.start()

    def test_rights(self) -> None:
        """
        Both serve and one writes; when that dies the other one does. All that they ask for
        they may, and nothing of what they may is of no use.
        """
        wait_until(lambda: self.holder().startswith("txingress-0_"), "the first to lead")
        # Somebody else will have written to the Ingress: it is read again.
        self.api.fail(409, verb="patch", resource="ingresses/status")
        certificate = CertificateAuthority().issue("b.example")
        self.kubectl.apply(
            served_ingress("web", "a.example"),
            served_ingress("secure", "b.example", tls={"tls": ["b.example"]}),
            served_ingress("broken", "c.example", "none"),
            service_manifest("web"),
            endpoint_slice("web", a=READY),
            secret_manifest("tls", certificate),
        )
        for name in ("web", "secure", "broken"):
            self.wait_for_address(name)
        wait_until(lambda: "BackendProblem" in self.describe("broken"), "the problem to be told")
        wait_until(lambda: self.process.get().status == 200, "the second to serve as well")
        with Traffic(self.process.connect, "a.example") as traffic:
            self.first.signal(signal.SIGKILL)
            wait_until(lambda: self.holder().startswith("txingress-1_"), "the second to lead")
            self.kubectl.apply(served_ingress("new", "d.example"))
            self.wait_for_address("new")
            # It finds what the first one has told, and counts on.
            wait_until(lambda: self.has_asked("patch", "events"), "the problem to be told again")
        self.assertEqual(traffic.failed, [])
        self.check_rights()

    def holder(self) -> str:
        """Who has the Lease."""
        lease = self.api.get("coordination.k8s.io/v1", "Lease", "txingress-leader", NAMESPACE)
        identity: str = (lease or {"spec": {}})["spec"].get("holderIdentity", "")
        return identity

    def asked(self) -> list[Document]:
        """The requests of the replicas."""
        return [request for request in self.api.requests if request["user"] == ACCOUNT]

    def has_asked(self, verb: str, resource: str) -> bool:
        return any(
            (request["verb"], request["resource"]) == (verb, resource) for request in self.asked()
        )

    def check_rights(self) -> None:
        """Compare the roles of the manifests with the requests that were made."""
        asked = self.asked()
        self.assertEqual([request for request in asked if request["code"] == 403], [])
        unused = [
            (rule, verb, group, resource)
            for rule in granted()
            for verb in rule.verbs
            for group in rule.groups
            for resource in rule.resources
            if not any(
                (request["verb"], request["group"], request["resource"]) == (verb, group, resource)
                and rule.namespace in (None, request["namespace"])
                and (not rule.names or request["name"] in rule.names)
                for request in asked
            )
        ]
        self.assertEqual(unused, [])


def granted() -> list[Rule]:
    """Each rule of the roles of etc/deploy."""
    return [
        Rule.parse(rule, NAMESPACE if role["kind"] == "Role" else None)
        for role in written(DEPLOY)
        if role["kind"] in ("Role", "ClusterRole")
        for rule in role["rules"]
    ]
