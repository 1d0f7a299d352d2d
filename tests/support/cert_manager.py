"""
cert-manager, as far as an ingress controller sees it: the objects that it makes, changes and
deletes while an Ingress gets its certificate by HTTP-01.

Source of the objects: ``pkg/issuer/acme/http`` (solver), ``pkg/controller/certificate-shim``
(edit in place) and ``pkg/controller/certificates/issuing`` (Secrets) of cert-manager
(August 2026).
"""

from __future__ import annotations

import subprocess
import sys
import zlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal

from tests.support.acme_solver import FOLDER
from tests.support.certs import CertificateAuthority, Issued
from tests.support.fake_api import FakeAPIProcess
from tests.support.manifest import secret_manifest
from tests.support.pod_network import PodNetwork
from tests.support.process import CHECKOUT, ENVIRONMENT, PATIENCE

Document = dict[str, Any]

PORT = 8089
"""Of every solver, and of its Service."""

NETWORKING = "networking.k8s.io/v1"


@dataclass(frozen=True)
class Challenge:
    """
    A challenge and the settings of its issuer.

    :ivar name: of the solver's objects, which cert-manager lets the API server generate.
    :ivar edits: the Ingress that gets the path; empty if the solver has an Ingress of its own.
    """

    host: str
    token: str = "LoqXcYV8q5ONbJQxbmR7SCTNo3tiAXDfowyjxAjEuX0"
    namespace: str = "default"
    class_name: str = "twisted"
    names_class_by: Literal["field", "annotation"] = "field"
    path_type: Literal["Exact", "ImplementationSpecific"] = "Exact"
    service_type: Literal["NodePort", "ClusterIP"] = "NodePort"
    edits: str = ""
    name: str = "cm-acme-http-solver-x7kqz"

    @property
    def key(self) -> str:
        """The key authorization."""
        return f"{self.token}.9jg46WB3rR_AHD-EBXdN7cBkH1WOu0tA3M9fm21mqTI"

    @property
    def path(self) -> str:
        return f"{FOLDER}/{self.token}"

    @property
    def url(self) -> str:
        return f"http://{self.host}{self.path}"

    @property
    def labels(self) -> dict[str, str]:
        return {
            "acme.cert-manager.io/http-domain": str(zlib.adler32(self.host.encode())),
            "acme.cert-manager.io/http-token": str(zlib.adler32(self.token.encode())),
            "acme.cert-manager.io/http01-solver": "true",
        }


class SolverPod:
    """
    A running solver.

    :param prefix: a command that runs it in the network of the pods.
    :param address: where it listens, with `port`.
    """

    def __init__(
        self, prefix: Sequence[str], address: str, port: int, domain: str, token: str, key: str
    ) -> None:
        self._process = subprocess.Popen(
            [
                *(*prefix, sys.executable, "-m", "tests.support.acme_solver"),
                *(address, str(port), domain, token, key),
            ],
            cwd=CHECKOUT,
            env=ENVIRONMENT,
            stdout=subprocess.PIPE,
            text=True,
        )
        assert self._process.stdout is not None
        assert self._process.stdout.readline() == "ready\n"

    def stop(self) -> None:
        """End it; also for `addCleanup`, a second time."""
        self._process.kill()
        self._process.wait(PATIENCE)
        if self._process.stdout is not None:
            self._process.stdout.close()


class CertManager:
    """
    :param network: where the solvers listen, each at an address of its own.
    :param keep: has something called at the end of the test.
    """

    def __init__(
        self,
        api: FakeAPIProcess,
        network: PodNetwork,
        keep: Callable[[Callable[[], None]], object],
    ) -> None:
        self._api = api
        self._network = network
        self._keep = keep
        self._pods: dict[str, SolverPod] = {}
        self._own = CertificateAuthority("cert-manager.local")
        """Signs temporary certificates, which no client trusts."""

    # The solver.

    def present(self, challenge: Challenge) -> None:
        """Create the pod, the Service with its endpoints, and the path."""
        address = f"10.244.2.{len(self._pods) + 1}"
        pod = SolverPod(
            self._network.prefix,
            *(address, PORT, challenge.host, challenge.token, challenge.key),
        )
        self._keep(pod.stop)
        self._pods[challenge.name] = pod
        self._api.put(solver_service(challenge), solver_slice(challenge, address))
        if challenge.edits:
            self._edit(challenge, lambda rules: with_path(rules, challenge))
        else:
            self._api.put(solver_ingress(challenge))

    def clean_up(self, challenge: Challenge) -> None:
        """Delete all of that, in the order of cert-manager: the path last."""
        namespace, name = challenge.namespace, challenge.name
        self._pods[name].stop()
        self._api.delete("discovery.k8s.io/v1", "EndpointSlice", name, namespace)
        self._api.delete("v1", "Service", name, namespace)
        if challenge.edits:
            self._edit(challenge, lambda rules: without_path(rules, challenge))
        else:
            self._api.delete(NETWORKING, "Ingress", name, namespace)

    def _edit(
        self, challenge: Challenge, change: Callable[[list[Document]], list[Document]]
    ) -> None:
        found = self._api.get(NETWORKING, "Ingress", challenge.edits, challenge.namespace)
        assert found is not None
        metadata = {**found["metadata"]}
        del metadata["resourceVersion"]
        spec = {**found["spec"], "rules": change(found["spec"]["rules"])}
        new = {"apiVersion": NETWORKING, "kind": "Ingress", "metadata": metadata, "spec": spec}
        self._api.put(new)

    # The Secret.

    def store_temporary(self, name: str, *hosts: str) -> None:
        """Write a certificate that only keeps others from serving none."""
        self.store(name, self._own.issue(*hosts))

    def store(self, name: str, issued: Issued, namespace: str = "default") -> None:
        """Write a certificate, with the annotations that the Secret gets."""
        manifest: Document = secret_manifest(name, issued)
        annotations = {
            "cert-manager.io/alt-names": ",".join(issued.names),
            "cert-manager.io/certificate-name": name,
            "cert-manager.io/common-name": "",
            "cert-manager.io/ip-sans": "",
            "cert-manager.io/uri-sans": "",
            "cert-manager.io/issuer-group": "cert-manager.io",
            "cert-manager.io/issuer-kind": "ClusterIssuer",
            "cert-manager.io/issuer-name": "letsencrypt",
        }
        labels = {"controller.cert-manager.io/fao": "true"}
        metadata = {
            **manifest["metadata"],
            "namespace": namespace,
            "annotations": annotations,
            "labels": labels,
        }
        self._api.put({**manifest, "metadata": metadata})


