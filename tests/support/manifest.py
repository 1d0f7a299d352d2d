"""
Manifests as their authors write them: documents for YAML files.

`tests.support.objects` has the same as parsed objects.
"""

from __future__ import annotations

import base64
from collections.abc import Iterable, Mapping

from tests.support.certs import Issued

Manifest = dict[str, object]

PREFIX = "nginx.ingress.kubernetes.io/"

PATH_TYPES = {"=": "Exact", "~": "ImplementationSpecific"}


def ingress_manifest(
    name: str,
    host: str,
    paths: Mapping[str, str],
    *,
    tls: Mapping[str, Iterable[str]] | None = None,
    annotations: Mapping[str, str] | None = None,
) -> Manifest:
    """
    An Ingress in the namespace ``default``.

    :param host: empty for every host.
    :param paths: ``/path`` for Prefix, ``=/path`` for Exact, ``~/path`` for
        ImplementationSpecific, each to a Service's port 80.
    :param tls: hosts by the name of their Secret.
    :param annotations: those of ingress-nginx without their prefix.
    """
    rule: Manifest = {
        "http": {
            "paths": [
                {
                    "path": path.lstrip("=~"),
                    "pathType": PATH_TYPES.get(path[0], "Prefix"),
                    "backend": {"service": {"name": service, "port": {"number": 80}}},
                }
                for path, service in paths.items()
            ]
        }
    }
    if host:
        rule["host"] = host
    spec: Manifest = {"rules": [rule]}
    if tls:
        spec["tls"] = [
            {"hosts": list(hosts), "secretName": secret} for secret, hosts in tls.items()
        ]
    metadata: Manifest = {"name": name}
    if annotations:
        metadata["annotations"] = {
            key if "/" in key else PREFIX + key: value for key, value in annotations.items()
        }
    return _manifest("networking.k8s.io/v1", "Ingress", metadata, spec=spec)


def service_manifest(
    name: str, *, app_protocol: str = "", annotations: Mapping[str, str] | None = None
) -> Manifest:
    """A Service of port 80."""
    port = {"port": 80, **({"appProtocol": app_protocol} if app_protocol else {})}
    metadata: Manifest = {"name": name}
    if annotations:
        metadata["annotations"] = dict(annotations)
    return _manifest("v1", "Service", metadata, spec={"ports": [port]})


def external_manifest(name: str, host: str, port: int) -> Manifest:
    """An ExternalName whose port 80 leads to this port of another host."""
    ports = [{"port": 80, "targetPort": port}]
    spec: Manifest = {"type": "ExternalName", "externalName": host, "ports": ports}
    return _manifest("v1", "Service", {"name": name}, spec=spec)


def endpoint_manifests(service: str, *ports: int) -> list[Manifest]:
    """An EndpointSlice for each port of 127.0.0.1, because a slice has one port."""
    return [
        _manifest(
            "discovery.k8s.io/v1",
            "EndpointSlice",
            {
                "name": f"{service}-{number}",
                "labels": {"kubernetes.io/service-name": service},
            },
            addressType="IPv4",
            endpoints=[{"addresses": ["127.0.0.1"]}],
            ports=[{"port": port}],
        )
        for number, port in enumerate(ports)
    ]


def served_manifests(service: str, *ports: int) -> list[Manifest]:
    """A Service and its endpoints."""
    return [service_manifest(service), *endpoint_manifests(service, *ports)]


def config_map_manifest(
    name: str,
    data: Mapping[str, str],
    *,
    namespace: str = "default",
    labels: Mapping[str, str] | None = None,
) -> Manifest:
    """A ConfigMap with these keys."""
    metadata: Manifest = {"name": name, "namespace": namespace, "labels": dict(labels or {})}
    return _manifest("v1", "ConfigMap", metadata, data=dict(data))


def secret_manifest(name: str, issued: Issued) -> Manifest:
    """A Secret with a certificate and its key."""
    return _secret_manifest(name, "kubernetes.io/tls", _pair(issued))


def backend_secret_manifest(name: str, root_pem: bytes, ours: Issued | None = None) -> Manifest:
    """
    A Secret for TLS towards endpoints.

    :param root_pem: the authority to trust.
    :param ours: the certificate to show to endpoints.
    """
    data = {} if ours is None else _pair(ours)
    return _secret_manifest(name, "Opaque", {**data, "ca.crt": root_pem})


def opaque_manifest(name: str, **data: str) -> Manifest:
    """A Secret of keys that are no certificates, with ``.`` for ``__`` in their names."""
    encoded = {key.replace("__", "."): value.encode() for key, value in data.items()}
    return _secret_manifest(name, "Opaque", encoded)


def _pair(issued: Issued) -> dict[str, bytes]:
    return {"tls.crt": issued.chain_pem, "tls.key": issued.key_pem}


def _secret_manifest(name: str, kind: str, data: Mapping[str, bytes]) -> Manifest:
    encoded = {key: base64.b64encode(value).decode() for key, value in data.items()}
    return _manifest("v1", "Secret", {"name": name}, type=kind, data=encoded)


def _manifest(version: str, kind: str, metadata: Manifest, **content: object) -> Manifest:
    return {"apiVersion": version, "kind": kind, "metadata": metadata, **content}
