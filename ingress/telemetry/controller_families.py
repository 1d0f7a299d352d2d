"""
The metrics of the control plane: Snapshots, configuration, certificates, problems.

Names and labels that begin with ``nginx_ingress_controller`` are those of
ingress-nginx and mean the same.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Generator, Iterable, Iterator, Mapping
from hashlib import sha256
from typing import Final, TypeVar

from ingress.config import Config
from ingress.problem import Problem
from ingress.routing.build import Built
from ingress.routing.build.foreign_table import largest_classes
from ingress.routing.snapshot import ServerCertificate, Snapshot
from ingress.steps import STRIDE, Steps
from ingress.telemetry.exposition import Family, by_label, counter, gauge, label_text, line
from ingress.telemetry.observed_proxy import ObservedProxy
from ingress.telemetry.traffic_families import PREFIX

OWN_PREFIX: Final = "txingress"

T = TypeVar("T")

_HASH_BYTES: Final = 6
"""Bytes of the configuration's hash: a number that a float holds exactly."""

_INFO_LABELS: Final = (
    "class",
    "host",
    "identifier",
    "issuer_common_name",
    "issuer_organization",
    "namespace",
    "public_key_algorithm",
    "secret_name",
    "serial_number",
)

_ORPHAN_TYPES: Final = ("no-endpoint", "no-service")


def controller_families(proxy: ObservedProxy, constants: Mapping[str, str]) -> Iterator[Family]:
    """
    :param constants: the labels of the controller that ingress-nginx's metrics have.
    """
    labels = label_text(constants)
    yield _build_info(proxy, constants)
    yield from _configuration(proxy, labels)
    yield _leases(proxy, constants)
    yield _problems(proxy.problems)
    yield from _api(proxy)
    yield from _builds(proxy)
    built = proxy.published.built
    if built is not None:
        yield from _snapshot(proxy, built.snapshot)
        yield from _certificates(built.snapshot, proxy)
        yield _foreign(built)
        yield _orphans(built, constants)
    yield _checks(proxy, constants)


def configured_lines(built: Built) -> int:
    """The most lines that grow with the configuration: of certificates and Ingresses."""
    of_ingress = len(_ORPHAN_TYPES) + 1
    return 2 * (len(built.snapshot.certificates) + 1) + of_ingress * len(built.served)


def _build_info(proxy: ObservedProxy, constants: Mapping[str, str]) -> Family:
    labels = {**constants, "build": "", "release": proxy.version, "repository": ""}
    return gauge(
        f"{PREFIX}_build_info", "1, labelled with the version of txingress", 1, label_text(labels)
    )


def _configuration(proxy: ObservedProxy, labels: str) -> Iterator[Family]:
    published, configured = proxy.published, proxy.configured
    yield gauge(
        f"{PREFIX}_config_hash",
        "A hash of the configuration in force",
        _hash(configured.current),
        labels,
    )
    yield gauge(
        f"{PREFIX}_config_last_reload_successful",
        "Whether the configuration file, as it was read last, applies",
        not configured.has_mistakes,
        labels,
    )
    if published.published_at is not None:
        yield gauge(
            f"{PREFIX}_config_last_reload_successful_timestamp_seconds",
            "When the snapshot in force was published",
            int(published.published_at.timestamp()),
            labels,
        )
    yield counter(f"{PREFIX}_success", "Snapshots published", published.generation, labels)
    yield counter(
        f"{PREFIX}_errors",
        "Builds of a snapshot that failed; the one before stays in force",
        published.failures,
        labels,
    )


def _builds(proxy: ObservedProxy) -> Iterator[Family]:
    published = proxy.published
    yield counter(
        f"{OWN_PREFIX}_builds_total",
        "Builds of routes, whether they changed what is served or not",
        published.builds,
    )
    yield counter(
        f"{OWN_PREFIX}_build_seconds_total",
        "Seconds that these builds took",
        published.build_seconds,
    )


def _hash(config: Config) -> int:
    return int.from_bytes(sha256(repr(config).encode()).digest()[:_HASH_BYTES], "big")


def _leases(proxy: ObservedProxy, constants: Mapping[str, str]) -> Family:
    family = Family(
        f"{PREFIX}_leader_election_status",
        "gauge",
        "1 if this controller holds the Lease of this name, else 0",
    )
    return by_label(family, "name", proxy.leases(), constants)


def _api(proxy: ObservedProxy) -> Iterator[Family]:
    prefix = f"{OWN_PREFIX}_api"
    ages = Family(
        f"{prefix}_age_seconds",
        "gauge",
        "Seconds since the objects of this kind were last known to be up to date",
    )
    relists = Family(
        f"{prefix}_relists_total",
        "counter",
        "Lists of all objects of this kind that were read again because changes were missed",
    )
    failures = Family(
        f"{prefix}_watch_failures_total",
        "counter",
        "Watches of objects of this kind that failed",
    )
    yield by_label(ages, "kind", proxy.api_ages())
    yield by_label(relists, "kind", proxy.api_relists())
    yield by_label(failures, "kind", proxy.api_watch_failures())


