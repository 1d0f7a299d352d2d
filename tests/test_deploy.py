"""
Tests for etc/deploy and what is made of it: the manifests fit each other, the configuration
in them, and the container.

That they give the rights that are used, and no others, `tests.e2e.test_cluster` shows.
"""

from __future__ import annotations

import shutil
import tempfile
from configparser import ConfigParser
from itertools import pairwise
from pathlib import Path
from typing import Any

import yaml
from twisted.trial.unittest import SynchronousTestCase

from ingress.config import Config
from ingress.config_file import load_config
from tests.support.containerfile import parse_containerfile, parse_list
from tests.support.deploy import DEPLOY, REPLACE, Document, kustomize, only, written
from tests.support.process import CHECKOUT


def tcp_port(endpoint: str) -> int:
    """Of an endpoint string for every address."""
    kind, _, port = endpoint.partition(":")
    assert kind == "tcp"
    return int(port)


class ManifestTestCase(SynchronousTestCase):
    """The manifests, and the configuration in them as it is read."""

    documents: list[Document]

    def setUp(self) -> None:
        self.documents = written(DEPLOY)
        self.deployment = only(self.documents, "Deployment")
        self.pod = self.deployment["spec"]["template"]
        [self.container] = self.pod["spec"]["containers"]
        self.final = parse_containerfile(
            (CHECKOUT / "etc" / "container" / "Containerfile").read_text()
        )[-1]

    def read_config(self, documents: list[Document]) -> Config:
        """The configuration as the process reads it from the ConfigMap."""
        folder = Path(tempfile.mkdtemp(prefix="ingress-"))
        self.addCleanup(shutil.rmtree, folder)
        file = folder / "ingress.yaml"
        file.write_text(only(documents, "ConfigMap")["data"]["ingress.yaml"])
        return load_config(file)


