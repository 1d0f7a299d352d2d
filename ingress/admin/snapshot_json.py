"""
The Snapshot in force as one JSON document, written in pieces.

::

    {"generation": …, "publishedAt": …, "config": {…}, "foreignIngresses": {"nginx": …},
     "http2": {"client": {"connections": …, "streams": …}, "endpoint": {…}},
     "hosts": [{"host": …, "paths": [{"path": …, "upstream": …, …}], "default": …}],
     "upstreams": {"default/web:80": {"endpoints": [{"address": …, "inFlight": …, "ejected": …,
                                                     "http2": {"connections": …, "streams": …}}]}},
     "ports": [{"protocol": "TCP", "port": …, "upstream": …, "source": …, …}],
     "certificates": [{"host": …, "names": […], "notAfter": …, …}],
     "problems": [{"code": …, "kind": …, "name": …, "field": …, "message": …, "file": …, …}]}

It contains no secrets.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import fields, is_dataclass
from datetime import UTC, datetime
from typing import Any, Final, NamedTuple, TypeVar

from ingress.admin.ports import port_rows
from ingress.admin.route_json import route_json, upstream_name
from ingress.config import ConfiguredPolicy
from ingress.endpoint import Endpoint, Upstream, UpstreamKey
from ingress.problem import Problem
from ingress.routing.build import Built
from ingress.routing.build.foreign_table import largest_classes
from ingress.routing.match import find_certificate, find_host
from ingress.routing.route import Route
from ingress.routing.snapshot import ServerCertificate, VirtualHost
from ingress.steps import STRIDE
from ingress.telemetry.endpoint_state import EndpointState, EndpointStates
from ingress.telemetry.vitals import HTTP2Vitals

T = TypeVar("T")

_UNDERSCORE: Final = re.compile("_(.)")
_NO_STATE: Final = EndpointState()


class Published(NamedTuple):
    """The values of the document."""

    built: Built
    generation: int
    published_at: datetime | None
    problems: Iterable[Problem]
    endpoints: EndpointStates
    http2: HTTP2Vitals = HTTP2Vitals()


def snapshot_json(published: Published) -> Iterator[bytes]:
    """The whole document."""
    snapshot = published.built.snapshot
    hosts = snapshot.virtual_hosts()
    certificates = list(snapshot.certificates.items())
    if snapshot.default_certificate is not None:
        certificates.append(("", snapshot.default_certificate))
    ports = list(port_rows(snapshot))
    yield from _document(
        published, hosts, list(snapshot.upstreams), certificates, published.problems, ports
    )


def host_json(published: Published, name: str) -> Iterator[bytes] | None:
    """
    :param name: a host, as a client may write it.
    :return: the parts that concern requests for this host; None if no rule is for it.
    """
    built, name = published.built, name.lower().removesuffix(".")
    snapshot = built.snapshot
    host = find_host(snapshot, name.encode("utf-8", "replace"))
    if host is None:
        return None
    routes = [each for route in host.routes() for each in (route, *route.canary_routes)]
    upstreams = {route.upstream for route in routes if route.upstream is not None}
    certificate = find_certificate(snapshot, name)
    owners = built.memo.hosts.users.get(host.name, ())
    problems = (
        problem
        for problem in published.problems
        if (problem.kind, problem.namespace, problem.name) in owners
    )
    return _document(
        published,
        [host],
        sorted(upstreams),
        [(name, certificate)] if certificate is not None else [],
        problems,
    )


def _document(
    published: Published,
    hosts: Iterable[VirtualHost],
    upstreams: Iterable[UpstreamKey],
    certificates: Iterable[tuple[str, ServerCertificate]],
    problems: Iterable[Problem],
    ports: Iterable[dict[str, Any]] = (),
) -> Iterator[bytes]:
    built = published.built
    default = built.snapshot.default_route
    head = {
        "generation": published.generation,
        "publishedAt": moment_text(published.published_at),
        "config": _plain(built.snapshot.config),
        "defaultBackend": route_json(default) if default is not None else None,
        "foreignIngresses": dict(largest_classes(built.foreign_classes)),
        "http2": published.http2.shown(),
    }
    yield _encoded(head).removesuffix(b"}")
    yield b',\n"hosts":['
    yield from _listed(hosts, _host)
    yield b'],\n"upstreams":{'
    yield from _listed(upstreams, lambda key: _upstream(key, built, published.endpoints))
    yield b'},\n"ports":['
    yield from _listed(ports, _one)
    yield b'],\n"certificates":['
    yield from _listed(certificates, _certificate)
    yield b'],\n"problems":['
    yield from _listed(problems, _problem)
    yield b"]}\n"


def _listed(items: Iterable[T], encode: Callable[[T], Iterator[bytes]]) -> Iterator[bytes]:
    separator = b"\n"
    for item in items:
        yield separator
        yield from encode(item)
        separator = b",\n"


def _one(value: dict[str, Any]) -> Iterator[bytes]:
    yield _encoded(value)


def _host(host: VirtualHost) -> Iterator[bytes]:
    """One line for each path, of which there may be thousands."""
    yield b'{"host":%b,"default":' % _encoded(host.name)
    yield _encoded(route_json(host.default) if host.default is not None else None)
    if host.passthrough is not None:
        yield b',"passthrough":' + _encoded(host.passthrough.shown())
    yield b',"paths":['
    yield from _listed(host.path_routes(), _route)
    yield b"]}"


def _route(route: Route) -> Iterator[bytes]:
    yield _encoded(route_json(route))


def _upstream(key: UpstreamKey, built: Built, states: EndpointStates) -> Iterator[bytes]:
    upstream = built.snapshot.upstreams.get(key) or Upstream(key)
    head: dict[str, object] = {
        "name": str(key),
        "namespace": key.namespace,
        "service": key.service,
        "port": key.port,
        "fault": built.memo.upstreams.faults.get(key),
    }
    check = built.snapshot.health_checks.get(key)
    if check is not None:
        head |= check.check.shown()
    yield _encoded(upstream_name(key)) + b":"
    yield _encoded(head).removesuffix(b"}")
    for name, endpoints in (("endpoints", upstream.endpoints), ("lingering", upstream.lingering)):
        yield b',"%b":[' % name.encode()
        yield from _listed(_grouped(endpoints), lambda some: _endpoints(key, some, states))
        yield b"]"
    yield b"}"


def _grouped(endpoints: tuple[Endpoint, ...]) -> Iterator[tuple[Endpoint, ...]]:
    for start in range(0, len(endpoints), STRIDE):
        yield endpoints[start : start + STRIDE]


def _endpoints(
    upstream: UpstreamKey, endpoints: Iterable[Endpoint], states: EndpointStates
) -> Iterator[bytes]:
    entries = []
    for endpoint in endpoints:
        state = states.get(endpoint, _NO_STATE)
        entry: dict[str, object] = {
            "address": str(endpoint),
            "inFlight": state.in_flight,
            "ejected": upstream in state.ejected_for,
            "unhealthy": upstream in state.unhealthy_for,
        }
        if state.http2_connections:
            entry["http2"] = {
                "connections": state.http2_connections,
                "streams": state.http2_streams,
            }
        entries.append(entry)
    yield _encoded(entries)[1:-1]


def _certificate(item: tuple[str, ServerCertificate]) -> Iterator[bytes]:
    host, certificate = item
    identity = certificate.identity
    yield _encoded(
        {
            "host": host,
            "names": certificate.names,
            "notBefore": moment_text(certificate.not_before),
            "notAfter": moment_text(certificate.not_after),
            "secret": "/".join(identity.secret),
            "issuer": identity.issuer,
            "serialNumber": identity.serial_number,
            "keyAlgorithm": identity.key_algorithm,
            "fingerprint": identity.fingerprint,
        }
    )


def _problem(problem: Problem) -> Iterator[bytes]:
    yield _encoded(
        {
            "code": problem.code,
            "kind": problem.kind,
            "namespace": problem.namespace,
            "name": problem.name,
            "field": problem.field,
            "value": problem.value,
            "message": problem.message,
            "file": problem.origin.file,
            "line": problem.origin.line,
        }
    )


def _encoded(value: object) -> bytes:
    """JSON in ASCII: a lone surrogate, which a path may have, has no UTF-8 encoding."""
    return json.dumps(value, separators=(",", ":")).encode("ascii")


def moment_text(moment: datetime | None) -> str | None:
    return None if moment is None else f"{moment.astimezone(UTC):%Y-%m-%dT%H:%M:%SZ}"


def _plain(value: Any) -> Any:
    """The configuration in plain values, with names in Kubernetes' style."""
    if isinstance(value, ConfiguredPolicy):
        return {"name": value.name, "forAll": value.is_for_all, **value.policy.described()}
    if is_dataclass(value):
        return {
            _UNDERSCORE.sub(lambda found: found[1].upper(), each.name): _plain(
                getattr(value, each.name)
            )
            for each in fields(value)
            if each.repr  # What is not shown may be secret.
        }
    if isinstance(value, Mapping):
        return {_plain_key(key): _plain(item) for key, item in value.items()}
    if isinstance(value, frozenset):
        return sorted(map(_plain, value))
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    if value is None or isinstance(value, bool | int | float):
        return value
    # Names of fields are kept as bytes.
    return value.decode("latin-1") if isinstance(value, bytes) else str(value)


def _plain_key(key: Any) -> str:
    return "/".join(map(str, key)) if isinstance(key, tuple) else str(key)