def _problems(problems: Iterable[Problem]) -> Family:
    family = Family(
        f"{OWN_PREFIX}_problems",
        "gauge",
        "Problems of objects, files and the API server at the moment",
    )

    def lines() -> Iterator[str]:
        kinds = Counter[tuple[str, str]]()
        for count, problem in enumerate(problems):
            # Without an object it is about a whole file, or the way to the API server.
            kind = problem.kind or ("file" if problem.origin.file else "api")
            kinds[kind, str(problem.code or "")] += 1
            if count % STRIDE == STRIDE - 1:
                yield ""
        for (kind, code), count in sorted(kinds.items()):
            yield line(family.name, label_text({"kind": kind, "code": code}), count)

    return family._replace(lines=lines(), labels=("kind", "code"))


def _snapshot(proxy: ObservedProxy, snapshot: Snapshot) -> Iterator[Family]:
    published, prefix = proxy.published, f"{OWN_PREFIX}_snapshot"
    yield gauge(f"{prefix}_generation", "Snapshots published so far", published.generation)
    if published.published_at is not None:
        age = (proxy.now() - published.published_at).total_seconds()
        yield gauge(
            f"{prefix}_age_seconds", "Seconds since the snapshot in force was published", age
        )
    hosts = len(snapshot.hosts) + len(snapshot.wildcard_hosts) + (snapshot.any_host is not None)
    yield gauge(f"{prefix}_hosts", "Hosts in the snapshot in force", hosts)
    yield gauge(
        f"{prefix}_upstreams", "Service ports in the snapshot in force", len(snapshot.upstreams)
    )


def _foreign(built: Built) -> Family:
    family = Family(
        f"{OWN_PREFIX}_foreign_ingresses",
        "gauge",
        "Ingresses that are not served because of their class",
    )
    return by_label(family, "class", dict(largest_classes(built.foreign_classes)))


def _certificates(snapshot: Snapshot, proxy: ObservedProxy) -> Iterator[Family]:
    common = {
        "class": proxy.configured.current.ingress_class.controller,
        "namespace": proxy.namespace,
    }
    expiry = f"{PREFIX}_ssl_expire_time_seconds"
    yield Family(
        expiry,
        "gauge",
        "When the certificate of this host expires, in seconds since 1970",
        (
            line(expiry, _expiry_labels(host, certificate, common), _not_after(certificate))
            for host, certificate in _certificates_by_host(snapshot)
        ),
        (*common, "host", "secret_name"),
    )
    info = f"{PREFIX}_ssl_certificate_info"
    yield Family(
        info,
        "gauge",
        "1, labelled with the certificate of this host",
        (
            line(info, _info_labels(host, certificate, common["class"]), 1)
            for host, certificate in _certificates_by_host(snapshot)
        ),
        _INFO_LABELS,
    )


def _certificates_by_host(snapshot: Snapshot) -> Iterator[tuple[str, ServerCertificate]]:
    """The default certificate has the host ``_``, as in ingress-nginx."""
    yield from snapshot.certificates.items()
    if snapshot.default_certificate is not None:
        yield "_", snapshot.default_certificate


def _not_after(certificate: ServerCertificate) -> int:
    return int(certificate.not_after.timestamp())


def _expiry_labels(host: str, certificate: ServerCertificate, common: Mapping[str, str]) -> str:
    _, secret = certificate.identity.secret
    return label_text({**common, "host": host, "secret_name": secret})


def _info_labels(host: str, certificate: ServerCertificate, controller_class: str) -> str:
    identity = certificate.identity
    namespace, secret = identity.secret
    return label_text(
        {
            "class": controller_class,
            "host": host,
            "identifier": f"{secret}-{identity.serial_number}",
            "issuer_common_name": identity.issuer,
            "issuer_organization": identity.issuer_organization,
            "namespace": namespace,
            "public_key_algorithm": identity.key_algorithm,
            "secret_name": secret,
            "serial_number": identity.serial_number,
        }
    )


def _orphans(built: Built, constants: Mapping[str, str]) -> Family:
    name = f"{PREFIX}_orphan_ingress"

    def lines() -> Iterator[str]:
        orphans = yield from _quietly(built.orphans())
        for namespace, ingress in built.served:
            types = orphans.get((namespace, ingress), ())
            labels = {**constants, "ingress": ingress, "namespace": namespace}
            for kind in _ORPHAN_TYPES:
                yield line(name, label_text({**labels, "type": kind}), kind in types)

    explanation = "1 if a Service of this Ingress does not exist or has no endpoint"
    return Family(name, "gauge", explanation, lines(), (*constants, "ingress", "namespace", "type"))


def _checks(proxy: ObservedProxy, constants: Mapping[str, str]) -> Family:
    name = f"{PREFIX}_check_success"
    return Family(
        name,
        "counter",
        "Versions of this Ingress that were read and had no problem",
        (
            line(name, label_text({**constants, "ingress": ingress, "namespace": namespace}), count)
            for (namespace, ingress), count in proxy.ingress_checks
        ),
        (*constants, "ingress", "namespace"),
    )


def _quietly(steps: Steps[T]) -> Generator[str, None, T]:
    """Work in steps, each of which is an empty line of the exposition."""
    while True:
        try:
            next(steps)
        except StopIteration as end:
            result: T = end.value
            return result
        yield ""
