"""
What tests with a real control plane have in common: the chart is installed, and replicas run in its
cluster as pods would, with the account, the rights and the configuration that the chart makes.
"""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, ClassVar

import yaml

from tests.e2e.case import ProcessTestCase
from tests.support.audit import rights_of
from tests.support.chart import Rendering, Values
from tests.support.client import HTTPClient, Reply
from tests.support.control_plane_programs import why_not
from tests.support.helm_release import Helm
from tests.support.kubectl import Kubectl
from tests.support.manifest import Manifest, ingress_manifest
from tests.support.pod_network import PORT, PodNetwork
from tests.support.process import ENVIRONMENT, PATIENCE, TWISTD, IngressProcess, wait_until
from tests.support.real_cluster import RealCluster

NAMESPACE = "txingress"
"""Of the release."""

BALANCER = "192.0.2.10"
"""The address that a cloud gives the Service of the chart; nothing is ever sent to it."""

NODE = "node"

Document = dict[str, Any]

_CONFINED = """
mount -t tmpfs none /run &&
mkdir -p /run/secrets/kubernetes.io/serviceaccount &&
mount --bind "$0" /run/secrets/kubernetes.io/serviceaccount &&
exec "$@"
"""
"""Puts what the kubelet mounts where a pod finds it; /var/run is a link to /run."""


_FETCH = "import sys, urllib.request as u; print(u.urlopen(sys.argv[1], timeout=5).read().decode())"


class Replica(IngressProcess):
    """
    A pod of the chart's workload: it finds the API server and its account where the kubelet puts
    them, and listens on sockets in its folder, which lead out of the network that it is in.

    :param folder: its name is that of the pod.
    :param config: the ConfigMap of the release, as the API server has it.
    :param account: its namespace and its name.
    """

    def __init__(
        self, folder: Path, cluster: RealCluster, config: Document, account: tuple[str, str]
    ) -> None:
        self._cluster = cluster
        self._account = account
        super().__init__(folder, **self._settings(folder, config))
        self._mounted = folder / "account"
        self._mounted.mkdir()
        (self._mounted / "ca.crt").write_bytes(cluster.ca.read_bytes())
        (self._mounted / "namespace").write_text(account[0])
        self.renew_token()
        confined = ("unshare", "--mount", "sh", "-c", _CONFINED, str(self._mounted))
        self._prefix = (*cluster.network.prefix, *confined)
        self.command = (*self._prefix, *TWISTD)
        variables = {
            "POD_NAME": folder.name,
            "POD_NAMESPACE": account[0],
            "NODE_NAME": NODE,
            "KUBERNETES_SERVICE_HOST": "127.0.0.1",
            "KUBERNETES_SERVICE_PORT": "6443",
        }
        self.environment = {**ENVIRONMENT, **variables}

    @staticmethod
    def _settings(folder: Path, config: Document) -> Document:
        settings: Document = yaml.safe_load(config["data"]["ingress.yaml"])
        settings["listen"] = {
            name: f"unix:{folder / name}" for name, value in settings["listen"].items() if value
        }
        return settings

    def deliver(self, config: Document) -> None:
        """Do what the kubelet does when the ConfigMap has changed."""
        self.configure(**self._settings(self.folder, config))

    def renew_token(self) -> None:
        """Do what the kubelet does before the token expires."""
        (self._mounted / "token").write_text(self._cluster.token(*self._account))

    def run_beside(self, *arguments: str) -> str:
        """Run ``txingress`` in the pod, as ``kubectl exec`` does, and return what it prints."""
        done = subprocess.run(
            [*self._prefix, sys.executable, "-m", "ingress", *arguments],
            env=self.environment,
            capture_output=True,
            text=True,
            timeout=2 * PATIENCE,
            check=False,
        )
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout + done.stderr

    def get(self, target: str = "/", host: str = "a.example", listener: str = "http") -> Reply:
        """The answer to one request, on a connection of its own."""
        with HTTPClient(self.folder / listener) as client:
            return client.request(target, host, fields="Connection: close\r\n")

    def fetch(self, url: str) -> str:
        """The body of an answer within the network; empty if nothing listens there."""
        done = subprocess.run(
            [*self._cluster.network.prefix, sys.executable, "-c", _FETCH, url],
            capture_output=True,
            text=True,
            timeout=PATIENCE,
            check=False,
        )
        return done.stdout

    def connect(self) -> HTTPClient:
        return HTTPClient(self.folder / "http")