def solver_ingress(challenge: Challenge) -> Document:
    """The Ingress of a solver; it lets everybody in, whatever the rest of the cluster says."""
    annotations = {"nginx.ingress.kubernetes.io/whitelist-source-range": "0.0.0.0/0,::/0"}
    spec: Document = {"rules": with_path([], challenge)}
    if challenge.names_class_by == "field":
        spec["ingressClassName"] = challenge.class_name
    else:
        annotations["kubernetes.io/ingress.class"] = challenge.class_name
    metadata = {**_metadata(challenge), "annotations": annotations}
    return {"apiVersion": NETWORKING, "kind": "Ingress", "metadata": metadata, "spec": spec}


def solver_service(challenge: Challenge) -> Document:
    """The Service of a solver."""
    spec = {
        "type": challenge.service_type,
        "ports": [{"name": "http", "port": PORT, "targetPort": PORT, "protocol": "TCP"}],
        "selector": challenge.labels,
    }
    metadata = {**_metadata(challenge), "annotations": {"auth.istio.io/8089": "NONE"}}
    return {"apiVersion": "v1", "kind": "Service", "metadata": metadata, "spec": spec}


def solver_slice(challenge: Challenge, address: str) -> Document:
    """What Kubernetes makes of the Service and the pod."""
    named = _metadata(challenge)
    labels = {**challenge.labels, "kubernetes.io/service-name": challenge.name}
    return {
        "apiVersion": "discovery.k8s.io/v1",
        "kind": "EndpointSlice",
        "metadata": {**named, "labels": labels},
        "addressType": "IPv4",
        "endpoints": [{"addresses": [address], "conditions": {"ready": True}}],
        "ports": [{"name": "http", "port": PORT, "protocol": "TCP"}],
    }


def with_path(rules: list[Document], challenge: Challenge) -> list[Document]:
    """Rules with the path of a challenge, before the other paths of its host."""
    service = {"name": challenge.name, "port": {"number": PORT}}
    path = {
        "path": challenge.path,
        "pathType": challenge.path_type,
        "backend": {"service": service},
    }
    if all(rule.get("host") != challenge.host for rule in rules):
        return [*rules, {"host": challenge.host, "http": {"paths": [path]}}]
    return [
        {**rule, "http": {"paths": [path, *rule["http"]["paths"]]}}
        if rule.get("host") == challenge.host
        else rule
        for rule in rules
    ]


def without_path(rules: list[Document], challenge: Challenge) -> list[Document]:
    """Rules without that path, and without those that have no other one."""
    left = [
        {
            **rule,
            "http": {
                "paths": [
                    path
                    for path in rule["http"]["paths"]
                    if rule.get("host") != challenge.host or path["path"] != challenge.path
                ]
            },
        }
        for rule in rules
    ]
    return [rule for rule in left if rule["http"]["paths"]]


def another(challenge: Challenge, **different: Any) -> Challenge:
    """A challenge whose solver has objects of its own."""
    return replace(challenge, **{"name": f"{challenge.name}2", **different})


def _metadata(challenge: Challenge) -> Document:
    owner = {
        "apiVersion": "acme.cert-manager.io/v1",
        "kind": "Challenge",
        "name": challenge.name,
        "uid": "6f8a1b1e-2d4a-4f0e-9a39-3f6f6b1c2d3e",
        "controller": True,
        "blockOwnerDeletion": True,
    }
    return {
        "name": challenge.name,
        "namespace": challenge.namespace,
        "labels": challenge.labels,
        "ownerReferences": [owner],
    }