class FitTests(ManifestTestCase):
    """What one manifest says, the others say as well."""

    def test_selectors(self) -> None:
        """Whoever selects pods selects those of the Deployment."""
        labels = self.pod["metadata"]["labels"]
        selectors = [
            self.deployment["spec"]["selector"]["matchLabels"],
            only(self.documents, "Service")["spec"]["selector"],
            only(self.documents, "PodDisruptionBudget")["spec"]["selector"]["matchLabels"],
            only(self.documents, "NetworkPolicy")["spec"]["podSelector"]["matchLabels"],
            *(
                each["labelSelector"]["matchLabels"]
                for each in self.pod["spec"]["topologySpreadConstraints"]
            ),
        ]
        for selector in selectors:
            self.assertLessEqual(selector.items(), labels.items())

    def test_ports(self) -> None:
        """The container has the ports that are listened on, and the Service leads to them."""
        listen = self.read_config(self.documents).listen
        ports = {each["name"]: each["containerPort"] for each in self.container["ports"]}
        listening = {"http": listen.http, "https": listen.https, "admin": listen.admin}
        self.assertEqual(
            ports, {name: tcp_port(endpoint) for name, (endpoint,) in listening.items()}
        )
        service = only(self.documents, "Service")["spec"]["ports"]
        self.assertEqual(
            [(each["port"], each["targetPort"]) for each in service], [(80, "http"), (443, "https")]
        )
        public = self.read_config(self.documents).public_ports
        self.assertEqual([public.http, public.https], [each["port"] for each in service])
        exposed = [int(each) for each in self.final.last("EXPOSE").split()]
        self.assertEqual(sorted(exposed), sorted(ports.values()))

    def test_network_policy(self) -> None:
        """Clients reach the listeners for them, and Prometheus alone reaches the admin listener."""
        policy = only(self.documents, "NetworkPolicy")["spec"]
        self.assertEqual(policy["policyTypes"], ["Ingress"])
        allowed = {
            port["port"]: bool(rule.get("from"))
            for rule in policy["ingress"]
            for port in rule["ports"]
        }
        self.assertEqual(allowed, {"http": False, "https": False, "admin": True})
        names = {each["name"] for each in self.container["ports"]}
        self.assertEqual(names, allowed.keys())

    def test_probes(self) -> None:
        """Probes ask the admin listener; only readiness depends on what is known."""
        paths = {}
        for name in ("startupProbe", "livenessProbe", "readinessProbe"):
            asked = self.container[name]["httpGet"]
            self.assertEqual(asked["port"], "admin")
            paths[name] = asked["path"]
        self.assertEqual(
            paths,
            {
                "startupProbe": "/healthz",
                "livenessProbe": "/healthz",
                "readinessProbe": "/readyz",
            },
        )

    def test_grace(self) -> None:
        """The drain hook and the grace are over before the kubelet kills, with some seconds left."""
        name, seconds = self.container["lifecycle"]["preStop"]["exec"]["command"]
        self.assertEqual(name, "sleep")
        grace = self.read_config(self.documents).shutdown_grace
        limit = self.pod["spec"]["terminationGracePeriodSeconds"]
        self.assertGreaterEqual(limit, int(seconds) + grace + 10)

    def test_scale(self) -> None:
        """Two replicas at least, of which a drained node takes one."""
        scaler = only(self.documents, "HorizontalPodAutoscaler")["spec"]
        self.assertEqual(self.deployment["spec"]["replicas"], 2)
        self.assertEqual(scaler["minReplicas"], 2)
        target = scaler["scaleTargetRef"]
        self.assertEqual(
            (target["apiVersion"], target["kind"], target["name"]),
            (self.deployment["apiVersion"], "Deployment", self.deployment["metadata"]["name"]),
        )
        self.assertEqual(only(self.documents, "PodDisruptionBudget")["spec"]["maxUnavailable"], 1)
        self.assertIn("cpu", self.container["resources"]["requests"])

    def test_confined(self) -> None:
        """The pod keeps to the restricted standard, with nothing writable."""
        pod, container = self.pod["spec"]["securityContext"], self.container["securityContext"]
        self.assertTrue(pod["runAsNonRoot"])
        self.assertEqual(pod["seccompProfile"], {"type": "RuntimeDefault"})
        self.assertEqual(f"{pod['runAsUser']}:{pod['runAsGroup']}", self.final.last("USER"))
        self.assertEqual(
            container,
            {
                "allowPrivilegeEscalation": False,
                "readOnlyRootFilesystem": True,
                "capabilities": {"drop": ["ALL"]},
            },
        )

    def test_configuration(self) -> None:
        """The configuration is where the container looks for it, and names what is here."""
        [mount] = self.container["volumeMounts"]
        [volume] = self.pod["spec"]["volumes"]
        self.assertEqual(volume["name"], mount["name"])
        config_map = only(self.documents, "ConfigMap")
        self.assertEqual(volume["configMap"]["name"], config_map["metadata"]["name"])
        command = parse_list(self.final.last("CMD"))
        [file] = config_map["data"]
        self.assertEqual(f"{mount['mountPath']}/{file}", command[-1])
        config = self.read_config(self.documents)
        assert config.cluster is not None
        service = only(self.documents, "Service")["metadata"]["name"]
        namespace = only(self.documents, "Namespace")["metadata"]["name"]
        self.assertEqual(config.cluster.status.service, (namespace, service))
        ingress_class = only(self.documents, "IngressClass")
        self.assertEqual(config.ingress_class.name, ingress_class["metadata"]["name"])
        self.assertEqual(config.ingress_class.controller, ingress_class["spec"]["controller"])

    def test_lease(self) -> None:
        """The Lease of the configuration is the one that the Role is about."""
        cluster = self.read_config(self.documents).cluster
        assert cluster is not None
        rules = only(self.documents, "Role")["rules"]
        named = [rule["resourceNames"] for rule in rules if "resourceNames" in rule]
        self.assertEqual(named, [[cluster.lease[1]]])

    def test_account(self) -> None:
        """The bindings are for the account that the pods have, who alone get its token."""
        account = only(self.documents, "ServiceAccount")
        self.assertIs(account["automountServiceAccountToken"], False)
        self.assertIs(self.pod["spec"]["automountServiceAccountToken"], True)
        self.assertEqual(self.pod["spec"]["serviceAccountName"], account["metadata"]["name"])
        for role in ("Role", "ClusterRole"):
            binding = only(self.documents, f"{role}Binding")
            self.assertEqual(
                (binding["roleRef"]["kind"], binding["roleRef"]["name"]),
                (role, only(self.documents, role)["metadata"]["name"]),
            )
            [subject] = binding["subjects"]
            self.assertEqual(subject["name"], account["metadata"]["name"])
            self.assertEqual(
                subject["namespace"], only(self.documents, "Namespace")["metadata"]["name"]
            )

    def test_reasons(self) -> None:
        """Each rule has its reason above it."""
        for name in ("cluster-role.yaml", "role.yaml"):
            lines = (DEPLOY / name).read_text().splitlines()
            reasons = [
                before.strip().startswith("#")
                for before, line in pairwise(lines)
                if line.strip().startswith("- apiGroups")
            ]
            self.assertTrue(reasons and all(reasons), name)

    def test_listed(self) -> None:
        """Every file of the folder is applied, and its image is of this version."""
        kustomization = yaml.safe_load((DEPLOY / "kustomization.yaml").read_text())
        files = {file.name for file in DEPLOY.iterdir() if file.is_file()} - {"kustomization.yaml"}
        self.assertEqual(set(kustomization["resources"]), files)
        setup = ConfigParser()
        setup.read(CHECKOUT / "setup.cfg")
        [image] = kustomization["images"]
        self.assertEqual(image["name"], self.container["image"])
        self.assertEqual(image["newTag"], setup["metadata"]["version"])