class RealClusterTestCase(ProcessTestCase):
    """
    Tests that share a cluster with a release of the chart, and a replica of it. None of them may
    make a request to which the account of the release has no right.
    """

    skip = why_not() or None

    process: ClassVar[Replica]
    folder: ClassVar[Path]
    cluster: ClassVar[RealCluster]
    kubectl: ClassVar[Kubectl]
    release: ClassVar[Rendering]
    helm: ClassVar[Helm]
    answering: ClassVar[set[str]]
    """The names of the processes in the network that answer as pods."""

    @classmethod
    def install(cls, folder: Path, values: Values | None = None, *, is_served: bool = True) -> None:
        """
        Start a cluster, and have Helm install the chart.

        :param is_served: whether a replica is started.
        """
        cls.release = Rendering(values)
        cls.folder = folder
        cls.answering = set()
        network = PodNetwork()
        cls.resources.callback(network.close)
        cls.cluster = RealCluster(folder, network)
        cls.resources.callback(cls.cluster.close)
        cls.kubectl = cls.cluster.kubectl
        cls.add_namespaces(NAMESPACE, "shop")
        kubeconfig = folder / "kubectl" / "kubeconfig"
        cls.helm = Helm(kubeconfig, NAMESPACE, network.prefix)
        cls.helm.run("install", values)
        cls.process = cls.make_replica("txingress-0")
        if is_served:
            cls.process.start()

    @classmethod
    def make_replica(cls, name: str) -> Replica:
        """One that is not started yet."""
        replica = Replica(cls.folder / name, cls.cluster, cls.config(), cls.account())
        cls.resources.callback(replica.stop)
        return replica

    def setUp(self) -> None:
        super().setUp()
        self.addCleanup(self.check_rights)

    # The release.

    @classmethod
    def account(cls) -> tuple[str, str]:
        """Namespace and name of its account."""
        found = cls.release.all("ServiceAccount")[0]["metadata"]
        return found["namespace"], found["name"]

    @classmethod
    def user(cls) -> str:
        """What the API server calls it."""
        return ":".join(("system:serviceaccount", *cls.account()))

    @classmethod
    def config(cls) -> Document:
        """Its ConfigMap, as the API server has it."""
        found: Document = cls.kubectl.get("configmap", "txingress", "--namespace", NAMESPACE)
        return found

    def check_rights(self) -> None:
        """None of its requests was refused so far."""
        self.assertEqual(self.cluster.audit.refused(self.user()), [])

    def unused_rights(self, *names: str) -> list[str]:
        """
        The rights that it has not needed so far, as ``VERB RESOURCE``.

        :param names: of its roles; all of them without.
        """
        found = [*self.release.all("ClusterRole"), *self.release.all("Role")]
        roles = [each for each in found if not names or each["metadata"]["name"] in names]
        unused = self.cluster.audit.unused(self.user(), rights_of(roles))
        return sorted(f"{each.verb} {each.resource} {each.namespace}".strip() for each in unused)

    @classmethod
    def holder(cls) -> str:
        """Who has its Lease, without the part that tells two processes of a pod apart."""
        words = ("lease", "txingress-leader", "--namespace", NAMESPACE, "--ignore-not-found")
        found = cls.kubectl.run("get", *words, "-o", "jsonpath={.spec.holderIdentity}")
        return found.partition("_")[0]

    @classmethod
    def give_address(cls, address: str = BALANCER) -> None:
        """Do what a cloud does for the Service of the chart."""
        status = {"loadBalancer": {"ingress": [{"ip": address}] if address else []}}
        cls.patch_status("service", "txingress", status, namespace=NAMESPACE)

    # The cluster.

    @classmethod
    def apply(cls, *objects: object, namespace: str = "", dry: bool = False) -> str:
        """
        Apply objects as strictly as the API server can; it must accept each.

        :param namespace: of those that name none, in place of ``default``; all others must name it.
        """
        words = ["--server-side", "--validate=strict"]
        if namespace:
            words += ["--namespace", namespace]
        if dry:
            # Helm owns the fields of what it has installed.
            words += ["--dry-run=server", "--force-conflicts"]
        return cls.kubectl.run("apply", *words, "-f", "-", data=yaml.safe_dump_all(objects))

    @classmethod
    def add_namespaces(cls, *names: str) -> None:
        strict = {"pod-security.kubernetes.io/enforce": "restricted"}
        for name in names:
            metadata = {"name": name, "labels": strict if name == NAMESPACE else {}}
            cls.apply({"apiVersion": "v1", "kind": "Namespace", "metadata": metadata})

    @classmethod
    def patch_status(
        cls, kind: str, name: str, status: Document, *, namespace: str = "default"
    ) -> None:
        words = ("--subresource=status", "--type=merge", "--namespace", namespace)
        cls.kubectl.run("patch", kind, name, *words, "-p", json.dumps({"status": status}))

    @classmethod
    def answer(cls, name: str, address: str) -> None:
        """Have a process answer with a name at an address, as long as there is the network."""
        if name not in cls.answering:
            cls.answering.add(name)
            cls.cluster.network.add_pod(name, address)

    @classmethod
    def run_pod(cls, name: str, address: str, *, is_ready: bool = True) -> None:
        """
        Do what a node does for a pod of the application ``web``, whose process answers with its
        name: the controllers add it to the EndpointSlice of its Service.
        """
        cls.answer(name, address)
        node = {"apiVersion": "v1", "kind": "Node", "metadata": {"name": NODE}}
        container = {"name": "web", "image": "web", "ports": [{"containerPort": PORT}]}
        pod = {
            "apiVersion": "v1",
            "kind": "Pod",
            "metadata": {"name": name, "labels": {"app": "web"}},
            "spec": {"nodeName": NODE, "containers": [container]},
        }
        cls.apply(node, pod)
        cls.set_ready(name, address, is_ready=is_ready)

    @classmethod
    def set_ready(cls, name: str, address: str, *, is_ready: bool) -> None:
        """Do what a node does when the readiness of a pod changes."""
        condition = {"type": "Ready", "status": str(is_ready)}
        addresses = {"podIP": address, "podIPs": [{"ip": address}]}
        status = {"phase": "Running", "conditions": [condition], **addresses}
        cls.patch_status("pod", name, status)

    def wait_for_answer(self, name: str, host: str = "a.example") -> None:
        """Wait until the pod of this name answers."""

        def is_there() -> bool:
            reply = self.process.get(host=host)
            return reply.status == 200 and reply.echo["name"] == name

        wait_until(is_there, f"{name} to answer")

    def wait_for_status(self, status: int, host: str = "a.example") -> None:
        wait_until(
            lambda: self.process.get(host=host).status == status, f"{status} to be the answer"
        )

    def addresses(self, name: str, namespace: str = "default") -> list[Document]:
        """Those in the status of an Ingress."""
        found = self.kubectl.get("ingress", name, "--namespace", namespace)
        listed: list[Document] = found.get("status", {}).get("loadBalancer", {}).get("ingress", [])
        return [{key: each[key] for key in ("ip", "hostname") if key in each} for each in listed]

    def wait_for_addresses(
        self, name: str, *expected: Document, namespace: str = "default"
    ) -> None:
        wait_until(
            lambda: self.addresses(name, namespace) == list(expected), f"{expected} to be written"
        )

    def events(self, name: str) -> str:
        """What kubectl shows as Events of an Ingress."""
        return self.kubectl.run("events", "--for", f"ingress/{name}")


