"""
The standard exchanges that `benchmarks.guard` counts, and the manifests that they need.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from itertools import count, cycle, repeat
from typing import Any

HOSTS = 10_000
BODY = 65536

WARM_UP = 500
"""Exchanges before those that are counted."""

MISSES = {"D1": ("D1mr", "D1mw"), "L2": ("DLmr", "DLmw")}
"""The events of callgrind that are misses of data, reading and writing, by the cache."""

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


PREFIX = "nginx.ingress.kubernetes.io/"
NO_ANNOTATIONS: Mapping[str, str] = {}


def get(host: str = "guard.example", target: str = "/", fields: str = "") -> bytes:
    return HEAD.format(method="GET", target=target, host=host, fields=fields).encode()


def post() -> bytes:
    head = HEAD.format(
        method="POST",
        target="/",
        host="guard.example",
        fields=f"Content-Type: text/plain\r\nContent-Length: {BODY}\r\n",
    )
    return head.encode() + b"x" * BODY


HTTP2_OPENING = (
    b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
    # SETTINGS without any, and a window for all that will come.
    b"\0\0\0\x04\0\0\0\0\0" + b"\0\0\x04\x08\0\0\0\0\0" + b"\x3f\xff\0\0"
)
HTTP2_SETTINGS = b"\x04\0\0\0\0\0"
"""Type, flags and stream of the first frame of a server that speaks HTTP/2."""

HTTP2_ANSWER = b"\0\0\0\x04\x01\0\0\0\0"
"""The acknowledgement of the server's SETTINGS."""

HTTP2_OK = b"\x88"
"""The status 200 in a field block; it is where HTTP/1.1 has the status, behind nine bytes."""


def http2_get(stream: int) -> bytes:
    """:return: the HEADERS of a GET, with END_STREAM; nothing of it changes a dynamic table."""
    block = b"\x82\x86\x84" + (b"\x01\x0dguard.example" + b"\x0f\x2b\x05guard" + b"\x0f\x04\x03*/*")
    return len(block).to_bytes(3, "big") + b"\x01\x05" + stream.to_bytes(4, "big") + block


def grpc_call(stream: int) -> bytes:
    """:return: the HEADERS of a unary call, and its message with END_STREAM."""
    block = b"\x83\x86" + b"\x04\x0b/guard/Call" + b"\x01\x0cgrpc.example"
    block += b"\x0f\x10\x10application/grpc" + b"\0\x02te\x08trailers"
    number = stream.to_bytes(4, "big")
    head = len(block).to_bytes(3, "big") + b"\x01\x04" + number + block
    return head + b"\0\0\x0a\0\x01" + number + b"\0\0\0\0\x05hello"


GRPC_END = b"\x01\x05\0\0"
"""Type, flags and the first half of the stream of HEADERS that end a stream: of the trailers."""


@dataclass(frozen=True)
class Scenario:
    """
    :ivar requests: what the client sends, one after the other.
    :ivar response: of the endpoint; empty where none is asked.
    :ivar status: of what the client gets.
    :ivar host: has an Ingress of its own, with these annotations and this path; empty for none.
    :ivar questions: requests that the endpoint gets before the first one of the client.
    :ivar is_http2: whether the client speaks HTTP/2; a version that does not has no figure.
    :ivar is_grpc: whether the endpoint speaks gRPC; it has a response of its own.
    :ivar warm_up: exchanges before those that are counted.
    """

    requests: Iterator[bytes]
    response: bytes = SMALL
    status: bytes = b"200"
    is_secure: bool = False
    connects: bool = False
    hosts: int = 1
    host: str = ""
    annotations: Mapping[str, str] = field(default_factory=dict)
    path: str = "/"
    questions: int = 0
    is_http2: bool = False
    is_grpc: bool = False
    warm_up: int = WARM_UP


STANDARD = {
    "small-get": Scenario(repeat(get())),
    "small-get-tls": Scenario(repeat(get()), is_secure=True),
    "h2-small-get": Scenario(
        (http2_get(stream) for stream in count(1, 2)), status=HTTP2_OK, is_http2=True
    ),
    "grpc-unary": Scenario(
        (grpc_call(stream) for stream in count(1, 2)),
        GRPC_END,
        HTTP2_OK,
        host="grpc.example",
        annotations={f"{PREFIX}backend-protocol": "GRPC"},
        is_http2=True,
        is_grpc=True,
    ),
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
        # Each host is asked before it is counted.
        warm_up=HOSTS,
    ),
}


def guarded(
    name: str,
    annotations: Mapping[str, str],
    *,
    target: str = "/",
    fields: str = "",
    path: str = "/",
    questions: int = 0,
) -> Scenario:
    """
    :param annotations: of an Ingress for this exchange alone, without their prefix.
    :return: a small GET to it, whose name is its host.
    """
    host = f"{name}.example"
    prefixed = {f"{PREFIX}{key}": value for key, value in annotations.items()}
    requests = repeat(get(host, target, fields))
    return Scenario(requests, host=host, annotations=prefixed, path=path, questions=questions)


RANGES = 10_000
UNREACHED = {"limit-rps": "1000000"}
"""A limit that a client never meets."""

POLICIES = {
    each.host.removesuffix(".example"): each
    for each in (
        guarded(
            "rewrite",
            {"use-regex": "true", "rewrite-target": "/$2"},
            target="/below/items",
            path="/below(/|$)(.*)",
        ),
        guarded("cors", {"enable-cors": "true"}, fields="Origin: https://app.example\r\n"),
        guarded(
            "cors-origins",
            {"enable-cors": "true", "cors-allow-origin": "https://app.example, https://b.example"},
            fields="Origin: https://app.example\r\n",
        ),
        guarded(
            "source-ranges",
            {
                "allowlist-source-range": ",".join(
                    ["127.0.0.0/8"]
                    + [f"10.{each >> 8}.{each & 255}.0/25" for each in range(RANGES - 1)]
                )
            },
        ),
        guarded("limit-rps", UNREACHED),
        guarded("limit-connections", {**UNREACHED, "limit-connections": "100"}),
        guarded(
            "auth-cached",
            {
                "auth-url": "http://web.default.svc.cluster.local/check",
                "auth-response-headers": "Content-Type",
                "auth-cache-key": "$remote_user$http_authorization",
                "auth-cache-duration": "200 1h",
            },
            fields="Authorization: Bearer 0123456789abcdef\r\n",
            questions=1,
        ),
    )
}
"""What is counted beside a small GET: a policy each."""

SCENARIOS = STANDARD | POLICIES

CANARY = {f"{PREFIX}canary": "true", f"{PREFIX}canary-weight": "50"}
"""Those of a canary that gets half of the requests; a version without canaries serves none."""


def ingress(
    name: str,
    host: str,
    backend: str = "web",
    annotations: Mapping[str, str] = NO_ANNOTATIONS,
    *,
    is_secure: bool = False,
    path: str = "/",
) -> dict[str, Any]:
    """
    :param host: has one rule.
    :param path: of that rule; below ``/`` a regular expression.
    :param backend: the name of a Service.
    :return: the manifest of an Ingress.
    """
    to_backend = {"service": {"name": backend, "port": {"number": 80}}}
    path_type = "Prefix" if path == "/" else "ImplementationSpecific"
    paths = [{"path": path, "pathType": path_type, "backend": to_backend}]
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
