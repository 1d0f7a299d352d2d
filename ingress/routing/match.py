"""
The look-up of the Route and of the certificate for a request in a Snapshot.
"""

from __future__ import annotations

from typing import cast

from ingress.client_session import ClientTrust
from ingress.endpoint import Upstream, UpstreamKey
from ingress.message import Request
from ingress.policy.context import Captures
from ingress.routing.passthrough import Passthrough
from ingress.routing.pattern_index import captures_of
from ingress.routing.route import Route
from ingress.routing.snapshot import ServerCertificate, Snapshot, VirtualHost


def find_host(snapshot: Snapshot, host: bytes) -> VirtualHost | None:
    """
    Find the VirtualHost for the host of a request.

    :param host: in lower case, without port and trailing dot.
    :return: the VirtualHost of that name, else the wildcard that replaces its first
        label, else the one for hosts that no rule names. The first that exists
        decides: rules of the others are not tried (docs/compatibility.md, section 1, "Hosts").
    """
    found = snapshot.hosts.get(host)
    if found is None and snapshot.wildcard_hosts:
        label, _, parent = host.partition(b".")
        if label:
            found = snapshot.wildcard_hosts.get(parent)
    return found or snapshot.any_host


def find_route(
    snapshot: Snapshot, host: bytes, path: bytes, request: Request | None = None
) -> Route | None:
    """
    Find the Route of a request.

    :param host: as for `find_host`.
    :param path: the canonical path (`routing.path.canonical_path`).
    :param request: decides on rules with conditions; without it none of these matches.
    :return: the Route; the default one of the configuration if no rule matches, which is None if
        there is none.
    """
    # A native look-up, because every request does it.
    virtual_host = cast("dict[bytes, VirtualHost]", snapshot.hosts).get(host)
    if virtual_host is None:
        virtual_host = find_host(snapshot, host)
        if virtual_host is None:
            return snapshot.default_route
    only = virtual_host.only
    if only is not None:
        return only
    if virtual_host.is_plain:
        found = virtual_host.root.find(path)
        if found is not None:
            return found
        return snapshot.default_route if virtual_host.default is None else virtual_host.default
    index = virtual_host.index
    if index is not None and index.is_simple:
        found = index.find(path)
        if found is not None:
            return found
        return snapshot.default_route if virtual_host.default is None else virtual_host.default
    for route in virtual_host.candidates(path):
        if not route.conditions or (request is not None and _meets(request, route)):
            return route
    return snapshot.default_route if virtual_host.default is None else virtual_host.default


def find_upstream_of(snapshot: Snapshot, route: Route, key: UpstreamKey) -> Upstream | None:
    """Find the Upstream of `key`, which mostly is that of the Route, and was found before."""
    found = route.found
    upstream = found.upstream
    if upstream is not None and found.snapshot is snapshot.mark and key is route.upstream:
        return cast("Upstream", upstream)
    upstream = find_upstream(snapshot, key)
    if key is route.upstream:
        found.upstream, found.snapshot = upstream, snapshot.mark
    return upstream


def find_upstream(snapshot: Snapshot, key: UpstreamKey) -> Upstream | None:
    """Find the Upstream of a Service port; by a native look-up, because every request does it."""
    return cast("dict[UpstreamKey, Upstream]", snapshot.upstreams).get(key)


def _meets(request: Request, route: Route) -> bool:
    return all(condition.holds(request) for condition in route.conditions)


def find_captures(route: Route, path: bytes) -> Captures:
    """
    Find the captures of a rule with a regular expression.

    :param route: the result of `find_route` for this path.
    :return: the matches of the groups; empty for other rules.
    """
    return captures_of(route, path)


def find_client_trust(snapshot: Snapshot, server_name: str | None) -> ClientTrust | None:
    """
    Find whose certificates a handshake asks for: those of the host that requests of that name get.

    :param server_name: as for `find_certificate`.
    :return: None if it asks for none.
    """
    name = (server_name or "").lower().removesuffix(".")
    found = find_host(snapshot, name.encode("utf-8", "surrogateescape"))
    return None if found is None else found.client_trust


def find_passthrough(snapshot: Snapshot, server_name: bytes | None) -> Passthrough | None:
    """
    Find who gets a connection as it is: the host that requests of that name get says so.

    :param server_name: the client's SNI, in any case, with or without trailing dot; None if the
        client sent none.
    :return: None if TLS ends here.
    """
    if not server_name:
        return None
    found = find_host(snapshot, server_name.lower().removesuffix(b"."))
    return None if found is None else found.passthrough


def find_certificate(snapshot: Snapshot, server_name: str | None) -> ServerCertificate | None:
    """
    Find the certificate for a handshake.

    :param server_name: the client's SNI, in any case, with or without trailing dot;
        None if the client sent none.
    :return: the certificate of exactly that name, else of the wildcard that replaces its
        first label, else the configured default; None for the self-signed one.
    """
    if server_name:
        name = server_name.lower().removesuffix(".")
        _, _, parent = name.partition(".")
        found = snapshot.certificates.get(name) or snapshot.certificates.get(f"*.{parent}")
        if found is not None:
            return found
    return snapshot.default_certificate