def of_class(ingress: Manifest, name: str = "twisted") -> Manifest:
    """The same Ingress, of a class."""
    spec = ingress["spec"]
    assert isinstance(spec, dict)
    return {**ingress, "spec": {**spec, "ingressClassName": name}}


def web_ingress(name: str = "web", host: str = "a.example", **further: Any) -> Manifest:
    """An Ingress of the class of the chart whose requests go to the Service ``web``."""
    return of_class(ingress_manifest(name, host, {"/": "web"}, **further))


def selecting_service(name: str = "web") -> Manifest:
    """A Service of the pods of the application ``web``."""
    spec = {"selector": {"app": "web"}, "ports": [{"port": 80, "targetPort": PORT}]}
    return {"apiVersion": "v1", "kind": "Service", "metadata": {"name": name}, "spec": spec}


def manual_slice(service: str, addresses: Sequence[str], port: int = PORT) -> Manifest:
    """An EndpointSlice that no controller has made."""
    return {
        "apiVersion": "discovery.k8s.io/v1",
        "kind": "EndpointSlice",
        "metadata": {"name": service, "labels": {"kubernetes.io/service-name": service}},
        "addressType": "IPv4",
        "endpoints": [{"addresses": [each]} for each in addresses],
        "ports": [{"name": "", "port": port}],
    }


def refusal(call: Callable[[], object]) -> str:
    """:return: what the API server says against something; empty if it has nothing."""
    try:
        call()
    except AssertionError as error:
        return str(error)
    return ""