class KustomizeTests(ManifestTestCase):
    """kubectl builds what is here, and what is made of it for who replaces ingress-nginx."""

    def build(self, folder: Path) -> tuple[list[Document], Any]:
        """:return: what is applied, and the configuration in it."""
        documents = kustomize(folder)
        return documents, self.read_config(documents)

    def test_deploy(self) -> None:
        """All is in one namespace, except for what is in none."""
        documents, _ = self.build(DEPLOY)
        self.assertEqual(len(documents), len(self.documents))
        without = {"Namespace", "ClusterRole", "ClusterRoleBinding", "IngressClass"}
        for document in documents:
            expected = None if document["kind"] in without else "txingress"
            self.assertEqual(document["metadata"].get("namespace"), expected, document["kind"])
        image = only(documents, "Deployment")["spec"]["template"]["spec"]["containers"][0]["image"]
        self.assertRegex(image, r"/txingress:\d+\.\d+\.\d+$")

    def test_beside(self) -> None:
        """Beside ingress-nginx its class is served, its status and its IngressClass left alone."""
        documents, config = self.build(REPLACE / "beside")
        self.assertEqual(len(documents), len(self.documents) - 1)
        self.assertNotIn("IngressClass", [each["kind"] for each in documents])
        self.assertEqual(config.cluster.status.service, None)
        self.assertEqual(
            (config.ingress_class.name, config.ingress_class.controller),
            ("nginx", "k8s.io/ingress-nginx"),
        )

    def test_certificates(self) -> None:
        """The rights for certificates go to the account of the Deployment, and add nothing else."""
        documents = kustomize(DEPLOY / "certificates")
        self.assertEqual(
            {each["kind"] for each in documents}, {"ClusterRole", "ClusterRoleBinding"}
        )
        account = only(self.documents, "ServiceAccount")["metadata"]
        for each in documents:
            for subject in each.get("subjects", ()):
                self.assertEqual(subject["name"], account["name"])
                self.assertEqual(subject["namespace"], "txingress")

    def test_instead(self) -> None:
        """In its place its class is ours, and so is the status."""
        documents, config = self.build(REPLACE / "instead")
        ingress_class = only(documents, "IngressClass")
        self.assertEqual(ingress_class["metadata"]["name"], config.ingress_class.name)
        self.assertEqual(ingress_class["spec"]["controller"], config.ingress_class.controller)
        self.assertEqual(config.ingress_class.controller, "k8s.io/ingress-nginx")
        self.assertEqual(config.cluster.status.service, ("txingress", "txingress"))

    def test_only_the_class(self) -> None:
        """Nothing else differs between the three."""
        _, ours = self.build(DEPLOY)
        for name in ("beside", "instead"):
            _, theirs = self.build(REPLACE / name)
            self.assertEqual(theirs.listen, ours.listen)
            self.assertEqual(theirs.shutdown_grace, ours.shutdown_grace)
            self.assertEqual(theirs.cluster.lease, ours.cluster.lease)
