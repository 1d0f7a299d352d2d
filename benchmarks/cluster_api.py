"""
A stub of an API server with a large cluster, for `cluster_benchmark`: a process of its own.

It knows lists in pages and watches, over TLS. A line on its standard input changes the
endpoint of the Service of that number; the moment at which the event was sent goes to its
standard output.
"""

from __future__ import annotations

import json
import ssl
import sys
import tempfile
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Event
from typing import Any
from urllib.parse import parse_qs, urlsplit

from tests.support.certs import CertificateAuthority

Item = dict[str, Any]
MANAGED = {
    "manager": "kube-controller-manager",
    "operation": "Update",
    "time": "2026-11-23T01:29:25Z",
    "fieldsType": "FieldsV1",
    "fieldsV1": {
        "f:endpoints": {},
        "f:metadata": {
            "f:generateName": {},
            "f:labels": {".": {}, "f:kubernetes.io/service-name": {}},
            "f:ownerReferences": {".": {}, 'k:{"uid":"c80fb4a5-3d7c-4e7b-9d54-a5ac5dd41ec9"}': {}},
        },
        "f:ports": {},
    },
}
"""As real objects have it: half of what the server sends is of no use to anybody."""


def make_metadata(name: str, number: int, labels: dict[str, str] | None = None) -> Item:
    return {
        "name": name,
        "namespace": "default",
        "uid": f"71ef6d45-cb0d-44f3-a77e-{number:012x}",
        "resourceVersion": str(number + 1),
        "generation": 1,
        "creationTimestamp": "2026-11-23T01:29:25Z",
        "labels": {"app.kubernetes.io/part-of": "benchmark", **(labels or {})},
        "managedFields": [MANAGED],
    }


def make_ingress(number: int) -> Item:
    backend = {"service": {"name": f"s{number}", "port": {"number": 80}}}
    rule = {
        "host": f"h{number}.example.com",
        "http": {"paths": [{"path": "/", "pathType": "Prefix", "backend": backend}]},
    }
    metadata = make_metadata(f"i{number}", number)
    spec = {"ingressClassName": "twisted", "rules": [rule]}
    copy = json.dumps({"metadata": {"name": f"i{number}"}, "spec": spec})
    metadata["annotations"] = {"kubectl.kubernetes.io/last-applied-configuration": copy}
    return {"metadata": metadata, "spec": spec, "status": {"loadBalancer": {}}}


def make_service(number: int) -> Item:
    ports = [{"name": "http", "port": 80, "protocol": "TCP", "targetPort": 8080}]
    spec = {"clusterIP": f"172.16.{number >> 8 & 255}.{number & 255}", "ports": ports}
    return {"metadata": make_metadata(f"s{number}", number), "spec": spec}


def make_slice(number: int, endpoints: int, changes: int = 0) -> Item:
    labels = {"kubernetes.io/service-name": f"s{number}"}
    return {
        "kind": "EndpointSlice",
        "apiVersion": "discovery.k8s.io/v1",
        "metadata": make_metadata(f"s{number}-abcde", number, labels),
        "addressType": "IPv4",
        "endpoints": [
            {
                "addresses": [f"10.{number >> 8 & 255}.{number & 255}.{index + 1 + changes % 200}"],
                "conditions": {"ready": True, "serving": True, "terminating": False},
                "targetRef": {
                    "kind": "Pod",
                    "namespace": "default",
                    "name": f"s{number}-68477b67bd-{index:05}",
                    "uid": f"f06ea754-926a-4e13-b3b3-{index:012x}",
                },
                "nodeName": f"node-{index}",
                "zone": "zone-a",
            }
            for index in range(endpoints)
        ],
        "ports": [{"name": "http", "protocol": "TCP", "port": 8080}],
    }


class Cluster:
    """The lists, ready to be sent, and the watch of EndpointSlices that is open."""

    def __init__(self, slices: int, endpoints: int, ingresses: int) -> None:
        self.endpoints = endpoints
        self.slice_watch: Any = None
        self.lists: dict[str, list[bytes]] = {
            "ingresses": [_encode(make_ingress(number)) for number in range(ingresses)],
            "ingressclasses": [],
            "services": [_encode(make_service(number)) for number in range(slices)],
            "endpointslices": [_encode(make_slice(number, endpoints)) for number in range(slices)],
        }

    def change(self, number: int, changes: int) -> None:
        """Send an event, and tell when."""
        item = make_slice(number, self.endpoints, changes)
        event = _encode({"type": "MODIFIED", "object": item}) + b"\n"
        chunk = b"%x\r\n%b\r\n" % (len(event), event)
        self.slice_watch.write(chunk)
        self.slice_watch.flush()
        print(time.monotonic(), flush=True)


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    cluster: Cluster

    def do_GET(self) -> None:
        parts = urlsplit(self.path)
        query = {key: values[0] for key, values in parse_qs(parts.query).items()}
        resource = parts.path.rpartition("/")[2]
        if "watch" in query:
            self._watch(resource)
            return
        items = self.cluster.lists[resource]
        start, limit = int(query.get("continue", 0)), int(query["limit"])
        end = start + limit
        token = str(end) if end < len(items) else ""
        metadata = _encode({"resourceVersion": "1000000", "continue": token})
        body = b'{"metadata":%b,"items":[%b]}' % (metadata, b",".join(items[start:end]))
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def _watch(self, resource: str) -> None:
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Transfer-Encoding", "chunked")
        self.end_headers()
        self.wfile.flush()
        if resource == "endpointslices":
            self.cluster.slice_watch = self.wfile
        Event().wait()

    def log_message(self, format: str, *args: object) -> None: ...


def _encode(value: object) -> bytes:
    return json.dumps(value, separators=(",", ":")).encode()


def main() -> None:
    """Serve a cluster of so many EndpointSlices, endpoints in each, and Ingresses."""
    from threading import Thread

    Handler.cluster = cluster = Cluster(*map(int, sys.argv[1:]))
    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    authority = CertificateAuthority()
    issued = authority.issue("127.0.0.1")
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    with tempfile.NamedTemporaryFile() as file:
        Path(file.name).write_bytes(issued.chain_pem + issued.key_pem)
        context.load_cert_chain(file.name)
    server.socket = context.wrap_socket(server.socket, server_side=True)
    Thread(target=server.serve_forever, daemon=True).start()
    print(json.dumps([server.server_port, authority.root_pem.decode()]), flush=True)
    for changes, line in enumerate(sys.stdin, 1):
        cluster.change(int(line), changes)


if __name__ == "__main__":
    main()
