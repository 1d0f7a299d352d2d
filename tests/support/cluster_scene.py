"""
A cluster and its reader on one clock: the fake API server, the real client, a ClusterSource.
"""

from __future__ import annotations

from dataclasses import replace
from random import Random
from typing import Any

from twisted.internet.defer import Deferred

from ingress.config import Cluster, Config, IngressClassFilter
from ingress.kube.api.client import APIClient
from ingress.kube.api.credentials import FixedCredentials, Identity
from ingress.kube.api.server import Server
from ingress.kube.cluster.reflector import Access
from ingress.kube.cluster.source import ClusterSource
from ingress.kube.ingress_status import IngressStatuses
from ingress.kube.slices import Slices
from ingress.kube.store import ObjectStore
from ingress.routing.build.reference import reference_rule
from tests.support.fake_api import ADMINISTRATOR, FakeAPI, Rule, User
from tests.support.fake_api.api import TOKEN
from tests.support.manifest import Manifest, ingress_manifest, service_manifest
from tests.support.memory_connections import MemoryConnections
from tests.support.turn_clock import TurnClock

PROXY = User("system:serviceaccount:ingress:txingress")

CONFIG = Config(
    cluster=Cluster(), ingress_class=IngressClassFilter(name="twisted", without_class=True)
)
"""Ingresses that name no class are ours, so that most tests need none."""


class ClusterScene:
    """
    :param rules: the rights of the proxy; every right if there are none.
    :ivar statuses: receives each Ingress as it came.
    :ivar started: the result of `start`.
    """

    def __init__(self, config: Config = CONFIG, *rules: Rule) -> None:
        self.clock = TurnClock()
        self.api = FakeAPI(self.clock, Random(1))
        self.grant(*rules)
        self.connections = MemoryConnections(self.clock, self.api.resource)
        self.client = APIClient(
            self.clock,
            Server("api.example", 6443),
            FixedCredentials(Identity(f"Bearer {TOKEN}".encode())),
            self.connections,
        )
        self.store = ObjectStore()
        self.statuses = IngressStatuses()
        self.config = config
        access = Access(self.client, self.clock, Random(1), Slices(self.clock, lambda: None))
        self.source = ClusterSource(access, self.store, config, reference_rule, self.statuses)
        self.told: list[list[str]] = []
        self.source.subscribe(lambda: self.told.append(self.problems))
        self.started: Deferred[None] = Deferred()

    # Time.

    def start(self) -> None:
        """Start, and let all parts take some turns."""
        self.started = self.source.start()
        self.turn()

    def turn(self, seconds: float = 0.0) -> None:
        """Let time pass in steps of a few seconds, and let all parts take turns."""
        longest = 1.0 if seconds < 100.0 else 10.0
        while True:
            step = min(seconds, longest)
            self.clock.advance(step)
            for _ in range(12):
                self.connections.agent.flush()
                self.clock.advance(0)
            seconds -= step
            if seconds <= 0:
                return

    # The cluster.

    def grant(self, *rules: Rule) -> None:
        """Set the rights of the proxy from now on; every right if there are no rules."""
        if rules:
            self.api.grant(PROXY, *rules)
        self.api.access.tokens[TOKEN] = PROXY if rules else ADMINISTRATOR

    def put(self, *manifests: Manifest) -> None:
        """Add or change objects."""
        self.api.put(*manifests)

    def asked(self, resource: str, verb: str = "") -> list[str]:
        """List the requests for one resource, as ``VERB NAMESPACE/NAME``."""
        return [
            f"{each.verb} {each.namespace}/{each.name}"
            for each in self.api.requests
            if each.resource == resource and verb in ("", each.verb)
        ]

    # What is known.

    @property
    def problems(self) -> list[str]:
        return sorted(str(each) for those in self.source.problems.values() for each in those)

    def names(self, field: str) -> list[str]:
        """List the names of the objects of one kind in the store, by the field of `Objects`."""
        found: Any = getattr(self.store.view(), field)
        return sorted("/".join(name).lstrip("/") for name in found)


def in_namespaces(*namespaces: str) -> Config:
    """Return `CONFIG` limited to some namespaces."""
    return replace(CONFIG, cluster=Cluster(namespaces=namespaces))


def named(manifest: Manifest, namespace: str) -> Manifest:
    """Return the same manifest in another namespace."""
    metadata: Any = manifest["metadata"]
    return {**manifest, "metadata": {**metadata, "namespace": namespace}}


def web(name: str = "web", *secrets: str, class_name: str | None = None) -> Manifest:
    """An Ingress for ``NAME.example``, with a tls entry for each Secret."""
    host = f"{name}.example"
    manifest = ingress_manifest(name, host, {"/": "web"}, tls={each: [host] for each in secrets})
    if class_name is not None:
        spec: Any = manifest["spec"]
        spec["ingressClassName"] = class_name
    return manifest


def slice_manifest(service: str = "web", *addresses: str) -> Manifest:
    """An EndpointSlice of a Service."""
    return {
        "apiVersion": "discovery.k8s.io/v1",
        "kind": "EndpointSlice",
        "metadata": {
            "name": f"{service}-1",
            "labels": {"kubernetes.io/service-name": service, "other": "x"},
        },
        "addressType": "IPv4",
        "endpoints": [{"addresses": [address]} for address in addresses or ("10.0.0.1",)],
        "ports": [{"port": 8080}],
    }


def class_manifest(name: str, controller: str = "txingress.dev/ingress") -> Manifest:
    """An IngressClass, which is ours by default."""
    return {
        "apiVersion": "networking.k8s.io/v1",
        "kind": "IngressClass",
        "metadata": {"name": name},
        "spec": {"controller": controller},
    }


def secret(name: str, value: str = "eA==", namespace: str = "default") -> Manifest:
    """A Secret whose content does not matter."""
    return {
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": {"name": name, "namespace": namespace},
        "type": "Opaque",
        "data": {"tls.crt": value, "tls.key": value},
    }


def served(name: str = "web", *secrets: str) -> list[Manifest]:
    """An Ingress, its Service and an endpoint."""
    return [web(name, *secrets), service_manifest("web"), slice_manifest("web")]
