"""
The Problems of the configuration file that depend on the objects: its default certificate, and
entries of ``source.endpoints`` that serve nothing; and packages that it needs.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from ingress.config import Config, LocalService
from ingress.endpoint import Endpoint
from ingress.errors import IngressError
from ingress.policy.compression import missing_packages
from ingress.policy.server_url import parse_server_url
from ingress.problem import Origin, Problem
from ingress.problem_code import Code
from ingress.routing.build.config_map import ConfigMapState
from ingress.routing.build.default_backend import FIELD, default_upstream
from ingress.routing.build.endpoint_screen import CONFIGURATION, CONSEQUENCE, describe_refused
from ingress.routing.build.secret_table import SecretTable
from ingress.routing.build.upstream_table import UpstreamTable

_NO_COLLECTOR: Final = (
    "is true, here or as enable-opentelemetry of the ConfigMap, and no collector is configured"
    " (otlp.endpoint, or otlp-collector-host of the ConfigMap); no spans are recorded"
)

_NO_PROXIES: Final = (
    "trusted-proxies names nobody who may send headers of the PROXY protocol, so that every"
    " connection is closed"
)


def configuration_problems(
    secrets: SecretTable, upstreams: UpstreamTable, config_map: ConfigMapState
) -> Iterator[Problem]:
    """Yield every Problem of the configuration."""
    config = config_map.effective
    if config_map.missing is not None:
        yield config_map.missing
    origin = Origin(str(config.path)) if config.path is not None else Origin()
    backend = default_upstream(config)
    if backend is not None and upstreams.fault_of(backend, FIELD):
        named = f"{backend.namespace}/{backend.service}:{backend.port}".removesuffix(":")
        fault = upstreams.fault_of(backend, FIELD)
        yield Problem(fault, field=FIELD, value=named, origin=origin)
    yield from _global_server(upstreams, config_map)
    yield from _default_certificate(secrets, config, origin)
    yield from _unused_endpoints(upstreams, config, origin)
    yield from _refused_endpoints(upstreams, config, origin)
    yield from _unnamed_proxies(config, origin)
    if config.otlp.for_all and not config.otlp.endpoint:
        yield Problem(_NO_COLLECTOR, field="otlp.for-all", origin=origin)
    for coding, package in missing_packages(config):
        yield Problem(
            f"needs the Python package {package}, which is not installed; no response is"
            " compressed with it",
            field=f"compression.{coding}",
            origin=origin,
        )


def _unnamed_proxies(config: Config, origin: Origin) -> Iterator[Problem]:
    """Yield a Problem for each listener on which no connection can begin as it must."""
    for kind, addresses in config.listen.by_kind.items():
        # Who may connect to a UNIX socket may send a header as well.
        is_named = all(each.startswith("unix:") for each in addresses)
        is_wanted = kind in config.listen.proxy_protocol and config.has_proxy_protocol(kind)
        if is_wanted and not is_named and not config.proxy_protocol_peers:
            yield Problem(
                _NO_PROXIES,
                field=f"listen.{kind}.proxy-protocol",
                value="true",
                origin=origin,
                code=Code.PROXIES_UNNAMED,
            )


def _global_server(upstreams: UpstreamTable, config_map: ConfigMapState) -> Iterator[Problem]:
    """Yield the Problem of an authentication server for all paths that has no endpoint."""
    try:
        url = parse_server_url(config_map.effective.nginx.auth.url, "")
    except IngressError:
        return  # There is none.
    fault = upstreams.faults.get(url.upstream, "") if url.upstream is not None else ""
    if fault and config_map.key is not None:
        what = fault.partition("; answered with ")[0]
        origin = config_map.item.origin if config_map.item is not None else Origin()
        message = f"{what}; every path that it decides about answers 500"
        yield Problem(message, *config_map.key, "data[global-auth-url]", origin=origin)


def _default_certificate(secrets: SecretTable, config: Config, origin: Origin) -> Iterator[Problem]:
    secret = config.tls.default
    fault = secrets.fault_of(secret) if secret is not None else ""
    if secret is not None and fault:
        if secrets.certificate_of(secret) is None:
            fault += "; a self-signed certificate is served"
        yield Problem(
            fault,
            field="tls.default",
            value="/".join(secret),
            origin=origin,
            code=Code.DEFAULT_CERTIFICATE,
        )


def _unused_endpoints(table: UpstreamTable, config: Config, origin: Origin) -> Iterator[Problem]:
    """Yield a Problem for each entry that gives its addresses to no Upstream in use."""
    for service, addresses in config.source.endpoints.items():
        endpoints = {Endpoint(host, port) for host, port in addresses}
        message = _why_unused(service, endpoints, table)
        if message:
            yield Problem(message, field=_field(service), origin=origin, code=Code.ENDPOINTS_UNUSED)


def _field(service: LocalService) -> str:
    namespace, name, port = service
    return f"source.endpoints[{namespace}/{name}{port and f':{port}'}]"


def _refused_endpoints(table: UpstreamTable, config: Config, origin: Origin) -> Iterator[Problem]:
    """Yield a Problem for each entry that leads to this proxy itself."""
    for service, addresses in config.source.endpoints.items():
        refused = {
            each
            for each in table.refused_of(service[:2])
            if each.owner == CONFIGURATION and (each.endpoint.host, each.endpoint.port) in addresses
        }
        if refused:
            message = f"{describe_refused(refused)}; {CONSEQUENCE}"
            yield Problem(message, field=_field(service), origin=origin, code=Code.ENDPOINTS_UNUSED)


def _why_unused(service: LocalService, endpoints: set[Endpoint], table: UpstreamTable) -> str:
    """Why an entry serves nothing; empty if it serves."""
    namespace, name, port = service
    keys = table.keys.get((namespace, name), ())
    if not keys:
        return "is not used: no Ingress that is served has a backend of this Service"
    refused = {each.endpoint for each in table.refused_of((namespace, name))}
    if any(endpoints - refused == set(table.upstreams[key].endpoints) for key in keys):
        return ""
    if (namespace, name) in table.slices:
        return "is not used: the Service has endpoints among the files, which go first"
    ports = ", ".join(sorted(key.port for key in keys))
    if port and port not in (key.port for key in keys):
        return f"is not used: the backends of this Service have port {ports}"
    return "is not used: the Service has endpoints or an external name, which go first"
