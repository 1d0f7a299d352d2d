"""
A process with the configuration that the chart makes, and the API server that has its objects.
"""

from __future__ import annotations

from pathlib import Path

from tests.support.chart import Rendering
from tests.support.fake_api import FakeAPIProcess, service_account
from tests.support.process import ENVIRONMENT, LOOPBACK, IngressProcess

NAMESPACE = "txingress"
TOKEN = "of-the-account"
ADDRESS = "192.0.2.10"
"""Of the load balancer."""


def install(api: FakeAPIProcess, rendering: Rendering) -> None:
    """Do what ``helm install --create-namespace`` does, and what a cloud does for the Service."""
    api.put({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": NAMESPACE}})
    for document in rendering.documents:
        if document["kind"] == "Service" and document["spec"]["type"] == "LoadBalancer":
            status = {"loadBalancer": {"ingress": [{"ip": ADDRESS}]}}
            api.put({**document, "status": status})
        else:
            api.put(document)
    account = rendering.all("ServiceAccount")[0]["metadata"]["name"]
    api.set_token(TOKEN, service_account(NAMESPACE, account).name)


class ChartProcess(IngressProcess):
    """
    A pod of the chart, which listens on loopback, and is on no network of pods.

    :param folder: its name is that of the pod.
    """

    def __init__(self, folder: Path, api: FakeAPIProcess, rendering: Rendering) -> None:
        settings = rendering.configuration()
        settings["listen"] = dict.fromkeys(settings["listen"], LOOPBACK)
        settings["source"]["kubernetes"]["kubeconfig"] = "kubeconfig"
        super().__init__(folder, **settings)
        (folder / "kubeconfig").write_text(api.kubeconfig(TOKEN, NAMESPACE))
        variables = {"POD_NAME": folder.name, "POD_NAMESPACE": NAMESPACE, "NODE_NAME": "node"}
        self.environment = {**ENVIRONMENT, **variables}
