"""
The route table: a Snapshot as a text that people can read and diff.
"""

from __future__ import annotations

from collections.abc import Iterator

from ingress.endpoint import Endpoint, Upstream
from ingress.policy.annotation import Subject
from ingress.policy.backend_tls import BackendTLS
from ingress.policy.https_redirect import HttpsRedirect
from ingress.policy.load_balance import Algorithm, LoadBalance
from ingress.policy.policy import Policy
from ingress.policy.proxy_settings import ProxySettings
from ingress.policy.refusal import Refusal
from ingress.routing.resource import ReverseProxyResource
from ingress.routing.route import Route
from ingress.routing.snapshot import Snapshot, VirtualHost


def render(snapshot: Snapshot) -> str:
    """
    :return: the hosts with their rules, then the upstreams, then the certificates.
    """
    lines: list[str] = []
    hosts = [
        *sorted(snapshot.hosts.values(), key=lambda host: host.name),
        *sorted(snapshot.wildcard_hosts.values(), key=lambda host: host.name),
    ]
    if snapshot.any_host is not None:
        hosts.append(snapshot.any_host)
    for host in hosts:
        lines += [f"host {host.name or '(any other)'}", *_passthrough(host), *_rules(host)]
    for upstream in sorted(snapshot.upstreams.values(), key=lambda item: item.key):
        address = " by its address" if upstream.key.is_by_service else ""
        check = snapshot.health_checks.get(upstream.key)
        checked = f"; {check.check.explain()}" if check is not None else ""
        lines.append(f"upstream {upstream.key}{address}: {_endpoints(upstream)}{checked}")
    for name, certificate in sorted(snapshot.certificates.items()):
        lines.append(f"certificate {name}: for {', '.join(certificate.names)}")
    if snapshot.default_certificate is not None:
        lines.append(f"default certificate: for {', '.join(snapshot.default_certificate.names)}")
    return "".join(f"{line}\n" for line in lines)


def _passthrough(host: VirtualHost) -> Iterator[str]:
    passed = host.passthrough
    if passed is not None:
        extras = [f"Ingress {'/'.join(passed.ingress)}"]
        extras += [each.explain() for each in (passed.ranges, passed.limits) if each is not None]
        target = f"(closed: {passed.closed})" if passed.closed else str(passed.upstream)
        yield f"  {'TLS passed through':<22} -> {target} ({'; '.join(extras)})"


def _rules(host: VirtualHost) -> Iterator[str]:
    found = list(_walk(host.root, "") if host.index is None else _patterns(host))
    width = max((len(path) for path, _ in found), default=0)
    for path, route in found:
        form = route.path_type if route.pattern is None else route.pattern.form.value
        yield f"  {form:<22} {path:<{width}} -> {_target(route)}"
    if host.default is not None:
        yield f"  {'default':<22} {'':<{width}} -> {_target(host.default)}"
    if not found and host.default is None:
        yield "  (no rule)"


def _patterns(host: VirtualHost) -> Iterator[tuple[str, Route]]:
    for route in host.patterns:
        assert route.pattern is not None
        yield route.pattern.text.decode(errors="backslashreplace"), route


def _walk(node: ReverseProxyResource, path: str) -> Iterator[tuple[str, Route]]:
    if node.exact is not None:
        yield path, node.exact
    if node.prefix is not None:
        yield path or "/", node.prefix
    for _, routes in node.partials:
        for beginning, route in sorted(routes.items()):
            yield f"{path}/{beginning.decode()}", route
    for name, child in sorted(node.children.items()):
        yield from _walk(child, f"{path}/{name.decode()}")


def _pace(route: Route) -> Iterator[str]:
    if route.pace is not None:
        yield f"{route.pace.rate} bytes/s after {route.pace.after}"


def _target(route: Route) -> str:
    upstream = str(route.upstream) if route.upstream is not None else "(nothing: 404)"
    extras = [f"Ingress {'/'.join(route.ingress)}", *map(_policy, route.policies)]
    extras += [
        *([f"as {route.rewrite.written}"] if route.rewrite is not None else []),
        *_affinity(route),
        *_balance(route.load_balance),
        *_proxy(route.proxy),
        *_backend(route.tls),
        *_pace(route),
    ]
    return f"{upstream} ({'; '.join([*extras, *map(_canary, route.canary_routes)])})"


def _canary(route: Route) -> str:
    rule = route.canary_rule
    assert rule is not None
    own = [*_affinity(route), *_balance(route.load_balance)]
    extras = f", {'; '.join(own)}" if own else ""
    whose = "/".join(rule.ingress)
    return (
        f"canary {rule.upstream} ({whose}): {rule.canary.explain()}, share {rule.share:g}{extras}"
    )


def _affinity(route: Route) -> Iterator[str]:
    affinity = route.affinity
    if affinity is not None:
        mode = "persistent" if affinity.is_persistent else "balanced"
        yield f"cookie {affinity.name} at {affinity.path}, {mode}"


def _balance(settings: LoadBalance) -> Iterator[str]:
    """Yield the settings that differ from the defaults, like the functions below."""
    if settings.algorithm is not Algorithm.ROUND_ROBIN:
        yield settings.algorithm
    if settings.hash_key is not None:
        yield f"hash {settings.hash_key.written}"
        if settings.subset_size > 1:
            yield f"subsets of {settings.subset_size}"
    if settings.slow_start:
        yield f"slow start {settings.slow_start:g} s"


def _proxy(settings: ProxySettings) -> Iterator[str]:
    default = ProxySettings()
    if settings.body_size != default.body_size:
        yield "any body" if settings.body_size is None else f"body {settings.body_size}"
    for name in ("connect_timeout", "send_timeout", "read_timeout", "tries", "retry_timeout"):
        value = getattr(settings, name)
        if value != getattr(default, name):
            yield f"{name.replace('_timeout', '').replace('_', ' ')} {value:g}"
    if settings.retry_on != default.retry_on:
        yield f"retry on {' '.join(sorted(settings.retry_on)) or 'nothing'}"


def _backend(tls: BackendTLS | None) -> Iterator[str]:
    if tls is None:
        return
    known = "verified as" if tls.is_verified else "unverified"
    yield f"https {known} {tls.name}"
    if tls.sends_name:
        yield "SNI"
    if tls.chain_pem is not None:
        yield "client certificate"
    default = BackendTLS()
    if tls.verify_depth != default.verify_depth:
        yield f"depth {tls.verify_depth}"
    if tls.protocols != default.protocols:
        yield " ".join(sorted(tls.protocols))
    if tls.ciphers != default.ciphers:
        yield f"ciphers {tls.ciphers}"


def _policy(policy: Policy) -> str:
    if isinstance(policy, Refusal):
        return "refused" if policy.subject is Subject.ACCESS else "refused for its TLS"
    if not isinstance(policy, HttpsRedirect):
        return policy.explain().removesuffix(".")
    text = "to https" if policy.port == 443 else f"to https:{policy.port}"
    if policy.hosts is not None:
        text += f" for {', '.join(sorted(name.decode() for name in policy.hosts))}"
    return text


def _endpoints(upstream: Upstream) -> str:
    nobody = f"(none: {502 if upstream.is_unresolved else 503})"
    text = ", ".join(map(_endpoint, upstream.endpoints)) or nobody
    if upstream.lingering:
        text += f"; lingering {', '.join(map(_endpoint, upstream.lingering))}"
    return text


def _endpoint(endpoint: Endpoint) -> str:
    return f"{endpoint} as {endpoint.name}" if endpoint.name else str(endpoint)
