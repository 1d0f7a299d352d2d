"""
The standard exchanges that `benchmarks.guard` counts, and the manifests that they need.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import count, cycle, repeat
from typing import Any

HOSTS = 10_000
BODY = 65536

HEAD = (
    "{method} {target} HTTP/1.1\r\nHost: {host}\r\nUser-Agent: guard\r\nAccept: */*\r\n{fields}\r\n"
)
RESPONSE = b"HTTP/1.1 200 OK\r\nDate: Thu, 26 Nov 2026 01:30:00 GMT\r\nContent-Type: text/plain\r\n"
SMALL = RESPONSE + b"Content-Length: 19\r\n\r\nhello from backend\n"
LARGE = RESPONSE + b"Content-Length: %d\r\n\r\n" % (BODY + 1) + b"x" * BODY + b"\n"
CHUNKED = (
    RESPONSE
    + b"Transfer-Encoding: chunked\r\n\r\n"
    + (b"400\r\n" + b"x" * 1024 + b"\r\n") * 4
    + b"0\r\n\r\n"
)


def get(host: str = "guard.example", target: str = "/") -> bytes:
    return HEAD.format(method="GET", target=target, host=host, fields="").encode()


def post() -> bytes:
    head = HEAD.format(
        method="POST",
        target="/",
        host="guard.example",
        fields=f"Content-Type: text/plain\r\nContent-Length: {BODY}\r\n",
    )
    return head.encode() + b"x" * BODY


@dataclass(frozen=True)
class Scenario:
    """
    :ivar requests: what the client sends, one after the other.
    :ivar response: of the endpoint; empty where none is asked.
    :ivar status: of what the client gets.
    """

    requests: Iterator[bytes]
    response: bytes = SMALL
    status: bytes = b"200"
    is_secure: bool = False
    connects: bool = False
    hosts: int = 1


SCENARIOS = {
    "small-get": Scenario(repeat(get())),
    "small-get-tls": Scenario(repeat(get()), is_secure=True),
    "varying-target": Scenario(get(target=f"/items/{number}") for number in count()),
    "body-up": Scenario(repeat(post())),
    "body-down": Scenario(repeat(get()), LARGE),
    "chunked": Scenario(repeat(get()), CHUNKED),
    "new-connection": Scenario(repeat(get()), connects=True),
    "not-found": Scenario(repeat(get("nobody.example")), b"", b"404"),
    "canary": Scenario(repeat(get("canary.example"))),
    "redirect": Scenario(repeat(get("secure.example")), b"", b"308"),
    # A stride, so that neighbours in the list are none in time.
    "many-hosts": Scenario(
        cycle([get(f"host-{number * 37 % HOSTS}.example") for number in range(HOSTS)]),
        hosts=HOSTS,
    ),
}


NO_ANNOTATIONS: Mapping[str, str] = {}
CANARY = {
    "nginx.ingress.kubernetes.io/canary": "true",
    "nginx.ingress.kubernetes.io/canary-weight": "50",
}
"""Those of a canary that gets half of the requests; a version without canaries serves none."""


def ingress(
    name: str,
    host: str,
    backend: str = "web",
    annotations: Mapping[str, str] = NO_ANNOTATIONS,
    *,
    is_secure: bool = False,
) -> dict[str, Any]:
    """
    :param host: has one rule, for every path.
    :param backend: the name of a Service.
    :return: the manifest of an Ingress.
    """
    to_backend = {"service": {"name": backend, "port": {"number": 80}}}
    paths = [{"path": "/", "pathType": "Prefix", "backend": to_backend}]
    return {
        "apiVersion": "networking.k8s.io/v1",
        "kind": "Ingress",
        "metadata": {"name": name, "namespace": "default", "annotations": dict(annotations)},
        "spec": {"rules": [{"host": host, "http": {"paths": paths}}]}
        | ({"tls": [{"hosts": [host]}]} if is_secure else {}),
    }


def service(name: str) -> dict[str, Any]:
    """:return: the manifest of a Service with one port."""
    return {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {"name": name, "namespace": "default"},
        "spec": {"ports": [{"port": 80}]},
    }
