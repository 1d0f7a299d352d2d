"""
What tests with a cluster have in common: the fake API server with ``etc/deploy`` applied to it,
a network of pods, and replicas of the proxy that have the rights of the manifests.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any, ClassVar

import yaml

from tests.e2e.case import ProcessTestCase
from tests.support.client import HTTPClient, Reply
from tests.support.deploy import DEPLOY, only, written
from tests.support.fake_api import FakeAPIProcess, service_account
from tests.support.kubectl import Kubectl, find_kubectl
from tests.support.manifest import ingress_manifest
from tests.support.pod_network import PORT, PodNetwork
from tests.support.process import ENVIRONMENT, TWISTD, IngressProcess, wait_until

NAMESPACE = "txingress"
"""Where etc/deploy is."""

ACCOUNT = service_account(NAMESPACE, "txingress").name

TOKEN = "of-the-account"

ADDRESS = "192.0.2.10"
"""Of the load balancer."""

READY: dict[str, bool] = {"ready": True}
UNREADY = {"ready": False, "serving": True, "terminating": False}
TERMINATING = {"ready": False, "serving": True, "terminating": True}

PODS = {"a": 10, "b": 11}
"""Those that are there from the start, and the last number of the address of each."""

Document = dict[str, Any]


class Replica(IngressProcess):
    """
    A pod of the Deployment.

    It listens on sockets in its folder, which lead out of the network that it is in.

    :param folder: its name is that of the pod.
    :param further: settings besides those of the ConfigMap.
    """

    def __init__(
        self, folder: Path, network: PodNetwork, kubeconfig: str, **further: object
    ) -> None:
        config_map = only(written(DEPLOY), "ConfigMap")
        settings = yaml.safe_load(config_map["data"]["ingress.yaml"])
        settings["listen"] = {
            listener: f"unix:{folder / listener}" for listener in settings["listen"]
        }
        settings["source"]["kubernetes"]["kubeconfig"] = "kubeconfig"
        super().__init__(folder, **settings, **further)
        (folder / "kubeconfig").write_text(kubeconfig)
        self.command = (*network.prefix, *TWISTD)
        variables = {"POD_NAME": folder.name, "POD_NAMESPACE": NAMESPACE, "NODE_NAME": "node"}
        self.environment = {**ENVIRONMENT, **variables}

    def get(self, target: str = "/", host: str = "a.example", listener: str = "http") -> Reply:
        """The answer to one request, on a connection of its own."""
        with HTTPClient(self.folder / listener) as client:
            return client.request(target, host, fields="Connection: close\r\n")

    def connect(self) -> HTTPClient:
        return HTTPClient(self.folder / "http")


class ClusterTestCase(ProcessTestCase):
    """Tests that share a cluster, and a replica that serves it; nothing is left behind."""

    process: ClassVar[Replica]
    folder: ClassVar[Path]
    network: ClassVar[PodNetwork]
    api: ClassVar[FakeAPIProcess]
    kubectl: ClassVar[Kubectl]

    @classmethod
    def prepare(cls, folder: Path) -> None:
        cls.prepare_cluster(folder)
        cls.process = cls.make_replica("txingress-0")
        cls.process.start()

    @classmethod
    def prepare_cluster(cls, folder: Path) -> None:
        """Start the cluster, in which nothing is served yet."""
        find_kubectl()
        cls.folder = folder
        cls.network = PodNetwork()
        cls.resources.callback(cls.network.close)
        for name, number in PODS.items():
            cls.network.add_pod(name, address(number))
        cls.api = FakeAPIProcess(folder / "api.log", cls.network.prefix)
        cls.resources.callback(cls.api.close)
        cls.kubectl = Kubectl(folder, cls.api.kubeconfig(), cls.network.prefix)
        cls.kubectl.run("apply", "--validate=false", "-k", str(DEPLOY))
        cls.api.set_token(TOKEN, ACCOUNT)
        service = cls.api.get("v1", "Service", "txingress", NAMESPACE)
        assert service is not None
        status = {"loadBalancer": {"ingress": [{"ip": ADDRESS}]}}
        cls.api.put({"apiVersion": "v1", "kind": "Service", **service, "status": status})

    @classmethod
    def make_replica(cls, name: str, **further: object) -> Replica:
        """One that is not started yet."""
        kubeconfig = cls.api.kubeconfig(TOKEN, NAMESPACE)
        replica = Replica(cls.folder / name, cls.network, kubeconfig, **further)
        cls.resources.callback(replica.stop)
        return replica

    def tearDown(self) -> None:
        self.api.start()
        self.api.heal()
        self.api.disturb(cuts=0, piece=None)
        kinds = "ingresses,services,endpointslices,secrets,configmaps"
        self.kubectl.run("delete", kinds, "--all", "--wait=false")
        wait_until(lambda: self.process.get().status == 404, "nothing to be served any more")
        super().tearDown()

    def wait_for_address(self, name: str, address: str = ADDRESS) -> None:
        """
        Wait until kubectl shows it for an Ingress.

        :param address: empty for none.
        """

        def is_shown() -> bool:
            head, row = self.kubectl.run("get", "ingress", name).splitlines()
            start, end = head.index("ADDRESS"), head.index("PORTS")
            return row[start:end].strip() == address

        wait_until(is_shown, f"{address or 'none'} to be the address of {name}")

    def describe(self, name: str) -> str:
        """What kubectl says of an Ingress."""
        return self.kubectl.run("describe", "ingress", name)


def served_ingress(name: str, host: str, service: str = "web", **further: Any) -> Document:
    """An Ingress of the class of etc/deploy."""
    return with_class(ingress_manifest(name, host, {"/": service}, **further), "twisted")


def with_class(ingress: Document, name: str) -> Document:
    return {**ingress, "spec": {**ingress["spec"], "ingressClassName": name}}


def endpoint_slice(service: str, **endpoints: dict[str, bool]) -> Document:
    """
    The EndpointSlice of a Service.

    :param endpoints: the conditions of each, by the name of the pod.
    """
    return {
        "apiVersion": "discovery.k8s.io/v1",
        "kind": "EndpointSlice",
        "metadata": {"name": service, "labels": {"kubernetes.io/service-name": service}},
        "addressType": "IPv4",
        "endpoints": [
            {"addresses": [address(PODS.get(name, NEW_POD))], "conditions": conditions}
            for name, conditions in endpoints.items()
        ],
        "ports": [{"name": "", "port": PORT}],
    }


NEW_POD = 12
"""The last number of the address of one that a test adds."""


def address(number: int) -> str:
    """Of a pod, by its last number."""
    return f"10.244.1.{number}"
